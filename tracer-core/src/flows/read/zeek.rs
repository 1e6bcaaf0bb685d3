//! Connections of Zeek (`conn.log`), as columns under a header or as JSON.
//!
//! Format: <https://docs.zeek.org/en/master/reference/logs/conn.html>,
//! <https://docs.zeek.org/en/master/scripts/base/protocols/conn/main.zeek.html>

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::value::address;
use crate::{
    flows::{Amount, End, Flow, Format, Icmp, ip::IpProtocol},
    logs::{self, Reader, Unreadable, json},
};

/// What stands for a value that is not known, and for one that is empty.
const UNSET: [&str; 2] = ["-", "(empty)"];
/// How the line of a header begins that names the columns.
const FIELDS: &str = "#fields\t";
/// The state of a connection of which the beginning was not seen: who has begun it is a guess.
const MIDSTREAM: &str = "OTH";

/// Reads them.
#[derive(Debug, Default)]
pub struct Zeek {
    /// Names of the columns, by the last header.
    columns: Vec<String>,
    values: json::Values,
}

/// Whether a line is of a header of Zeek.
pub fn recognises(line: &str) -> bool {
    line.starts_with("#separator ") || line.starts_with(FIELDS)
}

/// Whether an event in JSON is a connection of Zeek.
pub fn recognises_event(event: &Value) -> bool {
    event.get("id.orig_h").is_some() && event.get("uid").is_some()
}

impl Reader<Flow> for Zeek {
    fn line(
        &mut self,
        line: &str,
        origin: &logs::Origin,
        flows: &mut Vec<Flow>,
    ) -> Result<(), Unreadable> {
        if let Some(fields) = line.strip_prefix(FIELDS) {
            self.columns = fields.split('\t').map(str::to_owned).collect();
            return Ok(());
        }
        if line.starts_with('#') || line.trim().is_empty() {
            return Ok(());
        }
        if line.starts_with('{') || self.values.is_open() {
            let (told, result) = json::each(self.values.line(line, origin), of_event);
            flows.extend(told);
            return result;
        }
        if self.columns.is_empty() {
            return Err(Unreadable::new("no #fields stand above it"));
        }
        let cells: Vec<&str> = line.split('\t').collect();
        if cells.len() != self.columns.len() {
            let (has, wants) = (cells.len(), self.columns.len());
            return Err(Unreadable(format!(
                "not the columns of #fields: {has} of {wants}"
            )));
        }
        let cell = |name: &str| {
            let at = self.columns.iter().position(|column| column == name)?;
            let text = *cells.get(at)?;
            (!UNSET.contains(&text)).then(|| text.to_owned())
        };
        flows.push(flow(cell, origin)?);
        Ok(())
    }

    fn end(&mut self, flows: &mut Vec<Flow>) -> Result<(), Unreadable> {
        self.columns.clear();
        let (told, result) = json::each(self.values.end(), of_event);
        flows.extend(told);
        result
    }
}

/// JSON of other logs of Zeek may stand in the same stream.
fn of_event(event: &Value, origin: &logs::Origin) -> Result<Option<Flow>, Unreadable> {
    if event.get("id.orig_h").is_none() || event.get("conn_state").is_none() {
        return Ok(None);
    }
    let cell = |name: &str| match event.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    };
    flow(cell, origin).map(Some)
}

/// The flow of a row, whose cells are asked for by the names of their columns.
fn flow(cell: impl Fn(&str) -> Option<String>, origin: &logs::Origin) -> Result<Flow, Unreadable> {
    let needed = |name: &str| cell(name).ok_or_else(|| Unreadable(format!("no {name}")));
    let number = |name: &str| -> Option<u64> { cell(name)?.parse().ok() };
    let time = time(&needed("ts")?)?;
    let mut flow = Flow::new(time, Format::ZeekConn, origin.into());
    flow.protocol = cell("proto").and_then(|proto| IpProtocol::of(&proto));
    let (source, destination) = (
        address(&needed("id.orig_h")?)?,
        address(&needed("id.resp_h")?)?,
    );
    let port = |name: &str| number(name).and_then(|port| u16::try_from(port).ok());
    let ports = (port("id.orig_p"), port("id.resp_p"));
    if flow.protocol.is_some_and(IpProtocol::is_icmp) {
        // Zeek keeps type and code where ports are.
        flow.icmp = icmp(ports);
        flow.source = End::at(source, None);
        flow.destination = End::at(destination, None);
    } else {
        flow.source = End::at(source, ports.0);
        flow.destination = End::at(destination, ports.1);
    }
    flow.end = cell("duration").and_then(|duration| Some(time + seconds(&duration)?));
    flow.bytes = Amount {
        forward: number("orig_ip_bytes").or_else(|| number("orig_bytes")),
        reverse: number("resp_ip_bytes").or_else(|| number("resp_bytes")),
        ..Amount::default()
    };
    flow.packets = Amount {
        forward: number("orig_pkts"),
        reverse: number("resp_pkts"),
        ..Amount::default()
    };
    flow.reason = cell("conn_state");
    flow.initiator_known = flow.reason.as_deref() != Some(MIDSTREAM);
    flow.session = cell("uid");
    flow.application = cell("service");
    Ok(flow)
}

