//! TCP state changes: tp_btf `inet_sock_set_state(sk, old, new)`.
//!
//! Fires in softirqs too, where the running task is a stranger, on loopback the peer: the owner
//! comes from what was remembered, never from here. Only entering LISTEN is always in process
//! context.

use core::mem::MaybeUninit;

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use tracer_abi::{Connection, Direction, Kind, Nested, tcp};

use super::listen;
use crate::{
    attempts, connections,
    emit::report,
    kernel::{Memory, Sock, Trusted, forget_type},
    nesting, select,
};

#[btf_tracepoint(function = "inet_sock_set_state")]
fn state_tp_btf(ctx: BtfTracePointContext) -> i32 {
    nesting::leave_trace(Nested::STATE, call(&ctx));
    changed(&ctx);
    0
}

/// The same change in place of the program above, where that was skipped.
#[btf_tracepoint(function = "inet_sock_set_state")]
fn state_nested(ctx: BtfTracePointContext) -> i32 {
    if nesting::was_skipped(Nested::STATE, call(&ctx)) {
        changed(&ctx);
    }
    0
}

/// Tells this change from any other that can be under way on the CPU.
#[inline(always)]
fn call(ctx: &BtfTracePointContext) -> u64 {
    let (sk, old, new): (*const u8, u64, u64) = (ctx.arg(0), ctx.arg(1), ctx.arg(2));
    // Addresses of the kernel begin with ones, so that no change looks like an empty place.
    forget_type(sk) as u64 ^ old << 56 ^ new << 48
}

#[inline(always)]
fn changed(ctx: &BtfTracePointContext) {
    let (old, new): (i32, i32) = (ctx.arg(1), ctx.arg(2));
    change(Sock::<Trusted>::new(ctx.arg(0)), old as u8, new as u8);
}

#[inline(always)]
fn change<M: Memory>(sock: Sock<M>, old: u8, new: u8) {
    match new {
        tcp::ESTABLISHED | tcp::LISTEN | tcp::CLOSE if sock.is_tcp() => {}
        _ => return,
    }
    match new {
        tcp::ESTABLISHED => establish(sock, old),
        tcp::LISTEN => listen::begin(sock),
        _ => end(sock, old),
    }
}

/// The handshake is complete.
#[inline(always)]
fn establish<M: Memory>(sock: Sock<M>, old: u8) {
    let mut room = MaybeUninit::uninit();
    let connection = connections::unknown(&mut room);
    if connections::copy(connection, sock.key()) {
        // An inbound one is known already only with Fast Open, where a process took it before the
        // handshake was complete.
        if connection.direction == Direction::OUTBOUND {
            let detail = sock.detail(old, tcp::ESTABLISHED);
            report(Kind::ESTABLISHED, connection, &detail);
        }
    } else if old == tcp::SYN_SENT {
        // A SYN that was sent before tracing began.
        connections::begin(connection, sock, Direction::OUTBOUND);
        connection.flags |= Connection::OPEN_BEFORE;
        connections::insert(sock.key(), connection, Kind::ESTABLISHED);
    } else {
        // Nothing is reported until a process takes it, or it ends.
        connections::begin(connection, sock, Direction::INBOUND);
        connections::insert(sock.key(), connection, Kind::ACCEPT);
    }
}

/// The socket enters CLOSE.
#[inline(always)]
fn end<M: Memory>(sock: Sock<M>, old: u8) {
    if old == tcp::CLOSE
        || (old == tcp::SYN_SENT && sock.error() == 0 && attempts::leave_to_end(sock.key()))
    {
        return;
    }
    let mut room = MaybeUninit::uninit();
    let connection = connections::unknown(&mut room);
    if !connections::take(connection, sock.key()) {
        let direction = match old {
            // No SYN left; the end of the connect call reports it. Or: a half-open inbound attempt.
            tcp::SYN_SENT | tcp::SYN_RECV => return,
            tcp::LISTEN => Direction::LISTENING,
            _ => Direction::UNKNOWN,
        };
        connections::begin(connection, sock, direction);
        connection.flags |= Connection::OPEN_BEFORE;
    }
    if connection.selected == 0 {
        connection.selected = u8::from(select::matches(connection));
    }
    if connection.flags & Connection::UNCONFIRMED == 0 {
        let kind = kind_of_end(connection, old);
        report(kind, connection, &sock.detail(old, tcp::CLOSE));
    }
}

/// What kind of end it is.
#[inline(always)]
pub fn kind_of_end(connection: &Connection, old: u8) -> u16 {
    match (connection.direction, old) {
        (Direction::LISTENING, _) => Kind::UNLISTEN,
        // SYN_RECV: a simultaneous open that did not come to anything.
        (Direction::OUTBOUND, tcp::SYN_SENT | tcp::SYN_RECV) => Kind::FAILED,
        _ => Kind::CLOSE,
    }
}
