//! Where flows go: judged, selected, and written.

use std::{
    fmt,
    io::{self, BufWriter, ErrorKind, Write},
};

use tracer_core::{
    flows::Flow,
    format::{Layout, flows::As, nemesis::flows::Flows},
};

use super::judge::Judge;
use crate::{
    cli::{BATCH, FlowOutArgs, OutputArgs, OutputFormat, ProfileArgs},
    run::{Ending, enrich::Enriching, live},
};

/// Who takes flows.
pub trait Sink {
    /// Takes one.
    ///
    /// # Errors
    /// If it cannot be written.
    fn take(&mut self, flow: Flow) -> Result<(), NotWritten>;
}

/// The end of the way of flows.
pub struct Out {
    /// What is asked for.
    pub judge: Judge,
    by: As,
    writer: BufWriter<Box<dyn Write>>,
    /// What it is called in an error.
    name: String,
    line: Vec<u8>,
    /// How many were written.
    pub told: u64,
}

impl Out {
    /// Where flows go that are shown like this.
    ///
    /// # Errors
    /// If they cannot be, or what is selected is nothing that flows can answer.
    pub fn new(args: &FlowOutArgs) -> anyhow::Result<Self> {
        Self::of(args, As::Table, false)
    }

    /// The same for flows whose processes are looked for.
    ///
    /// # Errors
    /// As those of [`Self::new`].
    pub fn attributed(args: &FlowOutArgs) -> anyhow::Result<Self> {
        Self::of(args, As::Attributed, true)
    }

    fn of(args: &FlowOutArgs, table: fn(Layout) -> As, attributed: bool) -> anyhow::Result<Self> {
        let output = &args.show.output;
        args.nemesis.check(output.output)?;
        let judge = Judge::new(&args.show, Enriching::new(&args.enrich)?, attributed)?;
        let by = by(output, &args.nemesis, table);
        let (writer, name) = live::writer(output)?;
        let mut out = Self {
            judge,
            by,
            writer: BufWriter::with_capacity(64 << 10, writer),
            name,
            line: Vec::new(),
            told: 0,
        };
        out.by.begin(&mut out.line);
        out.put()?;
        Ok(out)
    }

    /// Hands over what is buffered.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn flush(&mut self) -> Result<(), NotWritten> {
        self.writer.flush().map_err(|error| self.not_written(error))
    }

    /// Writes what waited for more, and hands over all of it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn end(&mut self) -> Result<(), NotWritten> {
        self.line.clear();
        self.by.end(&mut self.line);
        self.put()?;
        self.flush()
    }

    fn put(&mut self) -> Result<(), NotWritten> {
        let result = self.writer.write_all(&self.line);
        result.map_err(|error| self.not_written(error))
    }

    fn not_written(&self, error: io::Error) -> NotWritten {
        NotWritten {
            name: self.name.clone(),
            error,
        }
    }
}

impl Sink for Out {
    fn take(&mut self, mut flow: Flow) -> Result<(), NotWritten> {
        if !self.judge.keeps(&mut flow) {
            return Ok(());
        }
        self.told += 1;
        self.line.clear();
        self.by.write(&flow, &mut self.line);
        self.put()
    }
}

/// Flows cannot be written: there is no reason to read on.
#[derive(Debug)]
pub struct NotWritten {
    name: String,
    error: io::Error,
}

impl NotWritten {
    /// Nobody reads any more, e.g. `| head` has seen enough.
    pub fn is_closed(&self) -> bool {
        self.error.kind() == ErrorKind::BrokenPipe
    }
}

impl fmt::Display for NotWritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write to {}: {}", self.name, self.error)
    }
}

impl std::error::Error for NotWritten {}

/// How it ended; that nobody reads any more is no failure.
///
/// # Errors
/// All others.
pub fn unless_closed(result: anyhow::Result<Ending>) -> anyhow::Result<Ending> {
    let is_closed = |error: &anyhow::Error| {
        let written = error.downcast_ref::<NotWritten>();
        written.is_some_and(NotWritten::is_closed)
    };
    match result {
        Err(error) if is_closed(&error) => Ok(Ending::Done),
        other => other,
    }
}

/// How they are written.
fn by(args: &OutputArgs, nemesis: &ProfileArgs, table: fn(Layout) -> As) -> As {
    match args.output {
        OutputFormat::Table | OutputFormat::Wide => table(live::layout(args)),
        OutputFormat::Json => As::Json,
        OutputFormat::Csv => As::Csv,
        OutputFormat::Ecs => As::Ecs,
        OutputFormat::Ocsf => As::Ocsf,
        OutputFormat::Nemesis => As::Nemesis(Box::new(Flows::new(nemesis.profile(BATCH)))),
    }
}
