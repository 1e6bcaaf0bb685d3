//! TCP state changes: tp_btf `inet_sock_set_state(sk, old, new)`.
//!
//! Fires in softirqs too, where the running task is a stranger, on loopback the peer: the owner
//! comes from what was remembered, never from here. Only entering LISTEN is always in process
//! context.

use core::mem::MaybeUninit;

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use tracer_abi::{Connection, Direction, Kind, tcp};

use super::listen;
use crate::{
    attempts, connections,
    emit::report_replaced,
    kernel::{Memory, Sock, Trusted},
    select, states,
};

#[btf_tracepoint(function = "inet_sock_set_state")]
fn state_tp_btf(ctx: BtfTracePointContext) -> i32 {
    changed(&ctx, Turn::First);
    0
}

/// As the programs that [`twice!`] makes, but for one thing: of a connection that is not known it
/// cannot tell whether the first program has just dealt with it.
#[btf_tracepoint(function = "inet_sock_set_state")]
fn state_again(ctx: BtfTracePointContext) -> i32 {
    changed(&ctx, Turn::Second);
    0
}

/// Which of the two programs runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    First,
    Second,
}

#[inline(always)]
fn changed(ctx: &BtfTracePointContext, turn: Turn) {
    let (old, new): (i32, i32) = (ctx.arg(1), ctx.arg(2));
    change(Sock::<Trusted>::new(ctx.arg(0)), old as u8, new as u8, turn);
}

#[inline(always)]
fn change<M: Memory>(sock: Sock<M>, old: u8, new: u8, turn: Turn) {
    match new {
        tcp::ESTABLISHED | tcp::LISTEN | tcp::CLOSE if sock.is_tcp() => {}
        _ if states::are_asked_for() && sock.is_tcp() => {}
        _ => return,
    }
    match new {
        tcp::ESTABLISHED => establish(sock, old),
        tcp::LISTEN => listen::begin(sock),
        tcp::CLOSE => end(sock, old, turn),
        // Nothing is known of it yet; the connect hook reports that.
        tcp::SYN_SENT => {}
        _ => pass(sock, old, new),
    }
}

/// Something that is only reported if every state change is.
#[inline(always)]
fn pass<M: Memory>(sock: Sock<M>, old: u8, new: u8) {
    let mut room = MaybeUninit::uninit();
    let connection = connections::unknown(&mut room);
    if connections::copy_of(connection, sock) {
        states::enter(sock, connection, old, new);
    }
}

/// The handshake is complete.
#[inline(always)]
fn establish<M: Memory>(sock: Sock<M>, old: u8) {
    let mut room = MaybeUninit::uninit();
    let connection = connections::unknown(&mut room);
    if connections::copy_of(connection, sock) {
        states::enter(sock, connection, old, tcp::ESTABLISHED);
        // An inbound one is known already only with Fast Open, where a process took it before the
        // handshake was complete.
        let is_news = connection.flags & Connection::ESTABLISHED == 0;
        if connection.direction == Direction::OUTBOUND && is_news {
            connection.flags |= Connection::ESTABLISHED;
            let detail = sock.detail(old, tcp::ESTABLISHED);
            report_replaced(Kind::ESTABLISHED, sock.key(), connection, &detail);
        }
    } else if old == tcp::SYN_SENT {
        // A SYN that was sent before tracing began.
        connections::begin(connection, sock, Direction::OUTBOUND);
        connection.flags |= Connection::OPEN_BEFORE | Connection::ESTABLISHED;
        states::enter(sock, connection, old, tcp::ESTABLISHED);
        connections::insert(sock.key(), connection, Kind::ESTABLISHED);
    } else {
        // Nothing but its states is reported until a process takes it, or it ends.
        connections::begin(connection, sock, Direction::INBOUND);
        states::enter(sock, connection, old, tcp::ESTABLISHED);
        // It is in the queue already, so that a process may have taken it just now.
        let is_news = connections::insert_new(sock.key(), connection, Kind::ACCEPT);
        if is_news && let Some(first) = sock.first_path() {
            join(sock, connection, first.key());
        }
    }
}

/// Another path joins a multipath connection: its owner has it, if that has been taken.
#[inline(always)]
fn join<M: Memory>(sock: Sock<M>, connection: &mut Connection, first: u64) {
    if connections::share_owner(connection, first) {
        connection.flags |= Connection::ACCEPTED;
        connection.selected = u8::from(select::matches(connection));
        let detail = sock.detail(tcp::ESTABLISHED, tcp::ESTABLISHED);
        report_replaced(Kind::ACCEPT, sock.key(), connection, &detail);
    }
}

/// The socket enters CLOSE.
#[inline(always)]
fn end<M: Memory>(sock: Sock<M>, old: u8, turn: Turn) {
    states::forget(sock.key());
    if old == tcp::CLOSE
        || (old == tcp::SYN_SENT && sock.error() == 0 && attempts::leave_to_end(sock.key()))
    {
        return;
    }
    let mut room = MaybeUninit::uninit();
    let connection = connections::unknown(&mut room);
    if !connections::take_of(connection, sock) {
        if turn == Turn::Second {
            return;
        }
        let direction = match old {
            // No SYN left; the end of the connect call reports it. Or: a half-open inbound attempt.
            tcp::SYN_SENT | tcp::SYN_RECV => return,
            tcp::LISTEN => Direction::LISTENING,
            _ => Direction::UNKNOWN,
        };
        connections::begin(connection, sock, direction);
        connection.flags |= Connection::OPEN_BEFORE;
    }
    if connection.direction == Direction::INBOUND
        && connection.flags & Connection::ACCEPTED == 0
        && let Some(first) = sock.first_path()
    {
        // Nobody accepts another path: it is taken with the first.
        connections::share_owner(connection, first.key());
        connection.flags |= Connection::ACCEPTED;
    }
    if connection.selected == 0 {
        connection.selected = u8::from(select::matches(connection));
    }
    if connection.flags & Connection::UNCONFIRMED == 0 {
        let kind = kind_of_end(connection, old);
        states::report_end(kind, connection, &sock.detail(old, tcp::CLOSE));
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
