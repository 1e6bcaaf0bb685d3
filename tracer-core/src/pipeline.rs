//! The way of a frame to a record.
//!
//! A state machine without I/O: facts, frames and counters go in, in the order in which they came;
//! records come out. The same input gives the same records, whatever machine it runs on.

mod connection;
mod cross_check;
mod discovery;
mod socket;

use std::{net::IpAddr, sync::Arc};

use self::{cross_check::CrossCheck, discovery::Discovery};
use crate::{
    attribution::Knowledge,
    clock::{Anchor, Clock},
    connections::Connections,
    decode::{self, Frame},
    enrich::Enrichment,
    fact::{Detached, Fact, Host, Networks, Question, Tracing},
    fields::destination_of,
    names::{Names, answers},
    process::Key,
    record::{self, Event, Head, Loss, Record, Start, Stop},
    scope::Scopes,
    select::{Compiled, Selection},
    service::Services,
    survey::Survey,
    totals::{Counters, Lost, Totals},
};

/// What no run of this tool sees.
pub const NOT_COVERED: [&str; 5] = [
    "of what is neither TCP nor UDP, more than that a socket for it is opened",
    "packets that this host forwards, and connections of its kernel's own tunnels",
    "inbound attempts whose handshake was never completed",
    "names: encrypted DNS (DoT, DoH), answers longer than a packet, and everything resolved before the start",
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
    survey: Survey,
    /// All of what was there before has been told.
    is_surveyed: bool,
    cross_check: CrossCheck,
    /// Who looks at connections, if that is asked for.
    discovery: Option<Discovery>,
    names: Names,
    /// What files say of other hosts.
    enrichment: Option<Arc<Enrichment>>,
    selection: Selection,
    compiled: Compiled,
    kernel_selects: bool,
    totals: Totals,
    /// Programs that were taken away since the last record of a loss.
    detached: Vec<Detached>,
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
            compiled: selection.compile(&scopes, None),
            enrichment: None,
            scopes,
            services: Services::default(),
            knowledge: Knowledge::default(),
            connections: Connections::default(),
            survey: Survey::default(),
            is_surveyed: false,
            cross_check: CrossCheck::default(),
            discovery: None,
            names: Names::default(),
            selection,
            kernel_selects,
            totals: Totals::default(),
            detached: Vec::new(),
            room: None,
        }
    }

    /// Writes no more than so many records about connections.
    #[must_use]
    pub fn limited_to(mut self, count: Option<u64>) -> Self {
        self.room = count;
        self
    }

    /// Says from here on of other hosts what files say of them.
    pub fn enrich(&mut self, enrichment: Arc<Enrichment>) {
        self.enrichment = Some(enrichment);
        self.compile();
    }

    /// Asks for the hashes of executables.
    #[must_use]
    pub fn hashing(mut self, wants_hashes: bool) -> Self {
        self.knowledge.wants_hashes = wants_hashes;
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
            Fact::Detached(detached) => self.detached.push(detached.clone()),
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
            Fact::Names(names) => self.names.declare(names),
            Fact::Hosts(hosts) => self.names.learn_hosts(hosts.netns, &hosts.names),
            Fact::Process(process) => self.knowledge.learn_process(process),
            Fact::Cgroup(cgroup) => {
                self.knowledge
                    .learn_cgroup(cgroup.id, cgroup.is_v1, &cgroup.path);
            }
            Fact::Container(container) => self.knowledge.learn_container(container),
            Fact::Resident(resident) => self.knowledge.learn_resident(resident),
            Fact::Executable(executable) => self.knowledge.learn_executable(executable),
            Fact::CrossCheck(check) => self.cross_check = CrossCheck::new(check),
        }
    }

    fn rebuild_scopes(&mut self) {
        self.scopes = Scopes::new(&self.addresses, &self.networks);
        self.compile();
    }

    fn compile(&mut self) {
        let indicators = self.enrichment.as_ref().map(|one| &one.indicators);
        self.compiled = self.selection.compile(&self.scopes, indicators);
    }

    fn retake_clock(&mut self, anchor: &Anchor, out: &mut Vec<Record>) {
        if self.clock.retake(anchor.clone()).is_some() {
            self.lose(Lost::from([("clock_step".into(), 1)]), anchor.boot_ns, out);
        }
    }

    /// What would be good to know before the frame is given to [`Pipeline::frame`].
    #[must_use]
    pub fn questions(&self, frame: &Frame) -> Vec<Question> {
        let frame = match frame {
            Frame::Connection(_, frame) | Frame::Holder(frame) => frame,
            Frame::Socket(frame) => return self.knowledge.questions(&frame.owner).collect(),
            Frame::Look(look) => return self.knowledge.questions(&look.fixed.actor).collect(),
            Frame::Exec(exec) if self.tells_of(exec) => {
                return self.knowledge.questions(&exec.fixed.identity).collect();
            }
            _ => return Vec::new(),
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
            Frame::Connection(event, frame) => {
                if event == Event::Connect {
                    self.note_connection(&frame.connection, out);
                }
                return self.connection(event, &frame, out);
            }
            Frame::Socket(frame) => return self.socket(&frame, out),
            Frame::Look(look) => return self.look(&look),
            Frame::Holder(frame) => self.survey.hold(&frame),
            Frame::Requested(frame) => {
                let (id, requested) = destination_of(&frame);
                self.connections.elsewhere(id).requested = Some(requested);
            }
            Frame::Translated(frame) => {
                let (id, translated) = destination_of(&frame);
                self.connections.elsewhere(id).translated = Some(translated);
            }
            Frame::Answer(answer) => self.answer(&answer),
            Frame::Exec(exec) => {
                self.gone(Key::of(&exec.fixed.identity), out);
                self.knowledge.processes.exec(&exec);
                self.executed(&exec, out);
            }
            Frame::Fork(fork) => processes.fork(&fork),
            Frame::Exit(exit) => {
                let key = Key::new(exit.tgid, exit.start_ns);
                self.gone(key, out);
                self.knowledge.processes.exit(key, exit.header.time_ns);
            }
            Frame::Cgroup(cgroup) => {
                let fixed = &cgroup.fixed;
                let is_v1 = fixed.hierarchy != 0;
                self.knowledge.cgroups.learn(fixed.id, is_v1, &cgroup.path);
            }
        }
        self.totals.processed.processes += 1;
    }

    /// Takes what may be an answer of DNS. Whoever speaks from that port may say anything.
    fn answer(&mut self, frame: &decode::Answer) {
        let totals = &mut self.totals.processed.names;
        totals.answers += 1;
        match answers::read(&frame.message) {
            Ok(answers) => {
                for answer in &answers {
                    self.names
                        .learn(frame.fixed.netns, frame.fixed.tgid, answer);
                }
            }
            Err(_) => totals.malformed += 1,
        }
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
            args: None,
            window: None,
            uncovered: Vec::new(),
        };
        self.complete_since.clone_from(&start.head.time);
        self.start_ns = time_ns;
        self.derive(Record::Start(Box::new(start)), out);
    }

    /// Takes newer counters; tells what was lost.
    pub fn count(&mut self, time_ns: u64, counters: Counters, out: &mut Vec<Record>) {
        self.pass(time_ns, out);
        let lost = self.totals.update(counters);
        if !lost.is_empty() {
            self.lose(lost, time_ns, out);
        }
    }

    fn lose(&mut self, lost: Lost, time_ns: u64, out: &mut Vec<Record>) {
        let head = self.head(time_ns, Event::Loss);
        let since = std::mem::replace(&mut self.complete_since, head.time.clone());
        let detached = std::mem::take(&mut self.detached);
        let record = Record::Loss(Box::new(Loss {
            head,
            lost,
            detached,
            since,
        }));
        self.derive(record, out);
    }

    /// The last record: the totals.
    pub fn stop(&mut self, time_ns: u64, out: &mut Vec<Record>) {
        // Not all may have been found, but this was.
        self.surveyed(out);
        self.tell_rest(out);
        let head = self.head(time_ns, Event::Stop);
        // The totals include this record.
        self.totals.processed.derived += 1;
        let seq = self.next_seq();
        let mut stop = Record::Stop(Box::new(Stop {
            head,
            kernel: self.totals.kernel(),
            output: self.totals.output(),
            processes: self.totals.processes(),
            names: self.totals.processed.names,
            cross_check: self.cross_check.totals(),
            discovery: self.discovery.as_ref().map(Discovery::passed),
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

    /// Writes a record about something that happened, if it is kept and there is room for it.
    fn keep(&mut self, mut record: Record, is_kept: bool, out: &mut Vec<Record>) {
        if is_kept && !self.is_full() {
            self.room = self.room.map(|room| room - 1);
            record.number(self.next_seq());
            out.push(record);
        } else {
            self.totals.processed.suppressed += 1;
        }
    }
}

/// Whether a kind of frame tells what records about connections say besides: of processes, cgroups,
/// destinations.
#[must_use]
pub fn is_of_processes(kind: u16) -> bool {
    use tracer_abi::Kind;
    matches!(
        kind,
        Kind::EXEC..=Kind::ANSWER | Kind::REQUESTED | Kind::TRANSLATED
    )
}
