//! Lists that differ because sockets come and go, and lists that differ because one is wrong.

use std::net::SocketAddr;

use tracer_abi::tcp;
use tracer_core::{
    cross_check::{
        Comparison, Ends, Entry, Hidden, List, Listed,
        Source::{self, Iterator, ProcNet, SockDiag},
    },
    fact::{CrossCheck, Fact, Holder},
    pipeline::Pipeline,
    protocol::Protocol,
    record::{Connection, Record},
    select::Selection,
};

use crate::runs::started;

fn ends(port: u16) -> Ends {
    let local = SocketAddr::from(([127, 0, 0, 1], port));
    Ends::new(7, Protocol::Tcp, local, None)
}

/// A list of sockets by port and name; zero: it has none.
fn list(source: Source, sockets: &[(u16, u64)]) -> List {
    let entry = |(port, name): &(u16, u64)| Entry {
        ends: ends(*port),
        name: (*name != 0).then_some(*name),
        listed: Listed {
            state: tcp::LISTEN,
            inode: (*name != 0).then_some(*name),
            ..Listed::default()
        },
    };
    List {
        source,
        entries: sockets.iter().map(entry).collect(),
    }
}

/// The lists of a round: of `/proc/net`, of `sock_diag`, of the iterator.
type Round<'a> = [&'a [(u16, u64)]; 3];

