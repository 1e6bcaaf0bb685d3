//! The published schema of the records.

use std::sync::OnceLock;

use jsonschema::Validator;

use crate::record::Record;

/// Built in, for the virtual machines have no files of the project.
const SCHEMA: &str = include_str!("../../docs/event.schema.json");

/// What a record has that the schema does not allow, a sentence each; nothing if it is as published.
///
/// # Panics
/// If the schema is none.
#[must_use]
pub fn violations(record: &Record) -> Vec<String> {
    static VALIDATOR: OnceLock<Validator> = OnceLock::new();
    let errors = VALIDATOR.get_or_init(validator).iter_errors(&record.0);
    errors
        .map(|error| format!("at `{}`: {error}", error.instance_path()))
        .collect()
}

fn validator() -> Validator {
    let schema = serde_json::from_str(SCHEMA).unwrap_or_else(|error| panic!("not JSON: {error}"));
    jsonschema::draft202012::new(&schema)
        .unwrap_or_else(|error| panic!("not a JSON Schema: {error}"))
}
