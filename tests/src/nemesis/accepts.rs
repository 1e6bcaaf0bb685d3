//! What the server takes, as measured on the real one's schema: anything else is 400.

use serde_json::{Map, Value, json};

use super::{AUTHORIZATION, Request};

/// All keys that there are, and what each is.
const METADATA: [(&str, Kind); 8] = [
    ("agent_id", Kind::Text),
    ("agent_type", Kind::Text),
    ("automated", Kind::Bool),
    ("data_type", Kind::Text),
    ("source", Kind::Text),
    ("project", Kind::Text),
    ("timestamp", Kind::Time),
    ("expiration", Kind::Time),
];
const ROW: [(&str, Kind); 7] = [
    ("local_address", Kind::Address),
    ("remote_address", Kind::Address),
    ("protocol", Kind::Protocol),
    ("state", Kind::State),
    ("process_id", Kind::Pid),
    ("process_name", Kind::Text),
    ("service", Kind::Text),
];
const STATES: [&str; 12] = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSED",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "UNKNOWN",
];

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Bool,
    Time,
    Address,
    Protocol,
    State,
    Pid,
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            // The server's database has no NUL in text.
            Self::Text => text.is_some_and(|text| !text.is_empty() && !text.contains('\0')),
            Self::Bool => value.is_boolean(),
            Self::Time => text.is_some_and(is_time),
            Self::Address => text.is_some_and(|text| text.parse::<std::net::SocketAddr>().is_ok()),
            Self::Protocol => text.is_some_and(is_protocol),
            Self::State => text.is_some_and(|text| STATES.contains(&text)),
            Self::Pid => value.as_u64().is_some_and(|pid| i32::try_from(pid).is_ok()),
        }
    }
}

/// `tcp,ipv4` and the like; what the documentation has ends in an ellipsis.
fn is_protocol(text: &str) -> bool {
    let parts = text.split_once(',');
    parts.is_some_and(|(name, family)| !name.is_empty() && matches!(family, "ipv4" | "ipv6"))
}

/// The literal `.000Z`, as the oldest version wants it.
fn is_time(text: &str) -> bool {
    let form = "dddd-dd-ddTdd:dd:dd.000Z";
    let is_alike = |(got, form): (u8, u8)| got == form || (form == b'd' && got.is_ascii_digit());
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(is_alike)
}

/// Status and body of the answer to a request.
#[must_use]
pub fn answer(request: &Request) -> (u16, String) {
    let result = check(request);
    match result {
        Ok(body) => (200, body.to_string()),
        Err((status, why)) => (status, json!({ "detail": why }).to_string()),
    }
}

fn check(request: &Request) -> Result<Value, (u16, String)> {
    if request.header("authorization") != Some(AUTHORIZATION) {
        return Err((401, "Unauthorized".to_owned()));
    }
    let bad = |why: String| (400, why);
    match request.line.as_str() {
        "POST /api/data" => {
            let message =
                serde_json::from_slice(&request.body).map_err(|why| bad(why.to_string()))?;
            message_is_valid(&message).map_err(bad)?;
            Ok(json!({"object_id": "5f0c4a3e-0000-4000-8000-000000000001"}))
        }
        "POST /api/files" => {
            file_is_valid(request).map_err(bad)?;
            Ok(json!({"object_id": "5f0c4a3e-0000-4000-8000-000000000002", "submission_id": "7"}))
        }
        _ => Err((404, "Not Found".to_owned())),
    }
}

