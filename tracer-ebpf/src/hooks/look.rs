//! Looks at connections, below the system calls: whoever asks, through whatever path, mount or ring.
//!
//! All of these functions run in the context of who looks, and none for what does not show connections or
//! descriptors: an ordinary `open` costs nothing.

use aya_ebpf::{
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use tracer_abi::{Glance, Look};

use crate::{
    kernel::{File, IterFile, NetlinkMessage, Probed, ProcFile, Sock, is_at_beginning},
    looks, sweeps,
};

// `proc_reg_open(inode, file)`: a file of procfs that a driver or the network made is opened.
twice!(
    #[fentry(function = "proc_reg_open")]
    list_fentry and list_again,
    |ctx: FEntryContext| list(ctx.arg(1))
);

#[kprobe]
fn list_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(file) = ctx.arg(1) {
        list(file);
    }
    0
}

// `proc_reg_read(file, buf, count, ppos)`: it is read, maybe by who got it opened.
twice!(
    #[fentry(function = "proc_reg_read")]
    read_fentry and read_again,
    |ctx: FEntryContext| read(ctx.arg(0), ctx.arg(3))
);

#[kprobe]
fn read_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(file), Some(position)) = (ctx.arg(0), ctx.arg(3)) {
        read(file, position);
    }
    0
}

// `proc_fd_iterate(file, ctx)`, in older kernels `proc_readfd`: the directory of a process's descriptors is
// read. The ladder says which.
twice!(
    #[fentry(function = "proc_fd_iterate")]
    fds_fentry and fds_again,
    |ctx: FEntryContext| fds(ctx.arg(0))
);

#[kprobe]
fn fds_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(file) = ctx.arg(0) {
        fds(file);
    }
    0
}

// `proc_pid_readlink(dentry, buffer, buflen)`: what a link of procfs refers to is asked for.
twice!(
    #[fentry(function = "proc_pid_readlink")]
    links_fentry and links_again,
    |ctx: FEntryContext| link(ctx.arg(0))
);

#[kprobe]
fn links_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(dentry) = ctx.arg(0) {
        link(dentry);
    }
    0
}

// `__netlink_dump_start(ssk, skb, nlh, control)`: a dump is begun, of any family of netlink; `ssk` is the
// kernel's socket.
twice!(
    #[fentry(function = "__netlink_dump_start")]
    dump_fentry and dump_again,
    |ctx: FEntryContext| dump(ctx.arg(0), ctx.arg(2))
);

#[kprobe]
fn dump_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(socket), Some(message)) = (ctx.arg(0), ctx.arg(2)) {
        dump(socket, message);
    }
    0
}

// `sock_diag_destroy(sk, err)`: a socket is destroyed for who asked for it.
twice!(
    #[fentry(function = "sock_diag_destroy")]
    kill_fentry and kill_again,
    |ctx: FEntryContext| destroy(ctx.arg(0))
);

#[kprobe]
fn kill_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(socket) = ctx.arg(0) {
        destroy(socket);
    }
    0
}

// `bpf_seq_read(file, buf, size, ppos)`: an iterator is read.
twice!(
    #[fentry(function = "bpf_seq_read")]
    iter_fentry and iter_again,
    |ctx: FEntryContext| iterate(ctx.arg(0), ctx.arg(3))
);

#[kprobe]
fn iter_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(file), Some(position)) = (ctx.arg(0), ctx.arg(3)) {
        iterate(file, position);
    }
    0
}

#[inline(always)]
fn list(file: *const u8) {
    if let Some(ProcFile::List(look)) = ProcFile::of(File::new(file)) {
        looks::tell(look);
    }
}

#[inline(always)]
fn read(file: *const u8, position: *const u8) {
    if is_at_beginning(position) {
        list(file);
    }
}

#[inline(always)]
fn fds(file: *const u8) {
    if let Some(ProcFile::Descriptors(process)) = ProcFile::of(File::new(file)) {
        sweeps::note(process);
    }
}

#[inline(always)]
fn link(dentry: *const u8) {
    if let Some(process) = ProcFile::of_link(dentry) {
        sweeps::note(process);
    }
}

#[inline(always)]
fn dump(socket: *const u8, message: *const u8) {
    let sock = Sock::<Probed>::new(socket);
    if let Some(protocol) = sock.netlink()
        && let Some(look) = NetlinkMessage::<Probed>::new(message).dump(protocol)
    {
        looks::tell(Look {
            listed: sock.netns(),
            ..look
        });
    }
}

#[inline(always)]
fn destroy(socket: *const u8) {
    looks::tell(Look {
        glance: Glance::DESTROY,
        listed: Sock::<Probed>::new(socket).netns(),
        ..Look::NONE
    });
}

#[inline(always)]
fn iterate(file: *const u8, position: *const u8) {
    if is_at_beginning(position)
        && let Some(look) = IterFile::shown(File::new(file))
    {
        looks::tell(look);
    }
}
