//! What was written is read as what it was.

use tracer_core::{
    clock::{Anchor, Clock},
    format::{Format as _, Json},
    record::Record,
};

/// One of each record, with all that a connection can say.
const STORY: &str = include_str!("../../../tests/fixtures/story.json");

/// A record as a line.
pub fn line(record: &Record) -> String {
    let clock = Clock::new(Anchor {
        boot_ns: 0,
        utc_ns: 0,
        offset_s: 0,
        zone: "UTC".to_owned(),
    });
    let mut out = Vec::new();
    Json.write(record, &clock, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn every_record_is_read_as_it_was_written() {
    for written in STORY.lines() {
        let record = Record::read(written).unwrap();
        assert_eq!(line(&record), format!("{written}\n"));
    }
}

#[test]
fn what_is_no_record_is_an_error() {
    for wrong in ["", "{}", r#"{"event":"connect"}"#, r#"{"event":"birth"}"#] {
        assert!(Record::read(wrong).is_err(), "{wrong}");
    }
    let line = STORY
        .lines()
        .find(|line| line.contains(r#""id":""#))
        .unwrap();
    let (before, after) = line.split_once(r#""id":""#).unwrap();
    let wrong = format!(r#"{before}"id":"x{after}"#);
    let error = Record::read(&wrong).unwrap_err().to_string();
    assert!(error.contains("names no connection"), "{error}");
}
