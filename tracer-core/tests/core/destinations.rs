//! Destinations of a connection that its socket does not have.

use tracer_abi::{Address, Connection, Detail, Direction, Kind, tcp};
use tracer_core::{record::Record, select::Selection};

use crate::{
    frames::{of_connection, of_destination},
    runs::run,
};

fn outbound(opened_ns: u64) -> Connection {
    Connection {
        opened_ns,
        family: 4,
        direction: Direction::OUTBOUND,
        remote: address(1),
        remote_port: 80,
        ..Connection::UNKNOWN
    }
}

fn address(last: u8) -> Address {
    Address::from_v4(u32::from_ne_bytes([192, 0, 2, last]))
}

/// That a connection has another destination.
fn elsewhere(kind: u16, connection: Connection, last: u8) -> Vec<u8> {
    let other = Connection {
        remote: address(last),
        remote_port: 8080,
        ..connection
    };
    of_destination(kind, 8, &other)
}

fn frame(kind: u16, connection: Connection, old: u8, new: u8) -> Vec<u8> {
    of_connection(kind, 8, connection, Detail::of_states(old, new))
}

fn connect(connection: Connection) -> Vec<u8> {
    frame(Kind::CONNECT, connection, tcp::CLOSE, tcp::SYN_SENT)
}

fn close(connection: Connection) -> Vec<u8> {
    frame(Kind::CLOSE, connection, tcp::LAST_ACK, tcp::CLOSE)
}

/// What becomes of frames: the event of each record, what was asked for, and where it went.
fn told(frames: &[Vec<u8>]) -> Vec<String> {
    let (mut pipeline, mut records) = run(Selection::default(), frames);
    pipeline.surveyed(&mut records);
    let words = |record: &Record| match record {
        Record::Connection(connection) => {
            let shown = |of: Option<_>| of.map_or_else(|| "-".to_owned(), |of| format!("{of}"));
            let (asked, went) = (shown(connection.requested), shown(connection.translated));
            Some(format!("{} {asked} {went}", connection.head.event.word()))
        }
        _ => None,
    };
    records.iter().filter_map(words).collect()
}

#[test]
fn what_was_asked_for_comes_first_and_is_told_from_the_first_record_on() {
    let connection = outbound(7);
    let frames = [
        elsewhere(Kind::REQUESTED, connection, 2),
        connect(connection),
        elsewhere(Kind::TRANSLATED, connection, 3),
        close(connection),
    ];
    let told = told(&frames);
    assert_eq!(
        told,
        [
            "connect 192.0.2.2:8080 -",
            "close 192.0.2.2:8080 192.0.2.3:8080"
        ]
    );
}

#[test]
fn another_connection_has_none_of_it() {
    let frames = [
        elsewhere(Kind::REQUESTED, outbound(7), 2),
        connect(outbound(8)),
        connect(outbound(7)),
        elsewhere(Kind::TRANSLATED, outbound(8), 3),
        close(outbound(7)),
        close(outbound(8)),
    ];
    let told = told(&frames);
    assert_eq!(
        told,
        [
            "connect - -",
            "connect 192.0.2.2:8080 -",
            "close 192.0.2.2:8080 -",
            "close - 192.0.2.3:8080",
        ]
    );
}

#[test]
fn what_is_told_while_hooks_are_attached_is_kept() {
    let early = |kind, connection| {
        of_connection(
            kind,
            0,
            connection,
            Detail::of_states(tcp::CLOSE, tcp::SYN_SENT),
        )
    };
    let frames = [
        elsewhere(Kind::REQUESTED, outbound(0), 2),
        early(Kind::CONNECT, outbound(0)),
        elsewhere(Kind::TRANSLATED, outbound(0), 3),
    ];
    assert_eq!(told(&frames), ["existing 192.0.2.2:8080 192.0.2.3:8080"]);
}

#[test]
fn what_belongs_to_nothing_does_not_pile_up() {
    let orphans = (10..3000).map(|opened_ns| elsewhere(Kind::REQUESTED, outbound(opened_ns), 2));
    let connects = [10, 2999].map(|opened_ns| connect(outbound(opened_ns)));
    let frames: Vec<Vec<u8>> = orphans.chain(connects).collect();
    assert_eq!(told(&frames), ["connect - -", "connect 192.0.2.2:8080 -"]);
}
