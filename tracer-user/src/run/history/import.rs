//! `conntracer history import`: a history of what was recorded.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Context as _, bail};
use tracer_core::record::{Owner, Record};

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
        owners: Owners::default(),
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
    owners: Owners,
    records: Vec<Record>,
    /// The first record of this file has come.
    has_begun: bool,
    /// Why no more is written.
    failed: Option<anyhow::Error>,
}

impl Importer {
    fn take(&mut self, mut record: Record) {
        if let Record::Connection(connection) = &mut record
            && let Some(owner) = &mut connection.owner
        {
            self.owners.share(owner);
        }
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

/// So many owners are remembered.
const OWNERS_MAX: usize = 1 << 13;

/// The owners that were told. As in a live run there is one of each in memory, by which a history knows it
/// without another look at its arguments.
#[derive(Default)]
struct Owners(HashMap<(u32, String), Arc<Owner>>);

impl Owners {
    /// Makes it the one that was told before, if it is the same.
    fn share(&mut self, owner: &mut Arc<Owner>) {
        let key = (owner.process.pid, owner.process.start_time.clone());
        match self.0.get(&key) {
            Some(known) if known == owner => owner.clone_from(known),
            _ => {
                if self.0.len() >= OWNERS_MAX {
                    self.0.clear();
                }
                self.0.insert(key, owner.clone());
            }
        }
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
