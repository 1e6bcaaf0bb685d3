//! Datagrams, as they leave and reach sockets: programs of the root cgroup, which see them with the
//! addresses that routing gave them, however they were sent.

use core::mem::MaybeUninit;

use aya_ebpf::{bindings::__sk_buff, macros::cgroup_skb, programs::SkBuffContext};
use tracer_abi::{Address, Connection, Direction, Kind, Protocol};

use super::{answer, translated};
use crate::{
    connections,
    flows::{self, Datagrams, FlowKey},
    kernel::{Probed, Sock},
    packet::{Version, version_of, way},
    ring::is_surveying,
    sending,
};

#[cgroup_skb(egress)]
fn datagram_egress(ctx: SkBuffContext) -> i32 {
    if translated::may_be_syn(&ctx) {
        translated::syn(ctx.skb.skb);
    }
    datagram(&ctx, true);
    1
}

#[cgroup_skb(ingress)]
fn datagram_ingress(ctx: SkBuffContext) -> i32 {
    if answer::is_from_server(&ctx) {
        answer::segment(ctx.skb.skb);
    }
    datagram(&ctx, false);
    1
}

/// A UDP header (RFC 768).
#[repr(C)]
struct Udp {
    source: u16,
    destination: u16,
    length: u16,
    checksum: u16,
}

#[inline(always)]
fn datagram(ctx: &SkBuffContext, is_sent: bool) {
    let Some(version) = version_of(ctx, Protocol::UDP) else {
        return;
    };
    let mut key = FlowKey::NONE;
    let mut datagrams = Datagrams::none(is_sent);
    if read(ctx.skb.skb, version, &mut key, &mut datagrams) {
        // Before they are counted, for then the packet need not be kept on the stack.
        if is_sent {
            sending::leave(&mut key);
        } else if answer::is_expected_from(key.remote_port) {
            answer::datagram(ctx.skb.skb, &key, &datagrams);
        }
        flows::count_datagrams(&key, &datagrams);
        if is_sent {
            sending::forget();
        }
    }
}

/// Reads what there is of datagrams in the packet, and whose they are. Whether they are of a process.
///
/// A function of its own in the kernel too: its headers must be off the stack before a flow is on it.
#[inline(never)]
fn read(
    skb: *mut __sk_buff,
    version: Version,
    key: &mut FlowKey,
    datagrams: &mut Datagrams,
) -> bool {
    let ctx = SkBuffContext::new(skb);
    let (Some(sock), Some(way)) = (socket(&ctx), way(&ctx, version, Protocol::UDP)) else {
        return false;
    };
    let Ok(udp) = ctx.load::<Udp>(way.begins_at) else {
        return false;
    };
    let (source, destination) = (u16::from_be(udp.source), u16::from_be(udp.destination));
    if datagrams.is_sent {
        (datagrams.local, datagrams.local_port) = (way.source, source);
        (key.remote, key.remote_port) = (way.destination, destination);
    } else {
        (datagrams.local, datagrams.local_port) = (way.destination, destination);
        (key.remote, key.remote_port) = (way.source, source);
    }
    let header = (way.begins_at + size_of::<Udp>()) as u32;
    datagrams.bytes = u64::from(ctx.len().saturating_sub(header));
    datagrams.packets = u64::from(segments(&ctx));
    key.sk = sock.key();
    key.born_ns = born(sock, datagrams.is_sent);
    key.born_ns != 0
}

/// How many datagrams the kernel carries as one.
#[inline(always)]
fn segments(ctx: &SkBuffContext) -> u32 {
    // SAFETY: the verifier turns the access into a load.
    let segments = unsafe { (*ctx.skb.skb).gso_segs };
    segments.max(1)
}

/// The UDP socket of a process that sends or receives the packet.
#[inline(always)]
fn socket(ctx: &SkBuffContext) -> Option<Sock<Probed>> {
    let skb: *mut __sk_buff = ctx.skb.skb;
    // SAFETY: the verifier turns the access into a load of the socket, null for none.
    let sk = unsafe { (*skb).__bindgen_anon_2.sk };
    if sk.is_null() {
        return None;
    }
    let sock = Sock::of_cgroup_program(sk as *const u8);
    (sock.is_udp() && sock.is_of_user_space()).then_some(sock)
}

/// When the socket was born; zero: it is none of ours. One that is not known is older than tracing.
#[inline(always)]
fn born(sock: Sock<Probed>, is_sent: bool) -> u64 {
    let born_ns = connections::opened_ns(sock.key());
    // One that receives may have been released just now, and then nobody would forget it.
    if born_ns != 0 || (!is_sent && !is_surveying()) {
        return born_ns;
    }
    enter(sock);
    connections::opened_ns(sock.key())
}

/// A function of its own in the kernel too, for the stack.
#[inline(never)]
fn enter(sock: Sock<Probed>) {
    let mut room = MaybeUninit::uninit();
    let socket = connections::unknown(&mut room);
    connections::begin(socket, sock, Direction::UNKNOWN);
    socket.remote = Address::UNSPECIFIED;
    socket.remote_port = 0;
    socket.flags |= Connection::OPEN_BEFORE;
    connections::insert_new(sock.key(), socket, Kind::LISTEN);
}
