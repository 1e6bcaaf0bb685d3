//! Recordings that are composed instead of recorded: the same bytes on every machine.
//!
//! Addresses are those that are set aside for documentation.

use std::net::IpAddr;

use tracer_abi::{
    Address, Attribution, CgroupFrame, Connection, ConnectionFrame, Detail, ExecFrame, ExitFrame,
    Header, Identity, Kind, Name, SocketFrame,
};
use tracer_core::{
    clock::Anchor,
    fact::Fact,
    recording::{self, Entry, Recorded, Writer},
    totals::Counters,
};
use zerocopy::IntoBytes as _;

/// Nanoseconds in a millisecond.
const MS: u64 = 1_000_000;

/// Inode number of the network namespace of everybody.
const NETNS: u32 = 4_026_531_840;

/// A recording that is being composed.
#[derive(Debug)]
pub struct Scene {
    bytes: Vec<u8>,
    writer: Writer,
    now_ns: u64,
    counters: Counters,
}

/// Somebody who acts.
#[must_use]
pub fn task(pid: u32, name: &[u8], uid: u32, cgroup: u64) -> Identity {
    Identity {
        start_ns: u64::from(pid) * 10 * MS,
        exec_id: 1,
        cgroup_id: cgroup,
        tgid: pid,
        tid: pid,
        ns_tgid: pid,
        sid: pid,
        uid,
        gid: uid,
        euid: uid,
        auid: u32::MAX,
        audit_session: u32::MAX,
        flags: 0,
        comm: name_of(name),
    }
}

fn name_of(text: &[u8]) -> Name {
    let mut name = Name::EMPTY;
    for (to, from) in name.0.iter_mut().zip(text) {
        *to = *from;
    }
    name
}

/// The parts one after the other, each with a zero byte.
fn zero_ended<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    parts.flat_map(|part| [part, b"\0"].concat()).collect()
}

/// An address as the kernel half writes it.
fn address(ip: &str) -> Address {
    match ip.parse() {
        Ok(IpAddr::V4(v4)) => Address(v4.to_ipv6_mapped().octets()),
        Ok(IpAddr::V6(v6)) => Address(v6.octets()),
        Err(error) => panic!("{ip}: {error}"),
    }
}

/// A connection that nobody owns yet, from an address and port to another.
#[must_use]
pub fn connection(direction: u8, local: (&str, u16), remote: (&str, u16)) -> Connection {
    Connection {
        family: if local.0.contains(':') { 6 } else { 4 },
        direction,
        netns: NETNS,
        local: address(local.0),
        local_port: local.1,
        remote: address(remote.0),
        remote_port: remote.1,
        selected: 1,
        ..Connection::UNKNOWN
    }
}

impl Scene {
    /// One that begins with facts, an hour after the machine was started.
    ///
    /// # Panics
    /// If a fact cannot be written.
    #[must_use]
    pub fn new(facts: &[Fact]) -> Self {
        let now_ns = 3_600_000 * MS;
        let header = recording::Header {
            version: "0.1.0".to_owned(),
            selection: Recorded::Everything,
            clock: Anchor {
                boot_ns: now_ns,
                utc_ns: 1_800_000_000_000_000_000,
                offset_s: 3600,
                zone: "CET".to_owned(),
            },
        };
        let mut bytes = Vec::new();
        let writer = Writer::begin(&header, &mut bytes);
        let mut scene = Self {
            bytes,
            writer: writer.unwrap_or_else(|error| panic!("{error}")),
            now_ns,
            counters: Counters::default(),
        };
        for fact in facts {
            scene.write(&Entry::Fact(Box::new(fact.clone())));
        }
        scene.write(&Entry::Start(scene.now_ns));
        scene
    }

    fn write(&mut self, entry: &Entry<'_>) {
        self.writer
            .entry(entry, &mut self.bytes)
            .unwrap_or_else(|error| panic!("{error}"));
    }

    /// Time goes by.
    pub fn wait(&mut self, milliseconds: u64) {
        self.now_ns += milliseconds * MS;
    }

    fn header(&self, kind: u16, len: usize) -> Header {
        Header {
            time_ns: self.now_ns,
            kind,
            cpu: 1,
            len: u32::try_from(len).unwrap_or(u32::MAX),
        }
    }

