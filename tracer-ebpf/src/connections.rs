//! What is remembered of each socket.
//!
//! The hooks of one socket can run at the same time: a softirq ends the connection while the process
//! accepts or closes it. Elements of a preallocated hash map are reused at once, so a pointer into
//! it may from one instruction to the next belong to another connection. Therefore nothing is ever
//! written through such a pointer: an entry is inserted whole, copied out, replaced whole and
//! removed, each of which the map does atomically, and a copy counts only if the entry was still in
//! its place when the copying ended.

use core::mem::MaybeUninit;

use aya_ebpf::{
    bindings::{BPF_ANY, BPF_EXIST, BPF_NOEXIST},
    macros::map,
    maps::HashMap,
};
use tracer_abi::{Attribution, Connection, Counted, Identity, Kind};

use crate::{
    counters::count,
    globals::global,
    kernel::{Memory, Sock, Task},
    ring::{cpu, now_ns},
    room::{clear, zeroed},
    select,
};

/// Address of the socket → its connection or listener.
/// Inserted: connect, end of an inbound handshake, listen, and what is older than tracing when it is
/// found. Replaced: accept, close by a process other than the owner. Removed: when it ends, at the
/// latest by `tcp_destroy_sock`. The loader makes room for more where there are more sockets.
/// At the bound, a new one is reported once and then not followed; counted as `map_full`.
#[map]
static CONNECTIONS: HashMap<u64, Connection> = HashMap::with_max_entries(65_536, 0);

/// Makes it a connection that begins now, with nobody for an owner.
///
/// A program has 512 bytes of stack, room for two of these. So there is one in each program, and it
/// is passed by reference.
#[inline(always)]
pub fn begin<M: Memory>(connection: &mut Connection, sock: Sock<M>, direction: u8) {
    // SAFETY: of integers, of whole words, and aligned to them.
    unsafe { clear(connection) };
    connection.opened_ns = now_ns();
    connection.opened_cpu = cpu();
    connection.direction = direction;
    sock.endpoints(connection);
}

/// A connection of which nothing is known, in the room that a program has for one.
#[inline(always)]
pub fn unknown(room: &mut MaybeUninit<Connection>) -> &mut Connection {
    // SAFETY: of integers, of whole words, and aligned to them.
    unsafe { zeroed(room) }
}

/// Gives a connection its owner: the running task, which must be in process context.
#[inline(always)]
pub fn own(connection: &mut Connection, task: Task, attribution: u8) {
    task.identify(&mut connection.owner);
    connection.attribution = attribution;
    if connection.owner.tgid == global!(SETTINGS.own_tgid) {
        connection.flags |= Connection::OWN;
    }
}

/// Whether the task releases files for others. Kernel threads do; and so does conntracer, if it is the
/// last to hold one while it looks at all that are open.
#[inline(always)]
pub fn releases_for_others(task: Task) -> bool {
    task.is_kernel_thread() || task.tgid() == global!(SETTINGS.own_tgid)
}

/// Remembers a connection, in place of whatever the address meant before.
#[inline(always)]
pub fn insert(key: u64, connection: &Connection, kind: u16) {
    if CONNECTIONS
        .insert(key, connection, u64::from(BPF_ANY))
        .is_err()
    {
        count(kind, Counted::MapFull);
    }
}

/// Remembers a connection unless the socket has one already. Whether it has not, and there was room.
#[inline(always)]
pub fn insert_new(key: u64, connection: &Connection, kind: u16) -> bool {
    match CONNECTIONS.insert(key, connection, u64::from(BPF_NOEXIST)) {
        Ok(()) => true,
        Err(EEXIST) => false,
        Err(_) => {
            count(kind, Counted::MapFull);
            false
        }
    }
}

const ENOENT: i32 = -2;
const EEXIST: i32 = -17;

/// Replaces what is remembered, unless it has ended meanwhile. Whether it has not.
///
/// A function of its own in the kernel too, so that the compiler does not merge the paths that call
/// it (see [`crate::emit::report_replaced`]).
#[inline(never)]
pub fn replace(key: u64, connection: &Connection) -> bool {
    let result = CONNECTIONS.insert(key, connection, u64::from(BPF_EXIST));
    has_worked(result)
}

/// Whether the entry was there. The kernel may give up on a map for other reasons, such as a lock that
/// it does not get (since 6.15); then what is remembered is not what it should be, and that is told.
#[inline(always)]
fn has_worked(result: Result<(), i32>) -> bool {
    match result {
        Ok(()) => true,
        Err(ENOENT) => false,
        Err(_) => {
            count(Kind::CLOSE, Counted::MapFull);
            true
        }
    }
}

/// How often an entry can be replaced while it is copied: by its accept and by its close.
const REPLACED_MAX: u32 = 2;

