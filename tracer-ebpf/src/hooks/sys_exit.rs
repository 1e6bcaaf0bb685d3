//! The lowest rung for what a system call returned: tp_btf `sys_exit(regs, ret)`.
//!
//! It runs at the end of every system call of the machine, so the first thing it does is to leave.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use super::accept::accept;
use crate::{
    attempts,
    kernel::{Probed, Sock, Task, registers},
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
        // Fast Open: a send that succeeds has made its SYN, and nothing waits for its end.
        Some(registers::Call::Send) if result < 0 => ended(result),
        _ => {}
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
