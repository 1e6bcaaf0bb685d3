//! Documents of the Elastic Common Schema, held against what it publishes.

use std::sync::Arc;

use serde_json::{Value, json};
use tracer_core::{
    format::Ecs,
    outcome::Outcome,
    record::{Connection, Event, Owner, Process},
};

use super::{
    nothing_is_null, object, objects,
    records::{self, TIME, connection, ended, inbound, listener, of},
};

/// `event.type` that the schema expects of the category `network`.
const TYPES: [&str; 8] = [
    "access",
    "allowed",
    "connection",
    "denied",
    "end",
    "info",
    "protocol",
    "start",
];

/// Fields of the schema that a document may have, of the sets it has them from.
const SETS: [&str; 20] = [
    "@timestamp",
    "agent",
    "client",
    "conntracer",
    "container",
    "destination",
    "ecs",
    "error",
    "event",
    "host",
    "message",
    "network",
    "orchestrator",
    "process",
    "related",
    "rule",
    "server",
    "source",
    "threat",
    "user",
];

/// Panics unless the document has what the schema wants, in the types it wants.
pub fn is_as_published(document: &Value) {
    nothing_is_null(document);
    let whole = document.as_object().into_iter().flatten();
    for (set, _) in whole {
        assert!(SETS.contains(&&**set), "{set}: {document}");
    }
    assert!(document["@timestamp"].is_string(), "{document}");
    assert_eq!(document["ecs"]["version"], "9.4.0");
    assert_eq!(document["host"]["os"]["type"], "linux");
    let event = &document["event"];
    let is_finding = event["action"] == "discovery";
    let (kind, category) = if is_finding {
        ("alert", "process")
    } else {
        ("event", "network")
    };
    assert_eq!(event["kind"], kind);
    assert!(event["action"].is_string(), "{document}");
    let types: Vec<&Value> = event["type"].as_array().into_iter().flatten().collect();
    if event["category"].is_null() {
        assert!(types.is_empty(), "{document}");
    } else {
        assert_eq!(event["category"], json!([category]));
        assert!(!types.is_empty(), "{document}");
    }
    let expected = |word: &&Value| TYPES.iter().any(|known| *known == **word);
    assert!(types.iter().all(expected), "{document}");
    let outcome = event["outcome"].as_str();
    let outcomes = ["success", "failure", "unknown"];
    assert!(
        outcome.is_none_or(|word| outcomes.contains(&word)),
        "{document}"
    );
    let direction = document["network"]["direction"].as_str();
    let directions = ["ingress", "egress", "unknown"];
    assert!(
        direction.is_none_or(|word| directions.contains(&word)),
        "{document}"
    );
    if is_finding {
        assert_eq!(document["threat"]["technique"]["id"], json!(["T1049"]));
    }
    for end in ["source", "destination", "client", "server"] {
        let end = &document[end];
        if end.is_object() {
            assert!(
                end["ip"].is_string() && end["address"] == end["ip"],
                "{document}"
            );
            assert!(end["port"].is_null() || end["port"].is_u64(), "{document}");
            assert!(
                end["bytes"].is_null() || end["bytes"].is_u64(),
                "{document}"
            );
        }
    }
    let keywords = [
        &document["network"]["iana_number"],
        &document["user"]["id"],
        &document["process"]["user"]["id"],
        &document["process"]["entity_id"],
    ];
    for keyword in keywords {
        assert!(keyword.is_null() || keyword.is_string(), "{document}");
    }
    let pid = &document["process"]["pid"];
    assert!(pid.is_null() || pid.is_u64(), "{document}");
}

fn document(connection: Connection) -> Value {
    let document = object(&mut Ecs::default(), of(connection));
    is_as_published(&document);
    document
}

#[test]
fn what_becomes_of_each_event() {
    for (connection, action, types, outcome, reason) in [
        (
            connection(Event::Connect),
            "connection_attempted",
            json!(["connection", "start"]),
            json!("unknown"),
            Value::Null,
        ),
        (
            connection(Event::Established),
            "connection_established",
            json!(["connection", "info"]),
            json!("success"),
            Value::Null,
        ),
        (
            inbound(Event::Accept),
            "connection_accepted",
            json!(["connection", "start"]),
            json!("success"),
            Value::Null,
        ),
        (
            ended(Event::Failed, Outcome::Refused),
            "connection_failed",
            json!(["connection", "end"]),
            json!("failure"),
            json!("refused"),
        ),
        (
            ended(Event::Failed, Outcome::Denied),
            "connection_failed",
            json!(["connection", "end", "denied"]),
            json!("failure"),
            json!("denied"),
        ),
        (
            ended(Event::Close, Outcome::Finished),
            "disconnect_received",
            json!(["connection", "end"]),
            Value::Null,
            json!("finished"),
        ),
        (
            ended(Event::Close, Outcome::ResetRemote),
            "disconnect_received",
            json!(["connection", "end"]),
            Value::Null,
            json!("reset_remote"),
        ),
        (
            connection(Event::Existing),
            "connection_existing",
            json!(["connection", "info"]),
            Value::Null,
            Value::Null,
        ),
        (
            connection(Event::Update),
            "connection_updated",
            json!(["connection", "info"]),
            Value::Null,
            Value::Null,
        ),
        (
            connection(Event::State),
            "connection_state_changed",
            json!(["connection", "info"]),
            Value::Null,
            Value::Null,
        ),
    ] {
        let document = document(connection);
        let event = &document["event"];
        assert_eq!(event["action"], action);
        assert_eq!(event["type"], types, "{action}");
        assert_eq!(event["outcome"], outcome, "{action}");
        assert_eq!(event["reason"], reason, "{action}");
        assert_eq!(event["provider"], "kernel");
    }
}

