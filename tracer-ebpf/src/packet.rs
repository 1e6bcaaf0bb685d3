//! Packets as cgroup programs are given them: from the header of IP on.

use aya_ebpf::programs::SkBuffContext;
use tracer_abi::Address;

/// The beginning of an IPv4 header (RFC 791).
#[repr(C)]
struct Ipv4 {
    version_and_length: u8,
    service: u8,
    length: [u8; 2],
    identification: [u8; 2],
    fragment: [u8; 2],
    time_to_live: u8,
    protocol: u8,
    checksum: [u8; 2],
    source: u32,
    destination: u32,
}

/// An IPv6 header (RFC 8200).
#[repr(C)]
struct Ipv6 {
    version: u8,
    class: [u8; 3],
    length: [u8; 2],
    next: u8,
    hops: u8,
    source: [u32; 4],
    destination: [u32; 4],
}

/// The first bytes of either header: the version, and what comes next.
#[repr(C)]
struct Start {
    version: u8,
    unused: [u8; 5],
    next6: u8,
    unused6: [u8; 2],
    next4: u8,
}

/// Extension headers of IPv6 that may stand before what is spoken: hop by hop, routing, fragment,
/// destination. Each is eight bytes and as many times eight as its second byte says, but a fragment's.
const EXTENSIONS: [u8; 4] = [0, 43, 44, 60];
const FRAGMENT: u8 = 44;
/// How many of them are looked behind.
const EXTENSIONS_MAX: u32 = 4;

/// The IP of a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Version {
    Four,
    Six,
}

/// The IP of a packet in which there may be what is spoken. In most of all others there cannot.
#[inline(always)]
pub fn version_of(ctx: &SkBuffContext, protocol: u8) -> Option<Version> {
    let start = ctx.load::<Start>(0).ok()?;
    if start.version >> 4 == 4 {
        (start.next4 == protocol).then_some(Version::Four)
    } else {
        let may_be = start.next6 == protocol || EXTENSIONS.contains(&start.next6);
        may_be.then_some(Version::Six)
    }
}

/// Where a packet comes from and goes to, and where behind the header of IP what is spoken begins.
pub struct Way {
    pub source: Address,
    pub destination: Address,
    pub begins_at: usize,
}

/// `None`: what is spoken is something else.
#[inline(always)]
pub fn way(ctx: &SkBuffContext, version: Version, protocol: u8) -> Option<Way> {
    if version == Version::Four {
        let header = ctx.load::<Ipv4>(0).ok()?;
        return Some(Way {
            source: Address::from_v4(header.source),
            destination: Address::from_v4(header.destination),
            begins_at: usize::from(header.version_and_length & 15) * 4,
        });
    }
    let header = ctx.load::<Ipv6>(0).ok()?;
    let mut at = size_of::<Ipv6>();
    let mut next = header.next;
    let mut count = 0;
    while next != protocol {
        if count == EXTENSIONS_MAX || !EXTENSIONS.contains(&next) {
            return None;
        }
        let [after, length]: [u8; 2] = ctx.load(at).ok()?;
        let eights = if next == FRAGMENT {
            0
        } else {
            usize::from(length)
        };
        at += 8 + eights * 8;
        next = after;
        count += 1;
    }
    Some(Way {
        source: Address::from_halves(header.source),
        destination: Address::from_halves(header.destination),
        begins_at: at,
    })
}
