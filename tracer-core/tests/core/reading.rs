//! What was written is read as what it was.

use tracer_core::{format::Json, record::Record};

use crate::formats::written;

/// One of each record, with all that a connection can say.
const STORY: &str = include_str!("../../../tests/fixtures/story.json");

/// A record as a line.
pub fn line(record: &Record) -> String {
    written(&mut Json, std::slice::from_ref(record))
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