#[test]
fn a_listener_is_no_connection() {
    for (event, action) in [
        (Event::Existing, "listener_existing"),
        (Event::Listen, "listen_started"),
        (Event::Unlisten, "listen_stopped"),
    ] {
        let document = document(listener(event));
        assert_eq!(document["event"]["action"], action);
        assert_eq!(document["event"]["type"], json!(["info"]));
        assert_eq!(document["event"]["outcome"], Value::Null);
        assert_eq!(document["network"]["direction"], Value::Null);
    }
}

#[test]
fn the_source_is_who_opened_it() {
    let here = json!({"ip": "192.0.2.17", "address": "192.0.2.17", "port": 41158, "bytes": 517, "packets": 3});
    let there = json!({
        "ip": "198.51.100.9",
        "address": "198.51.100.9",
        "port": 443,
        "domain": "www.example",
        "bytes": 9_007_199_254_740_993_u64,
        "packets": 4,
    });
    let outbound = document(connection(Event::Close));
    assert_eq!(outbound["network"]["direction"], "egress");
    assert_eq!(
        (&outbound["source"], &outbound["destination"]),
        (&here, &there)
    );
    assert_eq!((&outbound["client"], &outbound["server"]), (&here, &there));
    assert_eq!(
        outbound["network"]["bytes"],
        json!(9_007_199_254_741_510_u64)
    );
    assert_eq!(outbound["network"]["packets"], 7);
    let inbound = document(inbound(Event::Close));
    assert_eq!(inbound["network"]["direction"], "ingress");
    assert_eq!(
        (&inbound["source"], &inbound["destination"]),
        (&there, &here)
    );
    assert_eq!((&inbound["client"], &inbound["server"]), (&there, &here));
    let unknown = document(Connection {
        direction: None,
        ..connection(Event::Close)
    });
    assert_eq!(unknown["network"]["direction"], "unknown");
    assert_eq!(
        (&unknown["source"], &unknown["destination"]),
        (&here, &there)
    );
    assert_eq!(
        (&unknown["client"], &unknown["server"]),
        (&Value::Null, &Value::Null)
    );
    let listener = document(listener(Event::Listen));
    assert_eq!(listener["source"], Value::Null);
    assert_eq!(listener["server"]["port"], 41158);
}

#[test]
fn translation_is_of_the_far_end() {
    let document = document(records::translated(Event::Update));
    assert_eq!(
        document["destination"]["nat"],
        json!({"ip": "203.0.113.5", "port": 8443})
    );
    assert_eq!(document["source"]["nat"], Value::Null);
    assert_eq!(
        document["related"]["ip"],
        json!(["192.0.2.17", "198.51.100.9", "203.0.113.5"])
    );
}

#[test]
fn a_connection_that_is_over_has_lasted() {
    let document = document(Connection {
        duration_us: Some(2_000_000),
        error: Some("ECONNRESET".to_owned()),
        ..ended(Event::Close, Outcome::ResetRemote)
    });
    let event = &document["event"];
    assert_eq!(event["duration"], 2_000_000_000);
    assert_eq!(event["start"], "2027-01-15T08:00:00.000000789Z");
    assert_eq!(event["end"], TIME);
    assert_eq!(document["error"]["code"], "ECONNRESET");
}

