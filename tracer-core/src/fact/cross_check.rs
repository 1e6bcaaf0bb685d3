//! What a cross-check found.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::protocol::Protocol;

/// Somebody who lists the sockets of a network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The kernel's iterators over sockets, which conntracer's own programs are run by.
    Iterator,
    /// Netlink's `sock_diag`: what `ss` shows.
    SockDiag,
    /// `/proc/net`: what `netstat` shows.
    ProcNet,
}

impl Source {
    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Iterator => "the iterator",
            Self::SockDiag => "sock_diag",
            Self::ProcNet => "/proc/net",
        }
    }
}

/// What is compared by: where the ends of a socket are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ends {
    /// Inode number of the network namespace.
    pub netns: u32,
    /// What is spoken.
    pub protocol: Protocol,
    /// This end.
    pub local: SocketAddr,
    /// The other end; `None`: it listens, or is a UDP socket that is not connected.
    pub remote: Option<SocketAddr>,
}

impl Ends {
    /// With IPv4-mapped addresses as IPv4.
    #[must_use]
    pub fn new(
        netns: u32,
        protocol: Protocol,
        local: SocketAddr,
        remote: Option<SocketAddr>,
    ) -> Self {
        // Not flow label and zone, which only one of the sources has.
        let plain = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
        Self {
            netns,
            protocol,
            local: plain(local),
            remote: remote.map(plain),
        }
    }
}

/// What came of comparing the lists of all sources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrossCheck {
    /// When it was done, nanoseconds since boot.
    pub time_ns: u64,
    /// How many network namespaces were looked at.
    pub namespaces: u64,
    /// How many sockets were compared.
    pub sockets: u64,
    /// What is not in every list.
    pub hidden: Vec<Hidden>,
    /// What could not be compared, in sentences.
    pub not_compared: Vec<String>,
}

/// Sockets of the same ends, not all of which are in every list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hidden {
    /// Where they are.
    pub ends: Ends,
    /// Who does not list all of them, in order.
    pub from: Vec<Source>,
    /// How many the shortest list lacks.
    pub missing: u64,
    /// All of them, as whoever lists most of them does.
    pub sockets: Vec<Listed>,
}

/// A socket, as one source lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// TCP state, one of the constants of [`tracer_abi::tcp`].
    pub state: u8,
    /// Whose it is; the iterator does not say.
    pub uid: Option<u32>,
    /// Its inode number; the iterator does not say.
    pub inode: Option<u64>,
    /// The processes that have a descriptor of it.
    pub holders: Vec<Holder>,
}

/// A process that holds a socket, as `/proc` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Process id inside its pid namespace.
    pub ns_pid: u32,
    /// Start, in ticks of 10 ms since boot.
    pub start_ticks: u64,
    /// Name.
    pub name: String,
    /// Session id.
    pub session: u32,
    /// Real user id.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Login user id of the audit subsystem; `u32::MAX` when unset.
    pub auid: u32,
    /// Session id of the audit subsystem; `u32::MAX` when unset.
    pub audit_session: u32,
    /// kernfs id of the cgroup; zero: not known.
    pub cgroup: u64,
    /// `cgroup` is of a version 1 hierarchy.
    pub is_cgroup_v1: bool,
}