/// Whether 1.x takes a message.
///
/// # Errors
/// If it does not: why.
pub fn message_is_valid(message: &Value) -> Result<(), String> {
    let message = object(message, "Invalid message")?;
    if message.keys().any(|key| key != "metadata" && key != "data") {
        return Err("Invalid message".to_owned());
    }
    let metadata = object(
        message.get("metadata").unwrap_or(&Value::Null),
        "Invalid metadata",
    )?;
    fits(metadata, &METADATA, "Invalid metadata")?;
    if metadata.len() != METADATA.len() {
        return Err("Invalid metadata: something is missing".to_owned());
    }
    if metadata["data_type"] != "network_connection" {
        return Err("Invalid metadata data_type".to_owned());
    }
    let why = "Invalid network_connection message";
    let data = message.get("data").and_then(Value::as_array).ok_or(why)?;
    for row in data {
        let row = object(row, why)?;
        fits(row, &ROW, why)?;
        if !row.contains_key("local_address") || !row.contains_key("protocol") {
            return Err(why.to_owned());
        }
    }
    Ok(())
}

fn file_is_valid(request: &Request) -> Result<(), String> {
    let parts = request.parts();
    let [(metadata, None, content), (file, Some(file_name), _)] = parts.as_slice() else {
        return Err(format!("two parts are wanted: {parts:?}"));
    };
    if metadata != "metadata" || file != "file" {
        return Err("`metadata` and `file` are wanted".to_owned());
    }
    let content: Value = serde_json::from_str(content).map_err(|why| why.to_string())?;
    for key in ["agent_id", "project", "path"] {
        if content[key].as_str().is_none_or(str::is_empty) {
            return Err(format!("{key} is wanted"));
        }
    }
    if !content["path"]
        .as_str()
        .is_some_and(|path| path.ends_with(file_name.as_str()))
    {
        return Err("`path` is not that of the file".to_owned());
    }
    message_is_valid(&request.message())
}

fn object<'a>(value: &'a Value, why: &str) -> Result<&'a Map<String, Value>, String> {
    value.as_object().ok_or_else(|| why.to_owned())
}

fn fits(object: &Map<String, Value>, kinds: &[(&str, Kind)], why: &str) -> Result<(), String> {
    for (key, value) in object {
        let kind = kinds.iter().find(|(known, _)| known == key);
        if !kind.is_some_and(|(_, kind)| kind.fits(value)) {
            return Err(format!("{why}: {key} = {value}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> Value {
        json!({
            "metadata": {
                "agent_id": "web01-5f1c", "agent_type": "conntracer", "automated": true,
                "data_type": "network_connection", "source": "web01", "project": "IR-2026-014",
                "timestamp": "2026-11-20T23:51:07.000Z", "expiration": "2027-02-28T23:51:07.000Z",
            },
            "data": [{
                "local_address": "172.16.111.218:52279", "remote_address": "172.16.111.171:80",
                "protocol": "tcp,ipv4", "state": "ESTABLISHED", "process_id": 1260,
                "process_name": "curl", "service": "http",
            }],
        })
    }

    #[test]
    fn what_the_real_server_refuses_is_refused() {
        assert_eq!(message_is_valid(&valid()), Ok(()));
        let changes: [(&str, Value); 12] = [
            ("/metadata/automated", json!(1)),
            ("/metadata/expiration", json!("2027-01-01T00:00:00Z")),
            ("/metadata/expiration", json!("2023-08-01T22:51:35")),
            (
                "/metadata/timestamp",
                json!("2026-11-20T23:51:07.000000000Z"),
            ),
            ("/metadata/data_type", json!("file_data")),
            ("/data", json!({})),
            ("/data/0/process_id", json!(-1)),
            ("/data/0/process_id", json!(2_147_483_648_u64)),
            ("/data/0/state", json!("SYN_RCVD")),
            ("/data/0/local_address", json!("::1:443")),
            ("/data/0/protocol", json!("tcp")),
            (
                "/data/0",
                json!({"local_address": "127.0.0.1:1", "protocol": "tcp,ipv4", "pid": 1}),
            ),
        ];
        for (at, value) in changes {
            let mut message = valid();
            if let Some(place) = message.pointer_mut(at) {
                *place = value.clone();
            }
            assert!(message_is_valid(&message).is_err(), "{at} = {value}");
        }
    }
}
