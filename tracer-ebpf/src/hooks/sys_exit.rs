//! The lowest rung for what a system call returned: tp_btf `sys_exit(regs, ret)`.
//!
//! It runs at the end of every system call of the machine, so the first thing it does is to leave.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use super::{
    accept::{Evidence, accept},
    socket,
};
use crate::{
    attempts,
    kernel::{Task, registers},
};

twice!(
    #[btf_tracepoint(function = "sys_exit")]
    sys_exit_tp_btf and sys_exit_again,
    |ctx: BtfTracePointContext| returned(registers::call(ctx.arg(0)), ctx.arg(1))
);

#[inline(always)]
fn returned(call: Option<registers::Call>, result: i64) {
    match call {
        Some(registers::Call::Accept) if result >= 0 => accepted(result as u32),
        Some(registers::Call::Connect) => ended(result),
        // What io_uring began in it ends with its own completion.
        Some(registers::Call::Ring) => attempts::forget_call(),
        Some(registers::Call::Socket) if result >= 0 => opened(result as u32),
        // Fast Open: a send that succeeds has made its SYN, and nothing waits for its end.
        Some(registers::Call::Send) if result < 0 => ended(result),
        _ => {}
    }
}

/// accept returned a descriptor. A function of its own in the kernel too, because the stack has no
/// room for both.
#[inline(never)]
fn accepted(descriptor: u32) {
    if let Some(sock) = Task::current().sock(descriptor) {
        accept(sock, Evidence::Call);
    }
}

/// socket returned a descriptor.
#[inline(never)]
fn opened(descriptor: u32) {
    if let Some(socket) = Task::current().socket(descriptor) {
        socket::open(socket);
    }
}

/// A call that may have begun a connect attempt returned.
#[inline(never)]
fn ended(result: i64) {
    attempts::end_call(result);
}
