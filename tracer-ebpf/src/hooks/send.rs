//! Whom a datagram is sent to, where the program names somebody.
//!
//! What the programs of cgroups make of it is told on every rung by a program of the root cgroup, which runs
//! behind those of inner cgroups. What was asked for is told by `security_socket_sendmsg`, which io_uring
//! comes by too, or by the system call (`sys_enter.rs`).

use aya_ebpf::{
    macros::{cgroup_sock_addr, fentry, kprobe},
    programs::{FEntryContext, ProbeContext, SockAddrContext},
};
use tracer_abi::Address;

use crate::{
    kernel::{
        Memory, Probed, Sock, Socket, SocketAddress, destination4, destination6, message_name,
        sock_and_port,
    },
    sending,
};

twice!(
    #[fentry(function = "security_socket_sendmsg")]
    send_fentry and send_again,
    |ctx: FEntryContext| send_in_kernel(ctx.arg(0), ctx.arg(1))
);

#[kprobe]
fn send_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(socket), Some(message)) = (ctx.arg(0), ctx.arg(1)) {
        send_in_kernel(socket, message);
    }
    0
}

/// `security_socket_sendmsg(sock, msg, size)`
#[inline(always)]
fn send_in_kernel(socket: *const u8, message: *const u8) {
    let name = message_name::<Probed>(message);
    if !name.is_null() {
        ask(Socket::new(socket), SocketAddress::<Probed>::new(name));
    }
}

/// A program names whom it sends to.
#[inline(always)]
pub fn ask<M: Memory>(socket: Socket, address: SocketAddress<M>) {
    let sock = Sock::<Probed>::new(socket.sk());
    if sock.is_udp()
        && let Some((asked, port)) = address.ip_and_port()
    {
        sending::ask(sock, asked, port);
    }
}

#[cgroup_sock_addr(sendmsg4)]
fn send_cgroup4(ctx: SockAddrContext) -> i32 {
    direct(&ctx, destination4(&ctx));
    1
}

#[cgroup_sock_addr(sendmsg6)]
fn send_cgroup6(ctx: SockAddrContext) -> i32 {
    direct(&ctx, destination6(&ctx));
    1
}

#[inline(always)]
fn direct(ctx: &SockAddrContext, peer: Address) {
    if let Some((sock, port)) = sock_and_port(ctx) {
        sending::direct(sock, peer, port);
    }
}
