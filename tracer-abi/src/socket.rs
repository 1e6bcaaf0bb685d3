//! Sockets of kinds that are not followed: what is known of them is that they were opened.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Header, Identity};

/// A process opened a socket of a kind that is not followed.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SocketFrame {
    /// What, when and where.
    pub header: Header,
    /// Who opened it.
    pub owner: Identity,
    /// Inode number of the socket, as `/proc/PID/fd` shows it.
    pub inode: u64,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// What is spoken: of a packet socket the ethertype in host byte order, else the number IP has
    /// for it, which is zero where none was asked for.
    pub protocol: u32,
    /// One of the constants of [`family`].
    pub family: u16,
    /// One of the constants of [`socket_type`].
    pub socket_type: u16,
    /// Zero.
    pub reserved: u32,
}

/// Address families (`include/linux/socket.h`, uapi in all but name).
pub mod family {
    /// `AF_INET`
    pub const IPV4: u16 = 2;
    /// `AF_INET6`
    pub const IPV6: u16 = 10;
    /// `AF_PACKET`
    pub const PACKET: u16 = 17;
    /// `AF_VSOCK`
    pub const VSOCK: u16 = 40;
    /// `AF_XDP`
    pub const XDP: u16 = 44;
}

/// Types of sockets (`include/linux/net.h`; those of x86).
pub mod socket_type {
    /// `SOCK_STREAM`
    pub const STREAM: u16 = 1;
    /// `SOCK_DGRAM`
    pub const DATAGRAM: u16 = 2;
    /// `SOCK_RAW`
    pub const RAW: u16 = 3;
    /// `SOCK_SEQPACKET`
    pub const SEQPACKET: u16 = 5;
}
