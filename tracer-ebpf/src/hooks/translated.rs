//! Where a SYN goes in truth: programs of a cgroup see a packet after netfilter has translated its
//! addresses, and the socket knows nothing of that.

use core::mem::MaybeUninit;

use aya_ebpf::{bindings::__sk_buff, programs::SkBuffContext};
use tracer_abi::{Kind, Protocol, tcp};

use crate::{
    connections,
    emit::report_destination,
    kernel::{Probed, Sock},
    packet::{version_of, way},
};

/// The ports of a TCP header (RFC 9293).
#[repr(C)]
struct Ports {
    source: u16,
    destination: u16,
}

/// Whether a packet may be the SYN of an attempt: its socket waits for an answer to one.
#[inline(always)]
pub fn may_be_syn(ctx: &SkBuffContext) -> bool {
    // SAFETY: the verifier turns the accesses into loads of the socket, null for none, and of its state.
    unsafe {
        let sk = (*ctx.skb.skb).__bindgen_anon_2.sk;
        !sk.is_null() && (*sk).state == u32::from(tcp::SYN_SENT)
    }
}

/// Reports where a SYN goes, if that is somewhere else than the socket says.
///
/// A function of its own in the kernel too, for the stack.
#[inline(never)]
pub fn syn(skb: *mut __sk_buff) {
    let ctx = SkBuffContext::new(skb);
    // SAFETY: the verifier turns the access into a load of the socket, null for none.
    let sk = unsafe { (*skb).__bindgen_anon_2.sk };
    if sk.is_null() {
        return;
    }
    let sock = Sock::<Probed>::of_cgroup_program(sk as *const u8);
    let Some(version) = version_of(&ctx, Protocol::TCP) else {
        return;
    };
    let Some(way) = way(&ctx, version, Protocol::TCP) else {
        return;
    };
    let Ok(ports) = ctx.load::<Ports>(way.begins_at) else {
        return;
    };
    let port = u16::from_be(ports.destination);
    let mut room = MaybeUninit::uninit();
    let connection = connections::unknown(&mut room);
    if connections::copy_of(connection, sock)
        && (connection.remote != way.destination || connection.remote_port != port)
    {
        report_destination(Kind::TRANSLATED, connection, way.destination, port);
    }
}
