//! What the programs say of themselves: `--kernel-log`.
//!
//! The level is read-only and frozen, so where it is off the verifier removes all of it. Each sentence
//! is a function of its own in the kernel too, for the sake of the stack.

use aya_log_ebpf::{
    debug, error,
    macro_support::{Level, level_enabled},
    warn,
};
use tracer_abi::{Connection, Counted};

/// Something about a connection that is selected is about to be reported.
#[inline(always)]
pub fn reporting(kind: u16, connection: &Connection) {
    if level_enabled(Level::Debug) && connection.selected == 1 {
        let ports = u32::from(connection.local_port) << 16 | u32::from(connection.remote_port);
        say_reporting(kind, connection.owner.tgid, ports);
    }
}

#[inline(never)]
fn say_reporting(kind: u16, tgid: u32, ports: u32) {
    let (local, remote) = (ports >> 16, ports & 0xffff);
    debug!(&(), "kind {} pid {} ports {} {}", kind, tgid, local, remote);
}

/// Something did not go as it should have.
#[inline(always)]
pub fn counted(kind: u16, what: Counted) {
    match what {
        Counted::RingFull if level_enabled(Level::Warn) => say_ring_full(kind),
        Counted::MapFull if level_enabled(Level::Error) => say_map_full(kind),
        _ => {}
    }
}

#[inline(never)]
fn say_ring_full(kind: u16) {
    warn!(&(), "the ring has no room for kind {}", kind);
}

#[inline(never)]
fn say_map_full(kind: u16) {
    error!(&(), "a map has no room for kind {}", kind);
}
