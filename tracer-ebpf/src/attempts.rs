//! Calls of connect that are under way, so that one that fails is told from one that never left.
//!
//! A thread makes one such call at a time, so the thread is the key. The beginning of the call
//! records what was asked for; the connect hook notes that a SYN was made; the end of the call has
//! the errno. Where the call fails without a SYN, only this knows of it. Where it fails after the
//! SYN without an error on the socket (no route for the rebuilt header, say), the state change left
//! the report to the end of the call, which knows why.

use core::mem::MaybeUninit;

use aya_ebpf::{bindings::BPF_ANY, macros::map, maps::LruHashMap};
use tracer_abi::{Address, Attribution, Connection, Direction, Kind, tcp};

use crate::{
    connections,
    emit::report,
    kernel::{Memory, Probed, Sock, Task, wire_family},
    ring::now_ns,
    select,
};

const EINPROGRESS: i64 = -115;

/// A connect call under way.
#[derive(Clone, Copy)]
#[repr(C)]
struct Attempt {
    /// The socket.
    sk: u64,
    /// When the call began, nanoseconds since boot.
    began_ns: u64,
    remote: Address,
    remote_port: u16,
    /// 1: a SYN was made.
    syn: u8,
    /// 1: the socket fell back to CLOSE without an error of its own.
    closed: u8,
    reserved: u32,
}

/// Thread id → its connect call under way.
/// Inserted when the call begins, removed when it ends. LRU: should the end be missed, the entry
/// makes room in time, and the next call of the thread overwrites it.
#[map]
static ATTEMPTS: LruHashMap<u64, Attempt> = LruHashMap::with_max_entries(16_384, 0);

/// A connect call begins.
#[inline(always)]
pub fn begin<M: Memory>(sock: Sock<M>, remote: Address, remote_port: u16) {
    let attempt = Attempt {
        sk: sock.key(),
        began_ns: now_ns(),
        remote,
        remote_port,
        syn: 0,
        closed: 0,
        reserved: 0,
    };
    // A failure to note it only costs the errno of a call that fails without a SYN; an LRU map makes
    // room rather than fail.
    let _ = ATTEMPTS.insert(Task::current().key(), attempt, u64::from(BPF_ANY));
}

/// A SYN was made for the socket.
#[inline(always)]
pub fn syn_sent(key: u64) {
    if let Some(attempt) = of_socket(key) {
        // SAFETY: only this thread touches its entry.
        unsafe { (*attempt).syn = 1 };
    }
}

/// The socket fell back to CLOSE without an error of its own. Whether the end of the call will
/// report it.
#[inline(always)]
pub fn leave_to_end(key: u64) -> bool {
    let Some(attempt) = of_socket(key) else {
        return false;
    };
    // SAFETY: only this thread touches its entry.
    unsafe { (*attempt).closed = 1 };
    true
}

/// The running thread's call, if it is about this socket. In a softirq the thread is a stranger,
/// whose call is about another socket.
#[inline(always)]
fn of_socket(key: u64) -> Option<*mut Attempt> {
    let attempt = ATTEMPTS.get_ptr_mut(Task::current().key())?;
    // SAFETY: the map's value is an Attempt.
    (unsafe { (*attempt).sk } == key).then_some(attempt)
}

/// A connect call ends with `result`, a negative errno or zero.
#[inline(always)]
pub fn end(result: i64) {
    let thread = Task::current().key();
    let Some(place) = ATTEMPTS.get_ptr(thread) else {
        return;
    };
    // SAFETY: the map's value is an Attempt, and only this thread touches its entry.
    let attempt = unsafe { *place };
    // Missing only if the map evicted it meanwhile.
    let _ = ATTEMPTS.remove(thread);
    let errno = result.wrapping_neg() as u32;
    if attempt.syn == 0 {
        if result < 0 && result != EINPROGRESS {
            fail_before_syn(&attempt, errno);
        }
    } else if attempt.closed == 1 {
        let mut room = MaybeUninit::uninit();
        let connection = connections::unknown(&mut room);
        if connections::take(connection, attempt.sk) {
            fail(attempt.sk, connection, errno);
        }
    }
}

/// The call failed and nothing left this host.
#[inline(always)]
fn fail_before_syn(attempt: &Attempt, errno: u32) {
    let sock = Sock::<Probed>::new(attempt.sk as *const u8);
    let mut room = MaybeUninit::uninit();
    let connection = connections::unknown(&mut room);
    connections::begin(connection, sock, Direction::OUTBOUND);
    connection.opened_ns = attempt.began_ns;
    connection.remote = attempt.remote;
    connection.remote_port = attempt.remote_port;
    connection.family = wire_family(connection.local, attempt.remote);
    connection.flags |= Connection::NO_SYN;
    connections::own(connection, Task::current(), Attribution::CONNECT);
    connection.selected = u8::from(select::matches(connection));
    fail(attempt.sk, connection, errno);
}

#[inline(always)]
fn fail(key: u64, connection: &Connection, errno: u32) {
    let mut detail = Sock::<Probed>::new(key as *const u8).detail(tcp::SYN_SENT, tcp::CLOSE);
    detail.error = errno;
    report(Kind::FAILED, connection, &detail);
}
