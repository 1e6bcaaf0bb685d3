//! The formats of others: what becomes of each record, and what holds for all of them.

mod csv;
mod ecs;
mod nemesis;
mod ocsf;
mod records;

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;
use tracer_core::{
    clock::{Anchor, Clock},
    format::{Csv, Ecs, Format, Ocsf},
    outcome::Outcome,
    record::{Event, Record},
    text::is_unsafe,
};

use crate::pipelines::run;

/// What a format makes of records.
pub fn written(format: &mut dyn Format, records: &[Record]) -> String {
    let clock = Clock::new(Anchor {
        boot_ns: 0,
        utc_ns: 0,
        offset_s: 0,
        zone: "UTC".to_owned(),
    });
    let mut out = Vec::new();
    for record in records {
        format.write(record, &clock, &mut out);
    }
    format.end(&mut out);
    String::from_utf8(out).unwrap_or_else(|error| panic!("{error}"))
}

/// What a format of JSON makes of them, an object for each line.
fn objects(format: &mut dyn Format, records: &[Record]) -> Vec<Value> {
    let text = written(format, records);
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// The only object that a format makes of a record.
fn object(format: &mut dyn Format, record: Record) -> Value {
    let mut objects = objects(format, &[record]);
    assert_eq!(objects.len(), 1);
    objects.remove(0)
}

/// Paths to what is not known and said nevertheless: null, or empty.
fn empty_ones(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Null => found.push(path.to_owned()),
        Value::Object(map) => {
            for (key, value) in map {
                empty_ones(value, &format!("{path}.{key}"), found);
            }
        }
        Value::Array(items) => {
            for item in items {
                empty_ones(item, path, found);
            }
        }
        _ => {}
    }
}

fn nothing_is_null(value: &Value) {
    let mut found = Vec::new();
    empty_ones(value, "", &mut found);
    assert!(found.is_empty(), "{found:?}: {value}");
}

/// An index takes one type for a field: adds the type of each, and panics if it was another.
fn types_of(value: &Value, path: &str, types: &mut BTreeMap<String, &'static str>) {
    let name = match value {
        Value::Object(map) => {
            for (key, value) in map {
                types_of(value, &format!("{path}.{key}"), types);
            }
            "object"
        }
        // A list is of the type of what is in it.
        Value::Array(items) => {
            for item in items {
                types_of(item, path, types);
            }
            return;
        }
        Value::String(_) => "keyword",
        Value::Number(_) => "long",
        Value::Bool(_) => "boolean",
        Value::Null => return,
    };
    let known = types.entry(path.to_owned()).or_insert(name);
    assert_eq!(*known, name, "{path}");
}

#[test]
fn a_field_has_one_type() {
    let every: Vec<Record> = {
        let connections = [
            records::connection(Event::Connect),
            records::translated(Event::Update),
            records::inbound(Event::Accept),
            records::listener(Event::Listen),
            records::ended(Event::Close, Outcome::Finished),
        ];
        let others = [
            records::start(),
            records::socket(),
            records::loss(),
            records::stop(),
        ];
        connections
            .map(records::of)
            .into_iter()
            .chain(others)
            .collect()
    };
    for format in [&mut Ecs::default() as &mut dyn Format, &mut Ocsf::default()] {
        let mut types = BTreeMap::new();
        for object in objects(format, &every) {
            types_of(&object, "", &mut types);
        }
        assert!(types.len() > 50, "{types:?}");
    }
}

proptest! {
    #[test]
    fn any_record_is_a_document_of_ecs(run in run()) {
        let records = run.records();
        let documents = objects(&mut Ecs::default(), &records);
        prop_assert_eq!(documents.len(), records.len());
        let mut types = BTreeMap::new();
        for (document, record) in documents.iter().zip(&records) {
            types_of(document, "", &mut types);
            ecs::is_as_published(document);
            prop_assert_eq!(document["event"]["sequence"].as_u64(), Some(record.head().seq));
        }
    }

    #[test]
    fn any_record_of_activity_is_an_event_of_ocsf(run in run()) {
        let records = run.records();
        let told = records.iter().filter(|r| !matches!(r, Record::Start(_) | Record::Stop(_)));
        let events = objects(&mut Ocsf::default(), &records);
        let sequence: Vec<_> = told.map(|record| Some(record.head().seq)).collect();
        let numbers = events.iter().map(|event| event["metadata"]["sequence"].as_u64());
        prop_assert_eq!(numbers.collect::<Vec<_>>(), sequence);
        let mut types = BTreeMap::new();
        for event in &events {
            types_of(event, "", &mut types);
            ocsf::is_as_published(event);
        }
    }

    #[test]
    fn any_run_is_messages_of_nemesis(run in run(), each_change in any::<bool>()) {
        let records = run.records();
        for message in objects(&mut nemesis::format(each_change), &records) {
            nemesis::is_taken(&message);
        }
    }

    #[test]
    fn any_record_is_a_row_of_as_many_cells_as_there_are_headings(run in run()) {
        let records = run.records();
        let text = written(&mut Csv::default(), &records);
        prop_assert!(!text.chars().any(|c| c != '\n' && is_unsafe(c)), "{}", text);
        let rows = csv::rows(&text);
        prop_assert_eq!(rows.len(), records.len() + 1);
        for row in &rows {
            prop_assert_eq!(row.len(), Csv::headings().count());
            for cell in row {
                prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{}", cell);
            }
        }
    }
}
