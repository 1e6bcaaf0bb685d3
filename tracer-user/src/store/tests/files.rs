//! The file: made, recognised, brought up to date, one writer.

use std::os::unix::fs::PermissionsExt as _;

use rusqlite::Connection as Database;
use tracer_core::redact::Arguments;

use super::{
    Directory, book,
    made::{EPOCH, Made, start},
    number, read,
};
use crate::store::{Book, schema};

#[test]
fn nobody_else_may_read_it() {
    let directory = Directory::new();
    let path = directory.0.join("deep/er/history.db");
    let mut book = book(&path);
    book.write(&[start(EPOCH)], &[], EPOCH).unwrap();
    let mode = |name: &str| {
        let path = directory.0.join("deep/er").join(name);
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode(""), 0o700);
    for file in [
        "history.db",
        "history.db-wal",
        "history.db-shm",
        "history.db.lock",
    ] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
}

#[test]
fn a_second_writer_is_refused_and_told_who_the_first_is() {
    let directory = Directory::new();
    let path = directory.history();
    let first = book(&path);
    let error = Book::open(&path, Arguments::Full).unwrap_err().to_string();
    let by = format!(
        "another agent, process {}, writes to the history",
        std::process::id()
    );
    assert!(error.starts_with(&by), "{error}");
    drop(first);
    assert!(Book::open(&path, Arguments::Full).is_ok());
}

#[test]
fn a_history_of_the_first_schema_is_taken_over() {
    let directory = Directory::new();
    let path = directory.history();
    let mut first = book(&path);
    first.write(&[start(EPOCH)], &[], EPOCH).unwrap();
    first.write(&Made::new(1).life(EPOCH), &[], EPOCH).unwrap();
    drop(first);
    let steps = [schema::STEPS, &["ALTER TABLE run ADD COLUMN note TEXT"]].concat();
    let db = schema::open(&path, &steps).unwrap();
    assert_eq!(number(&db, "PRAGMA user_version"), 2);
    assert_eq!(
        number(&db, "SELECT count(*) FROM run WHERE note IS NULL"),
        1
    );
    assert_eq!(
        number(&db, "SELECT count(*) FROM connections WHERE sent = 100"),
        1
    );
    drop(db);
    // The one before does not know what it would do there.
    let error = Book::open(&path, Arguments::Full).unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("a newer one wrote it"), "{error}");
}

#[test]
fn a_step_that_fails_leaves_what_was() {
    let directory = Directory::new();
    let path = directory.history();
    drop(book(&path));
    let wrong = "CREATE TABLE more (id INTEGER); SELECT nothing FROM nowhere";
    let steps = [schema::STEPS, &[wrong]].concat();
    assert!(schema::open(&path, &steps).is_err());
    let db = read(&path);
    assert_eq!(number(&db, "PRAGMA user_version"), 1);
    assert_eq!(
        number(
            &db,
            "SELECT count(*) FROM sqlite_schema WHERE name = 'more'"
        ),
        0
    );
}

#[test]
fn what_is_something_else_is_left_alone() {
    let directory = Directory::new();
    let path = directory.history();
    let other = Database::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE mine (id INTEGER)")
        .unwrap();
    drop(other);
    let error = format!("{:#}", Book::open(&path, Arguments::Full).unwrap_err());
    assert!(
        error.contains("it is a database of something else"),
        "{error}"
    );
    std::fs::write(&path, "no database at all, but text").unwrap();
    let error = format!("{:#}", Book::open(&path, Arguments::Full).unwrap_err());
    assert!(
        error.contains("history.db: file is not a database"),
        "{error}"
    );
    assert_eq!(std::fs::read(&path).unwrap().len(), 28);
}
