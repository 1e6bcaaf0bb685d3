//! Flows of datagrams: one for each UDP socket and peer.
//!
//! What a flow is and whose lies in one map and follows the rules of [`crate::connections`]. What moves
//! with each datagram lies in another, where it is added to in place. Elements of such a map are used
//! again at once, so whoever has added looks again, and takes it back if the flow has ended meanwhile.

use core::mem::MaybeUninit;

use aya_ebpf::{
    bindings::{BPF_EXIST, BPF_NOEXIST},
    macros::map,
    maps::HashMap,
};
use tracer_abi::{Address, Attribution, Connection, Counted, Detail, Direction, Kind};

use crate::{
    asked, connections,
    counters::{add, count},
    emit::report,
    holders,
    kernel::{Probed, Sock, Task, wire_family},
    ring::{cpu, now_ns},
    room::zeroed,
    select, sending,
};

/// Names a flow.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct FlowKey {
    /// Address of the socket.
    pub sk: u64,
    /// When the socket was born, for its memory will be another socket's.
    pub born_ns: u64,
    pub remote: Address,
    pub remote_port: u16,
    pub reserved: [u16; 3],
}

impl FlowKey {
    /// No flow.
    pub const NONE: Self = Self {
        sk: 0,
        born_ns: 0,
        remote: Address::UNSPECIFIED,
        remote_port: 0,
        reserved: [0; 3],
    };

    /// The newest flow of a UDP socket, by the socket's entry.
    #[inline(always)]
    pub fn newest_of(sk: u64, socket: &Connection) -> Self {
        Self {
            sk,
            born_ns: socket.opened_ns,
            remote: socket.remote,
            remote_port: socket.remote_port,
            reserved: [0; 3],
        }
    }
}

/// A flow, and where the next one of its socket is.
#[derive(Clone, Copy)]
#[repr(C)]
struct Flow {
    connection: Connection,
    /// Peer of the flow of the socket that began before this one.
    next: Address,
    /// Its port; zero: there is none.
    next_port: u16,
    reserved: [u16; 3],
}

/// What moves with each datagram.
#[derive(Clone, Copy)]
#[repr(C)]
struct Moved {
    sent_bytes: u64,
    received_bytes: u64,
    sent_packets: u64,
    received_packets: u64,
    /// When the last one did, nanoseconds since boot.
    last_ns: u64,
    /// Process that sent the last one; zero: none has.
    user: u32,
    reserved: u32,
}

/// Flow → what it is. Inserted with the first datagram, replaced when another process sends, removed
/// when the socket is released or nothing moves any more.
#[map]
static FLOWS: HashMap<FlowKey, Flow> = HashMap::with_max_entries(65_536, 0);

/// Flow → what has moved. Inserted after its entry in [`FLOWS`], removed with it.
#[map]
static MOVED: HashMap<FlowKey, Moved> = HashMap::with_max_entries(65_536, 0);

const EEXIST: i32 = -17;

/// Datagrams that go to a peer or come from it, as one packet of the kernel.
pub struct Datagrams {
    pub is_sent: bool,
    pub bytes: u64,
    pub packets: u64,
    pub local: Address,
    pub local_port: u16,
}

impl Datagrams {
    /// None yet.
    #[inline(always)]
    pub fn none(is_sent: bool) -> Self {
        Self {
            is_sent,
            bytes: 0,
            packets: 0,
            local: Address::UNSPECIFIED,
            local_port: 0,
        }
    }
}

/// Counts datagrams of a flow, which may begin with them.
#[inline(always)]
pub fn count_datagrams(key: &FlowKey, datagrams: &Datagrams) {
    let user = if datagrams.is_sent {
        Task::current().tgid()
    } else {
        0
    };
    let Some(moved) = MOVED.get_ptr_mut(key) else {
        begin(key, datagrams, user);
        return;
    };
    move_by(moved, datagrams, 1);
    match MOVED.get_ptr_mut(key) {
        Some(now) if now == moved => {}
        _ => {
            move_by(moved, datagrams, u64::MAX);
            begin(key, datagrams, user);
            return;
        }
    }
    // SAFETY: the map's value is Moved; one aligned word.
    if user != 0 && unsafe { (*moved).user } != user {
        used_by_another(key, user);
    }
}

/// Adds the datagrams `times`; `u64::MAX` is minus one.
#[inline(always)]
fn move_by(moved: *mut Moved, datagrams: &Datagrams, times: u64) {
    let (bytes, packets) = (
        datagrams.bytes.wrapping_mul(times),
        datagrams.packets.wrapping_mul(times),
    );
    // SAFETY: the map's value is Moved, and stays mapped while the program runs.
    unsafe {
        if datagrams.is_sent {
            add(&raw mut (*moved).sent_bytes, bytes);
            add(&raw mut (*moved).sent_packets, packets);
        } else {
            add(&raw mut (*moved).received_bytes, bytes);
            add(&raw mut (*moved).received_packets, packets);
        }
        (*moved).last_ns = now_ns();
    }
}

