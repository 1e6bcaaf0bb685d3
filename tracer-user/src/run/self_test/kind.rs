//! What the self-test makes, and how the process that makes it tells of it.

use serde::{Deserialize, Serialize};
use tracer_core::{protocol::Protocol, socket::SocketKind};

/// A kind of what is to be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A TCP connection over IPv4, both ends.
    TcpIpv4,
    /// The same over IPv6.
    TcpIpv6,
    /// An attempt that is refused.
    Refused,
    /// A connection that no process takes.
    NotAccepted,
    /// A connection that another process uses than opened it.
    HandedOver,
    /// A connection whose first data goes with the SYN.
    FastOpen,
    /// A connection that is made and taken through `io_uring`.
    IoUring,
    /// A connection and its listener from before the start.
    Existing,
    /// A listener, from its beginning to its end.
    Listener,
    /// UDP over IPv4, both ends.
    UdpIpv4,
    /// The same over IPv6.
    UdpIpv6,
    /// A raw socket.
    RawSocket,
    /// A packet socket.
    PacketSocket,
}

impl Kind {
    /// All of them, in the order in which they are made and shown.
    pub const ALL: [Self; 13] = [
        Self::TcpIpv4,
        Self::TcpIpv6,
        Self::Refused,
        Self::NotAccepted,
        Self::HandedOver,
        Self::FastOpen,
        Self::IoUring,
        Self::Existing,
        Self::Listener,
        Self::UdpIpv4,
        Self::UdpIpv6,
        Self::RawSocket,
        Self::PacketSocket,
    ];

    /// What a responder calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::TcpIpv4 => "TCP over IPv4",
            Self::TcpIpv6 => "TCP over IPv6",
            Self::Refused => "refused attempt",
            Self::NotAccepted => "not accepted",
            Self::HandedOver => "handed over",
            Self::FastOpen => "TCP Fast Open",
            Self::IoUring => "through io_uring",
            Self::Existing => "open before",
            Self::Listener => "listener",
            Self::UdpIpv4 => "UDP over IPv4",
            Self::UdpIpv6 => "UDP over IPv6",
            Self::RawSocket => "raw socket",
            Self::PacketSocket => "packet socket",
        }
    }

    /// What is spoken.
    pub fn protocol(self) -> Protocol {
        match self {
            Self::UdpIpv4 | Self::UdpIpv6 => Protocol::Udp,
            _ => Protocol::Tcp,
        }
    }

    /// What is on the wire.
    pub fn family(self) -> &'static str {
        match self {
            Self::TcpIpv6 | Self::UdpIpv6 => "ipv6",
            _ => "ipv4",
        }
    }

    /// What its record calls a socket that is not followed.
    pub fn socket_kind(self) -> SocketKind {
        match self {
            Self::PacketSocket => SocketKind::Packet,
            _ => SocketKind::Raw,
        }
    }

    /// The port that it has for itself: all are below those that the kernel gives away (32768 and
    /// above, in a new namespace).
    pub fn port(self) -> u16 {
        20_000 + self as u16
    }
}

/// What became of making a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// A connection was made, or attempted.
    Connection(Made),
    /// A socket was opened.
    Socket {
        /// By which process.
        pid: u32,
        /// Its inode number.
        inode: u64,
    },
    /// It cannot be made here; why.
    Impossible(String),
}

/// A connection as the process that made it knows it. What only some have is zero for the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The process that opened it and had the other end.
    pub pid: u32,
    /// The process that closed the outbound end.
    pub user: u32,
    /// The port of the outbound end; zero where there is none.
    pub from: u16,
    /// Bytes and datagrams to the listener.
    pub there: Moved,
    /// Bytes and datagrams from it.
    pub back: Moved,
}

/// What went one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Payload.
    pub bytes: u64,
    /// Datagrams; zero of TCP.
    pub packets: u64,
}

/// A line of what the peer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// The network namespace is there, by its inode number, and what shall be older than the start.
    Ready(u32, Deed),
    /// There is no network namespace; why.
    NoNamespace(String),
    /// A kind was made.
    Done(Kind, Deed),
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_kind_has_a_port_of_its_own_below_those_that_the_kernel_gives_away() {
        let ports = BTreeSet::from(Kind::ALL.map(Kind::port));
        assert_eq!(ports.len(), Kind::ALL.len());
        assert!(ports.iter().all(|port| (1024..32_768).contains(port)));
    }
}
