//! What every frame in the ring begins with.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The first bytes of every frame.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Header {
    /// When it happened: nanoseconds since boot, suspended time included (`CLOCK_BOOTTIME`).
    pub time_ns: u64,
    /// One of the constants of [`Kind`].
    pub kind: u16,
    /// The CPU that wrote the frame.
    pub cpu: u16,
    /// How many bytes of the frame carry data, this header included. What lies behind them in the
    /// ring is left over from earlier frames.
    pub len: u32,
}

/// What a frame reports; also the index of the cell of counters that counts it.
pub struct Kind;

impl Kind {
    /// An outbound attempt leaves this host.
    pub const CONNECT: u16 = 0;
    /// The outbound attempt succeeded.
    pub const ESTABLISHED: u16 = 1;
    /// The outbound attempt ended without a connection.
    pub const FAILED: u16 = 2;
    /// A process took an inbound connection.
    pub const ACCEPT: u16 = 3;
    /// A connection is over.
    pub const CLOSE: u16 = 4;
    /// A socket began to listen.
    pub const LISTEN: u16 = 5;
    /// A socket stopped listening.
    pub const UNLISTEN: u16 = 6;
    /// A connection or listener that is older than tracing.
    pub const EXISTING: u16 = 7;
    /// A connection is still open.
    pub const UPDATE: u16 = 8;
    /// A process executed a program.
    pub const EXEC: u16 = 9;
    /// A process was forked.
    pub const FORK: u16 = 10;
    /// A process ended.
    pub const EXIT: u16 = 11;
    /// A cgroup was made.
    pub const CGROUP: u16 = 12;
    /// A process holds a connection or listener that is older than tracing.
    pub const HOLDER: u16 = 13;
    /// An answer of DNS came.
    pub const ANSWER: u16 = 14;
    /// A process opened a socket of a kind that is not followed.
    pub const SOCKET: u16 = 15;
    /// A connection goes from one TCP state to another; only where that is asked for.
    pub const STATE: u16 = 16;
    /// What the program asked to be connected with, where that is not what it got. Before the `CONNECT`.
    pub const REQUESTED: u16 = 17;
    /// Where the SYN of an attempt went, where that is not what the socket says. After the `CONNECT`.
    pub const TRANSLATED: u16 = 18;
    /// A process looks at the connections of this host; only where that is asked for.
    pub const LOOK: u16 = 19;
    /// How many kinds there are.
    pub const COUNT: u16 = 20;
}
