use std::{net::Ipv4Addr, sync::Arc};

use tracer_core::{
    executable::Flags,
    fact::Detached,
    outcome::Outcome,
    process::Key,
    protocol::Protocol,
    record::{
        Attribution, Bytes, Cgroup, Connection, Direction, Endpoint, Event, Head, Id, Loss, Owner,
        Packets, Process, Socket, User,
    },
    socket::SocketKind,
};

use super::{
    super::kind::{Made, Moved},
    *,
};

const PEER: u32 = 100;
const HEIR: u32 = 101;
const FROM: u16 = 40_000;
const INODE: u64 = 77;

fn made(kind: Kind) -> Made {
    let is_udp = kind.protocol() == Protocol::Udp;
    let moved = |bytes| Moved {
        bytes,
        packets: if is_udp { 3 } else { 0 },
    };
    Made {
        pid: PEER,
        user: if kind == Kind::HandedOver { HEIR } else { PEER },
        from: FROM,
        there: moved(10),
        back: moved(20),
    }
}

fn deed(kind: Kind) -> Deed {
    match kind {
        Kind::RawSocket | Kind::PacketSocket => Deed::Socket {
            pid: PEER,
            inode: INODE,
        },
        Kind::NotAccepted => Deed::Connection(Made {
            there: Moved::default(),
            back: Moved::default(),
            ..made(kind)
        }),
        _ => Deed::Connection(made(kind)),
    }
}

fn head(event: Event) -> Head {
    Head {
        time: String::new(),
        event,
        seq: 1,
        host: Arc::from("host"),
    }
}

fn process(pid: u32) -> Process {
    Process {
        pid,
        tid: pid,
        ns_pid: None,
        name: "peer".to_owned(),
        exe: None,
        args: None,
        args_truncated: false,
        start_time: String::new(),
        tty: None,
        parent: None,
        flags: Flags::default(),
        sha256: None,
        not_hashed: None,
        key: Key {
            pid,
            start_ticks: 1,
        },
    }
}

fn owner(pid: u32) -> Arc<Owner> {
    Arc::new(Owner {
        process: Arc::new(process(pid)),
        user: User {
            uid: 0,
            name: None,
            name_from: None,
            gid: 0,
            euid: None,
            auid: None,
            login: None,
            session: None,
        },
        cgroup: Cgroup { id: 1, path: None },
        unit: None,
        container: None,
        pod: None,
    })
}

fn end(port: u16) -> Endpoint {
    Endpoint::at(Ipv4Addr::LOCALHOST.into(), port)
}

/// A record as it is where nothing is missed.
fn connection(kind: Kind, direction: Direction, event: Event) -> Connection {
    let made = match deed(kind) {
        Deed::Connection(made) => made,
        _ => made(kind),
    };
    let is_outbound = direction == Direction::Outbound;
    let is_close = event == Event::Close;
    let (local, remote) = match direction {
        Direction::Outbound => (end(FROM), Some(end(kind.port()))),
        Direction::Inbound => (end(kind.port()), Some(end(FROM))),
        Direction::Listening => (end(kind.port()), None),
    };
    let (sent, received) = if is_outbound {
        (made.there, made.back)
    } else {
        (made.back, made.there)
    };
    let user = if is_outbound && event.is_last() {
        made.user
    } else {
        made.pid
    };
    let is_udp = kind.protocol() == Protocol::Udp;
    Connection {
        head: head(event),
        id: Id {
            opened_ns: 1,
            cpu: 0,
        },
        protocol: kind.protocol(),
        family: kind.family().into(),
        direction: Some(direction),
        direction_source: None,
        open_before: false,
        hidden_from: Vec::new(),
        old_state: None,
        state: None,
        outcome: (event == Event::Failed).then_some(Outcome::Refused),
        error: None,
        accepted: (kind == Kind::NotAccepted && !is_outbound).then_some(false),
        local: Some(local),
        remote,
        requested: None,
        translated: None,
        service: None,
        netns: 1,
        socket: None,
        bytes: is_close.then_some(Bytes {
            sent: sent.bytes,
            received: received.bytes,
        }),
        packets: (is_close && is_udp).then_some(Packets {
            sent: sent.packets,
            received: received.packets,
        }),
        rtt_us: None,
        retransmits: None,
        latency_us: None,
        duration_us: None,
        community_id: None,
        attribution: Attribution::Connect,
        owner: Some(owner(user)),
        holders: Vec::new(),
        ancestry: Vec::new(),
        opened_by: (user != PEER).then(|| Arc::new(process(PEER))),
        profile: None,
        unexpected: false,
    }
}

fn socket(kind: Kind) -> Record {
    Record::Socket(Box::new(Socket {
        head: head(Event::Socket),
        kind: match kind {
            Kind::PacketSocket => SocketKind::Packet,
            _ => SocketKind::Raw,
        },
        family: None,
        socket_type: None,
        protocol: None,
        inode: INODE,
        netns: 1,
        attribution: Attribution::Socket,
        owner: owner(PEER),
        ancestry: Vec::new(),
    }))
}