/// Copies out what is remembered; false where nothing is.
#[inline(always)]
pub fn copy(connection: &mut Connection, key: u64) -> bool {
    let Some(mut place) = CONNECTIONS.get_ptr(key) else {
        return false;
    };
    let mut tries = 0;
    while tries <= REPLACED_MAX {
        tries += 1;
        // SAFETY: the map's value is a Connection, of plain integers; a torn copy is thrown away.
        // The look-up that follows is opaque to the compiler, so the copying stays before it.
        unsafe { core::ptr::copy_nonoverlapping(place, connection, 1) };
        match CONNECTIONS.get_ptr(key) {
            Some(now) if now == place => return true,
            Some(now) => place = now,
            None => return false,
        }
    }
    false
}

/// [`copy`] of what a socket has. What another had at the same address, which ended without a hook that
/// ran, is not that: the newcomer must not be taken for it.
#[inline(always)]
pub fn copy_of<M: Memory>(connection: &mut Connection, sock: Sock<M>) -> bool {
    copy(connection, sock.key()) && {
        let is_its_own = is_of(connection, sock);
        if !is_its_own {
            miss_end(connection, sock.key());
        }
        is_its_own
    }
}

/// Forgets a connection whose end no hook saw.
#[inline(always)]
pub fn miss_end(connection: &Connection, key: u64) {
    if CONNECTIONS.remove(key).is_ok() {
        tell_missed(connection);
    }
}

/// Counts an end that no hook saw, if it would have been told. A function of its own in the kernel too, as
/// it is rare.
#[inline(never)]
fn tell_missed(connection: &Connection) {
    if connection.selected == 1 || select::matches(connection) {
        count(Kind::CLOSE, Counted::EndMissed);
    }
}

/// Whether what was remembered is of the socket. The port of the other end is what a socket keeps from
/// its beginning to its end; its own, from when it has one until it enters CLOSE. What goes to one
/// server has only the second to tell it from what had the same memory before.
#[inline(always)]
pub fn is_of<M: Memory>(connection: &Connection, sock: Sock<M>) -> bool {
    let (then, now) = (connection.local_port, sock.local_port());
    connection.remote_port == sock.remote_port() && (then == now || then == 0 || now == 0)
}

/// When what the socket has began; zero: it is not known. Not an option: where two are compared the
/// compiler reads the value before it has looked whether there is one, which the verifier refuses.
#[inline(always)]
pub fn opened_ns(key: u64) -> u64 {
    // SAFETY: the map's value is a Connection; one aligned word.
    word(key, |now| unsafe { (*now).opened_ns })
}

/// Process id of who owns what the socket has; zero: not known.
#[inline(always)]
pub fn owner_of(key: u64) -> u32 {
    // SAFETY: the map's value is a Connection; one aligned word.
    word(key, |now| unsafe { (*now).owner.tgid })
}

/// One word of what the socket has; zero where it has nothing.
#[inline(always)]
fn word<T: Default>(key: u64, read: impl FnOnce(*const Connection) -> T) -> T {
    match CONNECTIONS.get_ptr(key) {
        Some(now) => read(now),
        None => T::default(),
    }
}

/// Gives a connection the owner of what another socket has, or nobody. Whether it is somebody.
#[inline(always)]
pub fn share_owner(connection: &mut Connection, key: u64) -> bool {
    connection.owner = Identity::NOBODY;
    connection.attribution = Attribution::NONE;
    let Some(place) = CONNECTIONS.get_ptr(key) else {
        return false;
    };
    // SAFETY: the map's value is a Connection, of plain integers; a torn copy is thrown away.
    let (owner, attribution) = unsafe { ((*place).owner, (*place).attribution) };
    let is_whole = CONNECTIONS.get_ptr(key).is_some_and(|now| now == place);
    if !is_whole || owner.tgid == 0 {
        return false;
    }
    connection.owner = owner;
    connection.attribution = attribution;
    true
}

/// Whether the socket still has the connection that was copied.
#[inline(always)]
pub fn is_current(connection: &Connection, key: u64) -> bool {
    // SAFETY: the map's value is a Connection, of plain integers.
    let same = |now: *const Connection| unsafe {
        (*now).opened_ns == connection.opened_ns && (*now).opened_cpu == connection.opened_cpu
    };
    CONNECTIONS.get_ptr(key).is_some_and(same)
}

/// [`take`] of what a socket has, and not another at the same address.
#[inline(always)]
pub fn take_of<M: Memory>(connection: &mut Connection, sock: Sock<M>) -> bool {
    take(connection, sock.key()) && {
        let is_its_own = is_of(connection, sock);
        if !is_its_own {
            tell_missed(connection);
        }
        is_its_own
    }
}

/// Copies out what is remembered and forgets it. Of several callers only one gets it.
#[inline(always)]
pub fn take(connection: &mut Connection, key: u64) -> bool {
    copy(connection, key) && has_worked(CONNECTIONS.remove(key))
}
