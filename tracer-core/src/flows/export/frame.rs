//! Headers of a packet, as far as they were sampled.

use std::net::IpAddr;

use super::{bytes::Bytes, tuple};
use crate::flows::{End, Flow, ip::IpProtocol};

/// Types of Ethernet: IP of both versions, and tags of VLANs.
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// Both addresses of Ethernet.
const ETHERNET_ADDRESSES: usize = 12;
/// The bits of a fragment's offset, of IPv4; of one that is not the first there are no ports.
const OFFSET_4: u16 = 0x1fff;
/// Likewise, of IPv6.
const OFFSET_6: u16 = 0xfff8;
/// Length of the header of IPv4, without options.
const HEADER_4: usize = 20;
/// Headers of IPv6 that stand between it and what it carries: hop by hop, routing, destination; those
/// tell their length in eight bytes.
const EXTENSIONS: [u8; 3] = [0, 43, 60];
const FRAGMENT: u8 = 44;

/// Who speaks to whom, and what.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: IpProtocol,
    /// What it carries; nothing, of a later fragment.
    pub carries: Bytes<'a>,
}

/// A packet of IP in a frame of Ethernet. None, if it is something else.
pub(super) fn ethernet(frame: &[u8]) -> Option<Packet<'_>> {
    let mut bytes = Bytes(frame);
    bytes.take(ETHERNET_ADDRESSES)?;
    loop {
        match bytes.u16()? {
            IPV4 | IPV6 => return ip(bytes.0),
            kind if TAGS.contains(&kind) => bytes.u16()?,
            _ => return None,
        };
    }
}

/// A packet of IP.
pub(super) fn ip(packet: &[u8]) -> Option<Packet<'_>> {
    match packet.first()? >> 4 {
        4 => ipv4(Bytes(packet)),
        6 => ipv6(Bytes(packet)),
        _ => None,
    }
}

fn ipv4(mut bytes: Bytes) -> Option<Packet> {
    let length = usize::from(bytes.u8()? & 0xf) * 4;
    bytes.take(5)?;
    let offset = bytes.u16()? & OFFSET_4;
    bytes.u8()?;
    let protocol = IpProtocol(bytes.u8()?);
    bytes.u16()?;
    let [source, destination] = [bytes.array::<4>()?, bytes.array::<4>()?];
    // Options that were cut off hide what is carried, and not who speaks.
    let has_all = bytes.take(length.checked_sub(HEADER_4)?).is_some();
    Some(Packet {
        source: source.into(),
        destination: destination.into(),
        protocol,
        carries: carried(bytes, has_all && offset == 0),
    })
}

fn carried(bytes: Bytes<'_>, is_there: bool) -> Bytes<'_> {
    if is_there { bytes } else { Bytes(&[]) }
}

fn ipv6(mut bytes: Bytes) -> Option<Packet> {
    bytes.take(6)?;
    let next = bytes.u8()?;
    bytes.u8()?;
    let [source, destination] = [bytes.array::<16>()?, bytes.array::<16>()?];
    let (protocol, carries) = behind_extensions(next, bytes);
    Some(Packet {
        source: source.into(),
        destination: destination.into(),
        protocol: IpProtocol(protocol),
        carries,
    })
}

/// What is carried behind headers that only tell how.
fn behind_extensions(mut next: u8, mut bytes: Bytes) -> (u8, Bytes) {
    while EXTENSIONS.contains(&next) || next == FRAGMENT {
        let Some((after, is_first)) = extension(next, &mut bytes) else {
            return (next, Bytes(&[]));
        };
        next = after;
        bytes = carried(bytes, is_first);
    }
    (next, bytes)
}

/// Skips such a header: what is behind it, and whether that is its beginning.
fn extension(kind: u8, bytes: &mut Bytes) -> Option<(u8, bool)> {
    let next = bytes.u8()?;
    let length = usize::from(bytes.u8()?);
    if kind == FRAGMENT {
        let offset = bytes.u16()? & OFFSET_6;
        bytes.u32()?;
        return Some((next, offset == 0));
    }
    bytes.take(6 + length * 8)?;
    Some((next, true))
}

impl Packet<'_> {
    /// Notes who and what in a flow.
    pub fn note(mut self, flow: &mut Flow) {
        let protocol = Some(self.protocol);
        flow.protocol = protocol;
        let first = self.carries.u16();
        let second = self.carries.u16();
        let has_ports = self.protocol.has_ports();
        let port = |port: Option<u16>| port.filter(|_| has_ports);
        flow.source = End::at(self.source, port(first));
        flow.destination = End::at(self.destination, port(second));
        flow.icmp = first.filter(|_| self.protocol.is_icmp()).map(tuple::icmp);
        // Behind the number of the segment, the one it acknowledges, and the length of the header.
        let flags = self.carries.take(9).and_then(|_| self.carries.u8());
        flow.flags = flags.and_then(|flags| tuple::flags(protocol, flags));
    }
}
