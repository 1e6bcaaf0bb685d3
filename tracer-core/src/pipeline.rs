//! The way of a frame to a record.
//!
//! A state machine without I/O: facts, frames and counters go in, in the order in which they came;
//! records come out. The same input gives the same records, whatever machine it runs on.

use std::{net::IpAddr, sync::Arc};

use tracer_abi::{Connection as RawConnection, ConnectionFrame, Direction as RawDirection};

use crate::{
    attribution::{Knowledge, attribution},
    clock::{Anchor, Clock},
    connections::{Connections, Known, Open},
    decode::Frame,
    fact::{Fact, Host, Networks, Question, Tracing},
    fields::{community_id, direction_of, error_of, id_of, local_of, state_after},
    outcome,
    process::Key,
    record::{
        self, Attribution, Bytes, Connection, Direction, Endpoint, Event, Head, Loss, Record,
        Start, Stop,
    },
    scope::{Scope, Scopes, to_ip},
    select::{Compiled, Selection, Subject},
    service::Services,
    totals::{Counters, Lost, Totals},
};

/// What no run of this tool sees.
pub const NOT_COVERED: [&str; 6] = [
    "UDP and every other protocol than TCP",
    "connections that were open before the start, until they end",
    "packets that this host forwards, and connections of its kernel's own tunnels",
    "inbound attempts whose handshake was never completed",
    "names: encrypted DNS, and everything resolved before the start",
    "what happens inside a connection",
];

/// Turns frames into records.
#[derive(Debug)]
pub struct Pipeline {
    host: Host,
    host_name: Arc<str>,
    clock: Clock,
    tracing: Tracing,
    networks: Networks,
    addresses: Vec<IpAddr>,
    /// Network namespaces whose addresses were asked for.
    namespaces: Vec<u32>,
    scopes: Scopes,
    services: Services,
    knowledge: Knowledge,
    connections: Connections,
    selection: Selection,
    compiled: Compiled,
    kernel_selects: bool,
    totals: Totals,
    /// How many records about connections may still be written.
    room: Option<u64>,
    /// Since when nothing was lost.
    complete_since: String,
    /// When tracing was complete, nanoseconds since boot.
    start_ns: u64,
}

impl Pipeline {
    /// A pipeline for a selection. `kernel_selects`: the kernel half drops what its tests do not
    /// keep.
    #[must_use]
    pub fn new(selection: Selection, kernel_selects: bool, anchor: Anchor) -> Self {
        let networks = Networks::default();
        let scopes = Scopes::new(&[], &networks);
        let clock = Clock::new(anchor);
        Self {
            host: Host::default(),
            host_name: Arc::from(""),
            complete_since: clock.utc(clock.first().boot_ns),
            clock,
            tracing: Tracing::default(),
            networks,
            addresses: Vec::new(),
            namespaces: Vec::new(),
            start_ns: u64::MAX,
            compiled: selection.compile(&scopes),
            scopes,
            services: Services::default(),
            knowledge: Knowledge::default(),
            connections: Connections::default(),
            selection,
            kernel_selects,
            totals: Totals::default(),
            room: None,
        }
    }

    /// Writes no more than so many records about connections.
    #[must_use]
    pub fn limited_to(mut self, count: Option<u64>) -> Self {
        self.room = count;
        self
    }

