use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::json;

use super::{super::table::tests::origin, *};

/// One of each record, as conntracer's contract has them.
const STORY: &str = include_str!("../../../../../tests/fixtures/story.json");

fn own() -> Own {
    Own::new(&Around {
        zone: TimeZone::UTC,
        year: None,
        fields: None,
        now: Timestamp::UNIX_EPOCH.into(),
    })
}

fn read(text: &str) -> (Vec<Flow>, Vec<(usize, String)>) {
    let mut reader = own();
    let (mut told, mut wrong) = (Vec::new(), Vec::new());
    for (at, line) in (1..).zip(text.lines()) {
        if let Err(error) = reader.line(line, &origin(at), &mut told) {
            wrong.push((at, error.0));
        }
    }
    reader.end(&mut told).unwrap();
    (told, wrong)
}

/// The records of a word, of one connection or of all.
fn records(event: &str, id: &str) -> String {
    let is = |line: &&str| {
        line.contains(&format!("\"event\":\"{event}\"")) && line.contains(&format!("\"id\":\"{id}"))
    };
    let lines: Vec<&str> = STORY.lines().filter(is).collect();
    lines.join("\n")
}

#[test]
fn a_connection_is_told_where_it_ends() {
    let text = ["connect", "established", "close"].map(|event| records(event, "35429e4d9c0-1"));
    let (told, wrong) = read(&text.join("\n"));
    assert_eq!(wrong, []);
    let user = told[0].source.user.clone();
    assert!(user.is_some());
    assert_eq!(
        json!(told),
        json!([{
            "time": "2027-01-15T08:01:00.015000000Z",
            "end": "2027-01-15T08:01:00.162000000Z",
            "format": "conntracer",
            "origin": {"file": "x", "line": 3},
            "source": {"ip": "192.0.2.17", "port": 41158, "user": user},
            "destination": {"ip": "198.51.100.9", "port": 443},
            "initiator_known": true,
            "protocol": "tcp",
            "bytes": {"forward": 517, "reverse": 4190},
            "stage": "end",
            "reason": "finished",
            "session": "35429e4d9c0-1",
            "service": "https",
            "device": "web-1",
        }])
    );
    // The record of its end alone says as much.
    let (alone, _) = read(&text[2]);
    assert_eq!(alone[0].time, told[0].time);
}

#[test]
fn who_connects_here_is_the_source() {
    let (told, _) = read(&records("close", "35451e37f80-1"));
    let flow = &told[0];
    assert_eq!(flow.source, End::at([203, 0, 113, 40].into(), 50312));
    assert_eq!(flow.destination.port, Some(80));
    assert_eq!(flow.bytes.reverse, Some(90_000));
    assert!(flow.initiator_known && flow.destination.user.is_some());
}

#[test]
fn what_is_known_only_later() {
    let existing = records("existing", "34630c7e240-1");
    let unknown = existing.replace("\"direction\":\"inbound\",", "");
    let (told, _) = read(&unknown);
    assert!(!told[0].initiator_known);
    assert_eq!(told[0].source.port, Some(22));
    let update = records("update", "34630c7e240-1");
    let (told, wrong) = read(&format!("{unknown}\n{update}"));
    assert_eq!(wrong, []);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].source.port, told[0].destination.port),
        (Some(60_001), Some(22))
    );
    assert_eq!(told[0].stage, Some(Stage::Update));
    assert_eq!(told[0].end.unwrap().to_string(), "2027-01-15T08:01:00.005Z");
}

#[test]
fn a_whole_stream() {
    let (told, wrong) = read(STORY);
    assert_eq!(wrong, []);
    let mut sessions: Vec<_> = told.iter().map(|flow| flow.session.clone()).collect();
    sessions.sort();
    sessions.dedup();
    assert_eq!(sessions.len(), told.len(), "each connection once");
    let denied = told.iter().find(|flow| flow.action == Some(Action::Denied));
    let denied = denied.unwrap();
    assert_eq!(denied.reason.as_deref(), Some("denied"));
    assert_eq!(
        (denied.source.ip, denied.destination.port),
        (None, Some(25))
    );
    assert!(STORY.lines().all(recognises));
    assert!(!recognises("{\"event\":\"close\"}") && !recognises("x"));
}

#[test]
fn what_is_cut_off() {
    let close = records("close", "35429e4d9c0-1");
    let cut = close.get(..close.len() - 9).unwrap();
    let (told, wrong) = read(&format!("{}\n\n{cut}", records("connect", "35429e4d9c0-1")));
    assert_eq!(wrong.len(), 1);
    assert_eq!(wrong[0].0, 3);
    assert_eq!(
        (told.len(), told[0].stage, told[0].end),
        (1, Some(Stage::Start), None)
    );
    let long = close.replace("\"duration_us\":", "\"duration_us\":9999999999999");
    assert_eq!(read(&long).1[0].1, "`duration_us` is out of range");
}

#[test]
fn what_is_too_much_is_told_as_it_stands() {
    let connect = records("connect", "35429e4d9c0-1");
    let all: Vec<String> = (0..5000)
        .map(|number| connect.replace("35429e4d9c0-1", &format!("{number:x}-1")))
        .collect();
    let mut reader = own();
    let mut told = Vec::new();
    for line in &all {
        reader.line(line, &origin(1), &mut told).unwrap();
    }
    assert!(!told.is_empty());
    assert_eq!(told[0].session.as_deref(), Some("0-1"));
    reader.end(&mut told).unwrap();
    assert_eq!(told.len(), all.len());
}

proptest! {
    #[test]
    fn nothing_panics(text in ".{0,40}", line in 0_usize..49, at in 0_usize..600) {
        let whole = STORY.lines().nth(line).unwrap();
        let cut: String = whole.chars().take(at).collect();
        let rest: String = whole.chars().skip(at).collect();
        for line in [text.clone(), format!("{cut}{text}{rest}")] {
            let _ = (recognises(&line), read(&line));
        }
    }
}
