//! What is read is what was written.

use std::ops::ControlFlow;

use jiff::Timestamp;
use serde_json::{Value, json};
use tracer_core::{
    history::{Span, Why},
    hosts::{Grouping, Hosts, Row, Sort},
    record::{Connection, Event, Record},
    redact::Arguments,
};

use super::{
    Directory,
    made::{EPOCH, Made, start, stop},
};
use crate::store::{
    book::{Book, Gap, Why as Lack},
    read::{History, Kinds},
    row::nanoseconds,
};

/// One of each record, with all that a connection can say.
const STORY: &str = include_str!("../../../../tests/fixtures/story.json");

const ALL: Kinds = Kinds {
    connections: true,
    findings: true,
};

const SECOND: i64 = 1_000_000_000;

fn span(since: i64, until: i64) -> Span {
    let at = |time: i64| Timestamp::from_nanosecond(i128::from(time)).unwrap();
    Span {
        since: at(since),
        until: at(until),
    }
}

fn written(directory: &Directory, records: &[Record]) -> History {
    let mut book = Book::open(&directory.history(), Arguments::Full).unwrap();
    let now = nanoseconds(&records.last().unwrap().head().time);
    for batch in records.chunks(7) {
        book.write(batch, &[], now).unwrap();
    }
    History::open(&directory.history()).unwrap()
}

fn told(history: &History, span: Span) -> Vec<Value> {
    let mut told = Vec::new();
    let take = &mut |record: Record| {
        told.push(serde_json::to_value(&record)?);
        Ok(ControlFlow::Continue(()))
    };
    history.stream(span, ALL, take).unwrap();
    told
}

