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
        // The first is in TIME_WAIT and nobody's.
        ["existing ", "connect ", "established ", "close finished"]
    );
}

#[test]
fn state_changes() {
    let states = |flags: &[&str]| kept(&[&["--event", "state"], flags].concat()).len();
    assert_eq!(states(&[]), 6);
    assert_eq!(states(&["--direction", "inbound"]), 4);
    assert_eq!(states(&["--direction", "outbound"]), 2);
    // The first of the visitor is that of whoever listens.
    assert_eq!(states(&["--process", "nc"]), 6);
    assert_eq!(states(&["--port", "443"]), 0);
    assert_eq!(
        kept(&["--port", "7001", "--not-event", "state"]),
        ["connect ", "failed timeout"]
    );
}

#[test]
fn what_was_there_before() {
    let flags = [
        "--user",
        "root",
        "--not-outcome",
        "refused",
        "--not-event",
        "connect",
    ];
    let new_only = [&flags[..], &["--new-only"]].concat();
    let all = kept(&flags);
    // Those that root holds, alone or not, and what waits for root to accept it.
    assert_eq!(
        all,
        [
            "existing ",
            "existing ",
            "existing ",
            "update ",
            "close finished"
        ]
    );
    assert_eq!(kept(&new_only), all[3..]);
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
    for flags in [
        ["--container", "3f4e5d6c"],
        ["--container", "web"],
        ["--container", "db,w?b"],
        ["--pod", "web-*"],
        ["--pod", "6f3a1c2e-8b4d"],
        ["--namespace", "shop"],
    ] {
        assert_eq!(
            kept(&flags),
            ["connect ", "established ", "close finished"],
            "{flags:?}"
        );
    }
    for flags in [
        ["--container", "we"],
        ["--pod", "shop"],
        ["--namespace", "sh"],
    ] {
        assert!(kept(&flags).is_empty(), "{flags:?}");
    }
    let connects = |more: &[&str]| kept(&[&["--event", "connect"], more].concat()).len();
    let all = connects(&[]);
    for flag in ["--not-container", "--not-pod", "--not-namespace"] {
        assert_eq!(connects(&[flag, "*"]), all - 1, "{flag}");
    }
    let elsewhere = ["--any", "--namespace", "shop", "--port", "1"];
    assert_eq!(connects(&elsewhere), 1, "the kernel decides nothing alone");
    assert_eq!(
        kept(&["--user", "www-data", "--event", "accept"]),
        ["accept ", "accept "]
    );
}

#[test]
fn as_many_as_are_asked_for() {
    assert_eq!(
        kept(&["--count", "2", "--event", "connect,established"]),
        ["connect ", "established "]
    );
}
