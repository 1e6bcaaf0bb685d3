//! Rows of records that are composed.

use std::{net::IpAddr, sync::Arc};

use proptest::{collection::vec, prelude::*};

use super::{End, Grouping, Hosts, Moment, Observation, Row, Sort, Who};
use crate::{
    outcome::Outcome,
    protocol::Protocol,
    record::{Bytes, Direction, Event},
};

/// The network namespace of whoever is in no other.
const NETNS: u32 = 1;

fn end(text: &str) -> End {
    let address: std::net::SocketAddr = text.parse().unwrap();
    End {
        ip: address.ip(),
        port: Some(address.port()),
    }
}

fn moment(second: u64) -> Moment {
    Moment {
        time: jiff::Timestamp::from_second(i64::try_from(second).unwrap()).unwrap(),
        seq: second,
    }
}

/// A record of a connection from one end to another, or of a listener.
fn seen(id: &str, event: Event, direction: Direction, local: &str, remote: &str) -> Observation {
    Observation {
        at: moment(100),
        event,
        host: Arc::from("web1"),
        id: Arc::from(id),
        protocol: Protocol::Tcp,
        direction: Some(direction),
        is_observed: true,
        open_before: event == Event::Existing,
        state: Some(Arc::from(match direction {
            Direction::Listening => "LISTEN",
            _ => "ESTABLISHED",
        })),
        outcome: None,
        local: Some(end(local)),
        remote: (!remote.is_empty()).then(|| end(remote)),
        remote_name: None,
        scope: None,
        translated: None,
        service: None,
        netns: NETNS,
        bytes: None,
        people: vec![Who {
            name: id.to_owned(),
            pid: 7,
            ..Who::default()
        }],
        args: None,
    }
}

fn outbound(id: &str, local: &str, remote: &str) -> Observation {
    seen(id, Event::Connect, Direction::Outbound, local, remote)
}

fn inbound(id: &str, local: &str, remote: &str) -> Observation {
    seen(id, Event::Accept, Direction::Inbound, local, remote)
}

fn listener(id: &str, local: &str) -> Observation {
    seen(id, Event::Existing, Direction::Listening, local, "")
}

/// The same, found as it is and not seen to begin.
fn inferred(mut of: Observation) -> Observation {
    of.event = Event::Existing;
    of.open_before = true;
    of.is_observed = false;
    of
}

fn with_bytes(
    mut of: Observation,
    event: Event,
    second: u64,
    sent: u64,
    received: u64,
) -> Observation {
    of.event = event;
    of.at = moment(second);
    of.bytes = Some(Bytes { sent, received });
    of
}

fn gather(all: &[Observation]) -> Hosts {
    let mut hosts = Hosts::default();
    hosts.begin();
    for one in all {
        hosts.take(one.clone());
    }
    hosts
}

fn rows(all: &[Observation]) -> Vec<Row> {
    gather(all).rows(Grouping::None, Sort::Destination)
}

/// `source>destination:port`, with a question mark where that is not known, and how many.
fn told(rows: &[Row]) -> Vec<String> {
    let one = |row: &Row| {
        let ip = |ip: Option<IpAddr>| ip.map_or("?".to_owned(), |ip| ip.to_string());
        let source = row.source.as_ref();
        let source = source.map_or("-".to_owned(), |source| ip(source.ip));
        let arrow = if row.initiator_known { ">" } else { "?>" };
        let port = row.destination.port.unwrap_or_default();
        let to = ip(row.destination.ip);
        format!("{source}{arrow}{to}:{port} {}", row.connections)
    };
    rows.iter().map(one).collect()
}

#[test]
fn a_connection_is_the_right_way_round() {
    let rows = rows(&[
        outbound("curl", "10.0.0.1:40000", "192.0.2.1:443"),
        outbound("curl2", "10.0.0.1:40001", "192.0.2.1:443"),
        inbound("nginx", "10.0.0.1:80", "192.0.2.9:50000"),
    ]);
    assert_eq!(
        told(&rows),
        ["192.0.2.9>10.0.0.1:80 1", "10.0.0.1>192.0.2.1:443 2"]
    );
}

#[test]
fn what_is_older_than_the_tracing_is_known_by_its_listener_only() {
    let rows = rows(&[
        inferred(outbound("gone", "10.0.0.1:5000", "192.0.2.9:40000")),
        inferred(inbound("nginx", "10.0.0.1:80", "192.0.2.9:50000")),
        listener("nginx-listener", "0.0.0.0:80"),
    ]);
    assert_eq!(
        told(&rows),
        ["192.0.2.9>10.0.0.1:80 1", "10.0.0.1?>192.0.2.9:40000 1"]
    );
}

