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
    /// A process executed a program.
    pub const EXEC: u16 = 7;
    /// A process was forked.
    pub const FORK: u16 = 8;
    /// A process ended.
    pub const EXIT: u16 = 9;
    /// A cgroup was made.
    pub const CGROUP: u16 = 10;
    /// How many kinds there are.
    pub const COUNT: u16 = 11;
}
