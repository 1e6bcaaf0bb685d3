//! Where records go.

use std::io::{self, BufWriter, ErrorKind, Write};

use anyhow::Context as _;
use tracer_core::{clock::Clock, record::Record, totals::Totals};

use super::lines::Lines;

/// What became of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was written.
    All,
    /// Nobody reads any more, e.g. `| head` has seen enough.
    Closed,
}

/// The door that records leave through.
pub trait RecordSink {
    /// Takes records. It is called without any from time to time, so that it is noticed when nobody
    /// wants more.
    fn take(&mut self, records: &[Record], clock: &Clock) -> anyhow::Result<Written>;

    /// All of what was there before has been handed over.
    fn surveyed(&mut self) {}

    /// Something is to be known of the records that they do not say.
    fn note(&mut self, _sentence: &str) {}

    /// What it comes to by now; once a second.
    fn totals(&mut self, _totals: &Totals) {}

    /// No record follows.
    fn end(&mut self) -> anyhow::Result<Written> {
        Ok(Written::All)
    }
}

/// Formats records and writes them.
pub struct Sink<W: Write> {
    lines: Lines,
    writer: BufWriter<W>,
    /// What it is called in an error.
    name: String,
}

impl<W: Write> Sink<W> {
    /// A sink for a writer.
    pub fn new(lines: Lines, writer: W, name: &str) -> Self {
        Self {
            lines,
            writer: BufWriter::with_capacity(64 << 10, writer),
            name: name.to_owned(),
        }
    }

    /// Writes records, in whole lines.
    pub fn write(&mut self, records: &[Record], clock: &Clock) -> anyhow::Result<Written> {
        for record in records {
            let result = self.writer.write_all(self.lines.of(record, clock));
            if self.check(result)? == Written::Closed {
                return Ok(Written::Closed);
            }
        }
        Ok(Written::All)
    }

    /// Hands over what is buffered.
    pub fn flush(&mut self) -> anyhow::Result<Written> {
        let result = self.writer.flush();
        self.check(result)
    }

    fn check(&self, result: io::Result<()>) -> anyhow::Result<Written> {
        match result {
            Ok(()) => Ok(Written::All),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Written::Closed),
            Err(error) => Err(error).with_context(|| format!("cannot write to {}", self.name)),
        }
    }
}

impl<W: Write> RecordSink for Sink<W> {
    fn take(&mut self, records: &[Record], clock: &Clock) -> anyhow::Result<Written> {
        match self.write(records, clock)? {
            Written::All => self.flush(),
            Written::Closed => Ok(Written::Closed),
        }
    }

    fn end(&mut self) -> anyhow::Result<Written> {
        let result = self.writer.write_all(self.lines.end());
        match self.check(result)? {
            Written::All => self.flush(),
            Written::Closed => Ok(Written::Closed),
        }
    }
}
