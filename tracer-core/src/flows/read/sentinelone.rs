//! Events of `SentinelOne`'s Deep Visibility, as its console and its interfaces export them: values with commas
//! between them under a line of names, or JSON. Names are those of Deep Visibility (`DstIP`, or `dstIp` in
//! JSON) or those of the Singularity Data Lake (`dst.ip.address`).
//!
//! Format: the names of the vendor's query languages, as in its public examples:
//! `EventType = "IP Connect" AND DstPort = "3389"`, `event.type='IP Connect' dst.port.number=445`.
//!
//! The process that an event is about has no place in a flow: only its user has.

mod event;
mod names;

use csv::StringRecord;
use serde_json::Value;

use self::event::Event;
use super::{Around, table::Rows};
use crate::{
    flows::Flow,
    logs::{
        Origin, Reader, Unreadable,
        json::{self, Values},
    },
};

/// What files may begin with.
const BYTE_ORDER: char = '\u{feff}';

/// Reads events.
#[derive(Debug)]
pub struct SentinelOne {
    around: Around,
    /// The names of the columns; they are in the first line of a file.
    columns: Option<Vec<String>>,
    rows: Rows,
    values: Values,
}

impl SentinelOne {
    /// `around`: of which zone times are that have none.
    #[must_use]
    pub fn new(around: &Around) -> Self {
        Self {
            around: around.clone(),
            columns: None,
            rows: Rows::default(),
            values: Values::default(),
        }
    }

    fn row(&mut self, line: &str, origin: &Origin) -> Result<Option<Flow>, Unreadable> {
        let Some((begin, row)) = self.rows.line(line, origin)? else {
            return Ok(None);
        };
        if let Some(names) = title(&row) {
            self.columns = Some(names);
            return Ok(None);
        }
        let columns = self.columns.as_ref();
        let columns = columns.ok_or_else(|| Unreadable::new("no line of names before it"))?;
        if columns.len() != row.len() {
            let (here, there) = (row.len(), columns.len());
            let why = format!("{here} values, but {there} names in the first line");
            return Err(Unreadable(why));
        }
        let pairs = columns.iter().map(String::as_str).zip(&row);
        Event::of(pairs).flow(&begin, &self.around)
    }

    fn take(&self, events: json::Told, told: &mut Vec<Flow>) -> Result<(), Unreadable> {
        let (found, result) = json::each(events, |event, origin| {
            Event::of_value(event).flow(origin, &self.around)
        });
        told.extend(found);
        result
    }

    fn is_json(&self, line: &str) -> bool {
        self.values.is_open()
            || self.columns.is_none()
                && !self.rows.is_open()
                && line.trim_start().starts_with(['{', '['])
    }
}

/// Whether a line has the names of the columns.
#[must_use]
pub fn recognises(line: &str) -> bool {
    let row = super::table::row(line.trim_start_matches(BYTE_ORDER));
    row.is_ok_and(|row| title(&row).is_some())
}

/// Whether a value is such an event.
#[must_use]
pub fn recognises_event(value: &Value) -> bool {
    Event::of_value(value).is_of_sentinelone()
}

/// The names of the columns, if a row has names.
fn title(row: &StringRecord) -> Option<Vec<String>> {
    let columns: Vec<String> = row.iter().map(names::plain).collect();
    names::are_of_sentinelone(|name| columns.iter().any(|column| column == name)).then_some(columns)
}

impl Reader<Flow> for SentinelOne {
    fn line(
        &mut self,
        line: &str,
        origin: &Origin,
        told: &mut Vec<Flow>,
    ) -> Result<(), Unreadable> {
        let line = line.trim_start_matches(BYTE_ORDER);
        if self.is_json(line) {
            let events = self.values.line(line, origin);
            return self.take(events, told);
        }
        told.extend(self.row(line, origin)?);
        Ok(())
    }

    fn end(&mut self, told: &mut Vec<Flow>) -> Result<(), Unreadable> {
        // The next file has names of its own.
        self.columns = None;
        let row = self.rows.end();
        let events = self.values.end();
        row.map_or(Ok(()), Err).and(self.take(events, told))
    }
}

#[cfg(test)]
mod tests;