/// Goes through the rounds as far as they are wanted. What is hidden, and after how many rounds.
fn compare(rounds: &[Round<'_>]) -> (Vec<Hidden>, usize) {
    let mut comparison = Comparison::default();
    for (count, round) in (1..).zip(rounds) {
        let lists = [ProcNet, SockDiag, Iterator].into_iter().zip(round);
        comparison.add(
            lists
                .map(|(source, sockets)| list(source, sockets))
                .collect(),
        );
        if !comparison.is_open() {
            return (comparison.hidden(), count);
        }
    }
    panic!("{} rounds are not enough", rounds.len());
}

/// Port, from whom it is hidden, how many are missing.
fn told(hidden: &[Hidden]) -> Vec<(u16, &[Source], u64)> {
    let told = |one: &'_ Hidden| (one.ends.local.port(), one.missing);
    let ports = hidden.iter().map(told);
    let from = hidden.iter().map(|one| one.from.as_slice());
    ports
        .zip(from)
        .map(|((port, missing), from)| (port, from, missing))
        .collect()
}

#[test]
fn where_all_lists_agree_one_round_is_enough() {
    let round: Round<'_> = [&[(1, 11), (2, 0)], &[(2, 22), (1, 91)], &[(1, 0), (2, 0)]];
    assert_eq!(compare(&[round]), (vec![], 1));
}

#[test]
fn what_a_source_leaves_out_three_times_is_hidden_from_it() {
    let cases: [(Round<'_>, &[Source]); 6] = [
        ([&[], &[(1, 91)], &[(1, 0)]], &[ProcNet]),
        ([&[(1, 11)], &[], &[(1, 0)]], &[SockDiag]),
        ([&[(1, 11)], &[(1, 91)], &[]], &[Iterator]),
        ([&[], &[(1, 91)], &[]], &[Iterator, ProcNet]),
        ([&[(1, 11)], &[], &[]], &[Iterator, SockDiag]),
        // Its lists have names, so this one shows that the others are right.
        (
            [&[(1, 11), (2, 12)], &[(1, 91)], &[(1, 0), (2, 0)]],
            &[SockDiag],
        ),
    ];
    for (round, from) in cases {
        let (hidden, rounds) = compare(&[round; 3]);
        assert_eq!(rounds, 3);
        assert_eq!(hidden.len(), 1, "{round:?}");
        assert_eq!(hidden[0].from, from, "{round:?}");
        assert_eq!(hidden[0].missing, 1);
        assert_eq!(hidden[0].sockets.len(), 1);
    }
}

#[test]
fn what_only_lists_without_names_show_takes_eight_rounds() {
    let round: Round<'_> = [&[], &[], &[(1, 0)]];
    let (hidden, rounds) = compare(&[round; 8]);
    assert_eq!(rounds, 8);
    assert_eq!(told(&hidden), [(1, &[SockDiag, ProcNet][..], 1)]);
}

#[test]
fn what_comes_and_goes_is_not_hidden() {
    let there: Round<'_> = [&[(1, 11)], &[(1, 91)], &[(1, 0)]];
    let cases: [(&[Round<'_>], &str); 5] = [
        (&[[&[], &[(1, 91)], &[(1, 0)]], there], "it came"),
        (&[[&[(1, 11)], &[], &[]], [&[], &[], &[]]], "it went"),
        (
            &[
                [&[], &[(1, 91)], &[(1, 0)]],
                [&[], &[(1, 91)], &[(1, 0)]],
                there,
            ],
            "it was passed over twice",
        ),
        (
            &[[&[], &[(1, 91)], &[]], [&[], &[(1, 92)], &[]]],
            "each time it was another one",
        ),
        (
            &[
                [&[], &[(1, 91)], &[(1, 0)]],
                [&[], &[], &[(1, 0)]],
                [&[], &[], &[(1, 0)]],
                [&[], &[], &[]],
            ],
            "nobody knows whether it was the same one",
        ),
    ];
    for (rounds, what) in cases {
        let (hidden, count) = compare(rounds);
        assert_eq!(hidden, [], "{what}");
        assert_eq!(count, rounds.len(), "{what}");
    }
}

#[test]
fn sockets_of_the_same_ends_are_counted() {
    let round: Round<'_> = [
        &[(1, 11), (1, 12)],
        &[(1, 91), (1, 92), (1, 93)],
        &[(1, 0), (1, 0), (1, 0)],
    ];
    let (hidden, _) = compare(&[round; 3]);
    assert_eq!(told(&hidden), [(1, &[ProcNet][..], 1)]);
    assert_eq!(hidden[0].sockets.len(), 3);
}

#[test]
fn of_a_source_that_fails_once_nothing_is_said() {
    let mut comparison = Comparison::default();
    comparison.add(vec![list(ProcNet, &[]), list(SockDiag, &[(1, 91)])]);
    assert!(comparison.is_open());
    comparison.add(vec![list(SockDiag, &[(1, 91)])]);
    assert!(!comparison.is_open());
    assert_eq!(comparison.hidden(), []);
}

#[test]
fn mapped_addresses_are_those_they_map() {
    let mapped: SocketAddr = "[::ffff:127.0.0.1]:1".parse().unwrap();
    assert_eq!(Ends::new(7, Protocol::Tcp, mapped, None), ends(1));
}

/// The records about sockets that a finding gives where the iterator found nothing.
fn records(hidden: Vec<Hidden>) -> (Vec<Connection>, Pipeline) {
    let (mut pipeline, mut records) = started(Selection::default());
    let check = CrossCheck {
        time_ns: 5,
        namespaces: 1,
        sockets: 3,
        hidden,
        not_compared: Vec::new(),
    };
    pipeline.learn(&Fact::CrossCheck(check), &mut records);
    pipeline.surveyed(&mut records);
    pipeline.stop(9, &mut records);
    let connections = records.into_iter().filter_map(|record| match record {
        Record::Connection(connection) => Some(*connection),
        _ => None,
    });
    (connections.collect(), pipeline)
}

#[test]
fn what_the_iterator_does_not_show_is_told_as_others_list_it() {
    let socket = |inode, holders| Listed {
        state: tcp::ESTABLISHED,
        uid: Some(33),
        inode: Some(inode),
        holders,
    };
    let holder = Holder {
        pid: 400,
        ns_pid: 400,
        start_ticks: 4,
        uid: 33,
        ..Holder::default()
    };
    let remote = SocketAddr::from(([203, 0, 113, 7], 443));
    let hidden = Hidden {
        ends: Ends::new(7, Protocol::Tcp, ends(22).local, Some(remote)),
        from: vec![Iterator],
        missing: 2,
        sockets: vec![socket(11, vec![holder]), socket(12, Vec::new())],
    };
    let (records, pipeline) = records(vec![hidden]);
    let [held, lonely] = records.as_slice() else {
        panic!("{records:?}");
    };
    assert_ne!(held.id, lonely.id);
    for record in [held, lonely] {
        assert_eq!(record.hidden_from, [Iterator]);
        assert_eq!(record.state.as_deref(), Some("ESTABLISHED"));
        assert_eq!(record.remote.as_ref().unwrap().port, Some(443));
        assert_eq!(record.socket.as_ref().unwrap().uid, Some(33));
        // Nobody has counted them.
        assert_eq!((record.bytes, record.retransmits), (None, None));
    }
    assert_eq!(held.owner.as_ref().unwrap().process.pid, 400);
    assert_eq!(lonely.owner, None);
    let output = pipeline.totals().output();
    assert_eq!(output.derived, 4);
    assert_eq!(
        output.delivered + output.derived,
        output.suppressed + output.written
    );
    assert!(pipeline.has_hidden());
}

#[test]
fn where_nothing_is_hidden_nothing_is_told() {
    let (records, pipeline) = records(Vec::new());
    assert!(records.is_empty());
    assert!(!pipeline.has_hidden());
}
