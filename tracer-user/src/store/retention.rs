//! What is too old, or too much, is removed, a little at a time so that writing is not held up.

use std::time::{Duration, Instant};

use rusqlite::{Connection as Database, OptionalExtension as _, TransactionBehavior};
use tracing::warn;

use super::{book::Book, sweep::Sweep, write::now};
use crate::{host::clock::boot_ns, run::NOTES};

/// So often it is looked what is too old.
const INTERVAL: Duration = Duration::from_mins(1);
/// So many rows are removed at once.
const PIECE: i64 = 2000;
/// So many pages are given back at once.
const PAGES: i64 = 1000;
/// So often what nothing refers to any more is looked for.
const SWEEP_INTERVAL: Duration = Duration::from_hours(24);
/// A clock that went ahead by more than this may be wrong.
const LEAP_NS: i64 = 86_400_000_000_000;
/// So long it must go on before what it says is old is removed.
const DISTRUST: Duration = Duration::from_hours(24);
/// So much of the size is for the WAL.
const WAL_MAX: u64 = 32 << 20;
/// An hour, a day, in nanoseconds.
const HOUR: i64 = 3_600_000_000_000;
const DAY: i64 = 24 * HOUR;

/// How long each kind of row is kept, and how much in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Connections, findings, losses.
    pub details: Duration,
    /// Sums of minutes.
    pub minutes: Duration,
    /// Sums of hours.
    pub hours: Duration,
    /// Sums of days.
    pub days: Duration,
    /// The file and its WAL.
    pub bytes: u64,
}

impl Keep {
    /// Kind of row → how long it is kept.
    fn ages(&self) -> [(What, Duration); 5] {
        [
            (What::Connections, self.details),
            (What::Others, self.details),
            (What::Sums(60), self.minutes),
            (What::Sums(3600), self.hours),
            (What::Sums(86_400), self.days),
        ]
    }

    /// What pages with something on them may take.
    fn room(&self) -> u64 {
        (self.bytes - self.wal()) / 10 * 9
    }

    /// What is left for the WAL.
    fn wal(&self) -> u64 {
        WAL_MAX.min(self.bytes / 4)
    }
}

/// A kind of row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Connections,
    Others,
    Sums(i64),
}

impl What {
    fn word(self) -> String {
        match self {
            Self::Connections => "connection".to_owned(),
            Self::Others => "other".to_owned(),
            Self::Sums(level) => level.to_string(),
        }
    }
}

/// Removes what is too old or too much.
#[derive(Debug)]
pub struct Retention {
    keep: Keep,
    next: Instant,
    /// What the clocks said last: since boot, and the wall clock.
    clocks: Option<(u64, i64)>,
    /// Until then, since boot, the wall clock may be wrong.
    distrusted_until: u64,
    sweep: Option<Sweep>,
    next_sweep: Instant,
    is_failing: bool,
    /// The WAL has its size.
    has_limited: bool,
}

impl Retention {
    pub fn new(keep: Keep) -> Self {
        Self {
            keep,
            next: Instant::now(),
            clocks: None,
            distrusted_until: 0,
            sweep: None,
            next_sweep: Instant::now() + SWEEP_INTERVAL,
            is_failing: false,
            has_limited: false,
        }
    }

    /// Keeps so much from here on.
    pub fn keep(&mut self, keep: Keep) {
        self.keep = keep;
        self.next = Instant::now();
        self.has_limited = false;
    }

    /// Removes a little, if something is due. Whether there is more.
    pub fn step(&mut self, book: &mut Book, now: i64) -> bool {
        match self.try_step(book, now) {
            Ok(is_more) => {
                self.is_failing = false;
                is_more
            }
            Err(why) => {
                if !std::mem::replace(&mut self.is_failing, true) {
                    let path = book.path().display();
                    warn!(target: NOTES, "what is too old cannot be removed from the history {path}: {why}");
                }
                self.next = Instant::now() + INTERVAL;
                false
            }
        }
    }

    fn try_step(&mut self, book: &mut Book, now: i64) -> rusqlite::Result<bool> {
        if !self.has_limited {
            limit_wal(book.db(), self.keep.wal())?;
            self.has_limited = true;
        }
        let is_large = used(book.db())? > self.keep.room();
        if !is_large && Instant::now() < self.next {
            return Ok(false);
        }
        if (is_large && Self::shrink(book, now)?) || self.remove_old(book, now)? {
            give_back(book.db())?;
            return Ok(true);
        }
        if self.sweep(book)? {
            return Ok(true);
        }
        let gave_back = give_back(book.db())?;
        if !gave_back {
            self.next = Instant::now() + INTERVAL;
        }
        Ok(gave_back)
    }