/// The sockets of a kind and what is told of each, as the contract of the records has it.
fn told(kind: Kind) -> Vec<(Direction, Vec<Event>)> {
    use Direction::{Inbound, Listening, Outbound};
    use Event::{Accept, Close, Connect, Established, Existing, Failed, Listen, Unlisten};

    match kind {
        Kind::TcpIpv4 | Kind::TcpIpv6 | Kind::HandedOver | Kind::FastOpen | Kind::IoUring => vec![
            (Outbound, vec![Connect, Established, Close]),
            (Inbound, vec![Accept, Close]),
        ],
        Kind::Refused => vec![(Outbound, vec![Connect, Failed])],
        Kind::NotAccepted => vec![
            (Outbound, vec![Connect, Established, Close]),
            (Inbound, vec![Close]),
        ],
        Kind::Existing => vec![
            (Listening, vec![Existing, Unlisten]),
            (Outbound, vec![Existing, Close]),
            (Inbound, vec![Existing, Close]),
        ],
        Kind::Listener => vec![(Listening, vec![Listen, Unlisten])],
        Kind::UdpIpv4 | Kind::UdpIpv6 => vec![
            (Listening, vec![Listen, Unlisten]),
            (Outbound, vec![Connect, Close]),
            (Inbound, vec![Accept, Close]),
        ],
        Kind::RawSocket | Kind::PacketSocket => Vec::new(),
    }
}

fn records(kind: Kind) -> Vec<Record> {
    if let Deed::Socket { .. } = deed(kind) {
        return vec![socket(kind)];
    }
    let of_socket = |(direction, events): (Direction, Vec<Event>)| {
        events
            .into_iter()
            .map(move |event| Record::Connection(Box::new(connection(kind, direction, event))))
    };
    told(kind).into_iter().flat_map(of_socket).collect()
}

fn verdict(kind: Kind, records: &[Record]) -> Finding {
    finding(kind, &deed(kind), records)
}

fn assert_missed(kind: Kind, records: &[Record], why: &str) {
    let found = verdict(kind, records);
    assert_eq!(found.verdict, Verdict::Missed, "{kind:?}: {}", found.why);
    assert_eq!(found.why, why);
}

/// The records of a kind, one of them changed.
fn changed(
    kind: Kind,
    direction: Direction,
    event: Event,
    change: impl Fn(&mut Connection),
) -> Vec<Record> {
    let mut records = records(kind);
    let mut count = 0;
    for record in &mut records {
        if let Record::Connection(record) = record
            && record.direction == Some(direction)
            && record.head.event == event
        {
            change(record);
            count += 1;
        }
    }
    assert_eq!(count, 1, "{kind:?}");
    records
}

#[test]
fn what_came_as_it_was_done_is_reported() {
    for kind in Kind::ALL {
        let found = verdict(kind, &records(kind));
        assert_eq!(found.verdict, Verdict::Reported, "{kind:?}: {}", found.why);
        assert!(is_reported(kind, &deed(kind), &records(kind)));
    }
    let why = |kind| verdict(kind, &records(kind)).why;
    assert_eq!(
        why(Kind::TcpIpv4),
        "connect, established, close; accept, close"
    );
    assert_eq!(why(Kind::RawSocket), "socket");
}

#[test]
fn without_any_one_of_its_records_a_kind_is_missed() {
    for kind in Kind::ALL {
        let all = records(kind);
        for left_out in 0..all.len() {
            let mut records = all.clone();
            let event = records.remove(left_out).head().event;
            let found = verdict(kind, &records);
            assert_eq!(found.verdict, Verdict::Missed, "{kind:?} without {event:?}");
            assert!(found.why.contains(event.word()), "{}", found.why);
            assert!(!is_reported(kind, &deed(kind), &records));
        }
    }
}

#[test]
fn what_is_missing_is_named() {
    let mut records = records(Kind::TcpIpv6);
    records.retain(|record| record.head().event != Event::Accept);
    assert_missed(
        Kind::TcpIpv6,
        &records,
        "inbound: no accept came within 10 s; expected accept, close, came close",
    );
    assert_missed(
        Kind::Refused,
        &[],
        "outbound: no connect came within 10 s; expected connect, failed, came nothing",
    );
    assert_missed(
        Kind::PacketSocket,
        &[],
        "0 socket records came, expected one",
    );
}

#[test]
fn records_of_other_kinds_are_none_of_it() {
    let mut others: Vec<Record> = Kind::ALL
        .into_iter()
        .filter(|kind| *kind != Kind::TcpIpv4)
        .flat_map(records)
        .collect();
    assert_eq!(verdict(Kind::TcpIpv4, &others).verdict, Verdict::Missed);
    others.extend(records(Kind::TcpIpv4));
    assert_eq!(verdict(Kind::TcpIpv4, &others).verdict, Verdict::Reported);
}

