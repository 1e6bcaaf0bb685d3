//! The end of every TCP socket: tp_btf `tcp_destroy_sock(sk)`. Nothing outlives it in the maps.

use core::mem::MaybeUninit;

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use tracer_abi::tcp;

use super::state::kind_of_end;
use crate::{
    connections,
    kernel::{Sock, Trusted},
    states,
};

#[btf_tracepoint(function = "tcp_destroy_sock")]
fn destroy_tp_btf(ctx: BtfTracePointContext) -> i32 {
    let sock = Sock::<Trusted>::new(ctx.arg(0));
    states::forget(sock.key());
    // Its end was reported when it entered CLOSE. What is left is an attempt whose report was left
    // to the end of a call that was missed.
    let mut room = MaybeUninit::uninit();
    let connection = connections::unknown(&mut room);
    if connections::take(connection, sock.key()) {
        let kind = kind_of_end(connection, tcp::SYN_SENT);
        states::report_end(kind, connection, &sock.detail(tcp::SYN_SENT, tcp::CLOSE));
    }
    0
}