    /// As many records about connections were written as were asked for.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.room == Some(0)
    }

    /// The clock, to show times.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The rules about addresses.
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// The selection as tables, by the rules about addresses as they are now.
    #[must_use]
    pub fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// The totals so far.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Takes a fact. What it makes known of the run itself may give a record.
    pub fn learn(&mut self, fact: &Fact, out: &mut Vec<Record>) {
        match fact {
            Fact::Host(host) => {
                self.host_name = Arc::from(host.name.as_str());
                self.host = host.clone();
            }
            Fact::Clock(anchor) => self.retake_clock(anchor, out),
            Fact::Tracing(tracing) => self.tracing = tracing.clone(),
            Fact::Users(accounts) => self.knowledge.learn_users(accounts),
            Fact::Services(services) => self.services = Services::new(services),
            Fact::Addresses(addresses) => {
                self.addresses.clone_from(addresses);
                self.rebuild_scopes();
            }
            Fact::Networks(networks) => {
                self.networks.clone_from(networks);
                self.rebuild_scopes();
            }
            Fact::Process(process) => self.knowledge.processes.learn(process),
            Fact::Cgroup(cgroup) => {
                self.knowledge
                    .cgroups
                    .learn(cgroup.id, cgroup.is_v1, &cgroup.path);
            }
        }
    }

    fn rebuild_scopes(&mut self) {
        self.scopes = Scopes::new(&self.addresses, &self.networks);
        self.compiled = self.selection.compile(&self.scopes);
    }

    fn retake_clock(&mut self, anchor: &Anchor, out: &mut Vec<Record>) {
        if self.clock.retake(anchor.clone()).is_some() {
            self.lose(Lost::from([("clock_step", 1)]), anchor.boot_ns, out);
        }
    }

    /// What would be good to know before the frame is given to [`Pipeline::frame`].
    #[must_use]
    pub fn questions(&self, frame: &Frame) -> Vec<Question> {
        let Frame::Connection(_, frame) = frame else {
            return Vec::new();
        };
        let owner = &frame.connection.owner;
        if owner.tgid == 0 {
            return Vec::new();
        }
        let netns = frame.connection.netns;
        let namespace = (!self.namespaces.contains(&netns)).then_some(Question::Namespace {
            netns,
            pid: owner.tgid,
        });
        self.knowledge.questions(owner).chain(namespace).collect()
    }

    /// Takes a frame. What it makes of it is appended to `out`.
    pub fn frame(&mut self, frame: Frame, out: &mut Vec<Record>) {
        let processes = &mut self.knowledge.processes;
        match frame {
            Frame::Connection(event, frame) => return self.connection(event, &frame, out),
            Frame::Exec(exec) => processes.exec(&exec),
            Frame::Fork(fork) => processes.fork(&fork),
            Frame::Exit(exit) => {
                processes.exit(Key::new(exit.tgid, exit.start_ns), exit.header.time_ns);
            }
            Frame::Cgroup(cgroup) => {
                let fixed = &cgroup.fixed;
                let is_v1 = fixed.hierarchy != 0;
                self.knowledge.cgroups.learn(fixed.id, is_v1, &cgroup.path);
            }
        }
        self.totals.processed.processes += 1;
    }

    /// Counts a frame that made no sense.
    pub fn undecodable(&mut self, kind: Option<u16>) {
        if kind.is_some_and(is_of_processes) {
            self.totals.processed.processes += 1;
            self.totals.processed.processes_undecodable += 1;
        } else {
            self.totals.processed.undecodable += 1;
        }
    }

    /// The first record: every hook is attached.
    pub fn start(&mut self, time_ns: u64, out: &mut Vec<Record>) {
        let start = Start {
            head: self.head(time_ns, Event::Start),
            version: self.tracing.version.clone(),
            kernel: self.host.kernel.clone(),
            boot_id: self.host.boot_id.clone(),
            machine_id: self.host.machine_id.clone(),
            clock: record::Clock {
                boot_ns: self.clock.first().boot_ns,
                utc: self.clock.utc(self.clock.first().boot_ns),
            },
            hooks: self.tracing.hooks.clone(),
            programs: self.tracing.programs.clone(),
            object_sha256: self.tracing.object_sha256.clone(),
            degraded: self.tracing.degraded.clone(),
            not_covered: NOT_COVERED.map(str::to_owned).to_vec(),
            filter: self.selection.describe(self.kernel_selects),
            external_rules: self.scopes.describe(),
        };
        self.complete_since.clone_from(&start.head.time);
        self.start_ns = time_ns;
        self.derive(Record::Start(Box::new(start)), out);
    }

    /// Takes newer counters; tells what was lost.
    pub fn count(&mut self, time_ns: u64, counters: Counters, out: &mut Vec<Record>) {
        let lost = self.totals.update(counters);
        if !lost.is_empty() {
            self.lose(lost, time_ns, out);
        }
    }

    fn lose(&mut self, lost: Lost, time_ns: u64, out: &mut Vec<Record>) {
        let head = self.head(time_ns, Event::Loss);
        let since = std::mem::replace(&mut self.complete_since, head.time.clone());
        self.derive(Record::Loss(Box::new(Loss { head, lost, since })), out);
    }

    /// The last record: the totals.
    pub fn stop(&mut self, time_ns: u64, out: &mut Vec<Record>) {
        let head = self.head(time_ns, Event::Stop);
        // The totals include this record.
        self.totals.processed.derived += 1;
        let seq = self.next_seq();
        let mut stop = Record::Stop(Box::new(Stop {
            head,
            kernel: self.totals.kernel(),
            output: self.totals.output(),
            processes: self.totals.processes(),
            own: self.totals.own(),
        }));
        stop.number(seq);
        out.push(stop);
    }

    fn derive(&mut self, mut record: Record, out: &mut Vec<Record>) {
        self.totals.processed.derived += 1;
        record.number(self.next_seq());
        out.push(record);
    }

    fn next_seq(&mut self) -> u64 {
        self.totals.processed.written += 1;
        self.totals.processed.written
    }

    fn head(&self, time_ns: u64, event: Event) -> Head {
        Head {
            time: self.clock.utc(time_ns),
            event,
            seq: 0,
            host: self.host_name.clone(),
        }
    }

    fn connection(&mut self, event: Event, frame: &ConnectionFrame, out: &mut Vec<Record>) {
        self.totals.processed.delivered += 1;
        if !self.namespaces.contains(&frame.connection.netns) {
            self.namespaces.push(frame.connection.netns);
        }
        let mut open = self.attribute(frame);
        let mut record = self.record(event, frame, &open);
        open.is_selected |= self.selects(frame, &record);
        // While the hooks are attached one after the other, what they report is not complete.
        let is_kept = frame.header.time_ns >= self.start_ns
            && open.is_selected
            && self.selection.keeps_record(event, record.outcome);
        let id = record.id;
        if event.is_last() {
            self.connections.remove(id);
        } else {
            self.connections.insert(id, open);
        }
        if is_kept && !self.is_full() {
            self.room = self.room.map(|room| room - 1);
            record.head.seq = self.next_seq();
            out.push(Record::Connection(Box::new(record)));
        } else {
            self.totals.processed.suppressed += 1;
        }
    }

    /// Whether the tests on connections keep it.
    fn selects(&self, frame: &ConnectionFrame, record: &Connection) -> bool {
        let subject = Subject {
            connection: &frame.connection,
            owner: record.owner.as_deref(),
            direction: record.direction,
        };
        self.selection
            .keeps_connection(&self.compiled, &self.knowledge.cgroups, subject)
    }

    /// What is known of the connection once this frame is taken into account.
    fn attribute(&self, frame: &ConnectionFrame) -> Open {
        let connection = &frame.connection;
        let known = self.connections.get(id_of(connection)).cloned();
        let mut open = known.unwrap_or_else(|| Open {
            opener: None,
            user: None,
            direction: direction_of(connection),
            listens_on: (connection.direction == RawDirection::LISTENING)
                .then_some((connection.netns, connection.local_port)),
            is_accepted: false,
            is_selected: false,
        });
        open.is_accepted |= connection.accepted == 1;
        let identity = &connection.owner;
        if identity.tgid == 0 {
            return open;
        }
        let is_known = open
            .user
            .as_ref()
            .is_some_and(|user| user.identity == *identity);
        if !is_known {
            open.user = Some(Known {
                identity: *identity,
                owner: Arc::new(self.knowledge.owner(identity, &self.clock)),
                attribution: attribution(connection.attribution),
            });
        }
        if open.opener.is_none() {
            open.opener.clone_from(&open.user);
        }
        open
    }

    fn record(&self, event: Event, frame: &ConnectionFrame, open: &Open) -> Connection {
        let (connection, detail) = (&frame.connection, &frame.detail);
        let is_close = event == Event::Close;
        let direction = open.direction;
        let outcome = match event {
            Event::Failed => Some(outcome::of_attempt(connection, detail)),
            Event::Close => Some(outcome::of_connection(detail)),
            _ => None,
        };
        let is_unaccepted = direction == Some(Direction::Inbound) && !open.is_accepted;
        let (owner, attribution) = self.owner(connection, open, is_unaccepted);
        let is_open_before = connection.flags & RawConnection::OPEN_BEFORE != 0
            || connection.opened_ns < self.start_ns;
        let since_opened = frame.header.time_ns.saturating_sub(connection.opened_ns) / 1000;
        let local = local_of(connection);
        let remote = self.remote_of(connection);
        Connection {
            head: self.head(frame.header.time_ns, event),
            id: id_of(connection),
            protocol: "tcp",
            family: if connection.family == 4 {
                "ipv4"
            } else {
                "ipv6"
            },
            direction,
            direction_source: direction.map(|_| "observed"),
            open_before: is_open_before,
            state: state_after(event, detail.new_state),
            outcome,
            error: error_of(outcome, detail.error),
            accepted: is_unaccepted.then_some(false),
            service: self.service_of(connection, direction),
            community_id: community_id(local.as_ref(), remote.as_ref()),
            local,
            remote,
            netns: connection.netns,
            bytes: is_close.then_some(Bytes {
                sent: detail.sent_bytes,
                received: detail.received_bytes,
            }),
            rtt_us: (detail.rtt_us > 0).then_some(detail.rtt_us),
            retransmits: (event.is_last() && event != Event::Unlisten)
                .then_some(detail.retransmits),
            latency_us: (event == Event::Established && !is_open_before).then_some(since_opened),
            duration_us: (is_close && !is_open_before).then_some(since_opened),
            attribution,
            ancestry: self.ancestry(event, connection),
            opened_by: opened_by(open),
            owner,
        }
    }

    /// Who used it last, and how whoever opened it is known.
    fn owner(
        &self,
        connection: &RawConnection,
        open: &Open,
        is_unaccepted: bool,
    ) -> (Option<Arc<record::Owner>>, Attribution) {
        if let (Some(user), Some(opener)) = (&open.user, &open.opener) {
            return (Some(user.owner.clone()), opener.attribution);
        }
        if is_unaccepted
            && let Some(listener) = self
                .connections
                .listener(connection.netns, connection.local_port)
        {
            return (Some(listener.owner.clone()), Attribution::Listener);
        }
        (None, Attribution::None)
    }

    fn ancestry(&self, event: Event, connection: &RawConnection) -> Vec<record::Ancestor> {
        let has_ancestry = matches!(event, Event::Connect | Event::Accept | Event::Listen)
            // Nothing came before it that could have told.
            || connection.flags & RawConnection::NO_SYN != 0;
        if has_ancestry && connection.owner.tgid != 0 {
            self.knowledge.ancestry(&connection.owner)
        } else {
            Vec::new()
        }
    }

    fn remote_of(&self, connection: &RawConnection) -> Option<Endpoint> {
        if connection.direction == RawDirection::LISTENING {
            return None;
        }
        let ip = to_ip(connection.remote);
        let scope = self.scopes.of(ip);
        Some(Endpoint {
            ip,
            port: Some(connection.remote_port),
            scope: (scope != Scope::Unspecified).then_some(scope),
        })
    }

    /// The name of the port that was connected to.
    fn service_of(
        &self,
        connection: &RawConnection,
        direction: Option<Direction>,
    ) -> Option<Arc<str>> {
        let port = match direction? {
            Direction::Outbound => connection.remote_port,
            Direction::Inbound | Direction::Listening => connection.local_port,
        };
        self.services.tcp(port)
    }
}

/// Whether a kind of frame tells of processes or cgroups.
#[must_use]
pub fn is_of_processes(kind: u16) -> bool {
    use tracer_abi::Kind;
    (Kind::EXEC..=Kind::CGROUP).contains(&kind)
}

/// The process that opened the socket, where another one used it last.
fn opened_by(open: &Open) -> Option<Arc<record::Process>> {
    let (user, opener) = (open.user.as_ref()?, open.opener.as_ref()?);
    (user.owner.process.key != opener.owner.process.key).then(|| opener.owner.process.clone())
}