fn icmp((kind, code): (Option<u16>, Option<u16>)) -> Option<Icmp> {
    Some(Icmp {
        kind: kind?.try_into().ok()?,
        code: code?.try_into().ok()?,
    })
}

/// Seconds since 1970 with a fraction, or RFC 3339: what is set by `LogAscii::json_timestamps`.
fn time(text: &str) -> Result<Timestamp, Unreadable> {
    let number = || {
        let since = seconds(text)?;
        Timestamp::UNIX_EPOCH.checked_add(since).ok()
    };
    number().map_or_else(|| json::time(text), Ok)
}

/// Seconds with a fraction, exactly.
fn seconds(text: &str) -> Option<SignedDuration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let seconds = SignedDuration::from_secs(whole.parse().ok()?);
    seconds.checked_add(SignedDuration::from_nanos(digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flows::read::tests::{flows, only};

    /// As in the documentation of conn.log, with addresses for documentation.
    const HEADER: &str = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
        #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\t\
        conn_state\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n\
        #types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tcount\tcount\tcount\tcount\n";
    const JSON: &str = r#"{"ts":1591367999.3059881,"uid":"CMdzit1AMNsmfAIiQc","id.orig_h":"192.168.4.76","id.orig_p":36844,
        "id.resp_h":"192.168.4.1","id.resp_p":53,"proto":"udp","service":"dns","duration":0.06685185,"orig_bytes":62,
        "resp_bytes":141,"conn_state":"SF","orig_pkts":2,"orig_ip_bytes":118,"resp_pkts":2,"resp_ip_bytes":197}"#;

    #[test]
    fn columns_under_a_header() {
        let line = "1591367999.305988\tCMdzit\t192.168.4.76\t36844\t203.0.113.9\t443\ttcp\tssl\t1.5\t62\t141\tSF\t2\t118\t2\t197\n";
        let flow = only(
            Zeek::default(),
            &[HEADER, line, "#close\t2020-06-05\n"].concat(),
        );
        assert_eq!(flow.time.to_string(), "2020-06-05T14:39:59.305988Z");
        assert_eq!(flow.end.unwrap().to_string(), "2020-06-05T14:40:00.805988Z");
        assert_eq!(flow.destination, End::at([203, 0, 113, 9].into(), 443));
        assert_eq!(flow.bytes, Amount::both(118, 197));
        assert_eq!(flow.packets, Amount::both(2, 2));
        assert_eq!(flow.application.as_deref(), Some("ssl"));
        assert!(flow.initiator_known);
    }

    #[test]
    fn json_and_what_is_unset() {
        let flow = only(Zeek::default(), &JSON.replace('\n', ""));
        assert_eq!(flow.protocol, Some(IpProtocol::UDP));
        assert_eq!(flow.session.as_deref(), Some("CMdzit1AMNsmfAIiQc"));
        let line = "1591367999.3\tC1\t192.168.4.76\t8\t192.168.4.1\t0\ticmp\t-\t-\t-\t-\tOTH\t-\t-\t-\t-\n";
        let flow = only(Zeek::default(), &[HEADER, line].concat());
        assert_eq!(flow.icmp, Some(Icmp { kind: 8, code: 0 }));
        assert_eq!((flow.source.port, flow.end), (None, None));
        assert!(flow.bytes.is_unknown() && !flow.initiator_known);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let (told, why) = flows(Zeek::default(), "1\t2\n");
        assert!(told.is_empty());
        assert_eq!(why, ["no #fields stand above it"]);
        let row = |ts: &str, ip: &str| {
            format!("{HEADER}{ts}\tC1\t{ip}\t1\t10.0.0.1\t2\ttcp\t-\t-\t-\t-\tS0\t-\t-\t-\t-\n")
        };
        assert!(flows(Zeek::default(), &row("x", "10.0.0.2")).1[0].contains("not a time"));
        assert_eq!(
            flows(Zeek::default(), &row("1", "host")).1,
            ["no address: `host`"]
        );
        let short = [HEADER, "1\t2\n"].concat();
        assert_eq!(
            flows(Zeek::default(), &short).1,
            ["not the columns of #fields: 2 of 16"]
        );
    }
}
