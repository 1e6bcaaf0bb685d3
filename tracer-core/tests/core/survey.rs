//! What was there before tracing began, and what ends while it is looked for.

use tracer_abi::{Address, Connection, Detail, Direction, Kind, Protocol, tcp};
use tracer_core::{
    record::{Event, Record},
    select::Selection,
};

use crate::{frames::of_connection, runs::run};

fn connection(opened_ns: u64, local_port: u16) -> Connection {
    Connection {
        opened_ns,
        family: 4,
        protocol: Protocol::TCP,
        direction: Direction::UNKNOWN,
        local: Address::from_v4(u32::from_ne_bytes([127, 0, 0, 1])),
        remote: Address::from_v4(u32::from_ne_bytes([127, 0, 0, 1])),
        local_port,
        remote_port: 50_000,
        ..Connection::UNKNOWN
    }
}

/// What is in `TIME_WAIT` has no counters and no owner, and nothing ties it to what it was but its
/// addresses.
fn left(opened_ns: u64, local_port: u16) -> Vec<u8> {
    let connection = connection(opened_ns, local_port);
    let detail = Detail::of_states(tcp::TIME_WAIT, tcp::TIME_WAIT);
    of_connection(Kind::EXISTING, opened_ns, connection, detail)
}

fn close(time_ns: u64, local_port: u16) -> Vec<u8> {
    let detail = Detail::of_states(tcp::FIN_WAIT2, tcp::CLOSE);
    of_connection(Kind::CLOSE, time_ns, connection(5, local_port), detail)
}

/// Events and local ports of what is told, and whether all of it adds up.
fn told(frames: &[Vec<u8>]) -> (Vec<(Event, Option<u16>)>, bool) {
    let (mut pipeline, mut records) = run(Selection::default(), frames);
    pipeline.surveyed(&mut records);
    let output = pipeline.totals().output();
    let adds_up = output.delivered + output.derived == output.suppressed + output.written;
    let of = |record: &Record| match record {
        Record::Connection(connection) => {
            Some((connection.head.event, connection.local.as_ref()?.port))
        }
        _ => None,
    };
    (records.iter().filter_map(of).collect(), adds_up)
}

#[test]
fn what_is_left_of_a_connection_whose_end_was_told_is_not_told_again() {
    let told_once = vec![(Event::Close, Some(80))];
    assert_eq!(
        told(&[close(8, 80), left(9, 80)]),
        (told_once.clone(), true)
    );
    // It enters TIME_WAIT before its end is reported.
    assert_eq!(told(&[left(8, 80), close(9, 80)]), (told_once, true));
}

#[test]
fn what_is_left_of_another_is_told() {
    let both = vec![(Event::Close, Some(80)), (Event::Existing, Some(81))];
    assert_eq!(told(&[close(8, 80), left(9, 81)]), (both, true));
}
