//! The lowest rung for what a program asks to be connected with or sends to: tp_btf `sys_enter(regs, id)`, before
//! security modules and the programs of cgroups see it.
//!
//! It runs at the beginning of every system call of the machine, so the first thing it does is to leave.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use super::{refusal, send};
use crate::{
    attempts,
    kernel::{Probed, Sock, SocketAddress, Task, User, registers},
};

twice!(
    #[btf_tracepoint(function = "sys_enter")]
    sys_enter_tp_btf and sys_enter_again,
    |ctx: BtfTracePointContext| {
        let registers = ctx.arg(0);
        match registers::call(registers) {
            Some(registers::Call::Connect) => {
                let (descriptor, address) = registers::connect_arguments(registers);
                asked(descriptor, address);
            }
            Some(registers::Call::Send) => {
                if let Some((descriptor, address)) = registers::send_arguments(registers) {
                    sent(descriptor, address);
                }
            }
            _ => {}
        }
    }
);

/// connect is called with a descriptor and an address in the program's memory. A function of its own in
/// the kernel too, as it is rare.
#[inline(never)]
fn asked(descriptor: u32, address: *const u8) {
    if let Some(socket) = Task::current().socket(descriptor)
        // Of Multipath TCP the programs of cgroups are given the path, and the end of the call that.
        && !Sock::<Probed>::new(socket.sk()).is_multipath()
    {
        let address = SocketAddress::<User>::new(address);
        refusal::begin(socket, address, attempts::begin_call);
    }
}

/// A datagram is sent to an address in the program's memory. A function of its own in the kernel too, as it
/// is rare among all that is sent.
#[inline(never)]
fn sent(descriptor: u32, address: *const u8) {
    if let Some(socket) = Task::current().socket(descriptor) {
        send::ask(socket, SocketAddress::<User>::new(address));
    }
}
