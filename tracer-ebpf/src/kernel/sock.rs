//! `struct sock` and `struct tcp_sock`.

use core::marker::PhantomData;

use tracer_abi::{Address, Connection, Detail, Offsets, Protocol, family, sock_flag, socket_type};

use super::{
    memory::{Memory, Plain, forget_type, probe},
    multipath::MULTIPATH_TCP,
};
use crate::globals::{global, offset};

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

    /// Where it is.
    #[inline(always)]
    pub fn address(self) -> *const u8 {
        self.at
    }

    /// The parent of a multipath connection.
    #[inline(always)]
    pub fn is_multipath(self) -> bool {
        self.is_ip() && self.read::<u16>(offset!(sk_protocol)) == MULTIPATH_TCP
    }

    /// A UDP socket over IPv4 or IPv6.
    #[inline(always)]
    pub fn is_udp(self) -> bool {
        self.is_ip()
            && self.read::<u16>(offset!(sk_protocol)) == u16::from(Protocol::UDP)
            && self.socket_type() == socket_type::DATAGRAM
    }

    /// A process made it, not the kernel for itself.
    #[inline(always)]
    pub fn is_of_user_space(self) -> bool {
        !self.file().is_null()
    }

    /// What the descriptors of it mean; null: it has none.
    #[inline(always)]
    pub fn file(self) -> *const u8 {
        let socket = self.read::<*const u8>(offset!(sk_socket));
        probe(socket, offset!(socket_file))
    }

    /// A TCP socket over IPv4 or IPv6: not SCTP, not DCCP, not the parent of a multipath connection,
    /// and not a raw one that makes its TCP headers itself.
    #[inline(always)]
    pub fn is_tcp(self) -> bool {
        self.is_ip()
            && self.read::<u16>(offset!(sk_protocol)) == u16::from(Protocol::TCP)
            && self.socket_type() == socket_type::STREAM
    }

    #[inline(always)]
    fn is_ip(self) -> bool {
        matches!(self.family(), family::IPV4 | family::IPV6)
    }

    /// Its address family, one of the constants of [`family`] where it matters.
    #[inline(always)]
    pub fn family(self) -> u16 {
        self.read(offset!(sk_family))
    }

    /// One of the constants of [`socket_type`].
    #[inline(always)]
    pub fn socket_type(self) -> u16 {
        self.read(offset!(sk_type))
    }

    /// What is spoken, as a [`tracer_abi::SocketFrame`] tells it.
    #[inline(always)]
    pub fn protocol(self) -> u32 {
        match self.family() {
            family::IPV4 | family::IPV6 => u32::from(self.read::<u16>(offset!(sk_protocol))),
            // Missing where packet sockets are a module.
            family::PACKET if global!(OFFSETS.packet_protocol) != Offsets::MISSING => {
                u32::from(u16::from_be(self.probe(offset!(packet_protocol))))
            }
            _ => 0,
        }
    }

    /// A socket that reaches other hosts, or virtual machines, by what is not followed.
    #[inline(always)]
    pub fn is_unfollowed(self) -> bool {
        match self.family() {
            family::IPV4 | family::IPV6 => !self.is_followed(),
            family::PACKET | family::VSOCK | family::XDP => true,
            _ => false,
        }
    }

    /// Of an IP socket: TCP, the parent of multipath TCP, or UDP.
    #[inline(always)]
    fn is_followed(self) -> bool {
        const TCP: u16 = Protocol::TCP as u16;
        const UDP: u16 = Protocol::UDP as u16;
        matches!(
            (self.socket_type(), self.read(offset!(sk_protocol))),
            (socket_type::STREAM, TCP | MULTIPATH_TCP) | (socket_type::DATAGRAM, UDP)
        )
    }

    #[inline(always)]
    pub fn state(self) -> u8 {
        self.read(offset!(sk_state))
    }

    /// It has a `struct socket`: a process has, or had, a descriptor of it.
    #[inline(always)]
    pub fn has_socket(self) -> bool {
        !self.read::<*const u8>(offset!(sk_socket)).is_null()
    }

    /// No process holds it any more.
    #[inline(always)]
    pub fn is_dead(self) -> bool {
        self.has_flag(global!(OFFSETS.sock_dead))
    }

    #[inline(always)]
    fn has_flag(self, flag: u32) -> bool {
        self.read::<u64>(offset!(sk_flags)) >> flag & 1 == 1
    }

    /// Errno pending on the socket, zero for none.
    #[inline(always)]
    pub fn error(self) -> u32 {
        self.read(offset!(sk_error))
    }

    /// Inode number of its network namespace.
    #[inline(always)]
    pub fn netns(self) -> u32 {
        net_inode(self.read(offset!(sk_net)))
    }

    /// What is spoken, as its family numbers it.
    #[inline(always)]
    pub fn number_of_protocol(self) -> u16 {
        self.read(offset!(sk_protocol))
    }

    /// Port of the other end, zero while there is none.
    #[inline(always)]
    pub fn remote_port(self) -> u16 {
        u16::from_be(self.read(offset!(sk_remote_port)))
    }

    /// Its own port, zero before it has one and once it is closed.
    #[inline(always)]
    pub fn local_port(self) -> u16 {
        self.read(offset!(sk_local_port))
    }

    /// Address of the other end, unspecified while there is none.
    #[inline(always)]
    fn remote(self) -> Address {
        if self.family() == family::IPV4 {
            Address::from_v4(self.read(offset!(sk_remote4)))
        } else {
            Address::from_words(self.read(offset!(sk_remote6)))
        }
    }

    /// Address and port of the other end.
    #[inline(always)]
    pub fn peer(self) -> (Address, u16) {
        (self.remote(), self.remote_port())
    }

    /// Whether its peer is that of a flow.
    #[inline(always)]
    pub fn is_connected_to(self, flow: &Connection) -> bool {
        self.remote_port() == flow.remote_port && self.remote() == flow.remote
    }

    /// Fills in family, addresses, ports and network namespace.
    #[inline(always)]
    pub fn endpoints(self, connection: &mut Connection) {
        connection.protocol = self.protocol() as u8;
        connection.netns = self.netns();
        connection.local_port = self.local_port();
        connection.remote_port = self.remote_port();
        connection.remote = self.remote();
        connection.local = if self.family() == family::IPV4 {
            Address::from_v4(self.read(offset!(sk_local4)))
        } else {
            Address::from_words(self.read(offset!(sk_local6)))
        };
        connection.family = wire_family(connection.local, connection.remote);
    }

    /// The counters and flags of a TCP socket.
    #[inline(always)]
    pub fn detail(self, old_state: u8, new_state: u8) -> Detail {
        let dead = self.is_dead();
        let done = self.has_flag(global!(OFFSETS.sock_done));
        let sent: u64 = self.probe(offset!(tcp_bytes_sent));
        let again: u64 = self.probe(offset!(tcp_bytes_retransmitted));
        let received: u64 = self.probe(offset!(tcp_bytes_received));
        Detail {
            sent_bytes: sent.wrapping_sub(again),
            // The peer's FIN counts as a byte; SOCK_DONE is set exactly when it came.
            received_bytes: received.wrapping_sub(u64::from(done && received > 0)),
            sent_packets: 0,
            received_packets: 0,
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

/// Inode number of a network namespace: `struct net`.
#[inline(always)]
pub fn net_inode(net: *const u8) -> u32 {
    probe::<u32>(net, offset!(net_inode))
}
