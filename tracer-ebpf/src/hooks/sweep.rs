//! What is remembered, looked at from time to time: connections and flows of datagrams that are over
//! without having said so, and flows that go on.

use core::mem::MaybeUninit;

use tracer_abi::{Connection, Protocol, sock_flag, tcp};

use super::{connect::is_attempt, update::is_old_enough};
use crate::{
    connections,
    flows::{self, FlowKey},
    globals::global,
    kernel::{Probed, Sock},
    ring::milliseconds,
};

// `bpf_iter__bpf_map_elem(meta, map, key, value)`: connections that ended without a hook that ran.
iterate!("iter/bpf_map_elem", sweep_ends, |ctx| {
    let key: *const u64 = ctx.arg(2);
    if !key.is_null() {
        // SAFETY: the kernel hands over a key of the map, a u64.
        sweep_end(unsafe { *key });
    }
});

/// Forgets a connection whose socket has ended. Its end is reported before that can be seen of the
/// socket, so what is remembered nevertheless is what no hook saw.
#[inline(always)]
fn sweep_end(key: u64) {
    let mut room = MaybeUninit::uninit();
    let connection = connections::unknown(&mut room);
    if !connections::copy(connection, key) || !ends_with_its_socket(connection) {
        return;
    }
    let sock = Sock::<Probed>::new(key as *const u8);
    let is_over = sock.state() == tcp::CLOSE || !connections::is_of(connection, sock);
    if is_over && connections::is_current(connection, key) {
        connections::miss_end(connection, key);
    }
}

/// Not an attempt, which the end of its call may still have to report; not a listener that is about to
/// be one.
#[inline(always)]
fn ends_with_its_socket(connection: &Connection) -> bool {
    connection.protocol == Protocol::TCP
        && connection.flags & Connection::UNCONFIRMED == 0
        && !is_attempt(connection)
}

// `bpf_iter__bpf_map_elem(meta, map, key, value)`: flows whose socket is gone, or in which nothing has
// moved for a while.
iterate!("iter/bpf_map_elem", sweep_flows, |ctx| {
    let key: *const FlowKey = ctx.arg(2);
    if !key.is_null() {
        // SAFETY: the kernel hands over a key of the map.
        sweep(unsafe { *key });
    }
});

// The same: flows that go on.
iterate!("iter/bpf_map_elem", update_flows, |ctx| {
    let key: *const FlowKey = ctx.arg(2);
    if !key.is_null() {
        // SAFETY: the kernel hands over a key of the map. It is copied, because a map takes it from the
        // stack only.
        let key = unsafe { *key };
        flows::update(&key, is_old_enough);
    }
});

#[inline(always)]
fn sweep(key: FlowKey) {
    let is_there = connections::opened_ns(key.sk) == key.born_ns;
    let idle_ns = flows::idle_ns(&key);
    let sock_flags = if is_there { sock_flag::IDLE } else { 0 };
    let is_over = !is_there || idle_ns > milliseconds(global!(SETTINGS.idle_ms));
    if is_over && !flows::end(&key, sock_flags, None) {
        flows::forget(&key);
    }
}
