//! The records as they are written: the public contract.
//!
//! Field order is the order in the output. A field that is not known is absent.

mod cross_check;
mod owner;
mod socket;
mod totals;

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};

pub use self::{
    cross_check::{CrossCheck, Listed},
    owner::{Ancestor, ByOwner, Cgroup, Holder, NameFrom, Owner, Parent, Process, User},
    socket::Socket,
    totals::{KernelTotals, NameTotals, OutputTotals, ProcessTotals},
};
use crate::{
    discovery::{Finding, Passed},
    fact,
    fields::community_id,
    geo::{As, Geo},
    history::Uncovered,
    names::NameSource,
    outcome::Outcome,
    people::Profile,
    protocol::Protocol,
    scope::Scope,
    threat::Hit,
};

/// A word of the contract: one that is known when it is written, any when it is read.
pub type Word = Cow<'static, str>;

/// The words of the events that are not about a connection or listener.
pub const NOT_OF_CONNECTIONS: [&str; 5] = ["start", "stop", "loss", "socket", "discovery"];

/// What a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Every hook is attached; from here nothing is missed.
    Start,
    /// A connection or listener that was there before.
    Existing,
    /// A socket began to listen.
    Listen,
    /// It stopped.
    Unlisten,
    /// An outbound attempt leaves this host.
    Connect,
    /// The outbound attempt succeeded.
    Established,
    /// The outbound attempt ended without a connection.
    Failed,
    /// An inbound connection was taken by a process.
    Accept,
    /// A connection went from one TCP state to another.
    State,
    /// A connection is still open.
    Update,
    /// The connection is over.
    Close,
    /// A process opened a socket of a kind that is not followed.
    Socket,
    /// A process looked at the connections of this host.
    Discovery,
    /// Records were lost.
    Loss,
    /// The totals.
    Stop,
}

impl Event {
    /// Those that can be selected: all but those of the run itself.
    pub const SELECTABLE: [Self; 12] = [
        Self::Existing,
        Self::Listen,
        Self::Unlisten,
        Self::Connect,
        Self::Established,
        Self::Failed,
        Self::Accept,
        Self::State,
        Self::Update,
        Self::Close,
        Self::Socket,
        Self::Discovery,
    ];

    /// The word of the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Existing => "existing",
            Self::Listen => "listen",
            Self::Unlisten => "unlisten",
            Self::Connect => "connect",
            Self::Established => "established",
            Self::Failed => "failed",
            Self::Accept => "accept",
            Self::State => "state",
            Self::Update => "update",
            Self::Close => "close",
            Self::Socket => "socket",
            Self::Discovery => "discovery",
            Self::Loss => "loss",
            Self::Stop => "stop",
        }
    }

    /// No record of the connection or listener follows.
    #[must_use]
    pub fn is_last(self) -> bool {
        matches!(self, Self::Failed | Self::Close | Self::Unlisten)
    }
}

/// One line of output.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Record {
    /// `start`
    Start(Box<Start>),
    /// `listen` to `close`
    Connection(Box<Connection>),
    /// `socket`
    Socket(Box<Socket>),
    /// `discovery`
    Discovery(Box<Finding>),
    /// `loss`
    Loss(Box<Loss>),
    /// `stop`
    Stop(Box<Stop>),
}

impl Record {
    /// Reads a line of `-o json`.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(line: &str) -> Result<Self, serde_json::Error> {
        let event: Told = serde_json::from_str(line)?;
        Ok(match event.event {
            Event::Start => Self::Start(serde_json::from_str(line)?),
            Event::Socket => Self::Socket(serde_json::from_str(line)?),
            Event::Discovery => Self::Discovery(serde_json::from_str(line)?),
            Event::Loss => Self::Loss(serde_json::from_str(line)?),
            Event::Stop => Self::Stop(serde_json::from_str(line)?),
            _ => Self::Connection(serde_json::from_str(line)?),
        })
    }

    /// What every record begins with.
    #[must_use]
    pub fn head(&self) -> &Head {
        match self {
            Self::Start(start) => &start.head,
            Self::Connection(connection) => &connection.head,
            Self::Socket(socket) => &socket.head,
            Self::Discovery(finding) => &finding.head,
            Self::Loss(loss) => &loss.head,
            Self::Stop(stop) => &stop.head,
        }
    }

    /// Gives the record its place in the output.
    pub fn number(&mut self, seq: u64) {
        match self {
            Self::Start(start) => start.head.seq = seq,
            Self::Connection(connection) => connection.head.seq = seq,
            Self::Socket(socket) => socket.head.seq = seq,
            Self::Discovery(finding) => finding.head.seq = seq,
            Self::Loss(loss) => loss.head.seq = seq,
            Self::Stop(stop) => stop.head.seq = seq,
        }
    }
}

