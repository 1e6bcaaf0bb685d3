//! Records of which all is known, to be changed.

use std::{collections::BTreeMap, sync::Arc};

use tracer_core::{
    container::{Container, Pod},
    executable::Flags,
    geo::As,
    names::NameSource,
    outcome::Outcome,
    process::Key,
    protocol::Protocol,
    record::{
        Ancestor, Attribution, Bytes, Cgroup, Connection, Destination, Direction, Endpoint, Event,
        Head, Id, KernelTotals, Loss, NameFrom, NameTotals, OutputTotals, Owner, Packets, Parent,
        Process, ProcessTotals, Record, Socket, Start, Stop, User,
    },
    scope::Scope,
    socket::SocketKind,
    threat::Hit,
};

pub const TIME: &str = "2027-01-15T08:00:02.000000789Z";

pub fn head(event: Event) -> Head {
    Head {
        time: TIME.to_owned(),
        event,
        seq: 7,
        host: "web-1".into(),
    }
}

fn end(ip: &str, port: u16) -> Endpoint {
    Endpoint::at(ip.parse().unwrap_or_else(|error| panic!("{error}")), port)
}

/// The same to a host that somebody knows for something bad.
pub fn known(connection: Connection) -> Connection {
    let hit = Hit {
        feed: "bad.txt".into(),
        indicator: "198.51.100.9:443".into(),
        port: Some(443),
        label: None,
        confidence: None,
        valid_from: None,
        valid_until: None,
    };
    let place = As {
        number: 64500,
        organization: Some("Example".into()),
    };
    let remote = connection.remote.map(|remote| Endpoint {
        threat: vec![hit],
        network: Some(Arc::new(place)),
        ..remote
    });
    Connection {
        remote,
        ..connection
    }
}

/// An outbound connection of curl's to a web server with a name.
pub fn connection(event: Event) -> Connection {
    Connection {
        head: head(event),
        id: Id {
            opened_ns: 0xabc,
            cpu: 1,
        },
        protocol: Protocol::Tcp,
        family: "ipv4".into(),
        direction: Some(Direction::Outbound),
        direction_source: Some("observed".into()),
        open_before: false,
        hidden_from: Vec::new(),
        old_state: None,
        state: Some("ESTABLISHED".into()),
        outcome: None,
        error: None,
        accepted: None,
        local: Some(end("192.0.2.17", 41158)),
        remote: Some(Endpoint {
            name: Some("www.example".into()),
            name_source: Some(NameSource::Dns),
            names: vec!["cdn.example".into()],
            scope: Some(Scope::External),
            ..end("198.51.100.9", 443)
        }),
        requested: None,
        translated: None,
        service: Some("https".into()),
        netns: 4_026_531_840,
        socket: None,
        bytes: Some(Bytes {
            sent: 517,
            received: 9_007_199_254_740_993,
        }),
        packets: Some(Packets {
            sent: 3,
            received: 4,
        }),
        rtt_us: Some(12_500),
        retransmits: Some(0),
        latency_us: None,
        duration_us: None,
        community_id: Some("1:OhcyZeFrO391/g+uOw0nHTDT1R0=".to_owned()),
        attribution: Attribution::Connect,
        owner: Some(Arc::new(owner())),
        holders: Vec::new(),
        ancestry: vec![ancestor(400, "sh"), ancestor(300, "bash")],
        opened_by: None,
        profile: None,
        unexpected: false,
    }
}

/// Of the executable of every owner.
pub const SHA256: &str = "5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f";

