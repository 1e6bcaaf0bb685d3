//! What is in files: recordings, and what was written with `-o json`, of one host or of several.

mod json;

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use tracer_core::{clock::Clock, discovery::Elements, record::Record};

use super::{
    Ending,
    enrich::Enriching,
    live,
    replay::{self, Recorded},
};
use crate::{
    cli::{NetworkArgs, SelectionArgs, UsageError},
    output::sink::{RecordSink, Written},
};

/// What a line of JSON begins with, and a recording does not.
const JSON: u8 = b'{';

/// Who takes what is in files.
pub trait Taker {
    /// What follows is of another file.
    fn begin(&mut self);

    /// Takes a record.
    fn record(&mut self, record: &Record);

    /// Takes a line of `-o json`.
    ///
    /// # Errors
    /// If it is none.
    fn line(&mut self, line: &str) -> Result<(), serde_json::Error>;

    /// Something is to be known of the file that its records do not say.
    fn note(&mut self, _sentence: &str) {}
}

/// Files, and what is taken of them.
pub struct Files<'a> {
    /// Where they are.
    pub paths: &'a [PathBuf],
    /// What is taken of them.
    pub selection: &'a SelectionArgs,
    /// Networks in place of those that were recorded.
    pub networks: &'a NetworkArgs,
    /// Who looked at connections is told of recordings too, by these elements.
    pub discovery: Option<Elements>,
}

impl Files<'_> {
    /// Hands over what is in them, one after the other.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn read(&self, taker: &mut dyn Taker) -> anyhow::Result<Ending> {
        self.check()?;
        let mut ending = Ending::Done;
        for path in self.paths {
            ending = ending.worse(self.read_one(path, taker)?);
        }
        Ok(ending)
    }

    /// Whether what is asked for can be had of files.
    ///
    /// # Errors
    /// If not.
    pub fn check(&self) -> Result<(), UsageError> {
        if self.selection.wants_findings() && self.discovery.is_none() {
            return Err(live::no_findings());
        }
        Ok(())
    }

    fn read_one(&self, file: &Path, taker: &mut dyn Taker) -> anyhow::Result<Ending> {
        self.read_from(file, replay::open(file)?, taker)
    }

    /// Hands over what is in one that is open.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read_from(
        &self,
        file: &Path,
        input: impl Read,
        taker: &mut dyn Taker,
    ) -> anyhow::Result<Ending> {
        let mut input = BufReader::new(input);
        let name = file.display().to_string();
        let begin = input
            .fill_buf()
            .with_context(|| format!("cannot read {name}"))?;
        let is_json = begin.first() == Some(&JSON);
        taker.begin();
        if is_json {
            self.check_json(&name)?;
            return json::read(taker, self.selection, input, &name);
        }
        let recorded = Recorded {
            file,
            // What is made of records is what may be enriched.
            enriching: &Enriching::default(),
            selection: self.selection,
            networks: self.networks,
            count: None,
            discovery: self.discovery.clone(),
            no_verify: false,
        };
        replay::replay(&recorded, input, || Ok(Box::new(Gatherer(taker))))
    }

    /// Whoever wrote JSON has judged its addresses, by what it knew of its host.
    fn check_json(&self, name: &str) -> Result<(), UsageError> {
        if self.networks.is_empty() {
            return Ok(());
        }
        let why = format!(
            "{name} is JSON, whose addresses were judged when it was written: declare networks there, or record"
        );
        Err(UsageError(why))
    }
}

/// Hands over what a replay tells.
struct Gatherer<'a>(&'a mut dyn Taker);

impl RecordSink for Gatherer<'_> {
    fn take(&mut self, records: &[Record], _: &Clock) -> anyhow::Result<Written> {
        for record in records {
            self.0.record(record);
        }
        Ok(Written::All)
    }

    fn note(&mut self, sentence: &str) {
        self.0.note(sentence);
    }
}
