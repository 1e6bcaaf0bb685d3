//! The kernel half of conntracer.
//!
//! Each program in [`hooks`] is a line that hands its arguments to the one function that deals with
//! the fact it reports; what a socket or a task looks like is known to [`kernel`] alone. Nothing is
//! printed, named or judged here: raw numbers go into the ring, the user half interprets them.
#![no_std]
#![no_main]
#![expect(
    unstable_features,
    reason = "inline assembly for bpf: the non-fetching atomic add"
)]
#![feature(asm_experimental_arch)]

mod asked;
mod attempts;
mod connections;
mod counters;
mod diagnostics;
mod emit;
mod flows;
mod globals;
mod holders;
mod hooks;
mod kernel;
mod looks;
mod packet;
mod ring;
mod room;
mod select;
mod sending;
mod states;
mod sweeps;

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
