//! What UDP sockets were asked to be connected with, before programs of a cgroup make another destination
//! of it. Of TCP that is part of an attempt ([`crate::attempts`]), which ends; a UDP socket has its peer from
//! then on, and tells of it when a flow begins.

use aya_ebpf::{bindings::BPF_ANY, macros::map, maps::LruHashMap};
use tracer_abi::{Address, Connection};

use crate::{
    emit::report_requested,
    kernel::{Memory, Sock},
};

/// An address and a port.
#[derive(Clone, Copy)]
#[repr(C)]
struct Asked {
    remote: Address,
    remote_port: u16,
    reserved: [u16; 3],
}

/// Address of the UDP socket → what it was last asked to be connected with. Inserted when connect is called,
/// removed when the socket is released. LRU: of more sockets it is not known any more.
#[map]
static ASKED: LruHashMap<u64, Asked> = LruHashMap::with_max_entries(16_384, 0);

/// connect is called for the socket.
#[inline(always)]
pub fn note<M: Memory>(sock: Sock<M>, remote: Address, remote_port: u16) {
    let asked = Asked {
        remote,
        remote_port,
        reserved: [0; 3],
    };
    // An LRU map makes room rather than fail.
    let _ = ASKED.insert(sock.key(), asked, u64::from(BPF_ANY));
}

/// The socket is released.
#[inline(always)]
pub fn forget(key: u64) {
    // Most have never been connected.
    let _ = ASKED.remove(key);
}

/// Reports what was asked for, of a flow to the peer that its socket is connected to.
#[inline(always)]
pub fn tell<M: Memory>(sock: Sock<M>, flow: &Connection) {
    let Some(place) = ASKED.get_ptr(sock.key()) else {
        return;
    };
    // SAFETY: the map's value is an Asked, of plain integers. Not a copy: where a flow begins there is no
    // room on the stack for it.
    let asked = unsafe { &*place };
    if sock.is_connected_to(flow) {
        report_requested(flow, asked.remote, asked.remote_port);
    }
}
