//! Where the running thread sends a datagram to: what it asked for, what programs of a cgroup made of that,
//! and where netfilter sends it. A socket without a peer knows none of it, and the packet only the last.
//!
//! A thread sends one datagram at a time: what is noted when the call begins counts for the packet that
//! leaves next, and is forgotten then.

use aya_ebpf::{bindings::BPF_ANY, macros::map, maps::LruHashMap};
use tracer_abi::{Address, Connection, Kind};

use crate::{
    emit::{report_destination, report_requested},
    flows::FlowKey,
    kernel::{Memory, Probed, Sock, Task},
};

/// A datagram on its way.
#[derive(Clone, Copy)]
#[repr(C)]
struct Sending {
    /// Address of the socket.
    sk: u64,
    /// What the program asked for.
    asked: Address,
    /// What programs of a cgroup made of that: the peer, as far as the socket is concerned.
    to: Address,
    /// Where the packet goes.
    went: Address,
    /// Zero: not known.
    asked_port: u16,
    to_port: u16,
    went_port: u16,
    reserved: u16,
}

/// Thread → the datagram that it sends. Inserted when it names somebody to send to, removed when a packet
/// leaves. LRU: should none leave, the next one overwrites it.
#[map]
static SENDING: LruHashMap<u64, Sending> = LruHashMap::with_max_entries(16_384, 0);

/// The running thread asks to send to somebody; no program of a cgroup has seen that yet.
#[inline(always)]
pub fn ask<M: Memory>(sock: Sock<M>, asked: Address, asked_port: u16) {
    note(&Sending {
        asked,
        asked_port,
        ..to(sock.key(), asked, asked_port)
    });
}

/// The programs of cgroups have said whom the running thread sends to.
#[inline(always)]
pub fn direct<M: Memory>(sock: Sock<M>, peer: Address, port: u16) {
    let mut sending = to(sock.key(), peer, port);
    if let Some(before) = noted(sock.key()) {
        (sending.asked, sending.asked_port) = (before.asked, before.asked_port);
    }
    note(&sending);
}

/// A packet of the running thread leaves, for whom the key says. Makes it the key of the flow to whom it was
/// sent.
///
/// A function of its own in the kernel too, for the stack.
#[inline(never)]
pub fn leave(key: &mut FlowKey) {
    let sock = Sock::<Probed>::new(key.sk as *const u8);
    let (peer, port) = sock.peer();
    // It may have been connected since a thread noted something that then did not leave.
    if port == key.remote_port && peer == key.remote {
        return;
    }
    let mut sending = match noted(key.sk) {
        Some(sending) => *sending,
        // Whoever names nobody sends to the peer of the socket.
        None if port != 0 => to(key.sk, peer, port),
        None => return,
    };
    (sending.went, sending.went_port) = (key.remote, key.remote_port);
    note(&sending);
    (key.remote, key.remote_port) = (sending.to, sending.to_port);
}

/// Reports what was asked for and where it went, if that is not whom the flow is with.
#[inline(always)]
pub fn tell(key: &FlowKey, flow: &Connection) {
    tell_requested(key, flow);
    tell_translated(key, flow);
}

/// A function of its own in the kernel too, as the next one, for the stack.
#[inline(never)]
fn tell_requested(key: &FlowKey, flow: &Connection) {
    if let Some(sending) = current(key)
        && sending.asked_port != 0
    {
        report_requested(flow, sending.asked, sending.asked_port);
    }
}

#[inline(never)]
fn tell_translated(key: &FlowKey, flow: &Connection) {
    if let Some(sending) = current(key)
        && (sending.went_port != sending.to_port || sending.went != sending.to)
    {
        report_destination(Kind::TRANSLATED, flow, sending.went, sending.went_port);
    }
}

/// The packet has left.
#[inline(never)]
pub fn forget() {
    // There is none where a socket sends to its peer.
    let _ = SENDING.remove(Task::current().key());
}

#[inline(always)]
fn to(sk: u64, to: Address, to_port: u16) -> Sending {
    Sending {
        sk,
        asked: Address::UNSPECIFIED,
        to,
        went: to,
        asked_port: 0,
        to_port,
        went_port: to_port,
        reserved: 0,
    }
}

#[inline(always)]
fn note(sending: &Sending) {
    // An LRU map makes room rather than fail.
    let _ = SENDING.insert(Task::current().key(), sending, u64::from(BPF_ANY));
}

/// What the running thread sends to whom the key says. What is noted may be of a datagram that did not leave.
#[inline(always)]
fn current<'a>(key: &FlowKey) -> Option<&'a Sending> {
    let sending = noted(key.sk)?;
    (sending.to_port == key.remote_port && sending.to == key.remote).then_some(sending)
}

/// What the running thread noted of the socket.
#[inline(always)]
fn noted<'a>(sk: u64) -> Option<&'a Sending> {
    let place = SENDING.get_ptr(Task::current().key())?;
    // SAFETY: the map's value is a Sending, of plain integers, and stays mapped while the program runs. Only
    // this thread writes its entry.
    let sending = unsafe { &*place };
    (sending.sk == sk).then_some(sending)
}