#[test]
fn both_ends_on_one_host_count_once_by_the_initiator() {
    let client = outbound("client", "127.0.0.1:40000", "127.0.0.1:6379");
    let server = inbound("server", "127.0.0.1:6379", "127.0.0.1:40000");
    let rows = rows(&[
        with_bytes(client, Event::Close, 101, 10, 20),
        with_bytes(server, Event::Close, 101, 19, 9),
        listener("listener", "127.0.0.1:6379"),
    ]);
    assert_eq!(told(&rows), ["127.0.0.1>127.0.0.1:6379 1"]);
    let bytes = rows[0].bytes.unwrap();
    assert_eq!((bytes.to_destination, bytes.to_source), (10, 20));
    assert_eq!(rows[0].processes[0].name, "client");
    assert_eq!(rows[0].served_by[0].name, "server");
}

#[test]
fn both_ends_without_a_listener_are_one_connection_of_which_the_way_is_not_known() {
    let rows = rows(&[
        inferred(outbound("a", "127.0.0.1:6379", "127.0.0.1:40000")),
        inferred(outbound("b", "127.0.0.1:40000", "127.0.0.1:6379")),
    ]);
    assert_eq!(told(&rows), ["127.0.0.1?>127.0.0.1:6379 1"]);
}

#[test]
fn what_was_seen_at_one_end_decides() {
    let client = inferred(outbound("client", "127.0.0.1:40000", "127.0.0.1:6379"));
    let server = inbound("server", "127.0.0.1:6379", "127.0.0.1:40000");
    assert_eq!(
        told(&rows(&[client, server])),
        ["127.0.0.1>127.0.0.1:6379 1"]
    );
}

#[test]
fn two_namespaces_with_equal_addresses_stay_apart() {
    let mut all = Vec::new();
    for netns in [1, 2] {
        for (id, one) in [
            ("client", outbound("", "127.0.0.1:40000", "127.0.0.1:80")),
            ("server", inbound("", "127.0.0.1:80", "127.0.0.1:40000")),
        ] {
            let id = Arc::from(format!("{id}{netns}"));
            all.push(Observation { id, netns, ..one });
        }
    }
    all.push(Observation {
        netns: 3,
        ..listener("unused", "127.0.0.1:81")
    });
    let rows = rows(&all);
    assert_eq!(
        told(&rows),
        [
            "127.0.0.1>127.0.0.1:80 1",
            "127.0.0.1>127.0.0.1:80 1",
            "->127.0.0.1:81 0"
        ]
    );
    let namespaces: Vec<_> = rows.iter().map(|row| row.netns).collect();
    assert_eq!(namespaces, [Some(1), Some(2), None]);
}

#[test]
fn a_connection_between_namespaces_or_hosts_counts_once() {
    let client = outbound("client", "10.0.0.1:40000", "10.0.0.2:80");
    let server = inbound("server", "10.0.0.2:80", "10.0.0.1:40000");
    let elsewhere = Observation {
        netns: 2,
        ..server.clone()
    };
    assert_eq!(
        told(&rows(&[client.clone(), elsewhere])),
        ["10.0.0.1>10.0.0.2:80 1"]
    );
    let other_host = Observation {
        host: Arc::from("db1"),
        at: moment(130),
        ..server.clone()
    };
    let found = rows(&[client.clone(), other_host]);
    assert_eq!(told(&found), ["10.0.0.1>10.0.0.2:80 1"]);
    assert_eq!(&*found[0].host, "web1");
    // Of another day.
    let ended = with_bytes(client, Event::Close, 110, 0, 0);
    let later = Observation {
        host: Arc::from("db1"),
        at: moment(90_000),
        ..server
    };
    assert_eq!(rows(&[ended, later]).len(), 2);
}

#[test]
fn what_stays_open_through_two_runs_is_one_connection() {
    let observed = outbound("seen", "10.0.0.1:40000", "192.0.2.1:443");
    let first = with_bytes(observed, Event::Update, 100, 10, 20);
    let found = inferred(outbound("found", "10.0.0.1:40000", "192.0.2.1:443"));
    let second = with_bytes(found, Event::Existing, 200, 15, 26);
    let of_two_runs = |one: &Observation, other: &Observation| {
        let mut hosts = Hosts::default();
        for run in [one, other] {
            hosts.begin();
            hosts.take(run.clone());
        }
        hosts.rows(Grouping::None, Sort::Bytes)
    };
    let rows = of_two_runs(&first, &second);
    assert_eq!(told(&rows), ["10.0.0.1>192.0.2.1:443 1"]);
    let total = rows[0].bytes_total.unwrap();
    assert_eq!((total.to_destination, total.to_source), (15, 26));
    assert_eq!(of_two_runs(&second, &first), rows);
    // One that was over by then is another one.
    let ended = with_bytes(first, Event::Close, 150, 10, 20);
    assert_eq!(of_two_runs(&ended, &second)[0].connections, 2);
}