#[test]
fn the_owner_has_his_fields() {
    let documents = objects(
        &mut Ecs::default(),
        &[records::start(), of(connection(Event::Connect))],
    );
    let document = &documents[1];
    is_as_published(document);
    assert_eq!(
        document["process"],
        json!({
            "pid": 500,
            "hash": {"sha256": records::SHA256},
            "vpid": 5,
            "thread": {"id": 501},
            "entity_id": "b00t-500-2027-01-15T07:00:05.01Z",
            "name": "curl",
            "executable": "/usr/bin/curl",
            "command_line": "curl https://www.example/",
            "args": ["curl", "https://www.example/"],
            "args_count": 2,
            "start": "2027-01-15T07:00:05.01Z",
            "interactive": true,
            "parent": {
                "pid": 400,
                "entity_id": "b00t-400-2027-01-15T07:00:04.00Z",
                "name": "sh",
                "executable": "/usr/bin/dash",
                "command_line": "-sh",
                "args": ["-sh"],
                "start": "2027-01-15T07:00:04.00Z",
            },
            "session_leader": {"pid": 300, "name": "bash"},
            "entry_leader": {"user": {"id": "1001", "name": "bob"}},
            "user": {"id": "0"},
            "real_user": {"id": "1000", "name": "alice"},
            "real_group": {"id": "100"},
        })
    );
    assert_eq!(document["user"], json!({"id": "0"}));
    assert_eq!(
        document["container"],
        json!({
            "id": "3f4e",
            "name": "web",
            "image": {"name": "nginx:1.27"},
            "runtime": "containerd",
        })
    );
    assert_eq!(
        document["orchestrator"],
        json!({
            "type": "kubernetes",
            "namespace": "shop",
            "resource": {"type": "pod", "id": "6f3a", "name": "web-0"},
        })
    );
    assert_eq!(
        document["related"],
        json!({
            "ip": ["192.0.2.17", "198.51.100.9"],
            "hosts": ["web-1", "www.example", "cdn.example"],
            "user": ["alice", "bob"],
            "hash": [records::SHA256],
        })
    );
    assert_eq!(
        document["host"],
        json!({
            "hostname": "web-1",
            "name": "web-1",
            "id": "mach1ne",
            "boot": {"id": "b00t"},
            "os": {"type": "linux", "kernel": "6.1.0"},
        })
    );
    assert_eq!(
        document["agent"],
        json!({"type": "conntracer", "version": "0.1.0"})
    );
}

#[test]
fn arguments_that_were_cut_are_not_counted() {
    let owner = records::owner();
    let process = Process {
        args_truncated: true,
        ..(*owner.process).clone()
    };
    let document = document(Connection {
        owner: Some(Arc::new(Owner {
            process: Arc::new(process),
            ..owner
        })),
        ..connection(Event::Connect)
    });
    assert_eq!(document["process"]["args_count"], Value::Null);
    assert_eq!(document["conntracer"]["args_truncated"], true);
}

#[test]
fn what_the_schema_has_no_field_for_is_our_own() {
    let document = document(connection(Event::Connect));
    let own = &document["conntracer"];
    for (field, expected) in [
        ("event", json!("connect")),
        ("id", json!("abc-1")),
        ("netns", json!(4_026_531_840_u32)),
        ("attribution", json!("connect")),
        ("direction", json!("outbound")),
        ("scope", json!("external")),
        ("rtt_us", json!(12_500)),
        ("retransmits", json!(0)),
        ("unit", json!("x.service")),
        ("cgroup", json!({"id": 11, "path": "/x"})),
        ("open_before", Value::Null),
    ] {
        assert_eq!(own[field], expected, "{field}");
    }
}

#[test]
fn the_run_itself_is_told_without_a_category() {
    for (record, action) in [
        (records::start(), "tracing_started"),
        (records::loss(), "records_lost"),
        (records::stop(), "tracing_stopped"),
    ] {
        let document = object(&mut Ecs::default(), record);
        is_as_published(&document);
        assert_eq!(document["event"]["action"], action);
        assert_eq!(document["event"]["category"], Value::Null);
    }
    let loss = object(&mut Ecs::default(), records::loss());
    assert_eq!(loss["conntracer"]["loss"]["lost"], json!({"ring_full": 3}));
}

#[test]
fn a_socket_that_is_not_followed_has_its_opener() {
    let document = object(&mut Ecs::default(), records::socket());
    is_as_published(&document);
    assert_eq!(document["event"]["action"], "socket_opened");
    assert_eq!(document["event"]["type"], json!(["info"]));
    assert_eq!(document["process"]["pid"], 500);
    assert_eq!(document["conntracer"]["kind"], "raw");
    assert_eq!(document["network"], json!({"type": "ipv4"}));
}

#[test]
fn indicators_are_told_of_the_end_that_met_them() {
    for (of, field) in [
        (connection(Event::Connect), "destination.ip"),
        (inbound(Event::Accept), "source.ip"),
    ] {
        let document = document(records::known(of));
        let enrichment = &document["threat"]["enrichments"][0];
        assert_eq!(enrichment["matched"]["field"], field);
        assert_eq!(enrichment["indicator"]["ip"], "198.51.100.9");
        assert_eq!(enrichment["indicator"]["port"], 443);
    }
    assert!(document(connection(Event::Connect))["threat"].is_null());
}
