//! Selection, applied to a recording.

use serde_json::Value;

use tracer_tests::scratch::Scratch;

use crate::{
    run::{replay, stdout},
    story,
};

/// Events and outcomes of the connections that these flags keep.
fn kept(flags: &[&str]) -> Vec<String> {
    let scratch = Scratch::new();
    let recording = scratch.write("story.rec", &story::recording());
    let output = replay(&recording, &[&["-o", "json"], flags].concat());
    let records = stdout(&output);
    let records: Vec<Value> = records
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // `start`, `loss` and `stop` are written whatever is selected.
    let text = |record: &Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
    let events: Vec<String> = records.iter().map(|record| text(record, "event")).collect();
    for event in ["start", "loss", "stop"] {
        assert!(events.iter().any(|known| known == event), "{event}");
    }
    records
        .iter()
        .filter(|record| record.get("id").is_some())
        .map(|record| format!("{} {}", text(record, "event"), text(record, "outcome")))
        .collect()
}

#[test]
fn by_outcome() {
    assert_eq!(
        kept(&["--outcome", "refused,reset_remote"]),
        ["failed refused", "close reset_remote", "failed refused"]
    );
}

#[test]
fn by_port_and_direction() {
    assert_eq!(
        kept(&[
            "--port",
            "443",
            "--direction",
            "outbound",
            "--not-user",
            "0"
        ]),
        ["connect ", "established ", "close finished"]
    );
}

#[test]
fn by_process_and_event() {
    assert_eq!(
        kept(&["--process", "python3", "--event", "failed"]),
        [
            "failed refused",
            "failed timeout",
            "failed aborted",
            "failed unreachable",
            "failed denied"
        ]
    );
}

#[test]
fn by_container_and_by_user_of_the_traced_host() {
    assert_eq!(
        kept(&["--container", "3f4e5d6c"]),
        ["connect ", "established ", "close finished"]
    );
    assert_eq!(
        kept(&["--user", "www-data", "--event", "accept"]),
        ["accept ", "accept "]
    );
}

#[test]
fn as_many_as_are_asked_for() {
    assert_eq!(kept(&["--count", "2"]), ["connect ", "established "]);
}
