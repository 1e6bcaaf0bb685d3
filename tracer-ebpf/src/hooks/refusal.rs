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
    asked, attempts,
    kernel::{
        Memory, Probed, Sock, Socket, SocketAddress, destination4, destination6, sock_and_port,
    },
};

twice!(
    #[fentry(function = "security_socket_connect")]
    secure_fentry and secure_again,
    |ctx: FEntryContext| begin_in_kernel(ctx.arg(0), ctx.arg(1), attempts::begin)
);

// `security_socket_connect(sock, address, addrlen)`; the fourth word is what it returns.
twice!(
    #[fexit(function = "security_socket_connect")]
    secure_fexit and secure_x_again,
    |ctx: FExitContext| {
        let result: i32 = ctx.arg(3);
        if is_refused(result) {
            end(ctx.arg(0), result);
        }
    }
);

#[kprobe]
fn secure_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(socket), Some(address)) = (ctx.arg(0), ctx.arg(1)) {
        begin_in_kernel(socket, address, attempts::begin_call);
    }
    0
}

#[kretprobe]
fn secure_kretprob(ctx: RetProbeContext) -> u32 {
    let result: i32 = ctx.ret();
    if is_refused(result) {
        attempts::end_call(i64::from(result));
    }
    0
}

twice!(
    #[fentry(function = "__inet_stream_connect")]
    attempt_fentry and attempt_again,
    |ctx: FEntryContext| begin_in_kernel(ctx.arg(0), ctx.arg(1), attempts::begin)
);

// `__inet_stream_connect(sock, uaddr, addr_len, flags, is_sendmsg)`; the sixth word is what it
// returns.
twice!(
    #[fexit(function = "__inet_stream_connect")]
    attempt_fexit and attempt_x_again,
    |ctx: FExitContext| end(ctx.arg(0), ctx.arg(5))
);

#[kprobe]
fn attempt_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(socket), Some(address)) = (ctx.arg(0), ctx.arg(1)) {
        begin_in_kernel(socket, address, attempts::begin_call);
    }
    0
}

#[kretprobe]
fn attempt_kretpro(ctx: RetProbeContext) -> u32 {
    attempts::end_call(i64::from(ctx.ret::<i32>()));
    0
}

/// The lowest rung: the programs of the cgroup run before the route is looked up. Always allows.
#[cgroup_sock_addr(connect4)]
fn attempt_cgroup4(ctx: SockAddrContext) -> i32 {
    begin_in_cgroup(&ctx, destination4(&ctx));
    1
}

#[cgroup_sock_addr(connect6)]
fn attempt_cgroup6(ctx: SockAddrContext) -> i32 {
    begin_in_cgroup(&ctx, destination6(&ctx));
    1
}

#[inline(always)]
fn begin_in_cgroup(ctx: &SockAddrContext, address: Address) {
    if let Some((sock, port)) = sock_and_port(ctx)
        && sock.is_tcp()
    {
        attempts::begin_rewritten_call(sock, address, port);
    }
}

/// [`begin`] of a call that has come as far as into the kernel's own functions.
#[inline(always)]
fn begin_in_kernel(
    socket: *const u8,
    address: *const u8,
    note: impl Fn(Sock<Probed>, Address, u16),
) {
    let address = SocketAddress::<Probed>::new(address);
    begin(Socket::new(socket), address, note);
}

/// A call begins that may lead to a SYN: not one that asks after an earlier one. `note`: how that is
/// remembered.
#[inline(always)]
pub fn begin<M: Memory>(
    socket: Socket,
    address: SocketAddress<M>,
    note: impl Fn(Sock<Probed>, Address, u16),
) {
    let sock = Sock::<Probed>::new(socket.sk());
    if sock.is_udp() {
        if let Some((remote, port)) = address.ip_and_port() {
            asked::note(sock, remote, port);
        }
        return;
    }
    // Of Multipath TCP there is only the parent yet.
    if (sock.is_tcp() || sock.is_multipath())
        && socket.is_unconnected()
        && sock.state() == tcp::CLOSE
        && let Some((remote, port)) = address.ip_and_port()
    {
        note(sock, remote, port);
    }
}

/// The call on a socket ends.
#[inline(always)]
fn end(socket: *const u8, result: i32) {
    let sk = Socket::new(socket).sk();
    attempts::end(Sock::<Probed>::new(sk).key(), i64::from(result));
}

/// A security module refused.
#[inline(always)]
fn is_refused(result: i32) -> bool {
    result != 0
}
