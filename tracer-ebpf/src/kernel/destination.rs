//! The destination that a program of a cgroup is called for: `struct bpf_sock_addr`, as the programs before
//! it left it.

use aya_ebpf::programs::SockAddrContext;
use tracer_abi::Address;

use super::{Probed, Sock};

/// Its IPv4 address.
#[inline(always)]
pub fn destination4(ctx: &SockAddrContext) -> Address {
    // SAFETY: the verifier turns the access into a load from the kernel's copy of the address.
    unsafe { Address::from_v4((*ctx.sock_addr).user_ip4) }
}

/// Its IPv6 address.
#[inline(always)]
pub fn destination6(ctx: &SockAddrContext) -> Address {
    // SAFETY: as above, a word at a time.
    unsafe {
        let words = &raw const (*ctx.sock_addr).user_ip6;
        let at = |i| words.cast::<u32>().add(i).read_volatile();
        Address::from_halves([at(0), at(1), at(2), at(3)])
    }
}

/// The socket, and the destination's port.
#[inline(always)]
pub fn sock_and_port(ctx: &SockAddrContext) -> Option<(Sock<Probed>, u16)> {
    // SAFETY: the verifier turns the accesses into loads.
    let (sk, port) = unsafe {
        (
            (*ctx.sock_addr).__bindgen_anon_1.sk,
            (*ctx.sock_addr).user_port,
        )
    };
    let sock = Sock::of_cgroup_program(sk as *const u8);
    (!sk.is_null()).then_some((sock, u16::from_be(port as u16)))
}
