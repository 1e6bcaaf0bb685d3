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
    bindings::{BPF_ANY, BPF_EXIST},
    macros::map,
    maps::HashMap,
};
use tracer_abi::{Connection, Counted, Kind};

use crate::{
    counters::count,
    globals::global,
    kernel::{Memory, Sock, Task},
    ring::{cpu, now_ns},
};

/// Address of the socket → its connection or listener.
/// Inserted: connect, end of an inbound handshake, listen. Replaced: accept, close by a process
/// other than the owner. Removed: when it ends, at the latest by `tcp_destroy_sock`.
/// At the bound, a new one is reported once and then not followed; counted as `map_full`.
#[map]
static CONNECTIONS: HashMap<u64, Connection> = HashMap::with_max_entries(65_536, 0);

/// Makes it a connection that begins now, with nobody for an owner.
///
/// A program has 512 bytes of stack, room for two of these. So there is one in each program, and it
/// is passed by reference.
#[inline(always)]
pub fn begin<M: Memory>(connection: &mut Connection, sock: Sock<M>, direction: u8) {
    clear(connection);
    connection.opened_ns = now_ns();
    connection.opened_cpu = cpu();
    connection.direction = direction;
    sock.endpoints(connection);
}

/// A connection of which nothing is known, in the room that a program has for one.
///
/// Written word by word into its place: a memset would be a call that writes byte by byte.
#[inline(always)]
pub fn unknown(room: &mut MaybeUninit<Connection>) -> &mut Connection {
    clear(room.as_mut_ptr());
    // SAFETY: every word was written, and zeros are a valid Connection.
    unsafe { room.assume_init_mut() }
}

#[inline(always)]
fn clear(connection: *mut Connection) {
    let words = connection.cast::<u64>();
    let mut index = 0;
    while index < size_of::<Connection>() / size_of::<u64>() {
        // SAFETY: inside the structure, which is aligned to a word and a whole number of words.
        unsafe { words.add(index).write_volatile(0) };
        index += 1;
    }
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

const ENOENT: i32 = -2;

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

/// Copies out what is remembered and forgets it. Of several callers only one gets it.
#[inline(always)]
pub fn take(connection: &mut Connection, key: u64) -> bool {
    copy(connection, key) && has_worked(CONNECTIONS.remove(key))
}
