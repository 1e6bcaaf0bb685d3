//! Records as a pipeline makes them.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use jiff::Timestamp;
use tracer_core::{
    container::Container,
    executable::Flags,
    outcome::Outcome,
    process,
    protocol::Protocol,
    record::{
        Attribution, Bytes, Cgroup, Clock, Connection, Direction, Endpoint, Event, Filter, Head,
        Id, KernelTotals, NameTotals, OutputTotals, Owner, Process, ProcessTotals, Record, Start,
        Stop, User,
    },
    scope::Scope,
};

/// A second, in nanoseconds.
pub const SECOND: i64 = 1_000_000_000;
/// When it begins: a full day.
pub const EPOCH: i64 = 1_700_006_400 * SECOND;

fn head(time: i64, event: Event) -> Head {
    let time = Timestamp::from_nanosecond(i128::from(time)).unwrap();
    Head {
        time: format!("{time:.9}"),
        event,
        seq: 0,
        host: "web1".into(),
    }
}

/// The first record.
pub fn start(time: i64) -> Record {
    Record::Start(Box::new(Start {
        head: head(time, Event::Start),
        version: "0.1.0".to_owned(),
        kernel: "6.1.0".to_owned(),
        boot_id: "boot".to_owned(),
        machine_id: String::new(),
        clock: Clock {
            boot_ns: 0,
            utc: String::new(),
        },
        hooks: Vec::new(),
        programs: Vec::new(),
        object_sha256: String::new(),
        degraded: Vec::new(),
        not_covered: Vec::new(),
        filter: Filter::default(),
        external_rules: Vec::new(),
        args: None,
        window: None,
        uncovered: Vec::new(),
    }))
}

/// The last record.
pub fn stop(time: i64) -> Record {
    Record::Stop(Box::new(Stop {
        head: head(time, Event::Stop),
        kernel: KernelTotals::default(),
        output: OutputTotals::default(),
        processes: ProcessTotals::default(),
        names: NameTotals::default(),
        cross_check: None,
        discovery: None,
        own: 0,
    }))
}

/// A connection of curl to a port of a host.
#[derive(Clone, Debug)]
pub struct Made {
    connection: Connection,
}

/// The owners that there are, each the same as long as the test runs.
fn owner(number: u64) -> Arc<Owner> {
    static OWNERS: OnceLock<Vec<Arc<Owner>>> = OnceLock::new();
    let owners = OWNERS.get_or_init(|| (100..150).map(made_owner).collect());
    owners[usize::try_from(number % 50).unwrap()].clone()
}

fn made_owner(pid: u32) -> Arc<Owner> {
    Arc::new(Owner {
        process: Arc::new(Process {
            pid,
            tid: pid + 1,
            ns_pid: None,
            name: "curl".to_owned(),
            exe: Some("/usr/bin/curl".to_owned()),
            args: Some(vec!["curl".to_owned(), "--password=hunter2".to_owned()]),
            args_truncated: false,
            start_time: "2023-11-15T00:00:00.00Z".to_owned(),
            tty: None,
            parent: None,
            flags: Flags::default(),
            sha256: None,
            not_hashed: None,
            key: process::Key::new(pid, 0),
        }),
        user: User {
            uid: 0,
            name: Some("root".to_owned()),
            name_from: None,
            gid: 0,
            euid: None,
            auid: None,
            login: None,
            session: None,
        },
        cgroup: Cgroup { id: 1, path: None },
        unit: None,
        container: Some(Container {
            id: "c0ffee".to_owned(),
            runtime: None,
            name: None,
            image: None,
        }),
        pod: None,
    })
}

fn endpoint(ip: &str, port: u16, scope: Option<Scope>) -> Endpoint {
    let ip: IpAddr = ip.parse().unwrap();
    Endpoint {
        scope,
        ..Endpoint::at(ip, port)
    }
}

impl Made {
    /// One that is opened by this host, by a number.
    pub fn new(number: u64) -> Self {
        let low = u8::try_from(number % 200).unwrap();
        let remote = format!("203.0.113.{low}");
        let connection = Connection {
            head: head(0, Event::Connect),
            id: Id {
                opened_ns: number,
                cpu: 0,
            },
            protocol: Protocol::Tcp,
            family: "ipv4".into(),
            direction: Some(Direction::Outbound),
            direction_source: Some("observed".into()),
            open_before: false,
            hidden_from: Vec::new(),
            old_state: None,
            state: None,
            outcome: None,
            error: None,
            accepted: None,
            local: Some(endpoint("192.0.2.1", 40_000, None)),
            remote: Some(endpoint(&remote, 443, Some(Scope::External))),
            requested: None,
            translated: None,
            service: Some("https".into()),
            netns: 4_026_531_840,
            socket: None,
            bytes: None,
            packets: None,
            rtt_us: None,
            retransmits: None,
            latency_us: None,
            duration_us: None,
            community_id: None,
            attribution: Attribution::Connect,
            owner: Some(owner(number)),
            holders: Vec::new(),
            ancestry: Vec::new(),
            opened_by: None,
            profile: None,
            unexpected: false,
        };
        Self { connection }
    }

    /// Of datagrams.
    pub fn of_datagrams(mut self) -> Self {
        self.connection.protocol = Protocol::Udp;
        self
    }

    /// Older than the run.
    pub fn older(mut self) -> Self {
        self.connection.open_before = true;
        self
    }

    fn told(&self, time: i64, event: Event) -> Connection {
        let mut connection = self.connection.clone();
        connection.head = head(time, event);
        connection
    }

    /// A record of it without counters.
    pub fn event(&self, time: i64, event: Event) -> Record {
        Record::Connection(Box::new(self.told(time, event)))
    }

    /// A record of it with counters.
    pub fn counted(&self, time: i64, event: Event, sent: u64, received: u64) -> Record {
        let mut connection = self.told(time, event);
        connection.bytes = Some(Bytes { sent, received });
        connection.outcome = (event == Event::Close).then_some(Outcome::Finished);
        Record::Connection(Box::new(connection))
    }

    /// It failed.
    pub fn refused(&self, time: i64) -> Record {
        let mut connection = self.told(time, Event::Failed);
        connection.outcome = Some(Outcome::Refused);
        connection.error = Some("ECONNREFUSED".to_owned());
        Record::Connection(Box::new(connection))
    }

    /// All of a short life.
    pub fn life(&self, time: i64) -> [Record; 3] {
        [
            self.event(time, Event::Connect),
            self.event(time + 1, Event::Established),
            self.counted(time + 2, Event::Close, 100, 1000),
        ]
    }
}
