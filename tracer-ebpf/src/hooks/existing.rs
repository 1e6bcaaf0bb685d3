//! Connections and listeners that were there before tracing began.
//!
//! The user half runs these iterators once every hook is in its place, so what they find and what the
//! hooks see cannot fall into a gap between: whoever comes first enters the socket, and the other one
//! finds it entered.

use core::mem::MaybeUninit;

use tracer_abi::{Connection, Detail, Direction, Kind, Protocol, tcp};

use super::existing_udp;
use crate::{
    attempts, connections,
    emit::report,
    holders,
    kernel::{File, Probed, Sock, Task, forget_type},
    select,
};

// `bpf_iter__tcp(meta, sk_common, uid)`: the TCP sockets of the network namespace of whoever reads, with
// those that no process holds: waiting to be accepted, closing, in TIME_WAIT.
//
// The kernel holds the socket's lock (since 5.15) or that of its hash bucket (before), so that it cannot
// end between its entry and its report.
iterate!("iter/tcp", existing_tcp, |ctx| {
    let sk = forget_type(ctx.arg(1));
    if !sk.is_null() {
        let mut room = MaybeUninit::uninit();
        found(Sock::new(sk), connections::unknown(&mut room));
    }
});

// `bpf_iter__task_file(meta, task, fd, file)`: every open file of every process, so also the sockets of
// network namespaces that nobody could enter.
iterate!("iter/task_file", existing_files, |ctx| {
    let task = forget_type(ctx.arg(1));
    let file = forget_type(ctx.arg(3));
    if !task.is_null() && !file.is_null() {
        open_file(Task::new(task), File::new(file));
    }
});

/// A process has a file open.
#[inline(always)]
fn open_file(task: Task, file: File) {
    if let Some(socket) = file.socket()
        // Before 5.11 the kernel comes by for each thread.
        && task.has_files_of_its_own()
    {
        let sock = Sock::<Probed>::new(socket.sk()).speaker();
        if sock.is_tcp() {
            held(sock, task);
        } else if sock.is_udp() {
            existing_udp::held(sock, task);
        }
    }
}

/// A process holds a TCP socket. A function of its own in the kernel too, for the stack.
#[inline(never)]
fn held(sock: Sock<Probed>, task: Task) {
    let mut room = MaybeUninit::uninit();
    let connection = connections::unknown(&mut room);
    let is_known = connections::copy(connection, sock.key());
    if (is_known || found(sock, connection)) && holders::is_news(connection, task) {
        let state = sock.state();
        holders::hold(connection, task, &sock.detail(state, state));
        // Fails if it has just ended, and then who holds it no longer matters.
        let _ = connections::replace(sock.key(), connection);
    }
}

/// Enters a TCP socket that nothing is known of, and reports it. Whether that is so.
#[inline(always)]
fn found(sock: Sock<Probed>, connection: &mut Connection) -> bool {
    let state = sock.state();
    let direction = match state {
        // A request is no socket yet, and what is closed is none any more.
        tcp::NEW_SYN_RECV | tcp::CLOSE => return false,
        // It came into this state just now, and the connect hook is about to tell of it.
        tcp::SYN_SENT if attempts::is_to_send(sock.key()) => return false,
        tcp::LISTEN => Direction::LISTENING,
        tcp::SYN_SENT => Direction::OUTBOUND,
        _ => Direction::UNKNOWN,
    };
    connections::begin(connection, sock, direction);
    // What is in TIME_WAIT has no field for it.
    connection.protocol = Protocol::TCP;
    connection.flags |= Connection::OPEN_BEFORE;
    connection.selected = u8::from(select::matches(connection));
    if state == tcp::TIME_WAIT {
        // What is left of a connection: an address pair without counters, whose end nobody sees.
        report(Kind::EXISTING, connection, &Detail::of_states(state, state));
        return false;
    }
    if sock.has_socket() || sock.is_dead() {
        connection.flags |= Connection::ACCEPTED;
    } else if direction == Direction::UNKNOWN {
        // Waits to be accepted.
        connection.direction = Direction::INBOUND;
    }
    if !connections::insert_new(sock.key(), connection, Kind::EXISTING) {
        return false;
    }
    report(Kind::EXISTING, connection, &sock.detail(state, state));
    true
}
