//! The lowest rung for looks at connections: what a system call returned, tp_btf `sys_exit(regs, ret)`.
//!
//! A returned descriptor is resolved to its file, so neither the path that was given nor what became of it
//! meanwhile matters. It runs at the end of every system call of the machine, so the first thing it does is
//! to leave.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use tracer_abi::{Glance, Look};

use crate::{
    kernel::{
        File, IterFile, NetlinkMessage, Probed, ProcFile, Sock, Task, User, message_of,
        netlink_protocol, registers,
    },
    looks, sweeps,
};

twice!(
    #[btf_tracepoint(function = "sys_exit")]
    look_exit and look_exit_again,
    |ctx: BtfTracePointContext| {
        let registers = ctx.arg(0);
        let result: i64 = ctx.arg(1);
        if let Some(call) = registers::look(registers)
            && result >= 0
        {
            match call {
                registers::Look::Open => opened(result as u32),
                registers::Look::Iterator => iterated(result as u32),
                registers::Look::Socket => connected(result as u32),
                registers::Look::Send(descriptor, data) => {
                    sent(descriptor, NetlinkMessage::new(data));
                }
                registers::Look::SendMessage(descriptor, header) => {
                    sent(descriptor, message_of(header));
                }
            }
        }
    }
);

/// A descriptor of a file was returned. A function of its own in the kernel too, as those below, because the
/// stack has no room for all of them.
#[inline(never)]
fn opened(descriptor: u32) {
    if let Some(file) = Task::current().file(descriptor) {
        look_at(file, 0);
    }
}

/// A file is looked at, in a way.
#[inline(always)]
pub fn look_at(file: File, flags: u16) {
    match ProcFile::of(file) {
        Some(ProcFile::List(look)) => looks::tell(Look { flags, ..look }),
        Some(ProcFile::Descriptors(process)) => sweeps::note(process),
        None => {}
    }
}

/// A descriptor of an iterator was returned.
#[inline(never)]
fn iterated(descriptor: u32) {
    if let Some(file) = Task::current().file(descriptor)
        && let Some(look) = IterFile::shown(file)
    {
        looks::tell(look);
    }
}

/// A descriptor of a socket was returned.
#[inline(never)]
fn connected(descriptor: u32) {
    if let Some(sock) = Task::current().sock(descriptor) {
        look_through(sock, 0);
    }
}

/// A socket that is there to ask for sockets is opened or used, in a way.
#[inline(always)]
pub fn look_through(sock: Sock<Probed>, flags: u16) {
    if sock.netlink() == Some(netlink_protocol::SOCK_DIAG) {
        looks::tell(Look {
            glance: Glance::DIAG_SOCKET,
            flags,
            listed: sock.netns(),
            ..Look::NONE
        });
    }
}

/// Something was sent.
#[inline(never)]
fn sent(descriptor: u32, message: NetlinkMessage<User>) {
    let Some(sock) = Task::current().sock(descriptor) else {
        return;
    };
    let Some(protocol) = sock.netlink() else {
        return;
    };
    let look = if message.is_dump() {
        message.dump(protocol)
    } else if protocol == netlink_protocol::SOCK_DIAG && message.destroys() {
        Some(Look {
            glance: Glance::DESTROY,
            ..Look::NONE
        })
    } else {
        None
    };
    if let Some(look) = look {
        looks::tell(Look {
            listed: sock.netns(),
            ..look
        });
    }
}
