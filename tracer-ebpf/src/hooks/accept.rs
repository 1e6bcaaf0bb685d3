//! Inbound connections taken by a process.

use core::mem::MaybeUninit;

use aya_ebpf::{
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use tracer_abi::{Attribution, Connection, Direction, Kind, tcp};

use crate::{
    connections,
    emit::{report, report_replaced},
    kernel::{Memory, Probed, Sock, Task, Trusted, forget_type},
    select,
};

// The best: `security_sock_graft(sk, parent)` joins the new connection to the descriptor's socket
// inside accept, at entry: no return probe to starve, and a thread that was already blocked in accept
// when tracing began calls it all the same.
twice!(
    #[fentry(function = "security_sock_graft")]
    accept_fentry and accept_again,
    |ctx: FEntryContext| accept(Sock::<Trusted>::new(ctx.arg(0)), Evidence::Call)
);

#[kprobe]
fn accept_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(sk) = ctx.arg(0) {
        accept(Sock::<Probed>::new(sk), Evidence::Call);
    }
    0
}

// `inet_csk_accept(sk, flags, err, kern)`, up to 6.9.
twice!(
    #[fexit(function = "inet_csk_accept")]
    accept_fexit4 and accept_again4,
    |ctx: FExitContext| accept_returned::<Trusted>(ctx.arg(4))
);

// `inet_csk_accept(sk, arg)`, from 6.10 on.
twice!(
    #[fexit(function = "inet_csk_accept")]
    accept_fexit2 and accept_again2,
    |ctx: FExitContext| accept_returned::<Trusted>(ctx.arg(2))
);

#[kretprobe]
fn accept_kretprobe(ctx: RetProbeContext) -> u32 {
    accept_returned::<Probed>(ctx.ret());
    0
}

#[inline(always)]
fn accept_returned<M: Memory>(sk: *const u8) {
    if !sk.is_null() {
        accept(Sock::<M>::new(sk), Evidence::Call);
    }
}

/// How it is known that the running process takes a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// A call of accept says so.
    Call,
    /// It has a descriptor of the socket, which shows it of an inbound connection, but not that it is
    /// one.
    Descriptor,
}

/// The running process takes the connection: all paths of it, if there are several.
#[inline(always)]
pub fn accept<M: Memory>(sock: Sock<M>, evidence: Evidence) {
    let is_call = u64::from(evidence == Evidence::Call);
    let take = |path: Sock<Probed>| take_path(forget_type(path.address()) as u64, is_call);
    take(sock.speaker());
    sock.each_path(|path| {
        take(path);
    });
}

/// [`take`] as a global function, which the verifier follows once, and not for each path.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn take_path(sk: u64, is_call: u64) -> u64 {
    let evidence = if is_call == 1 {
        Evidence::Call
    } else {
        Evidence::Descriptor
    };
    take(Sock::new(sk as *const u8), evidence);
    0
}

/// The running process takes what speaks.
#[inline(always)]
fn take(sock: Sock<Probed>, evidence: Evidence) {
    if !sock.is_tcp() {
        return;
    }
    let key = sock.key();
    let state = sock.state();
    let mut room = MaybeUninit::uninit();
    let connection = connections::unknown(&mut room);
    let mut is_known = connections::copy_of(connection, sock);
    if evidence == Evidence::Descriptor && !(is_known && connection.direction == Direction::INBOUND)
    {
        return;
    }
    if !is_known {
        // It ended before it was taken, and that was reported.
        if state == tcp::CLOSE {
            return;
        }
        connections::begin(connection, sock, Direction::INBOUND);
        // With Fast Open a connection is taken while its handshake goes on; any other had finished
        // it before tracing began.
        if state != tcp::SYN_RECV {
            connection.flags |= Connection::OPEN_BEFORE;
        }
        // Unless it was found meanwhile among what is older, or there is no room for it.
        is_known = connections::insert_new(key, connection, Kind::ACCEPT)
            || connections::copy(connection, key);
    }
    // Another hook was first.
    if connection.flags & Connection::ACCEPTED != 0 {
        return;
    }
    connection.flags |= Connection::ACCEPTED;
    connections::own(connection, Task::current(), Attribution::ACCEPT);
    if connection.selected == 0 {
        connection.selected = u8::from(select::matches(connection));
    }
    let detail = sock.detail(state, state);
    if is_known {
        report_replaced(Kind::ACCEPT, key, connection, &detail);
    } else {
        report(Kind::ACCEPT, connection, &detail);
    }
}