#[test]
fn loopback_of_two_hosts_is_not_one_connection() {
    let client = outbound("client", "127.0.0.1:40000", "127.0.0.1:80");
    let server = Observation {
        host: Arc::from("db1"),
        ..inbound("server", "127.0.0.1:80", "127.0.0.1:40000")
    };
    assert_eq!(rows(&[client, server]).len(), 2);
}

#[test]
fn translated_addresses_are_those_of_the_other_end() {
    let client = Observation {
        translated: Some(end("10.0.0.2:8443")),
        ..outbound("client", "10.0.0.1:40000", "10.96.0.1:443")
    };
    let server = Observation {
        netns: 2,
        ..inbound("server", "10.0.0.2:8443", "10.0.0.1:40000")
    };
    assert_eq!(told(&rows(&[client, server])), ["10.0.0.1>10.96.0.1:443 1"]);
}

#[test]
fn listeners_have_a_row_only_if_nobody_used_them() {
    let rows = rows(&[
        listener("any", "0.0.0.0:80"),
        listener("any6", "[::]:81"),
        listener("own", "10.0.0.1:82"),
        listener("other", "10.0.0.2:82"),
        inbound("one", "10.0.0.1:80", "192.0.2.9:1"),
        inbound("two", "10.0.0.1:81", "192.0.2.9:2"),
        inbound("three", "10.0.0.1:82", "192.0.2.9:3"),
    ]);
    let last = rows.last().unwrap();
    assert_eq!(rows.len(), 4, "{:?}", told(&rows));
    assert_eq!(told(&rows)[3], "->10.0.0.2:82 0");
    assert_eq!(last.state.as_deref(), Some("LISTEN"));
    assert_eq!((last.open, last.processes[0].pids[0]), (0, 7));
}

#[test]
fn bytes_are_those_of_the_window_and_those_of_all_time() {
    let old = inferred(inbound("old", "10.0.0.1:80", "192.0.2.9:1"));
    let found = with_bytes(old.clone(), Event::Existing, 100, 1000, 2000);
    let later = with_bytes(old, Event::Update, 110, 1005, 2007);
    let row = |all: &[Observation]| rows(all).remove(0);
    let both = row(&[found.clone(), later]);
    let moved = |moved: Option<super::Moved>| moved.map(|one| (one.to_destination, one.to_source));
    assert_eq!(moved(both.bytes), Some((7, 5)));
    assert_eq!(moved(both.bytes_total), Some((2007, 1005)));
    let once = row(&[found]);
    assert_eq!(moved(once.bytes), None);
    assert_eq!(moved(once.bytes_total), Some((2000, 1000)));
}

#[test]
fn attempts_that_fail_are_counted_apart() {
    let refused = |id| Observation {
        outcome: Some(Outcome::Refused),
        state: Some(Arc::from("CLOSED")),
        ..seen(
            id,
            Event::Failed,
            Direction::Outbound,
            "10.0.0.1:4",
            "192.0.2.1:9",
        )
    };
    let denied = Observation {
        local: None,
        outcome: Some(Outcome::Denied),
        ..refused("denied")
    };
    let rows = rows(&[refused("a"), refused("b"), denied]);
    assert_eq!(told(&rows), ["?>192.0.2.1:9 0", "10.0.0.1>192.0.2.1:9 0"]);
    assert_eq!(rows[1].failed.get("refused"), Some(&2));
    assert_eq!(rows[0].failed.get("denied"), Some(&1));
}

#[test]
fn rows_are_grouped_and_the_heaviest_group_comes_first() {
    let of = |id, local, remote, name: &str, sent| {
        let mut one = with_bytes(outbound(id, local, remote), Event::Close, 101, sent, 0);
        one.people[0].name = name.to_owned();
        one
    };
    let hosts = gather(&[
        of("1", "10.0.0.1:1", "192.0.2.1:80", "curl", 10),
        of("2", "10.0.0.1:2", "192.0.2.1:80", "wget", 15),
        of("3", "10.0.0.1:3", "192.0.2.2:80", "curl", 10),
        listener("4", "10.0.0.1:4"),
    ]);
    let grouped = |grouping| -> Vec<String> {
        let rows = hosts.rows(grouping, Sort::Bytes);
        let name = |row: &Row| row.group.as_ref().unwrap().name.clone();
        rows.iter().map(name).collect()
    };
    assert_eq!(grouped(Grouping::Process), ["curl", "curl", "wget", "4"]);
    assert_eq!(grouped(Grouping::External), ["192.0.2.1", "192.0.2.2", "-"]);
}

