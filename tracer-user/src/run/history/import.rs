//! `conntracer history import`: a history of what was recorded.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use tracer_core::record::Record;

use crate::{
    cli::{ImportArgs, NetworkArgs, SelectionArgs},
    run::{
        Ending,
        files::{Files, Taker},
    },
    store::{Book, nanoseconds, read::History},
};

/// Records that are written at once.
const RECORDS_MAX: usize = 8192;

/// Adds what files tell to a history.
pub fn import(args: &ImportArgs) -> anyhow::Result<Ending> {
    let config = args.which.config.load()?;
    let path = args.which.place.path(&config);
    let settings = config.history_settings(None, None)?;
    let book = Book::open(&path, settings.arguments)?;
    let host = History::open(&path)?.host().clone();
    let mut importer = Importer {
        book,
        host,
        records: Vec::new(),
        has_begun: false,
        failed: None,
    };
    let files = Files {
        paths: &args.from,
        selection: &SelectionArgs::default(),
        networks: &NetworkArgs::default(),
        discovery: Some(config.discovery()),
    };
    let ending = files.read(&mut importer)?;
    importer.write();
    match importer.failed {
        None => Ok(ending),
        Some(why) => Err(why).with_context(|| format!("the history {}", path.display())),
    }
}

/// Writes records to a history.
struct Importer {
    book: Book,
    /// Whose history it is; empty: nobody's yet.
    host: Arc<str>,
    records: Vec<Record>,
    /// The first record of this file has come.
    has_begun: bool,
    /// Why no more is written.
    failed: Option<anyhow::Error>,
}

impl Importer {
    fn take(&mut self, record: Record) {
        if let Err(why) = self.check(&record) {
            self.failed.get_or_insert(why);
        }
        self.records.push(record);
        if self.records.len() >= RECORDS_MAX {
            self.write();
        }
    }

    /// A history is of one host.
    fn check(&mut self, record: &Record) -> anyhow::Result<()> {
        let host = &record.head().host;
        if self.host.is_empty() {
            self.host = host.clone();
        }
        self.has_begun |= matches!(record, Record::Start(_));
        if !self.has_begun {
            bail!("a file does not begin with the `start` record of a run");
        }
        if self.host != *host {
            bail!("it is of {}, and this is of {host}", self.host);
        }
        Ok(())
    }

    fn write(&mut self) {
        let last = self
            .records
            .last()
            .map(|last| nanoseconds(&last.head().time));
        if let Some(now) = last
            && self.failed.is_none()
            && let Err(why) = self.book.write(&self.records, &[], now)
        {
            self.failed = Some(why.into());
        }
        self.records.clear();
    }
}

impl Taker for Importer {
    fn begin(&mut self) {
        self.write();
        self.has_begun = false;
    }

    fn record(&mut self, record: &Record) {
        self.take(record.clone());
    }

    fn line(&mut self, line: &str) -> Result<(), serde_json::Error> {
        self.take(Record::read(line)?);
        Ok(())
    }
}
