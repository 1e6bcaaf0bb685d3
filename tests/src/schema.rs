//! The published schema of the records.

use std::sync::OnceLock;

use jsonschema::Validator;

use crate::record::Record;

/// Built in, for the virtual machines have no files of the project.
const SCHEMA: &str = include_str!("../../docs/event.schema.json");
/// That of flows of other devices.
const FLOW_SCHEMA: &str = include_str!("../../docs/flow.schema.json");

/// What a record has that the schema does not allow, a sentence each; nothing if it is as published.
///
/// # Panics
/// If the schema is none.
#[must_use]
pub fn violations(record: &Record) -> Vec<String> {
    static VALIDATOR: OnceLock<Validator> = OnceLock::new();
    let validator = VALIDATOR.get_or_init(|| validator(SCHEMA));
    sentences(validator, record)
}

/// The same of a flow of another device.
///
/// # Panics
/// If the schema is none.
#[must_use]
pub fn violations_of_flow(flow: &Record) -> Vec<String> {
    static VALIDATOR: OnceLock<Validator> = OnceLock::new();
    let validator = VALIDATOR.get_or_init(|| validator(FLOW_SCHEMA));
    sentences(validator, flow)
}

fn sentences(validator: &Validator, record: &Record) -> Vec<String> {
    let errors = validator.iter_errors(&record.0);
    errors
        .map(|error| format!("at `{}`: {error}", error.instance_path()))
        .collect()
}

fn validator(schema: &str) -> Validator {
    let schema = serde_json::from_str(schema).unwrap_or_else(|error| panic!("not JSON: {error}"));
    jsonschema::draft202012::new(&schema)
        .unwrap_or_else(|error| panic!("not a JSON Schema: {error}"))
}