    /// Removes a piece of what is too old. Whether there was any.
    fn remove_old(&mut self, book: &mut Book, now: i64) -> rusqlite::Result<bool> {
        if !self.trusts(book, now)? {
            return Ok(false);
        }
        for (what, age) in self.keep.ages() {
            let age = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
            if remove(book, what, now.saturating_sub(age))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether what the wall clock says is believed. When it is far ahead of what it was, that is said, and
    /// it is believed a day later.
    fn trusts(&mut self, book: &mut Book, now: i64) -> rusqlite::Result<bool> {
        let boot_ns = boot_ns();
        let expected = match self.clocks.replace((boot_ns, now)) {
            Some((before_ns, before)) => {
                let passed = i64::try_from(boot_ns.saturating_sub(before_ns)).unwrap_or(i64::MAX);
                Some(before.saturating_add(passed))
            }
            None => newest_heartbeat_before(book)?,
        };
        if expected.is_some_and(|expected| now.saturating_sub(expected) > LEAP_NS) {
            self.distrusted_until = boot_ns.saturating_add(nanoseconds(DISTRUST));
            warn!(
                target: NOTES,
                "the clock is more than a day ahead of the history: for a day nothing is removed because of its age"
            );
        }
        Ok(boot_ns >= self.distrusted_until)
    }

    /// Removes a piece of the oldest, so that there is room. Whether there was any.
    fn shrink(book: &mut Book, now: i64) -> rusqlite::Result<bool> {
        let oldest = oldest_connection(book)?;
        if let Some(cutoff) = oldest.map(|oldest| end_of(HOUR, oldest, now)) {
            return Ok(
                remove(book, What::Connections, cutoff)? || remove(book, What::Others, cutoff)?
            );
        }
        for (level, whole) in [(60, HOUR), (3600, DAY)] {
            let sql = "SELECT min(bucket) FROM rollup WHERE level = ?1";
            let oldest: Option<i64> = book.db().query_row(sql, [level], |row| row.get(0))?;
            let oldest = oldest.map(|seconds| seconds.saturating_mul(1_000_000_000));
            if let Some(oldest) = oldest.filter(|oldest| *oldest < now - whole)
                && remove(book, What::Sums(level), end_of(whole, oldest, i64::MAX))?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Goes on to look for what nothing refers to any more. Whether there is more to look at.
    fn sweep(&mut self, book: &mut Book) -> rusqlite::Result<bool> {
        if self.sweep.is_none() && Instant::now() >= self.next_sweep {
            self.next_sweep = Instant::now() + SWEEP_INTERVAL;
            self.sweep = Some(Sweep::begin(book)?);
        }
        let Some(sweep) = &mut self.sweep else {
            return Ok(false);
        };
        let is_more = sweep.step(book)?;
        if !is_more {
            self.sweep = None;
        }
        Ok(is_more)
    }
}

/// Removes all that is too old or too much, at once: the clock is believed, for somebody asks for it.
///
/// # Errors
/// If it cannot be written.
pub fn prune(book: &mut Book, keep: Keep) -> rusqlite::Result<()> {
    let now = now();
    for (what, age) in keep.ages() {
        let age = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
        while remove(book, what, now.saturating_sub(age))? {}
    }
    while used(book.db())? > keep.room() && Retention::shrink(book, now)? {}
    let mut sweep = Sweep::begin(book)?;
    while sweep.step(book)? {}
    while give_back(book.db())? {}
    book.db()
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The end of the hour or day of a time, but no more than half of what there is.
fn end_of(whole: i64, time: i64, now: i64) -> i64 {
    let end = time - time.rem_euclid(whole) + whole;
    let half = time.saturating_add(now.saturating_sub(time) / 2);
    end.min(half.max(time + 1))
}

/// What the pages take that have something on them.
fn used(db: &Database) -> rusqlite::Result<u64> {
    let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let pages = number("page_count")? - number("freelist_count")?;
    Ok(u64::try_from(pages * number("page_size")?).unwrap_or(0))
}

/// So large the WAL may become, if no reader keeps it from being used anew.
fn limit_wal(db: &Database, bytes: u64) -> rusqlite::Result<()> {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    let page = db.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))?;
    // What is written at once comes on top of it.
    db.pragma_update(None, "wal_autocheckpoint", bytes / 4 / page.max(1))?;
    db.pragma_update(None, "journal_size_limit", bytes / 2)
}

/// Gives pages back that are free, but for some. Whether there were any.
fn give_back(db: &Database) -> rusqlite::Result<bool> {
    let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let spare = number("page_count")? / 20;
    let surplus = number("freelist_count")? - spare;
    if surplus <= 0 {
        return Ok(false);
    }
    let pragma = format!("PRAGMA incremental_vacuum({})", surplus.min(PAGES));
    let mut statement = db.prepare(&pragma)?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(true)
}

/// When a run was there last, but for this one.
fn newest_heartbeat_before(book: &mut Book) -> rusqlite::Result<Option<i64>> {
    let run = book.run();
    let sql = "SELECT max(heartbeat) FROM run WHERE id IS NOT ?1";
    book.db().query_row(sql, [run], |row| row.get(0))
}

/// When the oldest connection ended that can be removed.
fn oldest_connection(book: &mut Book) -> rusqlite::Result<Option<i64>> {
    let run = book.run();
    let closed = "SELECT min(closed) FROM connection";
    let closed: Option<i64> = book.db().query_row(closed, [], |row| row.get(0))?;
    let left = "SELECT min(newest) FROM connection WHERE closed IS NULL AND run IS NOT ?1";
    let left: Option<i64> = book.db().query_row(left, [run], |row| row.get(0))?;
    Ok(closed.into_iter().chain(left).min())
}

/// Removes a piece of what ended before a time, and notes that. Whether there was any.
fn remove(book: &mut Book, what: What, cutoff: i64) -> rusqlite::Result<bool> {
    let run = book.run();
    let transaction = book
        .db()
        .transaction_with_behavior(TransactionBehavior::Immediate)?;
    let removed = match what {
        What::Connections => remove_connections(&transaction, run, cutoff)?,
        What::Others => remove_others(&transaction, cutoff)?,
        What::Sums(level) => remove_sums(&transaction, level, cutoff)?,
    };
    if !removed {
        return Ok(false);
    }
    let sql = "INSERT INTO kept (what, since) VALUES (?1, ?2) \
               ON CONFLICT DO UPDATE SET since = max(since, excluded.since)";
    transaction.execute(sql, (what.word(), cutoff))?;
    transaction.commit()?;
    Ok(true)
}

/// Those that are over, and those of which an earlier run did not see the end.
fn remove_connections(db: &Database, run: Option<i64>, cutoff: i64) -> rusqlite::Result<bool> {
    let of_those = "SELECT id FROM connection WHERE closed < ?1 LIMIT ?2";
    let mut ids = numbers(db, of_those, (cutoff, PIECE))?;
    if ids.is_empty() {
        let of_those = "SELECT id FROM connection \
            WHERE closed IS NULL AND run IS NOT ?1 AND newest < ?2 LIMIT ?3";
        ids = numbers(db, of_those, (run, cutoff, PIECE))?;
    }
    for id in &ids {
        let counts = "DELETE FROM count WHERE connection = ?1";
        db.prepare_cached(counts)?.execute([id])?;
        let connection = "DELETE FROM connection WHERE id = ?1";
        db.prepare_cached(connection)?.execute([id])?;
    }
    Ok(!ids.is_empty())
}

fn numbers(db: &Database, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<Vec<i64>> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(values, |row| row.get(0))?;
    rows.collect()
}

fn remove_others(db: &Database, cutoff: i64) -> rusqlite::Result<bool> {
    let sql = "DELETE FROM other WHERE id IN \
        (SELECT id FROM other WHERE event = ?1 AND time < ?2 LIMIT ?3)";
    let mut removed = 0;
    for event in ["socket", "discovery", "loss"] {
        removed += db.prepare_cached(sql)?.execute((event, cutoff, PIECE))?;
    }
    Ok(removed > 0)
}

/// Whole buckets.
fn remove_sums(db: &Database, level: i64, cutoff: i64) -> rusqlite::Result<bool> {
    // The last that is over by then.
    let last = cutoff.div_euclid(1_000_000_000) - level;
    let piece = "SELECT bucket FROM rollup WHERE level = ?1 AND bucket <= ?2 \
                 ORDER BY bucket LIMIT 1 OFFSET ?3";
    let piece: Option<i64> = db
        .prepare_cached(piece)?
        .query_row((level, last, PIECE), |row| row.get(0))
        .optional()?;
    let sql = "DELETE FROM rollup WHERE level = ?1 AND bucket <= ?2";
    let removed = db
        .prepare_cached(sql)?
        .execute((level, piece.unwrap_or(last)))?;
    Ok(removed > 0)
}
