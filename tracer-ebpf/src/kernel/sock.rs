//! `struct sock` and `struct tcp_sock`.

use core::marker::PhantomData;

use tracer_abi::{Address, Connection, Detail, sock_flag};

use super::memory::{Memory, Plain, forget_type, probe};
use crate::globals::{global, offset};

pub const AF_INET: u16 = 2;
pub const AF_INET6: u16 = 10;
const IPPROTO_TCP: u16 = 6;

/// A socket. Its address is its key in the maps, from birth to `tcp_destroy_sock`.
#[derive(Clone, Copy)]
pub struct Sock<M: Memory> {
    at: *const u8,
    memory: PhantomData<M>,
}

impl<M: Memory> Sock<M> {
    #[inline(always)]
    pub fn new(at: *const u8) -> Self {
        Self {
            at,
            memory: PhantomData,
        }
    }

    /// The socket that a cgroup or sock_ops program is called for.
    #[inline(always)]
    pub fn of_cgroup_program(at: *const u8) -> Self {
        Self::new(forget_type(at))
    }

    /// What the maps know the socket by.
    #[inline(always)]
    pub fn key(self) -> u64 {
        self.at as u64
    }

    #[inline(always)]
    fn read<T: Plain>(self, offset: usize) -> T {
        M::read(self.at, offset)
    }

    /// Beyond `struct sock`, where a trusted pointer does not reach.
    #[inline(always)]
    fn probe<T: Plain>(self, offset: usize) -> T {
        probe::<T>(self.at, offset)
    }

    /// A TCP socket over IPv4 or IPv6: not SCTP, not DCCP, not the parent of a multipath connection.
    #[inline(always)]
    pub fn is_tcp(self) -> bool {
        let family = self.read::<u16>(offset!(sk_family));
        (family == AF_INET || family == AF_INET6)
            && self.read::<u16>(offset!(sk_protocol)) == IPPROTO_TCP
    }

    #[inline(always)]
    pub fn state(self) -> u8 {
        self.read(offset!(sk_state))
    }

    /// Errno pending on the socket, zero for none.
    #[inline(always)]
    pub fn error(self) -> u32 {
        self.read(offset!(sk_error))
    }

    /// Inode number of its network namespace.
    #[inline(always)]
    pub fn netns(self) -> u32 {
        let net = self.read::<*const u8>(offset!(sk_net));
        probe::<u32>(net, offset!(net_inode))
    }

    /// Fills in family, addresses, ports and network namespace.
    #[inline(always)]
    pub fn endpoints(self, connection: &mut Connection) {
        connection.netns = self.netns();
        connection.local_port = self.read(offset!(sk_local_port));
        connection.remote_port = u16::from_be(self.read(offset!(sk_remote_port)));
        if self.read::<u16>(offset!(sk_family)) == AF_INET {
            connection.local = Address::from_v4(self.read(offset!(sk_local4)));
            connection.remote = Address::from_v4(self.read(offset!(sk_remote4)));
        } else {
            connection.local = Address::from_words(self.read(offset!(sk_local6)));
            connection.remote = Address::from_words(self.read(offset!(sk_remote6)));
        }
        connection.family = wire_family(connection.local, connection.remote);
    }

    /// The counters and flags of a TCP socket.
    #[inline(always)]
    pub fn detail(self, old_state: u8, new_state: u8) -> Detail {
        let flags: u64 = self.read(offset!(sk_flags));
        let dead = flags >> global!(OFFSETS.sock_dead) & 1 == 1;
        let done = flags >> global!(OFFSETS.sock_done) & 1 == 1;
        let sent: u64 = self.probe(offset!(tcp_bytes_sent));
        let again: u64 = self.probe(offset!(tcp_bytes_retransmitted));
        let received: u64 = self.probe(offset!(tcp_bytes_received));
        Detail {
            sent_bytes: sent.wrapping_sub(again),
            // The peer's FIN counts as a byte; SOCK_DONE is set exactly when it came.
            received_bytes: received.wrapping_sub(u64::from(done && received > 0)),
            // The kernel keeps eight times the smoothed round-trip time.
            rtt_us: self.probe::<u32>(offset!(tcp_srtt)) >> 3,
            retransmits: self.probe(offset!(tcp_retransmits)),
            error: self.error(),
            old_state,
            new_state,
            sock_flags: if dead { sock_flag::DEAD } else { 0 }
                | if done { sock_flag::DONE } else { 0 },
        }
    }
}

/// 4 where the addresses are IPv4 (also on an IPv6 socket), else 6.
#[inline(always)]
pub fn wire_family(local: Address, remote: Address) -> u8 {
    if remote.is_mapped_v4() || (remote.is_unspecified() && local.is_mapped_v4()) {
        4
    } else {
        6
    }
}