    /// The connection begins now.
    pub fn open(&self, connection: &mut Connection) {
        connection.opened_ns = self.now_ns;
        connection.opened_cpu = 1;
    }

    /// Something happens to a connection.
    pub fn report(&mut self, kind: u16, connection: &Connection, detail: Detail) {
        let frame = ConnectionFrame {
            header: self.header(kind, size_of::<ConnectionFrame>()),
            connection: *connection,
            detail,
        };
        self.counters.connections.seen += 1;
        self.counters.connections.received += 1;
        self.write(&Entry::Frame(frame.as_bytes()));
    }

    /// A process holds what was there before.
    pub fn hold(&mut self, connection: &Connection, holder: &Identity) {
        let frame = ConnectionFrame {
            header: self.header(Kind::HOLDER, size_of::<ConnectionFrame>()),
            connection: Connection {
                owner: *holder,
                attribution: Attribution::EXISTING,
                ..*connection
            },
            detail: Detail::default(),
        };
        self.process(frame.as_bytes());
    }

    /// All of what was there before has been reported.
    pub fn surveyed(&mut self) {
        self.write(&Entry::Surveyed(self.now_ns));
    }

    /// A process opens a socket of a kind that is not followed.
    pub fn open_socket(&mut self, owner: &Identity, family: u16, socket_type: u16, protocol: u32) {
        let frame = SocketFrame {
            header: self.header(Kind::SOCKET, size_of::<SocketFrame>()),
            owner: *owner,
            inode: self.now_ns / MS,
            netns: NETNS,
            protocol,
            family,
            socket_type,
            reserved: 0,
        };
        self.counters.connections.seen += 1;
        self.counters.connections.received += 1;
        self.write(&Entry::Frame(frame.as_bytes()));
    }

    /// A process executes a program, of which the path and the arguments are given.
    pub fn exec(&mut self, task: &Identity, parent: &Identity, exe: &str, args: &[&[u8]]) {
        let components = exe.trim_start_matches('/').rsplit('/');
        let exe = zero_ended(components.map(str::as_bytes));
        let args = zero_ended(args.iter().copied());
        let len = size_of::<ExecFrame>() + exe.len() + args.len();
        let frame = ExecFrame {
            header: self.header(Kind::EXEC, len),
            identity: *task,
            parent_start_ns: parent.start_ns,
            parent_exec_id: parent.exec_id,
            parent_tgid: parent.tgid,
            flags: 0,
            exe_len: u32::try_from(exe.len()).unwrap_or_default(),
            args_len: u32::try_from(args.len()).unwrap_or_default(),
            tty: name_of(b"pts0"),
        };
        self.process(&[frame.as_bytes(), &exe, &args].concat());
    }

    /// A process ends.
    pub fn exit(&mut self, task: &Identity) {
        let frame = ExitFrame {
            header: self.header(Kind::EXIT, size_of::<ExitFrame>()),
            start_ns: task.start_ns,
            tgid: task.tgid,
            reserved: 0,
        };
        self.process(frame.as_bytes());
    }

    /// A cgroup is made.
    pub fn make_cgroup(&mut self, id: u64, path: &str) {
        let path = [path.as_bytes(), b"\0"].concat();
        let frame = CgroupFrame {
            header: self.header(Kind::CGROUP, size_of::<CgroupFrame>() + path.len()),
            id,
            hierarchy: 0,
            path_len: u32::try_from(path.len()).unwrap_or_default(),
        };
        self.process(&[frame.as_bytes(), &path].concat());
    }

    fn process(&mut self, frame: &[u8]) {
        self.counters.processes.seen += 1;
        self.counters.processes.received += 1;
        self.write(&Entry::Frame(frame));
    }

    /// The ring is full and so many frames are dropped; the counters say so.
    pub fn lose(&mut self, count: u64) {
        self.counters.connections.seen += count;
        self.counters.connections.ring_full += count;
        self.count();
    }

    /// The counters come, and with them a batch ends.
    fn count(&mut self) {
        self.write(&Entry::Counters(self.now_ns, self.counters));
        self.writer.seal(&mut self.bytes);
    }

    /// Tracing ends: the recording.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.count();
        self.write(&Entry::Stop(self.now_ns));
        self.writer.seal(&mut self.bytes);
        self.bytes
    }
}
