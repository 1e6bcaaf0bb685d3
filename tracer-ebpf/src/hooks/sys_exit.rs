//! The lowest rung for what a system call returned: tp_btf `sys_exit(regs, ret)`.
//!
//! It runs at the end of every system call of the machine, so the first thing it does is to leave.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use tracer_abi::Nested;

use super::accept::accept;
use crate::{
    attempts,
    kernel::{
        Probed, Sock, Task,
        registers::{self, Call},
    },
    nesting,
};

#[btf_tracepoint(function = "sys_exit")]
fn sys_exit_tp_btf(ctx: BtfTracePointContext) -> i32 {
    let result: i64 = ctx.arg(1);
    if let Some(call) = registers::call(ctx.arg(0)).filter(|call| matters(*call, result)) {
        nesting::leave_trace(Nested::SYS_EXIT, Task::current().key());
        returned(call, result);
    }
    0
}

/// The same end in place of the program above, where that was skipped.
#[btf_tracepoint(function = "sys_exit")]
fn sys_exit_nested(ctx: BtfTracePointContext) -> i32 {
    let result: i64 = ctx.arg(1);
    if let Some(call) = registers::call(ctx.arg(0)).filter(|call| matters(*call, result))
        && nesting::was_skipped(Nested::SYS_EXIT, Task::current().key())
    {
        returned(call, result);
    }
    0
}

/// Whether the call can have done something that is to be reported.
#[inline(always)]
fn matters(call: Call, result: i64) -> bool {
    match call {
        Call::Accept => result >= 0,
        Call::Connect => true,
        // Fast Open: a send that succeeds has made its SYN, and nothing waits for its end.
        Call::Send => result < 0,
    }
}

#[inline(always)]
fn returned(call: Call, result: i64) {
    match call {
        Call::Accept => accepted(result as u32),
        Call::Connect | Call::Send => ended(result),
    }
}

/// accept returned a descriptor. A function of its own in the kernel too, because the stack has no
/// room for both.
#[inline(never)]
fn accepted(descriptor: u32) {
    if let Some(file) = Task::current().file(descriptor)
        && let Some(socket) = file.socket()
    {
        let sk = socket.sk();
        if !sk.is_null() {
            accept(Sock::<Probed>::new(sk));
        }
    }
}

/// A call that may have begun a connect attempt returned.
#[inline(never)]
fn ended(result: i64) {
    attempts::end(result);
}