#[test]
fn what_is_told_twice_or_in_another_order_is_missed() {
    let mut twice = records(Kind::Refused);
    twice.extend(records(Kind::Refused).pop());
    assert_missed(
        Kind::Refused,
        &twice,
        "outbound: not these and in this order; expected connect, failed, came connect, failed, \
         failed",
    );
    let mut turned = records(Kind::Listener);
    turned.reverse();
    assert_eq!(verdict(Kind::Listener, &turned).verdict, Verdict::Missed);
    let sockets = [socket(Kind::RawSocket), socket(Kind::RawSocket)];
    assert_eq!(verdict(Kind::RawSocket, &sockets).verdict, Verdict::Missed);
}

#[test]
fn a_wrong_owner_is_missed() {
    let (kind, side) = (Kind::TcpIpv4, Direction::Inbound);
    let records = changed(kind, side, Event::Accept, |record| {
        record.owner = Some(owner(1));
    });
    assert_missed(kind, &records, "inbound accept: process 1, expected 100");
    let records = changed(kind, side, Event::Close, |record| record.owner = None);
    assert_missed(
        kind,
        &records,
        "inbound close: process not said, expected 100",
    );
    let records = changed(kind, side, Event::Close, |record| {
        record.opened_by = Some(Arc::new(process(1)));
    });
    assert_missed(
        kind,
        &records,
        "inbound close: is said to be opened by another process",
    );
}

#[test]
fn of_what_was_handed_over_both_processes_are_named() {
    let (kind, side) = (Kind::HandedOver, Direction::Outbound);
    let records = changed(kind, side, Event::Close, |record| {
        record.owner = Some(owner(PEER));
    });
    assert_missed(kind, &records, "outbound close: process 100, expected 101");
    let records = changed(kind, side, Event::Close, |record| record.opened_by = None);
    assert_missed(
        kind,
        &records,
        "outbound close: opened by not said, expected 100",
    );
}

#[test]
fn wrong_counts_are_missed() {
    let records = changed(
        Kind::FastOpen,
        Direction::Outbound,
        Event::Close,
        |record| {
            record.bytes = Some(Bytes {
                sent: 0,
                received: 20,
            });
        },
    );
    assert_missed(
        Kind::FastOpen,
        &records,
        "outbound close: bytes sent 0, expected 10",
    );
    let records = changed(Kind::UdpIpv6, Direction::Inbound, Event::Close, |record| {
        record.packets = Some(Packets {
            sent: 3,
            received: 2,
        });
    });
    assert_missed(
        Kind::UdpIpv6,
        &records,
        "inbound close: packets received 2, expected 3",
    );
    let records = changed(Kind::UdpIpv4, Direction::Inbound, Event::Close, |record| {
        record.packets = None;
    });
    assert_missed(
        Kind::UdpIpv4,
        &records,
        "inbound close: packets sent not said, expected 3",
    );
}

#[test]
fn how_it_ended_must_be_said() {
    let records = changed(
        Kind::Refused,
        Direction::Outbound,
        Event::Failed,
        |record| {
            record.outcome = Some(Outcome::Timeout);
        },
    );
    assert_missed(
        Kind::Refused,
        &records,
        "outbound failed: is not said to be refused",
    );
    let records = changed(
        Kind::NotAccepted,
        Direction::Inbound,
        Event::Close,
        |record| {
            record.accepted = None;
        },
    );
    assert_missed(
        Kind::NotAccepted,
        &records,
        "inbound close: is not said to be taken by nobody",
    );
}

#[test]
fn what_is_told_as_lost_is_named_with_what_was_missed() {
    let one = Detached {
        program: "one".to_owned(),
        hooks: Vec::new(),
    };
    let loss = |(count, detached)| {
        Record::Loss(Box::new(Loss {
            head: head(Event::Loss),
            lost: [("ring_full".into(), count)].into(),
            detached,
            since: String::new(),
        }))
    };
    let mut records = records(Kind::Listener);
    records.extend([(2, vec![]), (3, vec![one])].map(loss));
    assert_eq!(verdict(Kind::Listener, &records).verdict, Verdict::Reported);
    let why = "0 socket records came, expected one; told as lost: ring_full 5, taken away: one";
    assert_missed(Kind::RawSocket, &records, why);
}

#[test]
fn what_cannot_be_made_is_untested() {
    let deeds = [
        (Kind::IoUring, Deed::Impossible("no io_uring".to_owned())),
        (Kind::TcpIpv4, deed(Kind::TcpIpv4)),
    ];
    let found = findings(&deeds, &records(Kind::TcpIpv4));
    assert_eq!(found.len(), Kind::ALL.len());
    let of = |kind| found.iter().find(|one| one.kind == kind).unwrap();
    assert_eq!(of(Kind::TcpIpv4).verdict, Verdict::Reported);
    assert_eq!(of(Kind::IoUring).verdict, Verdict::Untested);
    assert_eq!(of(Kind::IoUring).why, "no io_uring");
    assert_eq!(of(Kind::UdpIpv4).verdict, Verdict::Untested);
    assert!(is_reported(Kind::IoUring, &deeds[0].1, &[]));
    assert!(
        all_untested("why")
            .iter()
            .all(|one| one.verdict == Verdict::Untested && one.why == "why")
    );
}
