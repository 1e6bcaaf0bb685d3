//! What is removed, and what stays.

use std::{path::Path, time::Duration};

use tracer_core::record::{Event, Record};

use super::{
    Directory, book,
    ends::everything,
    made::{EPOCH, Made, SECOND, start},
    number, read,
};
use crate::store::{Keep, retention::Retention, size, sweep::Sweep};

const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;

fn hour(number: i64, count: u64) -> Vec<Record> {
    let first = u64::try_from(number).unwrap() * count;
    (first..first + count)
        .flat_map(|number_of| {
            let within = i64::try_from(number_of - first).unwrap() * SECOND / 10;
            Made::new(number_of).life(EPOCH + number * HOUR + within)
        })
        .collect()
}

#[test]
fn under_load_the_file_stays_below_its_size_and_the_newest_stays() {
    let directory = Directory::new();
    let path = directory.history();
    let mut book = book(&path);
    let keep = Keep {
        bytes: 16 << 20,
        ..everything()
    };
    let mut retention = Retention::new(keep);
    book.write(&[start(EPOCH)], &[], EPOCH).unwrap();
    let one = Made::new(9_999_999);
    book.write(&[one.event(EPOCH, Event::Connect)], &[], EPOCH)
        .unwrap();
    for number in 0..60 {
        let now = EPOCH + (number + 1) * HOUR;
        for batch in hour(number, 1000).chunks(900) {
            book.write(batch, &[], now).unwrap();
            while retention.step(&mut book, now) {}
            assert!(size(&path) <= keep.bytes, "{} at {number}", size(&path));
        }
    }
    let db = read(&path);
    let since = number(&db, "SELECT since FROM kept WHERE what = 'connection'");
    let before = format!("SELECT count(*) FROM connection WHERE closed < {since}");
    assert!(since > EPOCH);
    assert_eq!(number(&db, &before), 0);
    let newest = format!(
        "SELECT count(*) FROM connection WHERE first >= {}",
        EPOCH + 59 * HOUR
    );
    assert_eq!(number(&db, &newest), 1000);
    // What is open stays, and so do the sums of what was removed.
    assert_eq!(
        number(&db, "SELECT count(*) FROM connection WHERE closed IS NULL"),
        1
    );
    let days = "SELECT sum(opened) FROM rollup WHERE level = 86400";
    assert_eq!(number(&db, days), 60 * 1000 + 1);
}

#[test]
fn each_kind_of_row_has_its_age() {
    let directory = Directory::new();
    let path = directory.history();
    let mut book = book(&path);
    let days = |days: u64| Duration::from_hours(24 * days);
    let keep = Keep {
        details: days(2),
        minutes: days(4),
        hours: days(8),
        days: days(16),
        bytes: 1 << 40,
    };
    book.write(&[start(EPOCH)], &[], EPOCH).unwrap();
    for day in 0..20 {
        book.write(&hour(day * 24, 10), &[], EPOCH + day * DAY)
            .unwrap();
    }
    let mut retention = Retention::new(keep);
    let now = EPOCH + 20 * DAY;
    while retention.step(&mut book, now) {}
    let db = read(&path);
    let oldest = |what: &str| number(&db, what);
    assert_eq!(
        oldest("SELECT min(first) FROM connection"),
        EPOCH + 18 * DAY
    );
    let of = |level: i64| {
        oldest(&format!(
            "SELECT min(bucket) FROM rollup WHERE level = {level}"
        )) * SECOND
    };
    assert_eq!(of(60), EPOCH + 16 * DAY);
    assert_eq!(of(3600), EPOCH + 12 * DAY);
    assert_eq!(of(86_400), EPOCH + 4 * DAY);
    assert_eq!(
        oldest("SELECT since FROM kept WHERE what = '60'"),
        EPOCH + 16 * DAY
    );
}

#[test]
fn a_clock_far_ahead_is_not_believed_at_once() {
    let directory = Directory::new();
    let path = directory.history();
    let mut book = book(&path);
    book.write(&[start(EPOCH)], &[], EPOCH).unwrap();
    book.write(&hour(0, 100), &[], EPOCH).unwrap();
    let keep = Keep {
        details: Duration::from_hours(24),
        ..everything()
    };
    let mut retention = Retention::new(keep);
    while retention.step(&mut book, EPOCH + HOUR) {}
    // The clock leaps, and somebody asks for what is kept anew.
    retention.keep(keep);
    while retention.step(&mut book, EPOCH + 100 * DAY) {}
    assert_eq!(number(&read(&path), "SELECT count(*) FROM connection"), 100);
}

#[test]
fn what_nothing_refers_to_any_more_is_removed() {
    let directory = Directory::new();
    let path = directory.history();
    let mut book = book(&path);
    book.write(&[start(EPOCH)], &[], EPOCH).unwrap();
    book.write(&hour(0, 300), &[], EPOCH).unwrap();
    let addresses = |path: &Path| number(&read(path), "SELECT count(*) FROM address");
    let owners = |path: &Path| number(&read(path), "SELECT count(*) FROM owner");
    assert_eq!((addresses(&path), owners(&path)), (201, 50));
    book.db()
        .execute_batch("DELETE FROM connection WHERE id > 10; DELETE FROM rollup")
        .unwrap();
    let mut sweep = Sweep::begin(&mut book).unwrap();
    // Meanwhile one is referred to again.
    book.write(&Made::new(150).life(EPOCH + DAY), &[], EPOCH)
        .unwrap();
    while sweep.step(&mut book).unwrap() {}
    assert_eq!((addresses(&path), owners(&path)), (12, 10));
    book.write(&hour(1, 300), &[], EPOCH).unwrap();
    let dangling = "SELECT count(*) FROM connection c WHERE \
        NOT EXISTS (SELECT 1 FROM owner o JOIN party p ON p.id = o.party WHERE o.id = c.owner) \
        OR NOT EXISTS (SELECT 1 FROM address a WHERE a.id = c.remote) \
        OR NOT EXISTS (SELECT 1 FROM text t WHERE t.id = c.outcome)";
    let db = read(&path);
    assert_eq!(number(&db, dangling), 0);
}
