//! Calls of connect that are under way, so that one that fails is told from one that never left.
//!
//! The beginning of the call records what was asked for; the connect hook notes that a SYN was made;
//! the end of the call has the errno. Where the call fails without a SYN, only this knows of it. Where
//! it fails after the SYN without an error on the socket (no route for the rebuilt header, say), the
//! state change left the report to the end of the call, which knows why.
//!
//! The socket is the key: one call at a time gets beyond its beginning, and io_uring has several under
//! way in one thread. Where the hook at the end does not know the socket, the thread leads to it, for
//! a thread makes one system call at a time.

use core::mem::MaybeUninit;

use aya_ebpf::{bindings::BPF_ANY, macros::map, maps::LruHashMap};
use tracer_abi::{Address, Attribution, Connection, Detail, Direction, Kind, Protocol, tcp};

use crate::{
    connections,
    emit::{report, report_requested},
    kernel::{Memory, Probed, Sock, Task, wire_family},
    ring::now_ns,
    select, states,
};

const EINPROGRESS: i64 = -115;

/// A connect call under way.
#[derive(Clone, Copy)]
#[repr(C)]
struct Attempt {
    /// The thread that makes it.
    thread: u64,
    /// When the call began, nanoseconds since boot.
    began_ns: u64,
    remote: Address,
    remote_port: u16,
    /// 1: a SYN was made.
    syn: u8,
    /// 1: the socket fell back to CLOSE without an error of its own.
    closed: u8,
    /// 1: `remote` is what the program asked for: no program of a cgroup has seen it yet.
    asked: u8,
    reserved: [u8; 3],
}

/// Address of the socket → the connect call under way on it.
/// Inserted when the call begins, removed when it ends. LRU: should the end be missed, the entry
/// makes room in time, and the next call on the socket overwrites it.
#[map]
static ATTEMPTS: LruHashMap<u64, Attempt> = LruHashMap::with_max_entries(16_384, 0);

/// Thread → the socket of the connect call that it makes. As above.
#[map]
static CALLS: LruHashMap<u64, u64> = LruHashMap::with_max_entries(16_384, 0);

/// A connect call of the running thread begins, which ends with [`end`].
#[inline(always)]
pub fn begin<M: Memory>(sock: Sock<M>, remote: Address, remote_port: u16) {
    note(sock, remote, remote_port, 1);
}

/// The same of one that ends with [`end_call`].
#[inline(always)]
pub fn begin_call<M: Memory>(sock: Sock<M>, remote: Address, remote_port: u16) {
    note(sock, remote, remote_port, 1);
    note_thread(sock);
}

/// The same where programs of a cgroup may have rewritten the address already, unless it is known how the
/// call began.
#[inline(always)]
pub fn begin_rewritten_call<M: Memory>(sock: Sock<M>, remote: Address, remote_port: u16) {
    if !is_known_from_its_beginning(sock.key()) {
        note(sock, remote, remote_port, 0);
        note_thread(sock);
    }
}

/// Whether the running thread has asked for a connection of the socket, and is still in that call.
#[inline(always)]
fn is_known_from_its_beginning(key: u64) -> bool {
    let Some(attempt) = ATTEMPTS.get_ptr(key) else {
        return false;
    };
    // SAFETY: the map's value is an Attempt; single aligned fields.
    let (thread, asked) = unsafe { ((*attempt).thread, (*attempt).asked) };
    asked == 1 && thread == Task::current().key()
}

#[inline(always)]
fn note<M: Memory>(sock: Sock<M>, remote: Address, remote_port: u16, asked: u8) {
    let attempt = Attempt {
        thread: Task::current().key(),
        began_ns: now_ns(),
        remote,
        remote_port,
        syn: 0,
        closed: 0,
        asked,
        reserved: [0; 3],
    };
    // A failure to note it only costs the errno of a call that fails without a SYN; an LRU map makes
    // room rather than fail.
    let _ = ATTEMPTS.insert(sock.key(), attempt, u64::from(BPF_ANY));
}

#[inline(always)]
fn note_thread<M: Memory>(sock: Sock<M>) {
    let _ = CALLS.insert(Task::current().key(), sock.key(), u64::from(BPF_ANY));
}

