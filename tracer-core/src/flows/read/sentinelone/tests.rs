use jiff::tz::{Offset, TimeZone};
use proptest::prelude::*;
use serde_json::json;

use super::{
    super::table::tests::{origin, written},
    *,
};
use crate::flows::Action;

/// Columns with names of Deep Visibility, as its query language has them (`EventType = "IP Connect" AND
/// NetConnStatus = "SUCCESS"`); a command line may have ends of lines.
const OLD: &str = "\u{feff}\"EventTime\",\"EndpointName\",\"EventType\",\"SrcProcName\",\"SrcProcCmdLine\",\"SrcProcUser\",\"SrcIP\",\"SrcPort\",\"DstIP\",\"DstPort\",\"NetConnStatus\",\"NetEventDirection\",\"NetProtocolName\"\n\
\"2026-03-02T08:19:50.123Z\",\"WS-7\",\"IP Connect\",\"ssh\",\"ssh \"\"a, b\"\"\n-v\",\"CORP\\alice\",\"10.0.0.5\",\"50123\",\"203.0.113.9\",\"22\",\"SUCCESS\",\"OUTGOING\",\"ssh\"\n\
\"2026-03-02T08:19:51.123Z\",\"WS-7\",\"IP Connect\",\"svchost.exe\",\"\",\"NT AUTHORITY\\SYSTEM\",\"198.51.100.7\",\"40000\",\"10.0.0.5\",\"3389\",\"FAILURE\",\"INCOMING\",\"null\"\n\
\"2026-03-02T08:19:52.123Z\",\"WS-7\",\"File Creation\",\"a\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"\n\
\"2026-03-02T08:19:53.123Z\",\"WS-7\",\"IP Listen\",\"a\",\"\",\"\",\"0.0.0.0\",\"22\",\"\",\"\",\"\",\"\",\"\"\n\
\"2026-03-02T08:19:54.123Z\",\"WS-7\",\"IP Connect\",\"a\",\"\",\"\",\"10.0.0.5\",\"x\",\"10.0.0.6\",\"1\",\"\",\"\",\"\"\n\
2026-03-02T08:19:55.123Z,WS-7\n";

/// Fields with names of the Singularity Data Lake, as its query language has them (`event.type='IP Connect'
/// dst.ip.address in (...) event.network.connectionStatus='FAILURE' event.network.direction='OUTGOING'`).
fn new(status: &str, direction: &str, time: &Value) -> Value {
    json!({
        "event.time": time,
        "event.type": "IP Connect",
        "endpoint.name": "web-1",
        "src.process.name": "curl",
        "src.process.user": "www-data",
        "src.ip.address": "2001:db8::5",
        "src.port.number": 50123,
        "dst.ip.address": "2001:db8:1::9",
        "dst.port.number": 443,
        "event.network.connectionStatus": status,
        "event.network.direction": direction,
        "event.network.protocolName": "TCP",
        "meta.event.name": "TCPV6",
        "tags": ["x"],
        "isOnline": true,
    })
}

fn around() -> Around {
    Around {
        zone: TimeZone::fixed(Offset::constant(2)),
        year: None,
        fields: None,
        now: "2026-04-02T00:00:00Z"
            .parse::<jiff::Timestamp>()
            .unwrap()
            .into(),
    }
}

fn read(text: &str) -> (Vec<Flow>, Vec<(usize, String)>) {
    let mut reader = SentinelOne::new(&around());
    let (mut told, mut wrong) = (Vec::new(), Vec::new());
    let lines = text.split_terminator('\n');
    for (at, line) in (1..).zip(lines) {
        if let Err(error) = reader.line(line, &origin(at), &mut told) {
            wrong.push((at, error.0));
        }
    }
    if let Err(error) = reader.end(&mut told) {
        wrong.push((0, error.0));
    }
    (told, wrong)
}

#[test]
fn rows_under_a_line_of_names() {
    let (told, wrong) = read(OLD);
    let told: Vec<Value> = told.iter().map(|flow| json!(flow)).collect();
    let expected = json!([
        {
            "time": "2026-03-02T08:19:50.123000000Z",
            "format": "sentinelone",
            "origin": {"file": "x", "line": 2},
            "source": {"ip": "10.0.0.5", "port": 50123, "user": "CORP\\alice"},
            "destination": {"ip": "203.0.113.9", "port": 22},
            "initiator_known": true,
            "action": "allowed",
            "application": "ssh",
            "device": "WS-7",
        },
        {
            "time": "2026-03-02T08:19:51.123000000Z",
            "format": "sentinelone",
            "origin": {"file": "x", "line": 4},
            "source": {"ip": "198.51.100.7", "port": 40000},
            "destination": {"ip": "10.0.0.5", "port": 3389, "user": "NT AUTHORITY\\SYSTEM"},
            "initiator_known": true,
            "reason": "FAILURE",
            "device": "WS-7",
        },
    ]);
    assert_eq!(json!(told), expected);
    assert_eq!(
        wrong,
        [
            (7, "srcport: not a port: `x`".to_owned()),
            (8, "2 values, but 13 names in the first line".to_owned()),
        ]
    );
}

