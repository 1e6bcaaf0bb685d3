//! UDP sockets that were there before tracing began.
//!
//! One that is bound is a listener; one that is connected has a flow; of any other it is noted who holds
//! it, for the flows that it will have.

use core::mem::MaybeUninit;

use tracer_abi::{Address, Connection, Detail, Direction, Kind};

use crate::{
    connections,
    emit::report,
    flows::{self, FlowKey},
    holders,
    kernel::{Probed, Sock, Task, forget_type},
    select,
};

// `bpf_iter__udp(meta, udp_sk, uid, bucket)`: the UDP sockets of the network namespace of whoever reads.
iterate!("iter/udp", existing_udp, |ctx| {
    let sk = forget_type(ctx.arg(1));
    if !sk.is_null() {
        enter(sk);
    }
});

/// Enters a UDP socket, and its flow if it is connected.
#[inline(always)]
fn enter(sk: *const u8) {
    let mut key = FlowKey::NONE;
    if found(sk, &mut key) {
        flows::enter_existing(&key);
    }
}

/// A process holds a UDP socket.
#[inline(always)]
pub fn held(sock: Sock<Probed>, task: Task) {
    let sk = sock.key() as *const u8;
    enter(sk);
    let mut key = FlowKey::NONE;
    if hold_socket(sk, task, &mut key) {
        flows::hold(&key, task);
    }
}

/// Enters a UDP socket, unless it is known. Whether it is connected, to whom the key says.
///
/// A function of its own in the kernel too, as those that follow it: each has a connection on its stack,
/// and none calls another.
#[inline(never)]
fn found(sk: *const u8, key: &mut FlowKey) -> bool {
    let sock = Sock::<Probed>::new(sk);
    let mut room = MaybeUninit::uninit();
    let socket = connections::unknown(&mut room);
    if !sock.is_udp() || !sock.is_of_user_space() || connections::copy(socket, sock.key()) {
        return false;
    }
    connections::begin(socket, sock, Direction::UNKNOWN);
    socket.flags |= Connection::OPEN_BEFORE;
    *key = FlowKey::newest_of(sock.key(), socket);
    (socket.remote, socket.remote_port) = (Address::UNSPECIFIED, 0);
    let is_listener = socket.local_port != 0 && key.remote_port == 0;
    if is_listener {
        socket.direction = Direction::LISTENING;
        socket.selected = u8::from(select::matches(socket));
    }
    if !connections::insert_new(sock.key(), socket, Kind::EXISTING) {
        return false;
    }
    if is_listener {
        report(Kind::EXISTING, socket, &Detail::default());
    }
    key.remote_port != 0
}

/// Notes that a process holds a UDP socket. Whether it has a flow, which the key names.
#[inline(never)]
fn hold_socket(sk: *const u8, task: Task, key: &mut FlowKey) -> bool {
    let sock = Sock::<Probed>::new(sk);
    let mut room = MaybeUninit::uninit();
    let socket = connections::unknown(&mut room);
    if !connections::copy(socket, sock.key()) || !holders::is_news(socket, task) {
        return false;
    }
    *key = FlowKey::newest_of(sock.key(), socket);
    if socket.direction == Direction::LISTENING {
        holders::hold(socket, task, &Detail::default());
    } else {
        task.identify(&mut socket.owner);
    }
    // Fails if it was released just now.
    let _ = connections::replace(sock.key(), socket);
    key.remote_port != 0
}
