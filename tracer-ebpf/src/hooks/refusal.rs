//! Connect calls that fail before anything leaves this host.
//!
//! `security_socket_connect` is where security modules refuse; `__inet_stream_connect` is the rest
//! of the way to the SYN, for connect, io_uring, Fast Open's sendmsg and the kernel's own sockets.

use aya_ebpf::{
    macros::{cgroup_sock_addr, fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext, SockAddrContext},
};
use tracer_abi::{Address, tcp};

use crate::{
    attempts,
    kernel::{Probed, Sock, Socket, SocketAddress},
};

twice!(
    #[fentry(function = "security_socket_connect")]
    secure_fentry and secure_again,
    |ctx: FEntryContext| begin(ctx.arg(0), ctx.arg(1))
);

// `security_socket_connect(sock, address, addrlen)`; the fourth word is what it returns.
twice!(
    #[fexit(function = "security_socket_connect")]
    secure_fexit and secure_x_again,
    |ctx: FExitContext| end_if_refused(ctx.arg::<i32>(3))
);

#[kprobe]
fn secure_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(socket), Some(address)) = (ctx.arg(0), ctx.arg(1)) {
        begin(socket, address);
    }
    0
}

#[kretprobe]
fn secure_kretprob(ctx: RetProbeContext) -> u32 {
    end_if_refused(ctx.ret::<i32>());
    0
}

twice!(
    #[fentry(function = "__inet_stream_connect")]
    attempt_fentry and attempt_again,
    |ctx: FEntryContext| begin(ctx.arg(0), ctx.arg(1))
);

// `__inet_stream_connect(sock, uaddr, addr_len, flags, is_sendmsg)`; the sixth word is what it
// returns.
twice!(
    #[fexit(function = "__inet_stream_connect")]
    attempt_fexit and attempt_x_again,
    |ctx: FExitContext| attempts::end(i64::from(ctx.arg::<i32>(5)))
);

#[kprobe]
fn attempt_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(socket), Some(address)) = (ctx.arg(0), ctx.arg(1)) {
        begin(socket, address);
    }
    0
}

#[kretprobe]
fn attempt_kretpro(ctx: RetProbeContext) -> u32 {
    attempts::end(i64::from(ctx.ret::<i32>()));
    0
}

/// The lowest rung: the programs of the cgroup run before the route is looked up. Always allows.
#[cgroup_sock_addr(connect4)]
fn attempt_cgroup4(ctx: SockAddrContext) -> i32 {
    // SAFETY: the verifier turns the accesses into loads from the kernel's copy of the address.
    let address = unsafe { Address::from_v4((*ctx.sock_addr).user_ip4) };
    begin_in_cgroup(&ctx, address);
    1
}

#[cgroup_sock_addr(connect6)]
fn attempt_cgroup6(ctx: SockAddrContext) -> i32 {
    // SAFETY: the verifier turns the accesses into loads from the kernel's copy of the address.
    let address = unsafe {
        let words = &raw const (*ctx.sock_addr).user_ip6;
        let at = |i| words.cast::<u32>().add(i).read_volatile();
        Address::from_halves([at(0), at(1), at(2), at(3)])
    };
    begin_in_cgroup(&ctx, address);
    1
}

#[inline(always)]
fn begin_in_cgroup(ctx: &SockAddrContext, address: Address) {
    // SAFETY: the verifier turns the accesses into loads.
    let (sk, port) = unsafe {
        (
            (*ctx.sock_addr).__bindgen_anon_1.sk,
            (*ctx.sock_addr).user_port,
        )
    };
    if sk.is_null() {
        return;
    }
    let sock = Sock::<Probed>::of_cgroup_program(sk as *const u8);
    if sock.is_tcp() {
        attempts::begin(sock, address, u16::from_be(port as u16));
    }
}

/// A call begins that may lead to a SYN: not one that asks after an earlier one.
#[inline(always)]
fn begin(socket: *const u8, address: *const u8) {
    let socket = Socket::new(socket);
    let sock = Sock::<Probed>::new(socket.sk());
    if sock.is_tcp()
        && socket.is_unconnected()
        && sock.state() == tcp::CLOSE
        && let Some((remote, port)) = SocketAddress::new(address).ip_and_port()
    {
        attempts::begin(sock, remote, port);
    }
}

/// A security module refused.
#[inline(always)]
fn end_if_refused(result: i32) {
    if result != 0 {
        attempts::end(i64::from(result));
    }
}
