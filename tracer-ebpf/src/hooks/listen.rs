//! Listeners.
//!
//! The state change to LISTEN comes before the port is known to be free, so a hook behind it
//! confirms the listener.

use core::mem::MaybeUninit;

use aya_ebpf::{
    bindings::BPF_SOCK_OPS_TCP_LISTEN_CB,
    macros::{fexit, sock_ops},
    programs::{FExitContext, SockOpsContext},
};
use tracer_abi::{Attribution, Connection, Direction, Kind, tcp};

use super::connect::of_sock_ops;
use crate::{
    connections,
    emit::report_replaced,
    kernel::{Memory, Probed, Sock, Socket, Task},
    select,
};

// `inet_listen(sock, backlog)`; the third word is what it returns.
twice!(
    #[fexit(function = "inet_listen")]
    listen_fexit and listen_again,
    |ctx: FExitContext| returned(ctx.arg(0), ctx.arg(2))
);

#[inline(always)]
fn returned(socket: *const u8, result: i32) {
    if result == 0 {
        confirm(Sock::<Probed>::new(Socket::new(socket).sk()));
    }
}

/// The lowest rung: `inet_listen` calls the sock_ops programs once the listener is in place.
#[sock_ops]
fn listen_sockops(ctx: SockOpsContext) -> u32 {
    if ctx.op() == BPF_SOCK_OPS_TCP_LISTEN_CB
        && let Some(sock) = of_sock_ops(&ctx)
    {
        confirm(sock);
    }
    1
}

/// A socket enters LISTEN, in process context.
#[inline(always)]
pub fn begin<M: Memory>(sock: Sock<M>) {
    let mut room = MaybeUninit::uninit();
    let listener = connections::unknown(&mut room);
    if connections::copy_of(listener, sock) {
        if listener.flags & Connection::UNCONFIRMED != 0 {
            return;
        }
        connections::miss_end(listener, sock.key());
    }
    connections::begin(listener, sock, Direction::LISTENING);
    connections::own(listener, Task::current(), Attribution::LISTEN);
    listener.flags |= Connection::UNCONFIRMED;
    connections::insert(sock.key(), listener, Kind::LISTEN);
}

/// `listen` succeeded. A second call on the same socket only changes its backlog.
#[inline(always)]
pub fn confirm<M: Memory>(sock: Sock<M>) {
    let mut room = MaybeUninit::uninit();
    let listener = connections::unknown(&mut room);
    let is_known = connections::copy(listener, sock.key());
    if !is_known || listener.flags & Connection::UNCONFIRMED == 0 {
        return;
    }
    listener.flags &= !Connection::UNCONFIRMED;
    // A socket that was not bound has got its port only now.
    sock.endpoints(listener);
    listener.selected = u8::from(select::matches(listener));
    let detail = sock.detail(tcp::CLOSE, tcp::LISTEN);
    report_replaced(Kind::LISTEN, sock.key(), listener, &detail);
}