#[test]
fn a_story_is_read_as_it_was_written() {
    let directory = Directory::new();
    let records: Vec<Record> = STORY
        .lines()
        .map(|line| Record::read(line).unwrap())
        .collect();
    let history = written(&directory, &records);
    let is_kept = |record: &&Record| {
        !matches!(record, Record::Start(_) | Record::Stop(_)) && record.head().event != Event::State
    };
    let mut expected: Vec<Value> = records
        .iter()
        .filter(is_kept)
        .map(|record| serde_json::to_value(record).unwrap())
        .collect();
    let mut read = told(&history, span(0, i64::MAX));
    for record in expected.iter_mut().chain(&mut read) {
        record["seq"] = json!(0);
        // Of these a history has the newest only.
        if !matches!(
            record["event"].as_str(),
            Some("close" | "failed" | "update")
        ) {
            let fields = record.as_object_mut().unwrap();
            fields.remove("rtt_us");
            fields.remove("retransmits");
        }
    }
    let place = |record: &Value| {
        let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        (text("time"), text("id"), text("event"))
    };
    expected.sort_by_key(place);
    read.sort_by_key(place);
    let mut differences = Vec::new();
    for (read, expected) in read.iter().zip(&expected) {
        if read.get("opened_by").is_some() {
            // Who had it in the end, and who opened it, is said of all of its life.
            assert_eq!(read["event"], expected["event"]);
            continue;
        }
        differences.extend(difference(read, expected));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(read.len(), expected.len());
}

/// What fields of two records differ in.
fn difference(read: &Value, expected: &Value) -> Vec<String> {
    let (Some(one), Some(other)) = (read.as_object(), expected.as_object()) else {
        panic!("{read} {expected}");
    };
    let fields: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differ = fields
        .into_iter()
        .filter(|field| one.get(*field) != other.get(*field));
    let event = &expected["event"];
    differ
        .map(|field| {
            let said = |record: &serde_json::Map<String, Value>| {
                record.get(field).map_or("-".to_owned(), Value::to_string)
            };
            format!(
                "{event} {}: {field}: {} is {}",
                expected["id"],
                said(other),
                said(one)
            )
        })
        .collect()
}

/// A run of a thousand seconds, with a connection from 100 to 300 that is told of each minute.
fn run() -> (Vec<Record>, Made) {
    let one = Made::new(1);
    let mut records = vec![start(0), one.event(100 * SECOND, Event::Connect)];
    records.push(one.event(101 * SECOND, Event::Established));
    for (second, sent) in [(160, 1_000), (220, 1_500), (280, 4_000)] {
        records.push(one.counted(second * SECOND, Event::Update, sent, 10 * sent));
    }
    records.push(one.counted(300 * SECOND, Event::Close, 4_100, 41_000));
    records.push(stop(1_000 * SECOND));
    (records, one)
}

/// The events and bytes sent that are told of a window, in seconds.
fn events(history: &History, since: i64, until: i64) -> Vec<(String, Option<u64>)> {
    let told = told(history, span(since * SECOND, until * SECOND));
    told.iter()
        .map(|record| {
            let event = record["event"].as_str().unwrap().to_owned();
            (event, record["bytes"]["sent"].as_u64())
        })
        .collect()
}

#[test]
fn a_window_has_what_was_told_in_it() {
    let directory = Directory::new();
    let history = written(&directory, &run().0);
    let event = |event: &str, sent: Option<u64>| (event.to_owned(), sent);
    assert_eq!(
        events(&history, 0, 1000),
        [
            event("connect", None),
            event("established", None),
            event("update", Some(1_000)),
            event("update", Some(1_500)),
            event("update", Some(4_000)),
            event("close", Some(4_100)),
        ]
    );
    assert_eq!(events(&history, 101, 160), [event("established", None)]);
    assert_eq!(events(&history, 160, 161), [event("update", Some(1_000))]);
    assert_eq!(events(&history, 300, 301), [event("close", Some(4_100))]);
    assert_eq!(events(&history, 301, 1_000), []);
}

#[test]
fn what_moved_in_a_window_is_exact_to_the_interval() {
    let directory = Directory::new();
    let history = written(&directory, &run().0);
    let runs = history.runs().unwrap();
    let moved = |since: i64, until: i64| {
        let mut hosts = Hosts::default();
        hosts.begin();
        let window = span(since * SECOND, until * SECOND);
        let take = &mut |_: &_, told: Vec<Connection>| {
            for record in told {
                hosts.record(&Record::Connection(Box::new(record)));
            }
        };
        history.spans(&runs, window, take).unwrap();
        let rows = hosts.rows(Grouping::None, Sort::Bytes);
        let of = |row: &Row| {
            (
                row.connections,
                row.open,
                row.bytes.map(|bytes| bytes.to_destination),
            )
        };
        rows.first().map(of)
    };
    assert_eq!(moved(0, 1_000), Some((1, 0, Some(4_100))));
    // To the update before.
    assert_eq!(moved(0, 200), Some((1, 1, Some(1_000))));
    assert_eq!(moved(200, 290), Some((1, 1, Some(3_000))));
    assert_eq!(moved(290, 1_000), Some((1, 0, Some(100))));
    assert_eq!(moved(400, 1_000), None);
}

#[test]
fn what_was_open_at_a_moment_is_found_with_what_had_moved() {
    let directory = Directory::new();
    let history = written(&directory, &run().0);
    let runs = history.runs().unwrap();
    let open = |second: i64| {
        let found = history.open_at(&runs, span(second * SECOND, i64::MAX).since);
        let found = found.unwrap();
        let bytes = found
            .iter()
            .map(|record| record.bytes.map(|bytes| bytes.sent));
        bytes.collect::<Vec<_>>()
    };
    assert_eq!(open(99), []);
    assert_eq!(open(100), [Some(0)]);
    assert_eq!(open(250), [Some(1_500)]);
    assert_eq!(open(300), []);
}

#[test]
fn what_a_history_lacks_is_told() {
    let directory = Directory::new();
    let mut book = Book::open(&directory.history(), Arguments::Full).unwrap();
    let gap = Gap {
        why: Lack::Dropped,
        since: 10 * SECOND,
        until: 20 * SECOND,
        dropped: 7,
    };
    book.write(&[start(0)], &[gap], 100 * SECOND).unwrap();
    // It was killed, and started again.
    book.write(&[start(200 * SECOND)], &[], 300 * SECOND)
        .unwrap();
    let history = History::open(&directory.history()).unwrap();
    let runs = history.runs().unwrap();
    let found = history
        .uncovered(&runs, span(5 * SECOND, 400 * SECOND))
        .unwrap();
    let found: Vec<_> = found
        .into_iter()
        .map(|one| (one.since.as_second(), one.until.as_second(), one.why))
        .collect();
    assert_eq!(
        found,
        [
            (10, 20, Why::Dropped { records: 7 }),
            (100, 200, Why::AgentKilled),
            (300, 400, Why::NoAgent),
        ]
    );
}

#[test]
fn what_is_no_history_is_refused() {
    let directory = Directory::new();
    let refused = |path: &std::path::Path| format!("{:#}", History::open(path).err().unwrap());
    let none = refused(&directory.history());
    assert!(none.starts_with("there is no history "), "{none}");
    let other = directory.0.join("other.db");
    rusqlite::Connection::open(&other)
        .and_then(|db| db.execute_batch("CREATE TABLE a (b)"))
        .unwrap();
    let other = refused(&other);
    assert!(
        other.ends_with("it is a database of something else"),
        "{other}"
    );
    let text = directory.0.join("text");
    std::fs::write(&text, "no database, but long enough to be looked at").unwrap();
    let text = refused(&text);
    assert!(text.ends_with("file is not a database"), "{text}");
}

/// What a row says that sums can say, too.
fn said(row: &Row) -> String {
    let people = row.processes.iter().map(|process| &*process.name);
    let people: Vec<&str> = people.collect();
    // Nothing is known to have moved where nobody has counted.
    let bytes = row.bytes.unwrap_or_default();
    format!(
        "{:?} {:?} {:?} {:?} open {} connections {} failed {:?} bytes {:?} from {} to {} {people:?} {:?}",
        row.source,
        row.destination,
        row.protocol,
        row.service,
        row.open,
        row.connections,
        row.failed,
        bytes,
        row.first_seen,
        row.last_seen,
        row.users
    )
}

#[test]
fn sums_say_of_whole_minutes_what_connections_say() {
    let mut records = vec![start(EPOCH)];
    for number in 0..40 {
        let at = EPOCH + i64::try_from(number).unwrap() * 97 * SECOND;
        let one = Made::new(number);
        match number % 4 {
            0 => records.extend(one.life(at)),
            1 => records.extend([one.event(at, Event::Connect), one.refused(at + SECOND)]),
            2 => records.push(one.of_datagrams().event(at, Event::Connect)),
            _ => {
                records.push(one.event(at, Event::Connect));
                records.push(one.event(at + 1, Event::Established));
                for minute in 1..5 {
                    let moved = u64::try_from(minute).unwrap() * 1000;
                    let time = at + minute * 60 * SECOND;
                    records.push(one.counted(time, Event::Update, moved, 2 * moved));
                }
            }
        }
    }
    records.sort_by_key(|record| record.head().time.clone());
    let until = EPOCH + 3 * 3600 * SECOND;
    records.push(stop(until));
    let directory = Directory::new();
    let history = written(&directory, &records);
    let runs = history.runs().unwrap();
    for (since, until) in [(0, 10_800), (60, 7200), (600, 660), (3600, 7260)] {
        let window = span(EPOCH + since * SECOND, EPOCH + until * SECOND);
        let mut details = Hosts::default();
        details.begin();
        let take = &mut |_: &_, told: Vec<Connection>| {
            for record in told {
                details.record(&Record::Connection(Box::new(record)));
            }
        };
        history.spans(&runs, window, take).unwrap();
        let mut summed = Hosts::default();
        summed.begin();
        let (became, sums) = history.sums(window).unwrap();
        assert_eq!(became, window);
        for sum in sums {
            summed.sum(history.host(), sum);
        }
        let rows = |hosts: &Hosts| {
            let rows = hosts.rows(Grouping::None, Sort::Destination);
            rows.iter().map(said).collect::<Vec<_>>()
        };
        let (details, summed) = (rows(&details), rows(&summed));
        assert!(details.len() > 1, "{details:?}");
        for (one, other) in details.iter().zip(&summed) {
            assert_eq!(one, other, "{since} to {until}");
        }
        assert_eq!(details.len(), summed.len());
    }
}
