//! Whole outputs, compared with files. `UPDATE_FIXTURES=1` writes the files anew, to be read in the
//! diff.

use std::path::PathBuf;

use tracer_tests::{nemesis::accepts::message_is_valid, scratch::Scratch};

use crate::{
    run::{replay, stderr, stdout},
    story,
};

fn compare(format: &str) {
    compare_flags(format, format, &[]);
}

fn compare_flags(name: &str, format: &str, flags: &[&str]) {
    let scratch = Scratch::new();
    let recording = scratch.write("story.rec", &story::recording());
    let output = replay(&recording, &[&["-o", format], flags].concat());
    // Records were lost in this story, and said so.
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let got = stdout(&output);
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let path = fixtures.join(format!("story.{name}"));
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(&path, &got).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    for (line, (got, expected)) in (1..).zip(got.lines().zip(expected.lines())) {
        assert_eq!(got, expected, "line {line} of {}", path.display());
    }
    assert_eq!(got.len(), expected.len());
}

#[test]
fn json() {
    compare("json");
}

#[test]
fn table() {
    compare("table");
}

#[test]
fn wide() {
    compare("wide");
}

#[test]
fn csv() {
    compare("csv");
}

#[test]
fn ecs() {
    compare("ecs");
}

#[test]
fn ocsf() {
    compare("ocsf");
}

#[test]
fn nemesis() {
    compare_flags("nemesis", "nemesis", &["--nemesis-project", "IR-2027-001"]);
}

#[test]
fn nemesis_of_every_change() {
    let flags = [
        "--nemesis-states",
        "--nemesis-expiration",
        "2028-01-01",
        "--args",
        "none",
    ];
    compare_flags("states.nemesis", "nemesis", &flags);
}

#[test]
fn nemesis_takes_every_line() {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    for name in ["story.nemesis", "story.states.nemesis"] {
        let text = std::fs::read_to_string(fixtures.join(name)).unwrap();
        for line in text.lines() {
            let message = serde_json::from_str(line).unwrap();
            assert_eq!(message_is_valid(&message), Ok(()), "{line}");
        }
    }
}
