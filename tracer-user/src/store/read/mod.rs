//! Reading a history: what happened in a window of time, as the records that told of it.

mod coverage;
mod info;
mod kept;
mod names;
mod pick;
mod spans;
mod stream;
mod sums;

use std::{
    cell::{Cell, RefCell},
    path::Path,
    sync::Arc,
};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use rusqlite::{Connection as Database, OpenFlags, OptionalExtension as _};
use tracer_core::{
    fact::Account,
    history::{PATIENCE, Span},
    record::Start,
};

use self::names::Names;
pub use self::{info::Info, pick::Table, stream::Kinds};
use super::schema::{STEPS, version};

/// A history that is read. All answers are of the moment at which it was opened, whatever is written
/// meanwhile.
pub struct History {
    db: Database,
    names: RefCell<Names>,
    /// What is gone through.
    table: Cell<Table>,
    /// Name of the host: that of the newest run.
    host: Arc<str>,
}

/// A run of the agent.
#[derive(Debug)]
pub struct Run {
    id: i64,
    /// Names the boot.
    pub boot_id: String,
    /// When it began, nanoseconds since 1970.
    started: i64,
    /// When it ended, or was there last.
    until: i64,
    has_stopped: bool,
    /// Its first record, as JSON.
    start: String,
}

impl History {
    /// Opens one that exists.
    ///
    /// # Errors
    /// If it cannot be read, is something else, or is of another version.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let of_file = || format!("cannot read the history {}", path.display());
        if !path.exists() {
            bail!(
                "there is no history {}: `conntracer agent` makes one, --history says where one is",
                path.display()
            );
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Database::open_with_flags(path, flags).with_context(of_file)?;
        check(&db).with_context(of_file)?;
        // One transaction, and so one state of the file, as long as it is open.
        db.execute_batch("BEGIN").with_context(of_file)?;
        let newest = "SELECT host FROM run ORDER BY started DESC LIMIT 1";
        let host: Option<String> = db.query_row(newest, [], |row| row.get(0)).optional()?;
        Ok(Self {
            db,
            names: RefCell::default(),
            table: Cell::new(Table::All),
            host: host.unwrap_or_default().into(),
        })
    }

    /// The runs of which something is kept, in the order in which they began.
    pub fn runs(&self) -> anyhow::Result<Vec<Run>> {
        let mut select = self.db.prepare_cached(
            "SELECT id, boot_id, started, max(heartbeat, coalesce(stopped, 0)), stopped IS NOT NULL, start
             FROM run ORDER BY started, id",
        )?;
        let runs = select.query_map([], |row| {
            Ok(Run {
                id: row.get(0)?,
                boot_id: row.get(1)?,
                started: row.get(2)?,
                until: row.get(3)?,
                has_stopped: row.get(4)?,
                start: row.get(5)?,
            })
        })?;
        Ok(runs.collect::<Result<_, _>>()?)
    }

    /// The name of the host.
    pub fn host(&self) -> &Arc<str> {
        &self.host
    }

    /// The accounts of the host that it names.
    pub fn accounts(&self) -> anyhow::Result<Vec<Account>> {
        let mut select = self.db.prepare_cached(
            "SELECT DISTINCT json_extract(owner, '$.user.uid'), json_extract(owner, '$.user.name') FROM owner
             WHERE json_extract(owner, '$.user.name') IS NOT NULL
                AND coalesce(json_extract(owner, '$.user.name_from'), 'host') = 'host'
             UNION
             SELECT DISTINCT json_extract(owner, '$.user.auid'), json_extract(owner, '$.user.login') FROM owner
             WHERE json_extract(owner, '$.user.login') IS NOT NULL
                AND json_extract(owner, '$.user.auid') IS NOT NULL",
        )?;
        let accounts = select.query_map([], |row| {
            Ok(Account {
                uid: row.get(0)?,
                name: row.get(1)?,
            })
        })?;
        Ok(accounts.collect::<Result<_, _>>()?)
    }
}

impl Run {
    /// Its first record.
    ///
    /// # Errors
    /// If it is none.
    pub fn start(&self) -> anyhow::Result<Start> {
        serde_json::from_str(&self.start)
            .with_context(|| format!("the first record of run {} of the history", self.id))
    }

    /// Its number in the file.
    pub fn number(&self) -> i64 {
        self.id
    }

    /// When it began.
    pub fn started(&self) -> Timestamp {
        timestamp(self.started)
    }

    /// The moment behind its last.
    pub fn until(&self) -> Timestamp {
        timestamp(self.until.saturating_add(1))
    }

    /// Whether it was there at a time after its begin, or is heard of so often that it must have been.
    fn was_there(&self, time: i64) -> bool {
        let patience = if self.has_stopped {
            0
        } else {
            i64::try_from(PATIENCE.as_nanos()).unwrap_or(0)
        };
        self.until.saturating_add(patience) >= time
    }

    /// Whether some of it lies between two times.
    pub fn overlaps(&self, span: Span) -> bool {
        self.started < nanoseconds(span.until) && self.until >= nanoseconds(span.since)
    }
}

fn check(db: &Database) -> anyhow::Result<()> {
    let version = version(db)?;
    if version != STEPS.len() {
        bail!(
            "its schema has the version {version}, and this conntracer reads version {}: an agent of this version brings an older one up to date",
            STEPS.len()
        );
    }
    Ok(())
}

/// As the file has it.
fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}

/// As a record has it.
fn timestamp(nanoseconds: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or_default()
}
