//! Records as lines.

use tracer_core::{
    clock::Clock,
    format::Format,
    record::Record,
    redact::{Arguments, Redaction},
};

/// Makes lines of records.
pub struct Lines {
    format: Box<dyn Format>,
    redaction: Redaction,
    line: Vec<u8>,
}

impl Lines {
    /// In a format, with so much of arguments.
    pub fn new(format: Box<dyn Format>, arguments: Arguments) -> Self {
        Self {
            format,
            redaction: Redaction::new(arguments),
            line: Vec::new(),
        }
    }

    /// A record, complete with its line end.
    pub fn of(&mut self, record: &Record, clock: &Clock) -> &[u8] {
        self.line.clear();
        if self.redaction.is_none() {
            self.format.write(record, clock, &mut self.line);
        } else {
            let mut record = record.clone();
            self.redaction.apply(&mut record);
            self.format.write(&record, clock, &mut self.line);
        }
        &self.line
    }

    /// What the format kept back: no record follows.
    pub fn end(&mut self) -> &[u8] {
        self.line.clear();
        self.format.end(&mut self.line);
        &self.line
    }
}
