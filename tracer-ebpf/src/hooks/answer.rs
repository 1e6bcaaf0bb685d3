//! Answers of DNS that reach sockets of this host. Nobody is asked; what is said in them, the user half
//! reads.

use aya_ebpf::{
    bindings::__sk_buff, helpers::generated::bpf_skb_load_bytes, programs::SkBuffContext,
};
use tracer_abi::{ANSWER_MAX, AnswerFrame, Counted, Kind, Protocol};

use crate::{
    connections,
    counters::count,
    flows::{Datagrams, FlowKey},
    kernel::{Probed, Sock},
    packet::{version_of, way},
    ring::{is_filling, now_ns, reserve, submit, write_header},
};

const DNS: u16 = 53;
const MULTICAST_DNS: u16 = 5353;

/// The part of a TCP header (RFC 9293) that says where the data begins, in words of four bytes.
const DATA_OFFSET_AT: usize = 12;
/// In TCP the length of a message stands before it (RFC 1035, 4.2.2).
const LENGTH_LEN: usize = 2;

/// An answer frame and the room for its message.
#[repr(C)]
struct Received {
    fixed: AnswerFrame,
    message: [u8; ANSWER_MAX],
}

/// Whether who speaks from this port of UDP may be answering.
#[inline(always)]
pub fn is_expected_from(port: u16) -> bool {
    port == DNS || port == MULTICAST_DNS
}

/// A datagram from there reaches a socket: that is an answer.
///
/// A function of its own in the kernel too, for the stack.
#[inline(never)]
pub fn datagram(skb: *mut __sk_buff, key: &FlowKey, datagrams: &Datagrams) {
    let len = datagrams.bytes as u32;
    let at = SkBuffContext::new(skb).len().saturating_sub(len);
    received(skb, key.sk, at, len);
}

/// Whether a packet reaches a socket that is connected to a DNS server.
#[inline(always)]
pub fn is_from_server(ctx: &SkBuffContext) -> bool {
    // SAFETY: the verifier turns the access into a load of the port of the socket's peer, in network byte
    // order and the upper half of the word.
    let port = unsafe { (*ctx.skb.skb).remote_port };
    port.to_be() == u32::from(DNS)
}

/// A packet from a DNS server: if it is a segment of TCP and a whole message is in it, that is an answer.
///
/// A function of its own in the kernel too, for the stack.
#[inline(never)]
pub fn segment(skb: *mut __sk_buff) {
    let ctx = SkBuffContext::new(skb);
    // SAFETY: the verifier turns the access into a load of the socket, null for none.
    let sk = unsafe { (*skb).__bindgen_anon_2.sk };
    if sk.is_null() {
        return;
    }
    if let Some((at, len)) = message(&ctx) {
        let sock = Sock::<Probed>::of_cgroup_program(sk as *const u8);
        received(skb, sock.key(), at, len);
    }
}

/// Where in a segment the message is, and how long it is. `None`: it holds none, or a part of one.
#[inline(always)]
fn message(ctx: &SkBuffContext) -> Option<(u32, u32)> {
    let version = version_of(ctx, Protocol::TCP)?;
    let way = way(ctx, version, Protocol::TCP)?;
    let words: u8 = ctx.load(way.begins_at + DATA_OFFSET_AT).ok()?;
    let data_at = way.begins_at + usize::from(words >> 4) * 4;
    let len: [u8; LENGTH_LEN] = ctx.load(data_at).ok()?;
    let len = u32::from(u16::from_be_bytes(len));
    let at = (data_at + LENGTH_LEN) as u32;
    (ctx.len().saturating_sub(at) == len).then_some((at, len))
}

/// What may be an answer reaches a socket; the message begins `at` bytes into the packet.
///
/// A function of its own in the kernel too, for the stack.
#[inline(never)]
pub fn received(skb: *mut __sk_buff, sk: u64, at: u32, len: u32) {
    if len == 0 {
        return;
    }
    count(Kind::ANSWER, Counted::Seen);
    // Whoever sends a flood of them must not push facts out of the ring.
    if is_filling() {
        count(Kind::ANSWER, Counted::RingFull);
        return;
    }
    let Some(mut entry) = reserve::<Received>(Kind::ANSWER) else {
        return;
    };
    // What is longer is cut, and then makes no sense.
    let len = bounded(len.min(ANSWER_MAX as u32));
    let frame = entry.as_mut_ptr();
    // SAFETY: reserved ring memory of that type; every field of its fixed part is written, and of the
    // message as many bytes as `len` says.
    unsafe {
        let fixed = &raw mut (*frame).fixed;
        let message = (&raw mut (*frame).message).cast();
        let is_read = bpf_skb_load_bytes(skb.cast(), at, message, len) == 0;
        let message_len = if is_read { len } else { 0 };
        let frame_len = size_of::<AnswerFrame>() as u32 + message_len;
        write_header(&raw mut (*fixed).header, Kind::ANSWER, now_ns(), frame_len);
        (*fixed).netns = Sock::<Probed>::new(sk as *const u8).netns();
        (*fixed).tgid = connections::owner_of(sk);
        (*fixed).message_len = message_len;
        (*fixed).reserved = 0;
    }
    submit(entry);
}

/// A length from one to [`ANSWER_MAX`], in a form that every verifier sees it in: before 6.8 it does not
/// conclude from a comparison with zero that something is at least one, and the compiler drops a mask
/// that it knows to change nothing.
#[inline(always)]
fn bounded(len: u32) -> u32 {
    let mut last = u64::from(len.wrapping_sub(1));
    // SAFETY: calculates with a register.
    unsafe {
        core::arch::asm!(
            "{last} &= {mask}",
            last = inout(reg) last,
            mask = const ANSWER_MAX - 1,
        );
    }
    last as u32 + 1
}
