//! What is written, in details and in sums.

use tracer_core::record::Event;

use super::{
    Directory, assert_sums, book,
    made::{EPOCH, Made, SECOND, start, stop},
    number, read,
};

#[test]
fn a_connection_is_one_row_whatever_batches_it_comes_in() {
    for batches in [1, 2, 4, 7] {
        let directory = Directory::new();
        let path = directory.history();
        let mut book = book(&path);
        let one = Made::new(1);
        let records = [
            start(EPOCH),
            one.event(EPOCH + SECOND, Event::Connect),
            one.event(EPOCH + 2 * SECOND, Event::Established),
            one.counted(EPOCH + 62 * SECOND, Event::Update, 10, 100),
            one.counted(EPOCH + 122 * SECOND, Event::Update, 10, 100),
            one.counted(EPOCH + 182 * SECOND, Event::Update, 30, 300),
            one.counted(EPOCH + 190 * SECOND, Event::Close, 31, 301),
        ];
        for batch in records.chunks(records.len().div_ceil(batches)) {
            book.write(batch, &[], EPOCH).unwrap();
        }
        let db = read(&path);
        assert_sums(&db);
        let row = "SELECT count(*) FROM connections WHERE opened = '2023-11-15T00:00:01.000Z' \
            AND closed = '2023-11-15T00:03:10.000Z' AND sent = 31 AND received = 301 AND pid = 101 \
            AND outcome = 'finished' AND remote_ip = '203.0.113.1' AND scope = 'external' \
            AND process = 'curl' AND container = 'c0ffee'";
        assert_eq!(number(&db, row), 1);
        assert_eq!(number(&db, "SELECT count(*) FROM connection"), 1);
        assert_eq!(number(&db, "SELECT count(*) FROM count"), 2);
        let minutes = "SELECT count(*) FROM rollup WHERE level = 60";
        assert_eq!(number(&db, minutes), 4);
        assert_eq!(
            number(&db, "SELECT sum(continued) FROM rollup WHERE level = 60"),
            3
        );
        assert_eq!(
            number(&db, "SELECT sum(continued) FROM rollup WHERE level = 3600"),
            0
        );
        let third =
            "SELECT sent FROM rollup WHERE level = 60 AND continued = 1 ORDER BY bucket DESC";
        assert_eq!(number(&db, third), 21);
    }
}

#[test]
fn an_attempt_that_fails_is_a_failure_from_its_beginning() {
    for batches in [1, 2, 3] {
        let directory = Directory::new();
        let path = directory.history();
        let mut book = book(&path);
        let one = Made::new(1);
        let records = [
            start(EPOCH),
            one.event(EPOCH, Event::Connect),
            one.refused(EPOCH + 127 * SECOND),
        ];
        for batch in records.chunks(records.len().div_ceil(batches)) {
            book.write(batch, &[], EPOCH).unwrap();
        }
        let db = read(&path);
        assert_sums(&db);
        assert_eq!(
            number(&db, "SELECT count(*) FROM rollup WHERE failed = 0"),
            0
        );
        let opened = "SELECT bucket FROM rollup WHERE level = 60 AND opened = 1";
        assert_eq!(number(&db, opened), EPOCH / SECOND);
        let word =
            "SELECT count(*) FROM rollup r JOIN text t ON t.id = r.failed WHERE t.text = 'refused'";
        assert_eq!(number(&db, word), 4);
    }
}

#[test]
fn of_what_is_older_than_the_run_only_what_moves_counts() {
    let directory = Directory::new();
    let path = directory.history();
    let mut book = book(&path);
    let tcp = Made::new(1).older();
    let udp = Made::new(2).older().of_datagrams();
    let records = [
        start(EPOCH),
        tcp.counted(EPOCH, Event::Existing, 1000, 2000),
        udp.event(EPOCH, Event::Existing),
        tcp.counted(EPOCH + SECOND, Event::Update, 1001, 2002),
        udp.counted(EPOCH + SECOND, Event::Update, 7, 8),
        tcp.counted(EPOCH + 2 * SECOND, Event::Close, 1003, 2006),
        stop(EPOCH + 3 * SECOND),
    ];
    for record in &records {
        book.write(std::slice::from_ref(record), &[], EPOCH)
            .unwrap();
    }
    let db = read(&path);
    assert_sums(&db);
    assert_eq!(
        number(&db, "SELECT sum(sent) FROM rollup WHERE level = 60"),
        10
    );
    assert_eq!(number(&db, "SELECT sum(opened) FROM rollup"), 0);
    assert_eq!(
        number(&db, "SELECT sum(continued) FROM rollup WHERE level = 86400"),
        2
    );
    assert_eq!(
        number(
            &db,
            "SELECT first_received FROM connection WHERE protocol = 6"
        ),
        2000
    );
    assert_eq!(number(&db, "SELECT stopped FROM run"), EPOCH + 3 * SECOND);
}

#[test]
fn secrets_in_arguments_and_threads_are_not_kept() {
    let directory = Directory::new();
    let path = directory.history();
    let mut book = book(&path);
    let records: Vec<_> = std::iter::once(start(EPOCH))
        .chain(Made::new(1).life(EPOCH))
        .collect();
    book.write(&records, &[], EPOCH).unwrap();
    let db = read(&path);
    let owner: String = db
        .query_row("SELECT owner FROM owner", [], |row| row.get(0))
        .unwrap();
    assert!(owner.contains("--password=[redacted]"), "{owner}");
    assert!(owner.contains("\"tid\":101"), "{owner}");
    assert_eq!(number(&db, "SELECT tid FROM connection"), 102);
    let party: String = db
        .query_row("SELECT party FROM party", [], |row| row.get(0))
        .unwrap();
    assert_eq!(
        party,
        r#"{"name":"curl","exe":"/usr/bin/curl","uid":0,"user":"root","container":{"id":"c0ffee"}}"#
    );
    let who: tracer_core::hosts::Who = serde_json::from_str(&party).unwrap();
    assert_eq!(who.user.as_deref(), Some("root"));
}

#[test]
fn a_clock_that_goes_back_loses_nothing() {
    let directory = Directory::new();
    let path = directory.history();
    let mut book = book(&path);
    book.write(&[start(EPOCH)], &[], EPOCH).unwrap();
    for number in 1..=200_u64 {
        let step = i64::try_from(number).unwrap() * 37 * SECOND;
        let time = if number % 2 == 0 {
            EPOCH + step
        } else {
            EPOCH - step
        };
        let one = Made::new(number);
        let records = [
            one.event(time, Event::Connect),
            one.event(time + SECOND, Event::Established),
            one.counted(time - 3600 * SECOND, Event::Update, 50, 60),
            one.counted(time - 3600 * SECOND, Event::Update, 70, 80),
            one.counted(time - 1800 * SECOND, Event::Close, 90, 100),
        ];
        for batch in records.chunks(2) {
            book.write(batch, &[], time).unwrap();
        }
    }
    let db = read(&path);
    assert_sums(&db);
    assert_eq!(
        number(
            &db,
            "SELECT count(*) FROM connection WHERE closed IS NOT NULL"
        ),
        200
    );
    assert_eq!(number(&db, "SELECT sum(sent) FROM connection"), 200 * 90);
}
