//! `struct sockaddr`: what a program asked for, in the kernel's copy. Its layout is uapi.

use tracer_abi::Address;

use super::{
    memory::{Plain, probe},
    sock::{AF_INET, AF_INET6},
};

/// `sin_port` and `sin6_port`
const PORT: usize = 2;
/// `sin_addr`
const IP4: usize = 4;
/// `sin6_addr`
const IP6: usize = 8;

/// A socket address in kernel memory.
#[derive(Clone, Copy)]
pub struct SocketAddress {
    at: *const u8,
}

impl SocketAddress {
    #[inline(always)]
    pub fn new(at: *const u8) -> Self {
        Self { at }
    }

    #[inline(always)]
    fn read<T: Plain>(self, offset: usize) -> T {
        probe::<T>(self.at, offset)
    }

    /// Address and port; `None` for `AF_UNSPEC`, which disconnects, and for what is not IP.
    #[inline(always)]
    pub fn ip_and_port(self) -> Option<(Address, u16)> {
        let port = u16::from_be(self.read(PORT));
        match self.read::<u16>(0) {
            AF_INET => Some((Address::from_v4(self.read(IP4)), port)),
            AF_INET6 => Some((Address::from_words(self.read(IP6)), port)),
            _ => None,
        }
    }
}