/// A SYN was made for a socket, or for a path of it. Reports what was asked for, where the connection is
/// with something else.
#[inline(always)]
pub fn syn_sent(key: u64, connection: &Connection) {
    let Some(place) = ATTEMPTS.get_ptr_mut(key) else {
        return;
    };
    // SAFETY: the map's value is an Attempt, which is written while its socket is locked.
    let attempt = unsafe {
        (*place).syn = 1;
        *place
    };
    if attempt.asked == 1 {
        report_requested(connection, attempt.remote, attempt.remote_port);
    }
}

/// Whether a connect call is under way on a socket whose SYN the connect hook has not seen yet. It will.
#[inline(always)]
pub fn is_to_send(key: u64) -> bool {
    let Some(attempt) = ATTEMPTS.get_ptr(key) else {
        return false;
    };
    // SAFETY: the map's value is an Attempt; one byte.
    unsafe { (*attempt).syn == 0 }
}

/// The socket fell back to CLOSE without an error of its own. Whether the end of the call will
/// report it: not where somebody else brought that about.
#[inline(always)]
pub fn leave_to_end(key: u64) -> bool {
    let Some(attempt) = ATTEMPTS.get_ptr_mut(key) else {
        return false;
    };
    // SAFETY: as above.
    unsafe {
        if (*attempt).thread != Task::current().key() {
            return false;
        }
        (*attempt).closed = 1;
    }
    true
}

/// A connect call of the running thread ends.
#[inline(always)]
pub fn end_call(result: i64) {
    let thread = Task::current().key();
    if let Some(place) = CALLS.get_ptr(thread) {
        // SAFETY: the map's value is one aligned word, and only this thread touches its entry.
        let key = unsafe { *place };
        forget_call();
        end(key, result);
    }
}

/// The running thread makes no connect call any more; what it began may go on.
#[inline(always)]
pub fn forget_call() {
    // There may be none.
    let _ = CALLS.remove(Task::current().key());
}

/// The connect call on a socket ends with `result`, a negative errno or zero.
#[inline(always)]
pub fn end(key: u64, result: i64) {
    let Some(place) = ATTEMPTS.get_ptr(key) else {
        return;
    };
    // SAFETY: the map's value is an Attempt. Its call is over, so nobody else writes it.
    let attempt = unsafe { *place };
    // Missing only if the map evicted it meanwhile.
    let _ = ATTEMPTS.remove(key);
    let errno = result.wrapping_neg() as u32;
    if attempt.syn == 0 {
        if result < 0 && result != EINPROGRESS {
            fail_before_syn(key, &attempt, errno);
        }
    } else if attempt.closed == 1 {
        let mut room = MaybeUninit::uninit();
        let connection = connections::unknown(&mut room);
        if connections::take(connection, key) {
            states::report_end(Kind::FAILED, connection, &failure(key, errno));
        }
    }
}

/// The call failed and nothing left this host.
#[inline(always)]
fn fail_before_syn(key: u64, attempt: &Attempt, errno: u32) {
    let sock = Sock::<Probed>::new(key as *const u8);
    let mut room = MaybeUninit::uninit();
    let connection = connections::unknown(&mut room);
    connections::begin(connection, sock, Direction::OUTBOUND);
    connection.opened_ns = attempt.began_ns;
    // The parent of a multipath connection has another number.
    connection.protocol = Protocol::TCP;
    connection.remote = attempt.remote;
    connection.remote_port = attempt.remote_port;
    connection.family = wire_family(connection.local, attempt.remote);
    connection.flags |= Connection::NO_SYN;
    connections::own(connection, Task::current(), Attribution::CONNECT);
    connection.selected = u8::from(select::matches(connection));
    let detail = failure(key, errno);
    // It was on its way to a SYN, so its state changed twice.
    if attempt.closed == 1 && states::are_asked_for() {
        let mut before = detail;
        (before.old_state, before.new_state) = (tcp::CLOSE, tcp::SYN_SENT);
        states::tell(connection.selected == 1, connection, &before);
        states::tell(connection.selected == 1, connection, &detail);
    }
    report(Kind::FAILED, connection, &detail);
}

/// What is told of the socket of an attempt that failed.
#[inline(always)]
fn failure(key: u64, errno: u32) -> Detail {
    let mut detail = Sock::<Probed>::new(key as *const u8).detail(tcp::SYN_SENT, tcp::CLOSE);
    detail.error = errno;
    detail
}
