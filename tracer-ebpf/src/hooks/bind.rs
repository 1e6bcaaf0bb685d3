//! UDP sockets: born, bound, released. All of it in process context, at the root cgroup.

use core::mem::MaybeUninit;

use aya_ebpf::{macros::cgroup_sock, programs::SockContext};
use tracer_abi::{Address, Attribution, Connection, Detail, Direction, Kind, tcp};

use crate::{
    asked, connections,
    emit::{report, report_replaced},
    flows::{self, FlowKey},
    kernel::{Probed, Sock, Task},
    select,
};

/// How many flows of a socket end with it. Those of a socket with more are found by the sweep.
const FLOWS_MAX: u32 = 32;

/// `socket`: nobody has its descriptor yet.
#[cgroup_sock(sock_create)]
fn born_cgroup(ctx: SockContext) -> i32 {
    let sock = udp(&ctx);
    if let Some(sock) = sock {
        let mut room = MaybeUninit::uninit();
        let socket = connections::unknown(&mut room);
        connections::begin(socket, sock, Direction::UNKNOWN);
        connections::own(socket, Task::current(), Attribution::NONE);
        connections::insert(sock.key(), socket, Kind::LISTEN);
    }
    1
}

#[cgroup_sock(post_bind4)]
fn bind_cgroup4(ctx: SockContext) -> i32 {
    if let Some(sock) = udp(&ctx) {
        bound(sock);
    }
    1
}

#[cgroup_sock(post_bind6)]
fn bind_cgroup6(ctx: SockContext) -> i32 {
    if let Some(sock) = udp(&ctx) {
        bound(sock);
    }
    1
}

#[cgroup_sock(sock_release)]
fn release_cgroup(ctx: SockContext) -> i32 {
    if let Some(sock) = udp(&ctx) {
        released(sock);
    }
    1
}

/// The UDP socket a program of the cgroup is called for.
#[inline(always)]
fn udp(ctx: &SockContext) -> Option<Sock<Probed>> {
    let sock = Sock::of_cgroup_program(ctx.sock as *const u8);
    sock.is_udp().then_some(sock)
}

/// The program has bound it to a port: from here it hears whoever talks to it.
#[inline(always)]
fn bound(sock: Sock<Probed>) {
    let mut room = MaybeUninit::uninit();
    let socket = connections::unknown(&mut room);
    if !connections::copy(socket, sock.key()) {
        connections::begin(socket, sock, Direction::LISTENING);
        socket.flags |= Connection::OPEN_BEFORE;
        if !connections::insert_new(sock.key(), socket, Kind::LISTEN) {
            return;
        }
    }
    socket.direction = Direction::LISTENING;
    sock.endpoints(socket);
    connections::own(socket, Task::current(), Attribution::LISTEN);
    socket.selected = u8::from(select::matches(socket));
    report_replaced(Kind::LISTEN, sock.key(), socket, &Detail::default());
}

/// Nobody has a descriptor of it any more.
#[inline(always)]
fn released(sock: Sock<Probed>) {
    let mut key = FlowKey::NONE;
    if forgotten(sock, &mut key) {
        end_flows(&mut key);
    }
}

/// The socket is one no more, and from here no flow of it begins. Whether it has any, the newest of which
/// the key is.
///
/// A function of its own in the kernel too, as the next one, for the stack.
#[inline(never)]
fn forgotten(sock: Sock<Probed>, key: &mut FlowKey) -> bool {
    let mut room = MaybeUninit::uninit();
    let socket = connections::unknown(&mut room);
    if !connections::take(socket, sock.key()) {
        return false;
    }
    asked::forget(sock.key());
    *key = FlowKey::newest_of(sock.key(), socket);
    if socket.direction == Direction::LISTENING {
        report(
            Kind::UNLISTEN,
            socket,
            &Detail::of_states(tcp::LISTEN, tcp::CLOSE),
        );
    }
    key.remote_port != 0
}

/// The flows of a socket, from the newest on.
#[inline(never)]
fn end_flows(key: &mut FlowKey) {
    let mut count = 0;
    while count < FLOWS_MAX && key.remote_port != 0 {
        count += 1;
        let (next, next_port) = flows::next_of(key);
        let [high, low] = key.remote.words();
        if end_flow(key.sk, key.born_ns, high, low, u64::from(key.remote_port)) == 0 {
            return;
        }
        (key.remote, key.remote_port) = (next, next_port);
    }
}

/// The running process ends a flow; zero: it was over. A global function, which the verifier follows once,
/// and not for each flow.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn end_flow(sk: u64, born_ns: u64, high: u64, low: u64, port: u64) -> u64 {
    let task = Task::current();
    let closer = (!connections::releases_for_others(task)).then_some(task);
    let key = FlowKey {
        sk,
        born_ns,
        remote: Address::from_words([high, low]),
        remote_port: port as u16,
        reserved: [0; 3],
    };
    u64::from(flows::end(&key, 0, closer))
}
