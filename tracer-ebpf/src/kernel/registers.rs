//! `struct pt_regs` of x86-64: which system call is ending.

use super::{
    Task,
    memory::{Memory as _, Trusted},
};
use crate::globals::offset;

/// The system calls that matter here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `accept`, `accept4`
    Accept,
    /// `connect`
    Connect,
    /// `sendto`, `sendmsg`, `sendmmsg`
    Send,
}

/// The call that ends, given its registers as tp_btf `sys_exit` is handed them; `None` for any other.
/// A 32-bit task numbers them otherwise: 288 is accept4 to a 64-bit program and keyctl to a 32-bit
/// one.
///
/// This runs at the end of every call of the machine, so it reads with plain loads.
#[inline(always)]
pub fn call(registers: *const u8) -> Option<Call> {
    let number = Trusted::read::<u64>(registers, offset!(regs_call)) as u32;
    let wide = call_of_64_bit(number);
    let narrow = is_narrow(number);
    if wide.is_none() && !narrow {
        return None;
    }
    if !Task::current().is_compat() {
        return wide;
    }
    if number == SOCKETCALL {
        let which = Trusted::read::<u64>(registers, offset!(regs_first_compat));
        return call_of_socketcall(which as u32);
    }
    call_of_32_bit(number)
}

const SOCKETCALL: u32 = 102;

/// `arch/x86/entry/syscalls/syscall_64.tbl`
#[inline(always)]
fn call_of_64_bit(number: u32) -> Option<Call> {
    match number {
        43 | 288 => Some(Call::Accept),
        42 => Some(Call::Connect),
        44 | 46 | 307 => Some(Call::Send),
        _ => None,
    }
}

/// `arch/x86/entry/syscalls/syscall_32.tbl`
#[inline(always)]
fn call_of_32_bit(number: u32) -> Option<Call> {
    match number {
        364 => Some(Call::Accept),
        362 => Some(Call::Connect),
        369 | 370 | 345 => Some(Call::Send),
        _ => None,
    }
}

/// Whether a 32-bit task means one of the calls by this number.
#[inline(always)]
fn is_narrow(number: u32) -> bool {
    number == SOCKETCALL || call_of_32_bit(number).is_some()
}

/// `include/uapi/linux/net.h`
#[inline(always)]
fn call_of_socketcall(which: u32) -> Option<Call> {
    match which {
        5 | 18 => Some(Call::Accept),
        3 => Some(Call::Connect),
        11 | 16 | 20 => Some(Call::Send),
        _ => None,
    }
}
