//! `struct sockaddr`: what a program asked for, in its own memory or the kernel's copy. Its layout is uapi.

use core::marker::PhantomData;

use tracer_abi::{Address, family};

use super::memory::{Memory, Plain};

/// `sin_port` and `sin6_port`
const PORT: usize = 2;
/// `sin_addr`
const IP4: usize = 4;
/// `sin6_addr`
const IP6: usize = 8;

/// A socket address.
#[derive(Clone, Copy)]
pub struct SocketAddress<M: Memory> {
    at: *const u8,
    memory: PhantomData<M>,
}

impl<M: Memory> SocketAddress<M> {
    #[inline(always)]
    pub fn new(at: *const u8) -> Self {
        Self {
            at,
            memory: PhantomData,
        }
    }

    #[inline(always)]
    fn read<T: Plain>(self, offset: usize) -> T {
        M::read(self.at, offset)
    }

    /// Address and port; `None` for `AF_UNSPEC`, which disconnects, and for what is not IP.
    #[inline(always)]
    pub fn ip_and_port(self) -> Option<(Address, u16)> {
        let port = u16::from_be(self.read(PORT));
        match self.read::<u16>(0) {
            family::IPV4 => Some((Address::from_v4(self.read(IP4)), port)),
            family::IPV6 => Some((Address::from_words(self.read(IP6)), port)),
            _ => None,
        }
    }
}

/// Whom a `struct msghdr` names, null where nobody: `msg_name`, its first member in the kernel's form and in
/// the program's.
#[inline(always)]
pub fn message_name<M: Memory>(message: *const u8) -> *const u8 {
    M::read(message, 0)
}
