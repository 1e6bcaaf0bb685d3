//! Connections: the state kept per socket in the kernel, and the frames about it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, Header, Identity};

/// What the kernel half remembers of one socket's connection or listener, or of one flow of
/// datagrams. Of a UDP socket itself it is who opened it, and `remote` is the peer of its newest flow.
///
/// `(opened_ns, opened_cpu)` is its identity: one CPU does not begin two of them within a
/// nanosecond.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Connection {
    /// When it began, nanoseconds since boot: the SYN of an outbound connection, the end of the
    /// handshake of an inbound one, `listen` of a listener, the first datagram of a flow.
    pub opened_ns: u64,
    /// The CPU on which it began.
    pub opened_cpu: u16,
    /// What is on the wire: 4 or 6.
    pub family: u8,
    /// One of the constants of [`Direction`].
    pub direction: u8,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Local address; IPv4 in its IPv4-mapped form.
    pub local: Address,
    /// Remote address; IPv4 in its IPv4-mapped form.
    pub remote: Address,
    /// Local port, host byte order.
    pub local_port: u16,
    /// Remote port, host byte order.
    pub remote_port: u16,
    /// How `owner` is known: one of the constants of [`Attribution`].
    pub attribution: u8,
    /// One of the constants of [`Protocol`].
    pub protocol: u8,
    /// 1: the selection matched, so that its records are written up to the last one.
    pub selected: u8,
    /// Bits of [`Connection`]'s `OPEN_BEFORE`, `OWN`, `NO_SYN`, `UNCONFIRMED`, `ESTABLISHED`,
    /// `ACCEPTED`, `SHARED`.
    pub flags: u8,
    /// The last process known to use it.
    pub owner: Identity,
}

impl Connection {
    /// Nothing known yet.
    pub const UNKNOWN: Self = Self {
        opened_ns: 0,
        opened_cpu: 0,
        family: 0,
        direction: Direction::UNKNOWN,
        netns: 0,
        local: Address::UNSPECIFIED,
        remote: Address::UNSPECIFIED,
        local_port: 0,
        remote_port: 0,
        attribution: Attribution::NONE,
        protocol: Protocol::TCP,
        selected: 0,
        flags: 0,
        owner: Identity::NOBODY,
    };

    /// It was open before tracing began, so how it began is unknown.
    pub const OPEN_BEFORE: u8 = 1;
    /// It belongs to conntracer itself: counted, never reported.
    pub const OWN: u8 = 2;
    /// The attempt failed before anything left this host.
    pub const NO_SYN: u8 = 4;
    /// A listener whose `listen` call has not succeeded yet.
    pub const UNCONFIRMED: u8 = 8;
    /// An outbound connection whose handshake is complete.
    pub const ESTABLISHED: u8 = 16;
    /// An inbound connection that a process has taken.
    pub const ACCEPTED: u8 = 32;
    /// Several processes hold a connection that is older than tracing, so none is its owner before it
    /// is seen using it.
    pub const SHARED: u8 = 64;
}

/// What is spoken, as IP numbers it (`include/uapi/linux/in.h`).
pub struct Protocol;

impl Protocol {
    /// `IPPROTO_TCP`
    pub const TCP: u8 = 6;
    /// `IPPROTO_UDP`
    pub const UDP: u8 = 17;
}

/// Who began a connection.
pub struct Direction;

impl Direction {
    /// Not known.
    pub const UNKNOWN: u8 = 0;
    /// This host.
    pub const OUTBOUND: u8 = 1;
    /// The other host.
    pub const INBOUND: u8 = 2;
    /// A listener.
    pub const LISTENING: u8 = 3;
}

/// How the owner of a connection is known.
pub struct Attribution;

impl Attribution {
    /// No owner is known.
    pub const NONE: u8 = 0;
    /// It called `connect`.
    pub const CONNECT: u8 = 1;
    /// It called `accept`.
    pub const ACCEPT: u8 = 2;
    /// It called `listen`.
    pub const LISTEN: u8 = 3;
    /// It closed the socket.
    pub const CLOSE: u8 = 4;
    /// It holds the socket, which is older than tracing.
    pub const EXISTING: u8 = 5;
    /// It sent on it.
    pub const IO: u8 = 6;
    /// It holds the socket that a peer began to talk to.
    pub const LISTENER: u8 = 7;
}

/// What the socket said at the moment of the frame.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Detail {
    /// Payload bytes handed to the network, retransmissions not counted again.
    pub sent_bytes: u64,
    /// Payload bytes received in order.
    pub received_bytes: u64,
    /// Datagrams sent; zero for TCP.
    pub sent_packets: u64,
    /// Datagrams received; zero for TCP.
    pub received_packets: u64,
    /// Smoothed round-trip time, microseconds.
    pub rtt_us: u32,
    /// Retransmitted segments.
    pub retransmits: u32,
    /// Errno of the socket or of the system call; zero: none.
    pub error: u32,
    /// TCP state before the transition, one of the constants of [`tcp`].
    pub old_state: u8,
    /// TCP state after it.
    pub new_state: u8,
    /// Bits of [`sock_flag`].
    pub sock_flags: u16,
}

impl Detail {
    /// Nothing but the states.
    #[must_use]
    pub fn of_states(old_state: u8, new_state: u8) -> Self {
        Self {
            old_state,
            new_state,
            ..Self::default()
        }
    }
}

/// The frame of every [`Kind`](crate::Kind) up to `UPDATE`, of `HOLDER` and of `STATE`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ConnectionFrame {
    /// What, when and where.
    pub header: Header,
    /// The connection as it was known.
    pub connection: Connection,
    /// The socket at that moment.
    pub detail: Detail,
}

/// Bits of [`Detail::sock_flags`].
pub mod sock_flag {
    /// No process holds the socket any more (`SOCK_DEAD`).
    pub const DEAD: u16 = 1;
    /// The peer's FIN arrived (`SOCK_DONE`).
    pub const DONE: u16 = 2;
    /// A flow of datagrams ended because there were none for a while.
    pub const IDLE: u16 = 4;
}

/// TCP states as the kernel numbers them (`include/net/tcp_states.h`, uapi since 2.6).
pub mod tcp {
    /// `TCP_ESTABLISHED`
    pub const ESTABLISHED: u8 = 1;
    /// `TCP_SYN_SENT`
    pub const SYN_SENT: u8 = 2;
    /// `TCP_SYN_RECV`
    pub const SYN_RECV: u8 = 3;
    /// `TCP_FIN_WAIT1`
    pub const FIN_WAIT1: u8 = 4;
    /// `TCP_FIN_WAIT2`
    pub const FIN_WAIT2: u8 = 5;
    /// `TCP_TIME_WAIT`
    pub const TIME_WAIT: u8 = 6;
    /// `TCP_CLOSE`
    pub const CLOSE: u8 = 7;
    /// `TCP_CLOSE_WAIT`
    pub const CLOSE_WAIT: u8 = 8;
    /// `TCP_LAST_ACK`
    pub const LAST_ACK: u8 = 9;
    /// `TCP_LISTEN`
    pub const LISTEN: u8 = 10;
    /// `TCP_CLOSING`
    pub const CLOSING: u8 = 11;
    /// `TCP_NEW_SYN_RECV`: a request, no socket yet.
    pub const NEW_SYN_RECV: u8 = 12;
}