/// What tells which record it is.
#[derive(Deserialize)]
struct Told {
    event: Event,
}

/// What every record begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// When it happened in the kernel: RFC 3339, UTC, nanoseconds.
    pub time: String,
    /// What happened.
    pub event: Event,
    /// Position in this output, from 1, without gaps.
    pub seq: u64,
    /// Name of the traced host; a log may not say it.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub host: Arc<str>,
}

/// A connection or listener and what happened to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Connection {
    /// Time, event, position, host.
    #[serde(flatten)]
    pub head: Head,
    /// The same in every record of one connection.
    pub id: Id,
    /// What is spoken.
    pub protocol: Protocol,
    /// `ipv4` or `ipv6`: what is on the wire.
    pub family: Word,
    /// Who opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// How the direction is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction_source: Option<Word>,
    /// It is older than the tracing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub open_before: bool,
    /// Who does not list it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden_from: Vec<fact::Source>,
    /// TCP state before a change of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_state: Option<Word>,
    /// TCP state after this record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Word>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Name of the errno that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// `false`: it ended before any process took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<bool>,
    /// This end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<Endpoint>,
    /// The other end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<Endpoint>,
    /// What the program asked to be connected with, where a program of a cgroup made something else of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<Destination>,
    /// Where the packets went, where netfilter translates their addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub translated: Option<Destination>,
    /// Registered name of the port that was connected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Arc<str>>,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// What others list of a socket that the iterator does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<Listed>,
    /// Payload moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
    /// Datagrams moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<Packets>,
    /// Smoothed round-trip time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u32>,
    /// Retransmitted segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retransmits: Option<u32>,
    /// Time of the handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<u64>,
    /// Open to close.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// Community ID, version 1, seed 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub community_id: Option<String>,
    /// How the owner is known.
    pub attribution: Attribution,
    /// Who used the socket last.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Arc<Owner>>,
    /// The processes that hold the socket, where there are several and none was seen using it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<Holder>,
    /// From the parent up to the session leader.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestry: Vec<Ancestor>,
    /// The process that opened the socket, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_by: Option<Arc<Process>>,
    /// Whose account it is that logged in, or else that runs the process, by a table that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Arc<Profile>>,
    /// That account is not expected to speak with the other end.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unexpected: bool,
}

impl Connection {
    /// The same, with the Community ID of its ends, where both are known.
    #[must_use]
    pub fn with_community_id(mut self) -> Self {
        let ends = (self.local.as_ref(), self.remote.as_ref());
        self.community_id = community_id(self.protocol, ends.0, ends.1);
        self
    }
}

/// Whether nothing is open any more in a TCP state.
#[must_use]
pub fn is_over_state(state: &str) -> bool {
    matches!(state, "TIME_WAIT" | "CLOSED")
}

/// Names a connection on a host and boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Id {
    /// When it began, nanoseconds since boot.
    pub opened_ns: u64,
    /// On which CPU, for two may begin within one nanosecond.
    pub cpu: u16,
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}-{:x}", self.opened_ns, self.cpu)
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for Id {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = || {
            let (opened_ns, cpu) = text.split_once('-')?;
            Some(Self {
                opened_ns: u64::from_str_radix(opened_ns, 16).ok()?,
                cpu: u16::from_str_radix(cpu, 16).ok()?,
            })
        };
        parts().ok_or_else(|| format!("`{text}` names no connection"))
    }
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// This host.
    Outbound,
    /// The other host.
    Inbound,
    /// It is a listener.
    Listening,
}

impl Direction {
    /// The word of the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
            Self::Listening => "listening",
        }
    }
}

/// How an owner is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// No owner is known.
    None,
    /// It called connect.
    Connect,
    /// It called accept.
    Accept,
    /// It is the owner of the listener.
    Listener,
    /// It called listen.
    Listen,
    /// It closed the socket.
    Close,
    /// It held the socket, which is older than the tracing.
    Existing,
    /// It sent on the socket.
    Io,
    /// It opened the socket.
    Socket,
}

impl Attribution {
    /// The word of the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Connect => "connect",
            Self::Accept => "accept",
            Self::Listener => "listener",
            Self::Listen => "listen",
            Self::Close => "close",
            Self::Existing => "existing",
            Self::Io => "io",
            Self::Socket => "socket",
        }
    }
}

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Address; IPv4-mapped ones as IPv4.
    pub ip: IpAddr,
    /// Port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// Who says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_source: Option<NameSource>,
    /// What else it is called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Arc<str>>,
    /// What kind of address it is, of a remote one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Where it is, by databases that were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo: Option<Arc<Geo>>,
    /// The autonomous system that it belongs to.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub network: Option<Arc<As>>,
    /// The indicators that it meets, of feeds that were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub threat: Vec<Hit>,
}

