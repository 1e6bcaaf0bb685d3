//! JSON as logs have it: [`Values`] are the events in it, and what is here looks into them.

mod values;

use jiff::Timestamp;
use serde_json::Value;

pub use self::values::{Told, Values};
use super::{Origin, Reader, Unreadable};

/// What `read` makes of events, and why there is one that cannot be read.
pub fn each<T>(
    told: Told,
    read: impl Fn(&Value, &Origin) -> Result<Option<T>, Unreadable>,
) -> (Vec<T>, Result<(), Unreadable>) {
    let number = told.events.len();
    let (mut found, mut first) = (Vec::new(), None);
    for (at, (origin, event)) in (1_usize..).zip(told.events) {
        match read(&event, &origin) {
            Ok(one) => found.extend(one),
            Err(why) => {
                first.get_or_insert_with(|| match number {
                    1 => why,
                    _ => Unreadable(format!("event {at} of {number}: {why}")),
                });
            }
        }
    }
    let why = first.or(told.broken);
    (found, why.map_or(Ok(()), Err))
}

/// Reads a log of events of which each tells one thing, or nothing.
#[derive(Debug)]
pub struct Events<F> {
    values: Values,
    read: F,
}

impl<F> Events<F> {
    /// `read`: what an event tells.
    pub fn new(read: F) -> Self {
        Self {
            values: Values::default(),
            read,
        }
    }
}

impl<T, F> Reader<T> for Events<F>
where
    F: Fn(&Value, &Origin) -> Result<Option<T>, Unreadable>,
{
    fn line(&mut self, line: &str, origin: &Origin, told: &mut Vec<T>) -> Result<(), Unreadable> {
        let (mut found, result) = each(self.values.line(line, origin), &self.read);
        told.append(&mut found);
        result
    }

    fn end(&mut self, told: &mut Vec<T>) -> Result<(), Unreadable> {
        let (mut found, result) = each(self.values.end(), &self.read);
        told.append(&mut found);
        result
    }
}

/// The text at a path, which there must be.
pub fn needed<'a>(event: &'a Value, path: &str) -> Result<&'a str, Unreadable> {
    text(event, path).ok_or_else(|| Unreadable(format!("no {path}")))
}

/// The text at a path, where it says something.
pub fn said(event: &Value, path: &str) -> Option<String> {
    let text = text(event, path).filter(|text| !text.is_empty());
    text.map(str::to_owned)
}

/// A time with its offset from UTC.
pub fn time(text: &str) -> Result<Timestamp, Unreadable> {
    text.parse()
        .map_err(|error| Unreadable(format!("not a time: {error}")))
}

/// The text at a path of keys, dots between them.
pub fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    at(value, path)?.as_str()
}

/// The number at a path of keys, as a number or as a text: logs write both.
pub fn number(value: &Value, path: &str) -> Option<u64> {
    let found = at(value, path)?;
    found.as_u64().or_else(|| found.as_str()?.parse().ok())
}

/// What is at a path of keys, dots between them.
pub fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, key| value.get(key))
}
