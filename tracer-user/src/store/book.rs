//! What is written of a run, a batch of records at a time, each at once or not at all.

use std::path::{Path, PathBuf};

use rusqlite::{Connection as Database, TransactionBehavior, named_params};
use tracer_core::{
    outcome::Outcome,
    record::{Event, Record, Start, Stop},
    redact::Arguments,
};

use super::{
    dictionary::{Dictionary, json},
    lock::Lock,
    open::Opens,
    row::{Row, nanoseconds},
    schema,
};

/// When a run was there and something is missing all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub why: Why,
    /// From when until when, in nanoseconds since 1970.
    pub since: i64,
    pub until: i64,
    /// How many records.
    pub dropped: u64,
}

/// Why something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It did not run.
    Silent,
    /// There was no room for records.
    Dropped,
}

impl Why {
    fn word(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Dropped => "dropped",
        }
    }
}

/// A history that is written to, by nobody else.
#[derive(Debug)]
pub struct Book {
    path: PathBuf,
    db: Database,
    dictionary: Dictionary,
    opens: Opens,
    /// The run that is written of.
    run: Option<i64>,
    _lock: Lock,
}

impl Book {
    /// Opens it, or makes it.
    ///
    /// # Errors
    /// If another agent writes to it, or it cannot be written or is something else.
    pub fn open(path: &Path, arguments: Arguments) -> anyhow::Result<Self> {
        schema::make(path)?;
        let lock = Lock::take(path)?;
        Ok(Self {
            path: path.to_owned(),
            db: schema::open(path, schema::STEPS)?,
            dictionary: Dictionary::new(arguments),
            opens: Opens::default(),
            run: None,
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database.
    pub(super) fn db(&mut self) -> &mut Database {
        &mut self.db
    }

    /// The run that is written of.
    pub(super) fn run(&self) -> Option<i64> {
        self.run
    }

    /// The numbers of what is said again and again.
    pub(super) fn dictionary(&mut self) -> &mut Dictionary {
        &mut self.dictionary
    }

    /// Keeps no more of arguments than this from here on.
    pub fn keep_arguments(&mut self, arguments: Arguments) {
        self.dictionary.keep_arguments(arguments);
    }

    /// Writes records and gaps, and that the run is there.
    ///
    /// # Errors
    /// If they cannot be written: then nothing of them is.
    pub fn write(&mut self, records: &[Record], gaps: &[Gap], now: i64) -> rusqlite::Result<()> {
        let before = self.run;
        let written = self.try_to_write(records, gaps, now);
        if let Ok(rows) = &written {
            self.opens.commit(rows);
        } else {
            self.run = before;
            self.opens.roll_back();
            // Numbers that were given in vain.
            self.dictionary.forget();
        }
        written.map(|_| ())
    }

    fn try_to_write(
        &mut self,
        records: &[Record],
        gaps: &[Gap],
        now: i64,
    ) -> rusqlite::Result<Vec<i64>> {
        let transaction = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut batch = Batch {
            db: &transaction,
            dictionary: &mut self.dictionary,
            opens: &mut self.opens,
            run: &mut self.run,
        };
        for record in records {
            batch.take(record)?;
        }
        let rows = batch.connections()?;
        batch.opens.take_rollup().write(batch.db)?;
        batch.gaps(gaps)?;
        batch.heartbeat(now)?;
        transaction.commit()?;
        Ok(rows)
    }
}

/// What is written at once.
struct Batch<'a> {
    db: &'a Database,
    dictionary: &'a mut Dictionary,
    opens: &'a mut Opens,
    run: &'a mut Option<i64>,
}

impl Batch<'_> {
    fn take(&mut self, record: &Record) -> rusqlite::Result<()> {
        match record {
            Record::Start(start) => self.start(start),
            Record::Stop(stop) => self.stop(stop),
            Record::Connection(connection) => {
                let event = connection.head.event;
                // What a change of state says every other record says too.
                if event == Event::State {
                    return Ok(());
                }
                let row = Row::of(connection, self.db, self.dictionary)?;
                let outcome = connection.outcome.map(Outcome::word);
                let failed = match outcome.filter(|_| event == Event::Failed) {
                    Some(word) => self.dictionary.text(self.db, word)?,
                    None => 0,
                };
                self.opens.take(row, event, failed);
                Ok(())
            }
            Record::Socket(_) | Record::Discovery(_) | Record::Loss(_) => {
                let mut shown = record.clone();
                self.dictionary.arguments().apply(&mut shown);
                self.other(&shown)
            }
        }
    }

    fn start(&mut self, start: &Start) -> rusqlite::Result<()> {
        // What an earlier run left open stays so: that it has ended is said by its end, or by this.
        self.opens.clear();
        let mut shown = Record::Start(Box::new(start.clone()));
        self.dictionary.arguments().apply(&mut shown);
        let sql = "INSERT INTO run (host, boot_id, started, heartbeat, start) \
                   VALUES (:host, :boot_id, :time, :time, :start)";
        let run = self.db.prepare_cached(sql)?.insert(named_params! {
            ":host": &*start.head.host,
            ":boot_id": start.boot_id,
            ":time": nanoseconds(&start.head.time),
            ":start": json(&shown),
        })?;
        *self.run = Some(run);
        Ok(())
    }

    fn stop(&mut self, stop: &Stop) -> rusqlite::Result<()> {
        let sql = "UPDATE run SET stopped = :time, stop = :stop WHERE id = :id";
        self.db.prepare_cached(sql)?.execute(named_params! {
            ":id": self.run()?,
            ":time": nanoseconds(&stop.head.time),
            ":stop": json(&stop),
        })?;
        Ok(())
    }

    fn other(&self, record: &Record) -> rusqlite::Result<()> {
        let head = record.head();
        let sql =
            "INSERT INTO other (run, time, event, record) VALUES (:run, :time, :event, :record)";
        self.db.prepare_cached(sql)?.execute(named_params! {
            ":run": self.run()?,
            ":time": nanoseconds(&head.time),
            ":event": head.event.word(),
            ":record": json(record),
        })?;
        Ok(())
    }

    /// Writes what is told of connections: the number of each one's row.
    fn connections(&mut self) -> rusqlite::Result<Vec<i64>> {
        let mut rows = Vec::with_capacity(self.opens.changed().len());
        for change in self.opens.changed() {
            let number = match change.number() {
                Some(number) => {
                    change.row.update(self.db, number)?;
                    number
                }
                None => change.row.insert(self.db, self.run()?)?,
            };
            for (time, sent, received) in &change.counts {
                self.db
                    .prepare_cached(COUNT)?
                    .execute((number, time, sent, received))?;
            }
            rows.push(number);
        }
        Ok(rows)
    }

    fn gaps(&self, gaps: &[Gap]) -> rusqlite::Result<()> {
        let sql = "INSERT INTO gap (run, since, until, why, dropped) \
                   VALUES (:run, :since, :until, :why, :dropped)";
        for gap in gaps {
            self.db.prepare_cached(sql)?.execute(named_params! {
                ":run": self.run()?,
                ":since": gap.since,
                ":until": gap.until,
                ":why": gap.why.word(),
                ":dropped": i64::try_from(gap.dropped).unwrap_or(i64::MAX),
            })?;
        }
        Ok(())
    }

    /// The run is there.
    fn heartbeat(&self, now: i64) -> rusqlite::Result<()> {
        let Some(run) = *self.run else {
            return Ok(());
        };
        let sql = "UPDATE run SET heartbeat = ?2 WHERE id = ?1";
        self.db.prepare_cached(sql)?.execute((run, now))?;
        Ok(())
    }

    /// The run that is written of. Its first record comes first.
    fn run(&self) -> rusqlite::Result<i64> {
        self.run.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }
}

const COUNT: &str = "\
INSERT INTO count (connection, time, sent, received) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT DO UPDATE SET sent = max(sent, excluded.sent), received = max(received, excluded.received)";
