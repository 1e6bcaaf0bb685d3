//! Where in a configuration something makes no sense.

use std::ops::Range;

use toml::de::{DeTable, DeValue, Error};

/// A mistake in one line: where it is, in which key, and what it is.
pub fn describe(text: &str, error: &Error) -> String {
    let why = error.message().replace('\n', "; ");
    let Some(span) = error.span() else {
        return why;
    };
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    // What is no TOML has no keys.
    let key = DeTable::parse(text)
        .ok()
        .and_then(|table| key_at(table.get_ref(), &span));
    match key {
        Some(key) => format!("line {line}, key `{key}`: {why}"),
        None => format!("line {line}: {why}"),
    }
}

/// The key, or the value of a key, that a place is in, with the keys above it.
fn key_at(table: &DeTable<'_>, place: &Range<usize>) -> Option<String> {
    let is_in = |span: Range<usize>| span.start <= place.start && place.end <= span.end;
    table.iter().find_map(|(key, value)| {
        let name = key.get_ref();
        let inner = match value.get_ref() {
            DeValue::Table(table) => key_at(table, place),
            _ => None,
        };
        match inner {
            Some(inner) => Some(format!("{name}.{inner}")),
            None => (is_in(key.span()) || is_in(value.span())).then(|| name.to_string()),
        }
    })
}