/// A flow begins. A function of its own in the kernel too, for the stack.
#[inline(never)]
fn begin(key: &FlowKey, datagrams: &Datagrams, user: u32) {
    let mut room = MaybeUninit::<Flow>::uninit();
    let flow = unknown(&mut room);
    let connection = &mut flow.connection;
    if !connections::copy(connection, key.sk) || connection.opened_ns != key.born_ns {
        return;
    }
    (flow.next, flow.next_port) = (connection.remote, connection.remote_port);
    let kind = first_datagram(connection, key, datagrams);
    match FLOWS.insert(key, &*flow, u64::from(BPF_NOEXIST)) {
        Ok(()) => {}
        // Another CPU was first.
        Err(EEXIST) => return counted(key, datagrams, user),
        Err(_) => return count(kind, Counted::MapFull),
    }
    counted(key, datagrams, user);
    if datagrams.is_sent {
        asked::tell(Sock::<Probed>::new(key.sk as *const u8), &flow.connection);
        sending::tell(key, &flow.connection);
    }
    report(kind, &flow.connection, &Detail::default());
    link(key, &mut flow.connection);
}

/// A flow that is older than tracing, with the peer that its socket is connected to. A function of its
/// own in the kernel too, for the stack.
#[inline(never)]
pub fn enter_existing(key: &FlowKey) {
    let mut room = MaybeUninit::<Flow>::uninit();
    let flow = unknown(&mut room);
    let connection = &mut flow.connection;
    if !connections::copy(connection, key.sk) {
        return;
    }
    connection.opened_ns = now_ns();
    connection.opened_cpu = cpu();
    connection.remote = key.remote;
    connection.remote_port = key.remote_port;
    connection.flags |= Connection::ACCEPTED;
    connection.selected = u8::from(select::matches(connection));
    if FLOWS.insert(key, &*flow, u64::from(BPF_NOEXIST)).is_err() {
        return;
    }
    counted(key, &Datagrams::none(false), 0);
    report(Kind::EXISTING, &flow.connection, &Detail::default());
    link(key, &mut flow.connection);
}

/// A process holds the socket of a flow that is older than tracing. A function of its own in the kernel
/// too, for the stack.
#[inline(never)]
pub fn hold(key: &FlowKey, task: Task) {
    let mut room = MaybeUninit::<Flow>::uninit();
    let flow = unknown(&mut room);
    if copy(flow, key) && holders::is_news(&flow.connection, task) {
        holders::hold(&mut flow.connection, task, &Detail::default());
        // Fails if it has just ended.
        let _ = FLOWS.insert(key, &*flow, u64::from(BPF_EXIST));
    }
}

/// Makes of a socket's entry that of a flow of it. The kind of frame that tells of it.
#[inline(always)]
fn first_datagram(connection: &mut Connection, key: &FlowKey, datagrams: &Datagrams) -> u16 {
    connection.opened_ns = now_ns();
    connection.opened_cpu = cpu();
    connection.local = datagrams.local;
    connection.local_port = datagrams.local_port;
    connection.remote = key.remote;
    connection.remote_port = key.remote_port;
    connection.family = wire_family(datagrams.local, key.remote);
    connection.flags &= Connection::OPEN_BEFORE | Connection::OWN;
    connection.flags |= Connection::ACCEPTED;
    let kind = if datagrams.is_sent {
        connection.direction = Direction::OUTBOUND;
        connection.attribution = Attribution::CONNECT;
        let task = Task::current();
        if connection.owner.tgid == 0 || is_user(task, key.sk) {
            connections::own(connection, task, Attribution::CONNECT);
        }
        Kind::CONNECT
    } else {
        connection.direction = Direction::INBOUND;
        connection.attribution = if connection.owner.tgid == 0 {
            Attribution::NONE
        } else {
            Attribution::LISTENER
        };
        Kind::ACCEPT
    };
    connection.selected = u8::from(select::matches(connection));
    kind
}

/// The flow becomes the first of its socket.
#[inline(always)]
fn link(key: &FlowKey, socket: &mut Connection) {
    if connections::copy(socket, key.sk) && socket.opened_ns == key.born_ns {
        socket.remote = key.remote;
        socket.remote_port = key.remote_port;
        // Two flows that begin at once may lose one of the links; then the sweep finds the flow.
        let _ = connections::replace(key.sk, socket);
    }
}

