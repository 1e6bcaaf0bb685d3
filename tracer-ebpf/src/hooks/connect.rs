//! Outbound attempts: `tcp_connect`, called once for each SYN that is about to leave, in process
//! context, with the source port assigned; also for Fast Open, io_uring and 32-bit programs.

use core::mem::MaybeUninit;

use aya_ebpf::{
    bindings::BPF_SOCK_OPS_TCP_CONNECT_CB,
    macros::{fentry, kprobe, sock_ops},
    programs::{FEntryContext, ProbeContext, SockOpsContext},
};
use tracer_abi::{Attribution, Connection, Direction, Kind, tcp};

use crate::{
    attempts, connections,
    emit::report,
    kernel::{Memory, Probed, Sock, Task, Trusted},
    select, states,
};

twice!(
    #[fentry(function = "tcp_connect")]
    connect_fentry and connect_again,
    |ctx: FEntryContext| connect(Sock::<Trusted>::new(ctx.arg(0)))
);

#[kprobe]
fn connect_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(sk) = ctx.arg(0) {
        connect(Sock::<Probed>::new(sk));
    }
    0
}

/// The lowest rung: `tcp_connect` calls the sock_ops programs first of all. This one stays passive:
/// it writes no reply and sets no callback flags.
#[sock_ops]
fn connect_sockops(ctx: SockOpsContext) -> u32 {
    if ctx.op() == BPF_SOCK_OPS_TCP_CONNECT_CB
        && let Some(sock) = of_sock_ops(&ctx)
    {
        connect(sock);
    }
    1
}

/// The socket a sock_ops program is called for.
#[inline(always)]
pub fn of_sock_ops(ctx: &SockOpsContext) -> Option<Sock<Probed>> {
    // SAFETY: the verifier turns the access into a load of the socket, null for a mini socket.
    let sk = unsafe { (*ctx.ops).__bindgen_anon_2.sk };
    (!sk.is_null()).then(|| Sock::of_cgroup_program(sk as *const u8))
}

#[inline(always)]
fn connect<M: Memory>(sock: Sock<M>) {
    if !sock.is_tcp() {
        return;
    }
    let mut room = MaybeUninit::uninit();
    let connection = connections::unknown(&mut room);
    if connections::copy_of(connection, sock) {
        if is_attempt(connection) {
            return;
        }
        connections::miss_end(connection, sock.key());
    }
    connections::begin(connection, sock, Direction::OUTBOUND);
    connections::own(connection, Task::current(), Attribution::CONNECT);
    if let Some(first) = sock.first_path() {
        // A worker of the kernel's connects for whoever has the connection.
        connections::share_owner(connection, first.key());
    }
    connection.selected = u8::from(select::matches(connection));
    // It entered the state in this call, before it had a port.
    states::enter(sock, connection, tcp::CLOSE, tcp::SYN_SENT);
    connections::insert(sock.key(), connection, Kind::CONNECT);
    attempts::syn_sent(sock.key(), connection);
    if let Some(parent) = sock.parent() {
        attempts::syn_sent(parent.key(), connection);
    }
    report(
        Kind::CONNECT,
        connection,
        &sock.detail(tcp::CLOSE, tcp::SYN_SENT),
    );
}

/// The SYN of the attempt has been reported. An earlier connection of the socket has left nothing:
/// it was forgotten when it ended.
#[inline(always)]
pub fn is_attempt(connection: &Connection) -> bool {
    connection.direction == Direction::OUTBOUND && connection.flags & Connection::ESTABLISHED == 0
}
