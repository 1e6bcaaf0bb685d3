//! Looks at connections through io_uring, which makes no system call for each: tp_btf `io_uring_complete`, in
//! the process's own context.
//!
//! Above the lowest rung they are reported by the other hooks, and by these once more: that they went
//! through io_uring.

use aya_ebpf::{
    bindings::BPF_ANY,
    macros::{btf_tracepoint, map},
    maps::LruHashMap,
    programs::BtfTracePointContext,
};
use tracer_abi::look_flag;

use super::look_calls::{look_at, look_through};
use crate::kernel::{Completion, LookOperation, Request, Task};

// The forms of the tracepoint are those of `io_uring.rs`.
twice!(
    #[btf_tracepoint(function = "io_uring_complete")]
    look_uring3 and look_u_again3,
    |ctx: BtfTracePointContext| {
        let completion = Completion::new(ctx.arg(2));
        completed(Request::new(ctx.arg(1)), || completion.result());
    }
);

twice!(
    #[btf_tracepoint(function = "io_uring_complete")]
    look_uring7 and look_u_again7,
    |ctx: BtfTracePointContext| completed(Request::new(ctx.arg(1)), || ctx.arg(3))
);

/// (ring, user data) → the request, of those that matter here.
/// Inserted when it is submitted, removed when it completes. LRU: one that never completes makes room
/// in time.
#[map]
static LOOK_REQUESTS: LruHashMap<[u64; 2], u64> = LruHashMap::with_max_entries(4096, 0);

#[btf_tracepoint(function = "io_uring_submit_sqe")]
fn look_submit(ctx: BtfTracePointContext) -> i32 {
    let opcode: u32 = ctx.arg(2);
    if LookOperation::of(opcode as u8).is_some() {
        let (ring, request, user_data): (u64, u64, u64) = (ctx.arg(0), ctx.arg(1), ctx.arg(3));
        // An LRU map makes room rather than fail.
        let _ = LOOK_REQUESTS.insert([ring, user_data], request, u64::from(BPF_ANY));
    }
    0
}

#[btf_tracepoint(function = "io_uring_complete")]
fn look_uring4(ctx: BtfTracePointContext) -> i32 {
    let key: [u64; 2] = [ctx.arg(0), ctx.arg(1)];
    if let Some(place) = LOOK_REQUESTS.get_ptr(key) {
        // SAFETY: the value is one aligned word, read in one load.
        let request = unsafe { *place };
        // Missing only if the map evicted it meanwhile.
        let _ = LOOK_REQUESTS.remove(key);
        completed(Request::new(request as *const u8), || ctx.arg(2));
    }
    0
}

/// A request is complete.
#[inline(always)]
fn completed(request: Request, result: impl Fn() -> i32) {
    let Some(operation) = request.look() else {
        return;
    };
    let result = result();
    if result < 0 {
        return;
    }
    match operation {
        // What goes into the table of a ring has no descriptor by which it could be found.
        LookOperation::Open | LookOperation::Socket if request.is_direct_look(operation) => {}
        LookOperation::Open => opened(result as u32),
        LookOperation::Socket => connected(result as u32),
        LookOperation::Read | LookOperation::Send => used(request),
    }
}

/// A file was opened. A function of its own in the kernel too, as those below, because the stack has no room
/// for all of them.
#[inline(never)]
fn opened(descriptor: u32) {
    if let Some(file) = Task::current().file(descriptor) {
        look_at(file, look_flag::IO_URING);
    }
}

/// A socket was opened.
#[inline(never)]
fn connected(descriptor: u32) {
    if let Some(sock) = Task::current().sock(descriptor) {
        look_through(sock, look_flag::IO_URING);
    }
}

/// A file or socket was read or written.
#[inline(never)]
fn used(request: Request) {
    match request.sock() {
        Some(sock) => look_through(sock, look_flag::IO_URING),
        None => look_at(request.file(), look_flag::IO_URING),
    }
}