/// Counts the first datagrams.
#[inline(always)]
fn counted(key: &FlowKey, datagrams: &Datagrams, user: u32) {
    let (sent, received) = if datagrams.is_sent { (1, 0) } else { (0, 1) };
    let moved = Moved {
        sent_bytes: datagrams.bytes * sent,
        received_bytes: datagrams.bytes * received,
        sent_packets: datagrams.packets * sent,
        received_packets: datagrams.packets * received,
        last_ns: now_ns(),
        user,
        reserved: 0,
    };
    if MOVED.insert(key, &moved, u64::from(BPF_NOEXIST)).is_err()
        && let Some(moved) = MOVED.get_ptr_mut(key)
    {
        move_by(moved, datagrams, 1);
    }
}

/// Whether the task sends on the socket itself. A packet that waited for a verdict of user space leaves
/// in the context of whoever gave it.
#[inline(always)]
fn is_user(task: Task, sk: u64) -> bool {
    let sock = Sock::<Probed>::new(sk as *const u8);
    !task.is_kernel_thread() && task.holds(sock.file())
}

/// A process other than the last one sends.
#[inline(never)]
fn used_by_another(key: &FlowKey, user: u32) {
    if let Some(moved) = MOVED.get_ptr_mut(key) {
        // SAFETY: the map's value is Moved; one aligned word.
        unsafe { (*moved).user = user };
    }
    let mut room = MaybeUninit::<Flow>::uninit();
    let flow = unknown(&mut room);
    let task = Task::current();
    if copy(flow, key) && flow.connection.owner.tgid != user && is_user(task, key.sk) {
        connections::own(&mut flow.connection, task, Attribution::IO);
        // Fails if it has just ended.
        let _ = FLOWS.insert(key, &*flow, u64::from(BPF_EXIST));
    }
}

/// Peer of the flow of the same socket that began before this one; port zero: there is none.
#[inline(always)]
pub fn next_of(key: &FlowKey) -> (Address, u16) {
    let Some(place) = FLOWS.get_ptr(key) else {
        return (Address::UNSPECIFIED, 0);
    };
    // SAFETY: the map's value is a Flow, of plain integers.
    unsafe { ((*place).next, (*place).next_port) }
}

/// A flow is over, unless it was already. `closer` is the process that released its socket. Whether it
/// was not.
#[inline(always)]
pub fn end(key: &FlowKey, sock_flags: u16, closer: Option<Task>) -> bool {
    let mut room = MaybeUninit::<Flow>::uninit();
    let flow = unknown(&mut room);
    if !copy(flow, key) || FLOWS.remove(key).is_err() {
        return false;
    }
    let mut detail = detail_of(key);
    detail.sock_flags = sock_flags;
    forget(key);
    if let Some(task) = closer
        && task.tgid() != flow.connection.owner.tgid
    {
        connections::own(&mut flow.connection, task, Attribution::CLOSE);
    }
    report(Kind::CLOSE, &flow.connection, &detail);
    true
}

/// Reports a flow that goes on, if it has been told of and is due.
#[inline(always)]
pub fn update(key: &FlowKey, is_due: impl Fn(&Connection) -> bool) {
    let mut room = MaybeUninit::<Flow>::uninit();
    let flow = unknown(&mut room);
    if copy(flow, key) && flow.connection.selected == 1 && is_due(&flow.connection) {
        report(Kind::UPDATE, &flow.connection, &detail_of(key));
    }
}

/// What has moved in a flow.
#[inline(always)]
fn detail_of(key: &FlowKey) -> Detail {
    let mut detail = Detail::default();
    if let Some(moved) = MOVED.get_ptr(key) {
        // SAFETY: the map's value is Moved, of plain integers.
        unsafe {
            detail.sent_bytes = (*moved).sent_bytes;
            detail.received_bytes = (*moved).received_bytes;
            detail.sent_packets = (*moved).sent_packets;
            detail.received_packets = (*moved).received_packets;
        }
    }
    detail
}

/// What has moved in a flow that was over before it was counted.
#[inline(always)]
pub fn forget(key: &FlowKey) {
    let _ = MOVED.remove(key);
}

/// How long nothing has moved, nanoseconds; zero where the flow is over.
#[inline(always)]
pub fn idle_ns(key: &FlowKey) -> u64 {
    match MOVED.get_ptr(key) {
        // SAFETY: the map's value is Moved; one aligned word.
        Some(moved) => now_ns().saturating_sub(unsafe { (*moved).last_ns }),
        None => 0,
    }
}

/// Copies a flow out; false where it is over.
#[inline(always)]
fn copy(flow: &mut Flow, key: &FlowKey) -> bool {
    let Some(place) = FLOWS.get_ptr(key) else {
        return false;
    };
    // SAFETY: the map's value is a Flow, of plain integers; a torn copy is thrown away.
    unsafe { core::ptr::copy_nonoverlapping(place, flow, 1) };
    FLOWS.get_ptr(key) == Some(place)
}

/// A flow of which nothing is known.
#[inline(always)]
fn unknown(room: &mut MaybeUninit<Flow>) -> &mut Flow {
    // SAFETY: of integers, of whole words, and aligned to them.
    unsafe { zeroed(room) }
}
