//! Connections that stay open: their counters, each time the user half asks.

use core::mem::MaybeUninit;

use tracer_abi::{Connection, Direction, Kind, Protocol, tcp};

use crate::{
    connections,
    emit::report,
    globals::global,
    kernel::{Probed, Sock},
    ring::{milliseconds, now_ns},
};

// `bpf_iter__bpf_map_elem(meta, map, key, value)`: every connection that is remembered, of all network
// namespaces.
iterate!("iter/bpf_map_elem", update_elements, |ctx| {
    let key: *const u64 = ctx.arg(2);
    if !key.is_null() {
        // SAFETY: the kernel hands over a key of the map, a u64.
        update(unsafe { *key });
    }
});

#[inline(always)]
fn update(key: u64) {
    let mut room = MaybeUninit::uninit();
    let connection = connections::unknown(&mut room);
    if !connections::copy(connection, key) || connection.selected == 0 || !is_due(connection) {
        return;
    }
    // Its memory is the socket's for as long as it is remembered, or another's if no hook saw its end.
    let sock = Sock::<Probed>::new(key as *const u8);
    let state = sock.state();
    let detail = sock.detail(state, state);
    let is_its_own =
        connections::is_of(connection, sock) && connections::is_current(connection, key);
    if state != tcp::CLOSE && is_its_own {
        report(Kind::UPDATE, connection, &detail);
    }
}

/// Something was said of it before, and not just now. Flows of datagrams have a map of their own.
#[inline(always)]
fn is_due(connection: &Connection) -> bool {
    let is_waiting = connection.direction == Direction::INBOUND
        && connection.flags & (Connection::ACCEPTED | Connection::OPEN_BEFORE) == 0;
    connection.protocol == Protocol::TCP
        && connection.direction != Direction::LISTENING
        && !is_waiting
        && is_old_enough(connection)
}

/// It has been open for as long as the user half wants it to be.
#[inline(always)]
pub fn is_old_enough(connection: &Connection) -> bool {
    let age_ns = now_ns().saturating_sub(connection.opened_ns);
    age_ns >= milliseconds(global!(SETTINGS.update_ms))
}
