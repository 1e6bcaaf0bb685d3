//! Sockets of kinds that are not followed: who opened one.
//!
//! `security_socket_post_create(sock, family, type, protocol, kern)` is called in process context
//! once the socket is whole, for socket, io_uring and 32-bit programs alike.

use aya_ebpf::{
    bindings::BPF_ANY,
    macros::{fentry, kprobe, map},
    maps::LruHashMap,
    programs::{FEntryContext, ProbeContext},
};
use tracer_abi::{Counted, Identity, Kind, SocketFrame, Subject};

use crate::{
    counters::count,
    globals::global,
    kernel::{Probed, Sock, Socket, Task},
    ring::{now_ns, reserve, submit, write_header},
    select,
};

/// Thread → inode number of the socket it reported last, so that of several programs that see it
/// opened only one reports it. A socket has its number for itself, so nothing need be removed.
#[map]
static OPENED: LruHashMap<u64, u64> = LruHashMap::with_max_entries(4096, 0);

twice!(
    #[fentry(function = "security_socket_post_create")]
    socket_fentry and socket_again,
    |ctx: FEntryContext| made(ctx.arg(0), ctx.arg::<i32>(4))
);

#[kprobe]
fn socket_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(socket), Some(of_kernel)) = (ctx.arg(0), ctx.arg::<i32>(4)) {
        made(socket, of_kernel);
    }
    0
}

/// The kernel makes a socket, for the running process or for itself.
#[inline(always)]
fn made(socket: *const u8, of_kernel: i32) {
    if of_kernel == 0 {
        open(Socket::new(socket));
    }
}

/// The running process opens a socket.
#[inline(always)]
pub fn open(socket: Socket) {
    let sock = Sock::<Probed>::new(socket.sk());
    if !sock.is_unfollowed() {
        return;
    }
    let task = Task::current();
    if !task.is_kernel_thread() && is_news(task, socket.inode()) {
        report(sock, socket.inode(), task);
    }
}

#[inline(always)]
fn is_news(task: Task, inode: u64) -> bool {
    if let Some(last) = OPENED.get_ptr(task.key()) {
        // SAFETY: the value is one aligned word, read in one load.
        if unsafe { *last } == inode {
            return false;
        }
    }
    // A failure could at worst have it reported twice; an LRU map makes room rather than fail.
    let _ = OPENED.insert(task.key(), inode, u64::from(BPF_ANY));
    true
}

#[inline(always)]
fn report(sock: Sock<Probed>, inode: u64, task: Task) {
    let mut owner = Identity::NOBODY;
    task.identify(&mut owner);
    if owner.tgid == global!(SETTINGS.own_tgid) {
        count(Kind::SOCKET, Counted::Own);
        return;
    }
    count(Kind::SOCKET, Counted::Seen);
    let (netns, family, protocol) = (sock.netns(), sock.family(), sock.protocol());
    if !select::keeps(Subject::of_socket(&owner, netns, family, protocol)) {
        count(Kind::SOCKET, Counted::SelectedOut);
        return;
    }
    let Some(mut entry) = reserve::<SocketFrame>(Kind::SOCKET) else {
        return;
    };
    let frame = entry.as_mut_ptr();
    let len = size_of::<SocketFrame>() as u32;
    // SAFETY: reserved ring memory of that type, and every field of it is written.
    unsafe {
        write_header(&raw mut (*frame).header, Kind::SOCKET, now_ns(), len);
        (*frame).owner = owner;
        (*frame).inode = inode;
        (*frame).netns = netns;
        (*frame).protocol = protocol;
        (*frame).family = family;
        (*frame).socket_type = sock.socket_type();
        (*frame).reserved = 0;
    }
    submit(entry);
}
