//! The history, held against what was written into it.

mod ends;
mod files;
mod kept;
mod made;
mod reading;
mod sums;

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use rusqlite::{Connection as Database, OpenFlags};
use tracer_core::redact::{Arguments, Redactor};

use super::book::Book;

/// A directory that is removed when it is dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("conntracer-store-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn history(&self) -> PathBuf {
        self.0.join("history.db")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left is found in the directory for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn book(path: &Path) -> Book {
    let redactor = Redactor::new(&[], Vec::new()).unwrap();
    Book::open(path, Arguments::Redacted(Box::new(redactor))).unwrap()
}

/// As whoever reads it sees it.
fn read(path: &Path) -> Database {
    Database::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

fn number(db: &Database, sql: &str) -> i64 {
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Asserts that the sums of each level are those of the details.
fn assert_sums(db: &Database) {
    let told = |row: &rusqlite::Row<'_>| -> rusqlite::Result<(i64, i64, i64)> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    };
    let details = "SELECT count(*) FILTER (WHERE flags & 2 = 0), \
        coalesce(sum(coalesce(sent, 0) - coalesce(first_sent, 0)), 0), \
        coalesce(sum(coalesce(received, 0) - coalesce(first_received, 0)), 0) FROM connection";
    let details = db.query_row(details, [], told).unwrap();
    for level in super::rollup::LEVELS {
        let sums = "SELECT coalesce(sum(opened), 0), coalesce(sum(sent), 0), coalesce(sum(received), 0) \
            FROM rollup WHERE level = ?1";
        let sums = db.query_row(sums, [level], told).unwrap();
        assert_eq!(sums, details, "level {level}");
    }
    assert_eq!(
        number(
            db,
            "SELECT count(*) FROM rollup WHERE opened < 0 OR continued < 0 OR sent < 0"
        ),
        0
    );
}
