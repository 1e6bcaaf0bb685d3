//! Other destinations of a connection than the one that its socket has.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, Header};

/// The frame of [`Kind::REQUESTED`](crate::Kind) and [`Kind::TRANSLATED`](crate::Kind).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct DestinationFrame {
    /// What, when and where.
    pub header: Header,
    /// `opened_ns` of the connection.
    pub opened_ns: u64,
    /// `opened_cpu` of the connection.
    pub opened_cpu: u16,
    /// Port, host byte order.
    pub port: u16,
    /// Zero.
    pub reserved: u32,
    /// Address; IPv4 in its IPv4-mapped form.
    pub address: Address,
}
