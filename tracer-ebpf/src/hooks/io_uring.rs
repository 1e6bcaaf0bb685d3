//! The lowest rung for what io_uring did: tp_btf `io_uring_complete`, in the process's own context,
//! whoever of its threads did the work.
//!
//! What the tracepoint hands over changed with the versions. Which of the programs fits is told by
//! the kernel's types; the ladder names them.

use aya_ebpf::{
    bindings::BPF_ANY,
    macros::{btf_tracepoint, map},
    maps::LruHashMap,
    programs::BtfTracePointContext,
};

use super::{
    accept::{self, Evidence},
    socket,
};
use crate::{
    attempts,
    kernel::{Completion, Operation, Probed, Request, Task},
};

// From 6.14 on: `(ctx, req, cqe)`.
twice!(
    #[btf_tracepoint(function = "io_uring_complete")]
    uring_tp_btf3 and uring_again3,
    |ctx: BtfTracePointContext| {
        let completion = Completion::new(ctx.arg(2));
        let what = || (completion.result(), completion.flags());
        completed_request(ctx.arg(1), what);
    }
);

// From 5.18 on: `(ctx, req, user_data, res, cflags, …)`.
twice!(
    #[btf_tracepoint(function = "io_uring_complete")]
    uring_tp_btf7 and uring_again7,
    |ctx: BtfTracePointContext| completed_request(ctx.arg(1), || (ctx.arg(3), ctx.arg(4)))
);

/// (ring, user data) → the request, of those that matter here.
/// Inserted when it is submitted, removed when it completes. LRU: one that never completes makes room
/// in time.
#[map]
static REQUESTS: LruHashMap<[u64; 2], u64> = LruHashMap::with_max_entries(16_384, 0);

/// Before 5.18 the end of a request does not name it, but its beginning does:
/// `(ctx, req, opcode, user_data, …)`.
#[btf_tracepoint(function = "io_uring_submit_sqe")]
fn uring_submit(ctx: BtfTracePointContext) -> i32 {
    let opcode: u32 = ctx.arg(2);
    if Operation::of(opcode as u8).is_some() {
        let (ring, request, user_data): (u64, u64, u64) = (ctx.arg(0), ctx.arg(1), ctx.arg(3));
        // A failure costs what this rung would cost without it; an LRU map makes room rather than
        // fail.
        let _ = REQUESTS.insert([ring, user_data], request, u64::from(BPF_ANY));
    }
    0
}

/// From 5.14 on, and in 5.10 since it has the io_uring of 5.15: `(ctx, user_data, res, cflags)`.
#[btf_tracepoint(function = "io_uring_complete")]
fn uring_tp_btf4(ctx: BtfTracePointContext) -> i32 {
    let key: [u64; 2] = [ctx.arg(0), ctx.arg(1)];
    if let Some(place) = REQUESTS.get_ptr(key) {
        // SAFETY: the value is one aligned word, read in one load.
        let request = unsafe { *place };
        // Missing only if the map evicted it meanwhile.
        let _ = REQUESTS.remove(key);
        completed(Request::new(request as *const u8), || ctx.arg(2));
    }
    0
}

/// `IORING_CQE_F_BUFFER`: data was received into a buffer of the ring's own.
const HAS_BUFFER: u32 = 1;
/// `IORING_CQE_F_MORE`: the request goes on.
const GOES_ON: u32 = 2;

/// Something of a request is complete. Of one that goes on the kernel does not say which it is.
#[inline(always)]
fn completed_request(request: *const u8, what: impl Fn() -> (i32, u32)) {
    if !request.is_null() {
        completed(Request::new(request), || what().0);
        return;
    }
    let (result, flags) = what();
    if result >= 0 && flags & (GOES_ON | HAS_BUFFER) == GOES_ON {
        perhaps_accepted(result as u32);
    }
}

/// A request is complete.
#[inline(always)]
fn completed(request: Request, result: impl Fn() -> i32) {
    let Some(operation) = request.operation() else {
        return;
    };
    let result = result();
    match operation {
        Operation::Connect => ended(request, result),
        // What goes into the table of a ring has no descriptor by which it could be found.
        _ if result < 0 || request.is_direct(operation) => {}
        Operation::Accept => accepted(result as u32),
        Operation::Socket => opened(result as u32),
    }
}

/// A connect ended. A function of its own in the kernel too, as those below, because the stack has no
/// room for all of them.
#[inline(never)]
fn ended(request: Request, result: i32) {
    if let Some(sock) = request.sock() {
        attempts::end(sock.key(), i64::from(result));
    }
}

/// An accept returned a descriptor.
#[inline(never)]
fn accepted(descriptor: u32) {
    if let Some(sock) = Task::current().sock(descriptor) {
        accept::accept(sock, Evidence::Call);
    }
}

/// A request that goes on returned a number: the descriptor of what it accepted, if it is one that
/// accepts. Whatever it is, a socket that has a descriptor was taken by the process that has it.
#[inline(never)]
fn perhaps_accepted(descriptor: u32) {
    if let Some(sock) = Task::current().sock(descriptor) {
        accept::accept::<Probed>(sock, Evidence::Descriptor);
    }
}

/// A socket was opened.
#[inline(never)]
fn opened(descriptor: u32) {
    if let Some(socket) = Task::current().socket(descriptor) {
        socket::open(socket);
    }
}