#[test]
fn what_is_sorted_by_comes_first_and_unused_listeners_last() {
    let close = |id, remote, second, sent| {
        with_bytes(
            outbound(id, "10.0.0.1:1", remote),
            Event::Close,
            second,
            sent,
            0,
        )
    };
    let hosts = gather(&[
        close("a", "192.0.2.1:80", 101, 5),
        close("b", "192.0.2.2:80", 102, 9),
        close("c", "192.0.2.3:80", 103, 7),
        listener("d", "10.0.0.1:4"),
    ]);
    let ports = |sort| -> Vec<String> {
        let rows = hosts.rows(Grouping::None, sort);
        rows.iter()
            .map(|row| row.processes[0].name.clone())
            .collect()
    };
    assert_eq!(ports(Sort::Bytes), ["b", "c", "a", "d"]);
    assert_eq!(ports(Sort::LastSeen), ["c", "b", "a", "d"]);
    assert_eq!(ports(Sort::FirstSeen), ["a", "b", "c", "d"]);
    assert_eq!(ports(Sort::Destination), ["a", "b", "c", "d"]);
}

/// Few addresses, ports and namespaces, so that ends meet.
fn any_record() -> impl Strategy<Value = Observation> {
    let events = prop_oneof![
        Just(Event::Existing),
        Just(Event::Connect),
        Just(Event::Accept),
        Just(Event::Update),
        Just(Event::Close),
        Just(Event::Failed),
    ];
    let ports = 1_u16..4;
    let address = prop_oneof![Just("127.0.0.1"), Just("10.0.0.1"), Just("10.0.0.2")];
    (
        events,
        ports.clone(),
        ports,
        address.clone(),
        address,
        0_u8..3,
        1_u32..3,
        any::<bool>(),
    )
        .prop_map(
            |(event, port, other, local, remote, way, netns, is_observed)| {
                let (local, remote) = (format!("{local}:{port}"), format!("{remote}:{other}"));
                // What does not change is part of what names it.
                let id = format!("{local} {remote} {way} {netns} {is_observed}");
                let direction = [
                    Direction::Outbound,
                    Direction::Inbound,
                    Direction::Listening,
                ];
                let direction = direction[usize::from(way)];
                let event = match direction {
                    Direction::Listening => Event::Existing,
                    _ => event,
                };
                let mut one = seen(&id, event, direction, &local, &remote);
                one.netns = netns;
                one.is_observed = is_observed;
                one.bytes = Some(Bytes {
                    sent: 3,
                    received: 4,
                });
                one
            },
        )
}

proptest! {
    #[test]
    fn the_order_of_records_does_not_matter(
        (one, other) in vec(any_record(), 0..40).prop_flat_map(|records| {
            let mut numbered = records;
            for (at, record) in numbered.iter_mut().enumerate() {
                record.at = moment(100 + u64::try_from(at).unwrap());
            }
            (Just(numbered.clone()), Just(numbered).prop_shuffle())
        })
    ) {
        prop_assert_eq!(rows(&one), rows(&other));
    }

    #[test]
    fn each_socket_is_in_one_row_and_pairs_count_once(records in vec(any_record(), 0..40)) {
        let hosts = gather(&records);
        let seen: Vec<_> = hosts.sightings.iter().map(|((agent, _), one)| (agent, one)).collect();
        let pairs = super::ends::pairs(&seen);
        let mut expected = 0;
        for (at, (_, one)) in seen.iter().enumerate() {
            if let Some(other) = pairs[at] {
                prop_assert_eq!(pairs[other], Some(at));
                prop_assert_eq!(one.local(), seen[other].1.remote());
                prop_assert!(one.netns() == seen[other].1.netns() || !one.local().unwrap().ip.is_loopback()
                    || !one.remote().unwrap().ip.is_loopback());
            }
            let is_counted = pairs[at].is_none_or(|other| at < other);
            expected += u64::from(is_counted && !one.is_listener());
        }
        for grouping in [Grouping::None, Grouping::External, Grouping::Process] {
            let rows = hosts.rows(grouping, Sort::Bytes);
            let failed = |row: &Row| row.failed.values().sum::<u64>();
            let counted: u64 = rows.iter().map(|row| row.connections + failed(row)).sum();
            prop_assert_eq!(counted, expected);
        }
    }
}

#[test]
fn what_there_is_no_room_for_is_counted() {
    let mut hosts = Hosts::keeping(2);
    hosts.begin();
    for id in ["a", "b", "c", "a", "c"] {
        hosts.take(seen(
            id,
            Event::Connect,
            Direction::Outbound,
            "10.0.0.1:4000",
            "10.0.0.2:443",
        ));
    }
    assert_eq!(hosts.left_out(), 2);
    assert_eq!(hosts.rows(Grouping::default(), Sort::default()).len(), 1);
}