#[test]
fn events_of_json() {
    let time = json!("2026-03-02T08:19:50.123Z");
    let event = new("SUCCESS", "OUTGOING", &time);
    let other = json!({"event.time": time, "event.type": "Process Creation", "endpoint.name": "x"});
    let line = event.to_string();
    let list = json!([event, other]);
    let around = json!({"data": list, "pagination": {"nextCursor": null}});
    let many = serde_json::to_string_pretty(&around).unwrap();
    for (text, at) in [
        (line.clone(), 1),
        (list.to_string(), 1),
        (around.to_string(), 1),
        (many, 3),
        (format!("{line}\n\n{other}"), 1),
    ] {
        let (told, wrong) = read(&text);
        assert_eq!(wrong, [], "{text}");
        let told: Vec<Value> = told.iter().map(|flow| json!(flow)).collect();
        let expected = json!([{
            "time": "2026-03-02T08:19:50.123000000Z",
            "format": "sentinelone",
            "origin": {"file": "x", "line": at},
            "source": {"ip": "2001:db8::5", "port": 50123, "user": "www-data"},
            "destination": {"ip": "2001:db8:1::9", "port": 443},
            "initiator_known": true,
            "protocol": "tcp",
            "action": "allowed",
            "device": "web-1",
        }]);
        assert_eq!(json!(told), expected, "{text}");
    }
    let (_, wrong) = read("{\"data\": [");
    assert_eq!(wrong.len(), 1);
    let bad =
        json!({"data": [other, {"eventType": "IP Connect", "eventTime": "2026-03-02T08:19:50Z"}]});
    let (_, wrong) = read(&bad.to_string());
    assert_eq!(wrong[0].1, "event 2 of 2: a connection without addresses");
}

#[test]
fn words_and_times() {
    let flow = |status: &str, direction: &str, time: Value| {
        let (told, wrong) = read(&new(status, direction, &time).to_string());
        assert_eq!(wrong, []);
        told.into_iter().next().unwrap()
    };
    let second = 1_772_439_590_i64;
    for (time, expected) in [
        (json!(second), "2026-03-02T08:19:50Z"),
        (json!(second * 1_000 + 123), "2026-03-02T08:19:50.123Z"),
        (
            json!((second * 1_000_000).to_string()),
            "2026-03-02T08:19:50Z",
        ),
        (json!(second * 1_000_000_000), "2026-03-02T08:19:50Z"),
        (json!("2026-03-02 10:19:50.5"), "2026-03-02T08:19:50.5Z"),
    ] {
        let blocked = flow("BLOCKED", "INBOUND", time);
        assert_eq!(blocked.time.to_string(), expected);
        assert_eq!(blocked.action, Some(Action::Denied));
        assert_eq!(blocked.destination.user.as_deref(), Some("www-data"));
    }
    let unknown = flow("", "UNKNOWN", json!(second));
    assert!(!unknown.initiator_known);
    assert_eq!((unknown.action, unknown.reason), (None, None));
    assert_eq!(
        (unknown.source.user, unknown.destination.user),
        (None, None)
    );
    let (_, wrong) = read(&new("", "", &json!("soon")).to_string());
    assert_eq!(wrong[0].1, "not a time: `soon`");
    let (_, wrong) = read(&new("", "", &json!(i64::MAX)).to_string());
    assert_eq!(wrong, []);
    let (_, wrong) = read(&new("", "", &Value::Null).to_string());
    assert_eq!(wrong[0].1, "no time");
}

#[test]
fn what_is_recognised() {
    let (names, rows) = OLD.split_once('\n').unwrap();
    assert!(recognises(names));
    assert!(recognises("Dst IP,Event Type,Endpoint Name"));
    assert!(!rows.lines().any(recognises));
    assert!(!recognises("event_type,src_ip,dest_ip"));
    let event = new("", "", &Value::Null);
    assert!(recognises_event(&event));
    assert!(!recognises_event(&json!({"srcIp": "10.0.0.1"})));
    assert!(!recognises_event(&json!([event])));
    let (_, wrong) = read("a,b\n");
    assert_eq!(wrong[0].1, "no line of names before it");
}

#[test]
fn each_file_has_names_of_its_own() {
    let mut reader = SentinelOne::new(&around());
    let mut told = Vec::new();
    let (names, _) = OLD.split_once('\n').unwrap();
    reader.line(names, &origin(1), &mut told).unwrap();
    reader.line("\"a", &origin(2), &mut told).unwrap();
    assert!(reader.end(&mut told).is_err());
    assert!(reader.line("a,b", &origin(1), &mut told).is_err());
    assert!(reader.end(&mut told).is_ok());
}

proptest! {
    #[test]
    fn nothing_panics(text in "[\\PC\n\"]{0,80}", at in 0_usize..1500) {
        let event = new("x", &text, &json!(text.clone())).to_string();
        for whole in [OLD, &event] {
            let cut: String = whole.chars().take(at).collect();
            let rest: String = whole.chars().skip(at).collect();
            for text in [text.clone(), format!("{cut}{text}{rest}")] {
                let _ = (read(&text), text.lines().any(recognises));
            }
        }
    }

    #[test]
    fn users_are_what_they_were(user in "[a-z][a-z,\"\n \u{e9}]{0,10}[a-z]") {
        let names = "EventTime,EventType,EndpointName,SrcIP,SrcProcUser,NetEventDirection";
        let row = written(["2026-03-02T08:19:50Z", "IP Connect", "x", "10.0.0.1", &user, "OUTGOING"]);
        let (told, wrong) = read(&format!("{names}\n{row}\n"));
        prop_assert_eq!(wrong, []);
        prop_assert_eq!(told[0].source.user.as_ref(), Some(&user));
    }
}