impl Endpoint {
    /// Whether it meets an indicator.
    #[must_use]
    pub fn is_threat(&self) -> bool {
        !self.threat.is_empty()
    }

    /// An address and a port, of which nothing else is known.
    #[must_use]
    pub fn at(ip: IpAddr, port: impl Into<Option<u16>>) -> Self {
        Self {
            ip,
            port: port.into(),
            name: None,
            name_source: None,
            names: Vec::new(),
            scope: None,
            geo: None,
            network: None,
            threat: Vec::new(),
        }
    }
}

/// Another destination of a connection than the one that its socket has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// Address; IPv4-mapped ones as IPv4.
    pub ip: IpAddr,
    /// Port.
    pub port: u16,
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", std::net::SocketAddr::new(self.ip, self.port))
    }
}

/// Payload moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// Handed to the network once.
    pub sent: u64,
    /// Received in order.
    pub received: u64,
}

/// Datagrams moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packets {
    /// Sent.
    pub sent: u64,
    /// Received.
    pub received: u64,
}

/// The first record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Start {
    /// Time, event, position, host.
    #[serde(flatten)]
    pub head: Head,
    /// Version of conntracer.
    pub version: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Names the boot.
    pub boot_id: String,
    /// Names the installation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub machine_id: String,
    /// How the kernel's clock relates to UTC.
    pub clock: Clock,
    /// Which hook reports which fact.
    pub hooks: Vec<fact::Hook>,
    /// The programs in the kernel.
    pub programs: Vec<fact::Program>,
    /// SHA-256 of the kernel object.
    pub object_sha256: String,
    /// What this kernel kept us from doing.
    pub degraded: Vec<String>,
    /// What no run of this tool sees.
    pub not_covered: Vec<String>,
    /// The selection, as resolved.
    pub filter: Filter,
    /// The ordered rules by which an address is external.
    pub external_rules: Vec<ScopeRule>,
    /// What is shown of the arguments of processes, if not all: `redacted` or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Word>,
    /// Of what a history answers: between which times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// When of that time nothing was recorded, or not all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uncovered: Vec<Uncovered>,
}

/// Between which times something was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// From when: RFC 3339, UTC, nanoseconds.
    pub since: String,
    /// Until when.
    pub until: String,
}

/// How the kernel's clock relates to UTC.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Clock {
    /// Nanoseconds since boot.
    pub boot_ns: u64,
    /// The same moment in UTC.
    pub utc: String,
}

/// A selection, as resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// `all` or `any` of the tests must match.
    #[serde(rename = "match")]
    pub combination: Word,
    /// The tests on connections: flag → values.
    pub connections: BTreeMap<String, Vec<String>>,
    /// The tests on records: flag → values.
    pub records: BTreeMap<String, Vec<String>>,
    /// The flags decided in the kernel.
    pub in_kernel: Vec<String>,
}

/// One of the ordered rules about addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeRule {
    /// What the addresses are called.
    pub scope: Scope,
    /// Where the rule is from.
    pub from: Word,
    /// The networks; of the last rule none, for it takes what is left.
    pub networks: Vec<String>,
}

/// Records were lost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Loss {
    /// Time, event, position, host.
    #[serde(flatten)]
    pub head: Head,
    /// Category → count.
    pub lost: BTreeMap<Word, u64>,
    /// The programs that `hook_detached` counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detached: Vec<fact::Detached>,
    /// They were lost between this time and the record's.
    pub since: String,
}

/// The last record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stop {
    /// Time, event, position, host.
    #[serde(flatten)]
    pub head: Head,
    /// What the kernel counted of connections.
    pub kernel: KernelTotals,
    /// What became of it.
    pub output: OutputTotals,
    /// What the kernel counted of processes and cgroups.
    pub processes: ProcessTotals,
    /// What names came of.
    pub names: NameTotals,
    /// What the cross-check came to, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_check: Option<CrossCheck>,
    /// What was found of discovery and is not told, if it was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovery: Option<Passed>,
    /// The tool's own activity, left out of all other counts.
    pub own: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
pub(crate) fn is_false(value: &bool) -> bool {
    !value
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
pub(crate) fn is_zero(count: &u64) -> bool {
    *count == 0
}
