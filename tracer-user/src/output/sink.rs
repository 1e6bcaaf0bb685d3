//! Where records go.

use std::io::{self, BufWriter, ErrorKind, Write};

use anyhow::Context as _;
use tracer_core::{clock::Clock, format::Format, record::Record};

/// What became of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was written.
    All,
    /// Nobody reads any more, e.g. `| head` has seen enough.
    Closed,
}

/// Formats records and writes them.
pub struct Sink<W: Write> {
    format: Box<dyn Format>,
    writer: BufWriter<W>,
    /// What it is called in an error.
    name: String,
    line: Vec<u8>,
}

impl<W: Write> Sink<W> {
    /// A sink for a writer.
    pub fn new(format: Box<dyn Format>, writer: W, name: &str) -> Self {
        Self {
            format,
            writer: BufWriter::with_capacity(64 << 10, writer),
            name: name.to_owned(),
            line: Vec::new(),
        }
    }

    /// Writes records, in whole lines.
    pub fn write(&mut self, records: &[Record], clock: &Clock) -> anyhow::Result<Written> {
        for record in records {
            self.line.clear();
            self.format.write(record, clock, &mut self.line);
            let result = self.writer.write_all(&self.line);
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
