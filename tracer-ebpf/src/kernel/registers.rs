//! `struct pt_regs` of x86-64: which system call begins or ends, and with what.

use super::{
    Task,
    address::message_name,
    memory::{Memory as _, Trusted, User},
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
    /// `socket`
    Socket,
    /// `io_uring_enter`
    Ring,
}

/// The call that begins or ends, given its registers as tp_btf `sys_enter` and `sys_exit` are handed them; `None` for any other.
/// A 32-bit task numbers them otherwise: 288 is accept4 to a 64-bit program and keyctl to a 32-bit
/// one.
///
/// This runs with every call of the machine, so it reads with plain loads.
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

/// The system calls by which connections may be shown, once they have returned.
#[derive(Clone, Copy)]
pub enum Look {
    /// `open`, `openat`, `openat2`
    Open,
    /// `bpf` with `BPF_ITER_CREATE`
    Iterator,
    /// `socket`
    Socket,
    /// `sendto`: a descriptor and data in the program's memory.
    Send(u32, *const u8),
    /// `sendmsg`: a descriptor and a header in the program's memory.
    SendMessage(u32, *const u8),
}

/// The one of these that ends. Of what 32-bit programs send nothing is known; it takes a socket first.
#[inline(always)]
pub fn look(registers: *const u8) -> Option<Look> {
    const ITER_CREATE: u32 = 33;
    const SOCKET: u64 = 1;
    let read = |offset| Trusted::read::<u64>(registers, offset);
    let number = read(offset!(regs_call)) as u32;
    if !matches!(
        number,
        2 | 5 | 41 | 44 | 46 | 102 | 257 | 295 | 321 | 357 | 359 | 437
    ) {
        return None;
    }
    if Task::current().is_compat() {
        return match number {
            5 | 295 | 437 => Some(Look::Open),
            357 if read(offset!(regs_first_compat)) as u32 == ITER_CREATE => Some(Look::Iterator),
            359 => Some(Look::Socket),
            SOCKETCALL if read(offset!(regs_first_compat)) == SOCKET => Some(Look::Socket),
            _ => None,
        };
    }
    let sends = || {
        let (descriptor, data) = (read(offset!(regs_first)), read(offset!(regs_second)));
        (descriptor as u32, data as *const u8)
    };
    match number {
        2 | 257 | 437 => Some(Look::Open),
        321 if read(offset!(regs_first)) as u32 == ITER_CREATE => Some(Look::Iterator),
        41 => Some(Look::Socket),
        44 => Some(Look::Send(sends().0, sends().1)),
        46 => Some(Look::SendMessage(sends().0, sends().1)),
        _ => None,
    }
}

const SOCKETCALL: u32 = 102;

/// `arch/x86/entry/syscalls/syscall_64.tbl`
#[inline(always)]
fn call_of_64_bit(number: u32) -> Option<Call> {
    match number {
        43 | 288 => Some(Call::Accept),
        42 => Some(Call::Connect),
        44 | 46 | 307 => Some(Call::Send),
        41 => Some(Call::Socket),
        426 => Some(Call::Ring),
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
        359 => Some(Call::Socket),
        426 => Some(Call::Ring),
        _ => None,
    }
}

/// Whether a 32-bit task means one of the calls by this number.
#[inline(always)]
fn is_narrow(number: u32) -> bool {
    number == SOCKETCALL || call_of_32_bit(number).is_some()
}

/// The first two arguments of a connect that begins.
#[inline(always)]
pub fn connect_arguments(registers: *const u8) -> (u32, *const u8) {
    let read = |offset| Trusted::read::<u64>(registers, offset);
    if !Task::current().is_compat() {
        let (first, second) = (read(offset!(regs_first)), read(offset!(regs_second)));
        return (first as u32, second as *const u8);
    }
    let second = read(offset!(regs_second_compat)) as *const u8;
    if read(offset!(regs_call)) as u32 == SOCKETCALL {
        // They lie in the program's memory.
        let [first, second]: [u32; 2] = User::read(second, 0);
        return (first, second as usize as *const u8);
    }
    (read(offset!(regs_first_compat)) as u32, second)
}

/// Descriptor and address of a `sendto` or `sendmsg` that begins and names somebody. Of a `sendmmsg`, whose
/// messages may each name another, and of 32-bit programs nothing is known.
#[inline(always)]
pub fn send_arguments(registers: *const u8) -> Option<(u32, *const u8)> {
    const SENDTO: u32 = 44;
    const SENDMSG: u32 = 46;
    if Task::current().is_compat() {
        return None;
    }
    let read = |offset| Trusted::read::<u64>(registers, offset);
    let name = match read(offset!(regs_call)) as u32 {
        SENDTO => read(offset!(regs_fifth)) as *const u8,
        SENDMSG => message_name::<User>(read(offset!(regs_second)) as *const u8),
        _ => return None,
    };
    (!name.is_null()).then_some((read(offset!(regs_first)) as u32, name))
}

/// `include/uapi/linux/net.h`
#[inline(always)]
fn call_of_socketcall(which: u32) -> Option<Call> {
    match which {
        5 | 18 => Some(Call::Accept),
        3 => Some(Call::Connect),
        11 | 16 | 20 => Some(Call::Send),
        1 => Some(Call::Socket),
        _ => None,
    }
}
