//! The records as they are written: the public contract.
//!
//! Field order is the order in the output. A field that is not known is absent.

mod owner;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use serde::{Serialize, Serializer};

pub use self::owner::{Ancestor, Cgroup, Owner, Parent, Pod, Process, User};
use crate::{fact, outcome::Outcome, scope::Scope};

/// What a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Every hook is attached; from here nothing is missed.
    Start,
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
    /// The connection is over.
    Close,
    /// Records were lost.
    Loss,
    /// The totals.
    Stop,
}

impl Event {
    /// Those that can be selected: the events of connections.
    pub const OF_CONNECTIONS: [Self; 7] = [
        Self::Listen,
        Self::Unlisten,
        Self::Connect,
        Self::Established,
        Self::Failed,
        Self::Accept,
        Self::Close,
    ];

    /// The word of the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Listen => "listen",
            Self::Unlisten => "unlisten",
            Self::Connect => "connect",
            Self::Established => "established",
            Self::Failed => "failed",
            Self::Accept => "accept",
            Self::Close => "close",
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
    /// `loss`
    Loss(Box<Loss>),
    /// `stop`
    Stop(Box<Stop>),
}

impl Record {
    /// What every record begins with.
    #[must_use]
    pub fn head(&self) -> &Head {
        match self {
            Self::Start(start) => &start.head,
            Self::Connection(connection) => &connection.head,
            Self::Loss(loss) => &loss.head,
            Self::Stop(stop) => &stop.head,
        }
    }

    /// Gives the record its place in the output.
    pub fn number(&mut self, seq: u64) {
        match self {
            Self::Start(start) => start.head.seq = seq,
            Self::Connection(connection) => connection.head.seq = seq,
            Self::Loss(loss) => loss.head.seq = seq,
            Self::Stop(stop) => stop.head.seq = seq,
        }
    }
}

/// What every record begins with.
#[derive(Clone, Debug, Serialize)]
pub struct Head {
    /// When it happened in the kernel: RFC 3339, UTC, nanoseconds.
    pub time: String,
    /// What happened.
    pub event: Event,
    /// Position in this output, from 1, without gaps.
    pub seq: u64,
    /// Name of the traced host.
    pub host: Arc<str>,
}

/// A connection or listener and what happened to it.
#[derive(Clone, Debug, Serialize)]
pub struct Connection {
    /// Time, event, position, host.
    #[serde(flatten)]
    pub head: Head,
    /// The same in every record of one connection.
    #[serde(serialize_with = "as_string")]
    pub id: Id,
    /// `tcp`
    pub protocol: &'static str,
    /// `ipv4` or `ipv6`: what is on the wire.
    pub family: &'static str,
    /// Who opened it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// How the direction is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction_source: Option<&'static str>,
    /// It is older than the tracing.
    #[serde(skip_serializing_if = "is_false")]
    pub open_before: bool,
    /// TCP state after this record.
    pub state: &'static str,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Name of the errno that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// `false`: it ended before any process took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<bool>,
    /// This end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<Endpoint>,
    /// The other end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<Endpoint>,
    /// Registered name of the port that was connected to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Arc<str>>,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Payload moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
    /// Smoothed round-trip time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u32>,
    /// Retransmitted segments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retransmits: Option<u32>,
    /// Time of the handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<u64>,
    /// Open to close.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// Community ID, version 1, seed 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community_id: Option<String>,
    /// How the owner is known.
    pub attribution: Attribution,
    /// Who used the socket last.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Arc<Owner>>,
    /// From the parent up to the session leader.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ancestry: Vec<Ancestor>,
    /// The process that opened the socket, where it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_by: Option<Arc<Process>>,
}

/// Names a connection on a host and boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
}

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// Address; IPv4-mapped ones as IPv4.
    pub ip: IpAddr,
    /// Port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// What kind of address it is, of a remote one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}

/// Payload moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bytes {
    /// Handed to the network once.
    pub sent: u64,
    /// Received in order.
    pub received: u64,
}

/// The first record.
#[derive(Clone, Debug, Serialize)]
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
    #[serde(skip_serializing_if = "String::is_empty")]
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
}

/// How the kernel's clock relates to UTC.
#[derive(Clone, Debug, Serialize)]
pub struct Clock {
    /// Nanoseconds since boot.
    pub boot_ns: u64,
    /// The same moment in UTC.
    pub utc: String,
}

/// A selection, as resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// `all` or `any` of the tests must match.
    #[serde(rename = "match")]
    pub combination: &'static str,
    /// The tests on connections: flag → values.
    pub connections: BTreeMap<String, Vec<String>>,
    /// The tests on records: flag → values.
    pub records: BTreeMap<String, Vec<String>>,
    /// The flags decided in the kernel.
    pub in_kernel: Vec<String>,
}

/// One of the ordered rules about addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScopeRule {
    /// What the addresses are called.
    pub scope: Scope,
    /// Where the rule is from.
    pub from: &'static str,
    /// The networks; of the last rule none, for it takes what is left.
    pub networks: Vec<String>,
}

/// Records were lost.
#[derive(Clone, Debug, Serialize)]
pub struct Loss {
    /// Time, event, position, host.
    #[serde(flatten)]
    pub head: Head,
    /// Category → count.
    pub lost: BTreeMap<&'static str, u64>,
    /// They were lost between this time and the record's.
    pub since: String,
}

/// The last record.
#[derive(Clone, Debug, Serialize)]
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
    /// The tool's own activity, left out of all other counts.
    pub own: u64,
}

/// `seen` = `selected_out` + the sum of `lost` + `undecodable` + `delivered`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KernelTotals {
    /// Facts that were to be reported.
    pub seen: u64,
    /// Dropped in the kernel because the selection did not match.
    pub selected_out: u64,
    /// Category → count.
    pub lost: BTreeMap<&'static str, u64>,
    /// Frames that made no sense.
    pub undecodable: u64,
    /// Frames that became records.
    pub delivered: u64,
}

/// `delivered` + `derived` = `suppressed` + `written`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OutputTotals {
    /// Records from the kernel.
    pub delivered: u64,
    /// Records made in user space.
    pub derived: u64,
    /// Selected out in user space.
    pub suppressed: u64,
    /// Written, this one included.
    pub written: u64,
}

/// `seen` = `lost` + `undecodable` + `delivered`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProcessTotals {
    /// Process and cgroup events.
    pub seen: u64,
    /// Of these, lost: a process may be known by name only.
    pub lost: u64,
    /// Of these, frames that made no sense.
    pub undecodable: u64,
    /// Of these, received.
    pub delivered: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn is_false(value: &bool) -> bool {
    !value
}

fn as_string<S: Serializer>(value: &impl ToString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}
