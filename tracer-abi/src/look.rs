//! Looks at the connections of this host (ATT&CK T1049).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Header, Identity, Name};

/// A process looks at connections, or does what is done to look at them. Behind the fixed part lie `cwd_len`
/// bytes of components of the path of its working directory, each followed by a zero byte, the last
/// component first.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LookFrame {
    /// What, when and where.
    pub header: Header,
    /// Who looks.
    pub actor: Identity,
    /// At what.
    pub look: Look,
    /// Inode number of the network namespace of who looks.
    pub netns: u32,
    /// Bytes of path components.
    pub cwd_len: u32,
    /// 1: the first components of the path are missing.
    pub cwd_is_truncated: u32,
    /// Zero.
    pub reserved: u32,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Look {
    /// One of the constants of [`Glance`].
    pub glance: u16,
    /// Bits of [`look_flag`].
    pub flags: u16,
    /// Inode number of the network namespace whose connections are listed; zero: not known, or of none.
    pub listed: u32,
    /// Of a dump: the address family that is asked for; zero: any, or not known.
    pub family: u16,
    /// Of a dump: the protocol that is asked for, as IP numbers it; zero: of none.
    pub protocol: u16,
    /// Of a dump: a bit for each TCP state that is asked for.
    pub states: u32,
    /// Of a sweep: of how many processes the descriptors were looked at, at least.
    pub count: u32,
    /// Zero.
    pub reserved: u32,
    /// The name of the file of `/proc`, or of what an iterator goes through; empty: none.
    pub name: Name,
}

impl Look {
    /// Nothing is looked at.
    pub const NONE: Self = Self {
        glance: 0,
        flags: 0,
        listed: 0,
        family: 0,
        protocol: 0,
        states: 0,
        count: 0,
        reserved: 0,
        name: Name::EMPTY,
    };
}

/// Ways to look at connections.
pub struct Glance;

impl Glance {
    /// A dump over `NETLINK_SOCK_DIAG` was begun.
    pub const DIAG_DUMP: u16 = 0;
    /// A socket of `NETLINK_SOCK_DIAG` was opened: what is asked through it may not be seen.
    pub const DIAG_SOCKET: u16 = 1;
    /// A list of `/proc/PID/net` was opened, or read from its beginning.
    pub const PROC_NET: u16 = 2;
    /// The descriptors of many other processes were listed.
    pub const FD_SWEEP: u16 = 3;
    /// A dump of the connections that netfilter tracks was begun, or their list of `/proc` opened.
    pub const CONNTRACK: u16 = 4;
    /// An iterator of BPF over sockets was opened, or read from its beginning.
    pub const ITERATOR: u16 = 5;
    /// A socket was destroyed through `NETLINK_SOCK_DIAG`, or that was asked for.
    pub const DESTROY: u16 = 6;
    /// How many there are.
    pub const COUNT: u16 = 7;
}

/// Bits of [`Look::flags`].
pub mod look_flag {
    /// It was done through `io_uring`.
    pub const IO_URING: u16 = 1;
}