pub fn owner() -> Owner {
    Owner {
        process: Arc::new(Process {
            pid: 500,
            tid: 501,
            ns_pid: Some(5),
            name: "curl".to_owned(),
            exe: Some("/usr/bin/curl".to_owned()),
            args: Some(vec!["curl".to_owned(), "https://www.example/".to_owned()]),
            args_truncated: false,
            start_time: "2027-01-15T07:00:05.01Z".to_owned(),
            tty: Some("pts0".to_owned()),
            parent: Some(Parent {
                pid: 400,
                name: "sh".to_owned(),
                exe: Some("/usr/bin/dash".to_owned()),
                args: Some(vec!["-sh".to_owned()]),
                start_time: "2027-01-15T07:00:04.00Z".to_owned(),
            }),
            flags: Flags::default(),
            sha256: Some(SHA256.to_owned()),
            not_hashed: None,
            key: Key {
                pid: 500,
                start_ticks: 1,
            },
        }),
        user: User {
            uid: 1000,
            name: Some("alice".to_owned()),
            name_from: Some(NameFrom::Host),
            gid: 100,
            euid: Some(0),
            auid: Some(1001),
            login: Some("bob".to_owned()),
            session: Some(3),
        },
        cgroup: Cgroup {
            id: 11,
            path: Some("/x".to_owned()),
        },
        unit: Some("x.service".to_owned()),
        container: Some(Container {
            id: "3f4e".to_owned(),
            runtime: Some("containerd".to_owned()),
            name: Some("web".to_owned()),
            image: Some("nginx:1.27".to_owned()),
        }),
        pod: Some(Pod {
            uid: "6f3a".to_owned(),
            name: Some("web-0".to_owned()),
            namespace: Some("shop".to_owned()),
            container: Some("web".to_owned()),
        }),
    }
}

fn ancestor(pid: u32, name: &str) -> Ancestor {
    Ancestor {
        pid,
        name: name.to_owned(),
        exe: None,
    }
}

/// It ended like this.
pub fn ended(event: Event, outcome: Outcome) -> Connection {
    Connection {
        outcome: Some(outcome),
        ..connection(event)
    }
}

/// The other host opened it.
pub fn inbound(event: Event) -> Connection {
    Connection {
        direction: Some(Direction::Inbound),
        ..connection(event)
    }
}

/// Nobody has come yet.
pub fn listener(event: Event) -> Connection {
    Connection {
        direction: Some(Direction::Listening),
        remote: None,
        bytes: None,
        packets: None,
        ..connection(event)
    }
}

/// Its address is translated on the way.
pub fn translated(event: Event) -> Connection {
    Connection {
        translated: Some(Destination {
            ip: [203, 0, 113, 5].into(),
            port: 8443,
        }),
        ..connection(event)
    }
}

pub fn of(connection: Connection) -> Record {
    Record::Connection(Box::new(connection))
}

pub fn socket() -> Record {
    Record::Socket(Box::new(Socket {
        head: head(Event::Socket),
        kind: SocketKind::Raw,
        family: Some("ipv4".into()),
        socket_type: Some("raw".into()),
        protocol: Some("icmp".to_owned()),
        inode: 99,
        netns: 1,
        attribution: Attribution::Socket,
        owner: Arc::new(owner()),
        ancestry: Vec::new(),
    }))
}

pub fn start() -> Record {
    Record::Start(Box::new(Start {
        head: head(Event::Start),
        version: "0.1.0".to_owned(),
        kernel: "6.1.0".to_owned(),
        boot_id: "b00t".to_owned(),
        machine_id: "mach1ne".to_owned(),
        clock: tracer_core::record::Clock {
            boot_ns: 1,
            utc: TIME.to_owned(),
        },
        hooks: Vec::new(),
        programs: Vec::new(),
        object_sha256: "00".to_owned(),
        degraded: vec!["no names".to_owned()],
        not_covered: Vec::new(),
        filter: tracer_core::record::Filter::default(),
        external_rules: Vec::new(),
        args: None,
        window: None,
        uncovered: Vec::new(),
    }))
}

pub fn loss() -> Record {
    Record::Loss(Box::new(Loss {
        head: head(Event::Loss),
        lost: BTreeMap::from([("ring_full".into(), 3)]),
        detached: Vec::new(),
        since: "2027-01-15T08:00:01.000000000Z".to_owned(),
    }))
}

pub fn stop() -> Record {
    Record::Stop(Box::new(Stop {
        head: head(Event::Stop),
        kernel: KernelTotals {
            seen: 5,
            lost: BTreeMap::from([("ring_full".into(), 3)]),
            delivered: 2,
            ..KernelTotals::default()
        },
        output: OutputTotals::default(),
        processes: ProcessTotals::default(),
        names: NameTotals::default(),
        cross_check: None,
        discovery: None,
        own: 0,
    }))
}
