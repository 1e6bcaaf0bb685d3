//! What is shown of the arguments of processes.

use tracer_tests::{record::Record, schema::violations, scratch::Scratch};

use crate::{
    run::{replay, stdout},
    story,
};

/// The records, each as published.
fn records(what: &str) -> Vec<Record> {
    let scratch = Scratch::new();
    let recording = scratch.write("story.rec", &story::recording());
    let output = stdout(&replay(&recording, &["-o", "json", "--args", what]));
    let lines = output.lines();
    let records: Vec<Record> = lines
        .map(|line| Record(serde_json::from_str(line).unwrap()))
        .collect();
    for record in &records {
        assert_eq!(violations(record), Vec::<String>::new(), "{}", record.0);
    }
    records
}

#[test]
fn all_or_none_are_shown_and_the_first_record_says_which() {
    let count = |records: &[Record]| {
        let with = |path: &str| records.iter().filter(|one| one.at(path).is_array()).count();
        with("process.args") + with("process.parent.args")
    };
    let full = records("full");
    assert!(full[0].at("args").is_null());
    assert!(count(&full) > 20);
    let none = records("none");
    assert_eq!(none[0].at("args"), "none");
    assert_eq!(count(&none), 0);
    assert_eq!(full.len(), none.len());
    let redacted = records("redacted");
    assert_eq!(redacted[0].at("args"), "redacted");
    assert_eq!(count(&redacted), count(&full));
}
