//! Who closes: the process that gives up the last descriptor, or dies with it.

use core::mem::MaybeUninit;

use aya_ebpf::{
    macros::{cgroup_sock, fentry, kprobe},
    programs::{FEntryContext, ProbeContext, SockContext},
};
use tracer_abi::{Attribution, Connection, Direction, Identity, Kind, tcp};

use crate::{
    connections,
    kernel::{Memory, Probed, Sock, Task, Trusted},
};

twice!(
    #[fentry(function = "tcp_close")]
    close_fentry and close_again,
    |ctx: FEntryContext| close(Sock::<Trusted>::new(ctx.arg(0)))
);

#[kprobe]
fn close_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(sk) = ctx.arg(0) {
        close(Sock::<Probed>::new(sk));
    }
    0
}

/// The lowest rung: the release of a socket runs the programs of its cgroup, root's included, first.
#[cgroup_sock(sock_release)]
fn close_cgroup(ctx: SockContext) -> i32 {
    close(Sock::<Probed>::of_cgroup_program(ctx.sock as *const u8));
    1
}

/// The running process closes the socket.
#[inline(always)]
fn close<M: Memory>(sock: Sock<M>) {
    let sock = sock.speaker();
    if !sock.is_tcp() {
        return;
    }
    let task = Task::current();
    if connections::releases_for_others(task) {
        return;
    }
    let mut room = MaybeUninit::uninit();
    let connection = connections::unknown(&mut room);
    if !connections::copy_of(connection, sock) {
        // A connection older than tracing that was not found yet.
        let direction = match sock.state() {
            tcp::CLOSE | tcp::SYN_RECV => return,
            tcp::LISTEN => Direction::LISTENING,
            tcp::SYN_SENT => Direction::OUTBOUND,
            _ => Direction::UNKNOWN,
        };
        connections::begin(connection, sock, direction);
        connection.flags |= Connection::OPEN_BEFORE | Connection::ACCEPTED;
        // Unless it was found just now.
        if !connections::insert_new(sock.key(), connection, Kind::CLOSE)
            && !connections::copy(connection, sock.key())
        {
            return;
        }
    }
    if !is_owner(&connection.owner, task) {
        connections::own(connection, task, Attribution::CLOSE);
        connection.flags &= !Connection::SHARED;
        // Fails if it has just ended, and then who closes it no longer matters.
        let _ = connections::replace(sock.key(), connection);
    }
}

/// Whether the task is the known owner, still running the same program.
#[inline(always)]
fn is_owner(owner: &Identity, task: Task) -> bool {
    owner.tgid == task.tgid()
        && owner.start_ns == task.start_ns()
        && owner.exec_id == task.exec_id()
}
