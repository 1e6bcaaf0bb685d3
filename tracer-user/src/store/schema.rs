//! The file of a history: made, recognised, brought up to date.

use std::{
    fs::{DirBuilder, OpenOptions},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, bail};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

/// What is in the head of such a file: `cntr`.
const APPLICATION: i64 = 0x636e_7472;

/// The way from an empty file to the newest schema. A step that was once released is never changed.
pub const STEPS: &[&str] = &[include_str!("schema.sql")];

/// How long a transaction waits for another program that holds the file. Readers never do.
const PATIENCE: Duration = Duration::from_millis(500);

/// So much of the WAL is kept between two checkpoints, in bytes.
const WAL_BYTES: i64 = 16 << 20;
/// Pages of the WAL after which it is checkpointed.
const WAL_PAGES: u32 = 1000;

/// Statements that are kept prepared.
const STATEMENTS: usize = 64;

/// Opens a history to write to it, which was made.
///
/// # Errors
/// If it cannot be opened, is something else, or is of a newer version.
pub fn open(path: &Path, steps: &[&str]) -> anyhow::Result<Connection> {
    let of_file = || format!("the history {}", path.display());
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).with_context(of_file)?;
    prepare(&connection).with_context(of_file)?;
    bring_up_to_date(&mut connection, steps).with_context(of_file)?;
    Ok(connection)
}

/// An empty file that nobody else may read, where there is none. What lies beside it has its mode.
pub fn make(path: &Path) -> anyhow::Result<()> {
    if let Some(directory) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
    }
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write the history {}", path.display()))?;
    Ok(())
}

/// How the file is worked with. That pages can be given back is decided before there is any.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    // What is committed is on the disk.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What refers to what is minded here: there is no index to look for it backwards.
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES)
}

/// Takes the steps that are left, each at once or not at all.
fn bring_up_to_date(connection: &mut Connection, steps: &[&str]) -> anyhow::Result<()> {
    loop {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version = version(&transaction)?;
        let Some(step) = next_step(version, steps)? else {
            return Ok(());
        };
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", i64::try_from(version + 1)?)?;
        transaction.commit()?;
    }
}

fn next_step<'a>(version: usize, steps: &[&'a str]) -> anyhow::Result<Option<&'a str>> {
    if version > steps.len() {
        bail!(
            "its schema has the version {version}, and this conntracer knows them up to {}: a newer one wrote it",
            steps.len()
        );
    }
    Ok(steps.get(version).copied())
}

/// How many steps were taken; none of an empty file.
///
/// # Errors
/// If it is something else.
pub fn version(db: &Connection) -> anyhow::Result<usize> {
    let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let count = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = db.query_row(count, [], |row| row.get(0))?;
    let is_empty = application == 0 && version == 0 && tables == 0;
    if application != APPLICATION && !is_empty {
        bail!("it is a database of something else");
    }
    usize::try_from(version).context("its version makes no sense")
}
