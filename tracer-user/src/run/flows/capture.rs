//! Captures of packets (pcap and pcapng): what is in their UDP datagrams.

use std::{
    io::Read,
    net::{IpAddr, SocketAddr},
};

use anyhow::bail;
use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use jiff::Timestamp;
use pcap_parser::{
    Block, Linktype, PcapBlockOwned, PcapError, create_reader,
    traits::{PcapNGPacketBlock as _, PcapReaderIterator},
};

/// What captures begin with: pcap with times in micro- or nanoseconds, in either order of bytes, and pcapng.
const MAGIC: [[u8; 4]; 5] = [
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0x0a, 0x0d, 0x0d, 0x0a],
];
/// Bytes that are read at once, and those of a block at most.
const PIECE: usize = 64 << 10;
const BLOCK_MAX: usize = 16 << 20;

/// Whether a file that begins like this is a capture.
pub fn recognises(begin: &[u8]) -> bool {
    MAGIC.iter().any(|magic| begin.starts_with(magic))
}

/// What a packet of a capture is.
pub enum Captured<'a> {
    /// A datagram.
    Datagram(Datagram<'a>),
    /// A part of one.
    Fragment,
    /// None that is whole: of another protocol, or cut off by who captured it.
    Other,
}

/// A datagram of UDP.
pub struct Datagram<'a> {
    /// Who sent it.
    pub from: SocketAddr,
    /// When it was captured, where the capture says so.
    pub time: Option<Timestamp>,
    /// What is in it.
    pub payload: &'a [u8],
}

/// Hands over each packet with its number, from 1.
///
/// # Errors
/// If it is no capture, breaks off, or `take` says so.
pub fn each(
    input: impl Read + Send,
    mut take: impl FnMut(u64, Captured<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut capture = Capture::default();
    let mut reader = match create_reader(PIECE, input) {
        Ok(reader) => reader,
        Err(PcapError::Eof) => return Ok(()),
        Err(error) => bail!("no capture that can be read: {}", what(&error)),
    };
    loop {
        match reader.next() {
            Ok((length, block)) => {
                if let Some(captured) = capture.block(&block) {
                    take(capture.number, captured)?;
                }
                reader.consume(length);
            }
            Err(PcapError::Eof) => return Ok(()),
            Err(PcapError::Incomplete(_)) => capture.fill(&mut *reader)?,
            Err(error) => bail!("behind packet {}: {}", capture.number, what(&error)),
        }
    }
}

/// What goes wrong, without the bytes with which it does.
fn what<T>(error: &PcapError<T>) -> &'static str {
    match error {
        PcapError::UnexpectedEof | PcapError::Eof | PcapError::Incomplete(_) => "it breaks off",
        PcapError::ReadError => "it cannot be read",
        PcapError::BufferTooSmall => "a packet is too large",
        PcapError::HeaderNotRecognized | PcapError::NomError(..) | PcapError::OwnedNomError(..) => {
            "it is damaged"
        }
    }
}

/// What is known of a capture that is read.
#[derive(Default)]
struct Capture {
    /// How many packets there were.
    number: u64,
    interfaces: Vec<Interface>,
}

/// Where packets were captured.
#[derive(Clone, Copy)]
struct Interface {
    /// What stands before IP.
    link: Linktype,
    /// Ticks of its clock in a second.
    ticks: u64,
    /// Seconds since 1970 of its tick 0.
    since: i64,
}

impl Interface {
    fn time(self, ticks: u64) -> Option<Timestamp> {
        let ticks = i128::from(ticks) * 1_000_000_000;
        let ns = ticks.checked_div(i128::from(self.ticks))?;
        Timestamp::from_nanosecond(ns + i128::from(self.since) * 1_000_000_000).ok()
    }
}

impl Capture {
    /// Makes room for what is not whole yet.
    fn fill(&self, reader: &mut (dyn PcapReaderIterator + Send)) -> anyhow::Result<()> {
        let held = reader.data().len();
        if reader.reader_exhausted() {
            bail!("it breaks off behind packet {}", self.number);
        }
        if held >= PIECE && !reader.grow((held * 2).min(BLOCK_MAX)) {
            bail!("behind packet {}: a packet is too large", self.number);
        }
        if let Err(error) = reader.refill() {
            bail!("behind packet {}: {}", self.number, what(&error));
        }
        Ok(())
    }

    fn block<'a>(&mut self, block: &'a PcapBlockOwned<'a>) -> Option<Captured<'a>> {
        let (interface, ticks, data) = match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let is_fine = header.is_nanosecond_precision();
                self.interfaces = vec![Interface {
                    link: header.network,
                    ticks: if is_fine { 1_000_000_000 } else { 1_000_000 },
                    since: 0,
                }];
                return None;
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                self.interfaces.clear();
                return None;
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                self.interfaces.push(Interface {
                    link: interface.linktype,
                    ticks: interface.ts_resolution().unwrap_or_default(),
                    since: interface.ts_offset(),
                });
                return None;
            }
            PcapBlockOwned::Legacy(packet) => (
                0,
                Some(Ticks::Pair(packet.ts_sec, packet.ts_usec)),
                packet.data,
            ),
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let interface = usize::try_from(packet.if_id).ok()?;
                (interface, Some(Ticks::Whole(ticks)), packet.packet_data())
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => (0, None, packet.packet_data()),
            PcapBlockOwned::NG(_) => return None,
        };
        self.number += 1;
        let captured = self.interfaces.get(interface).and_then(|interface| {
            let time = ticks.and_then(|ticks| interface.time(ticks.of(interface.ticks)));
            datagram(interface.link, time, data)
        });
        Some(captured.unwrap_or(Captured::Other))
    }
}

/// When a packet was captured, in ticks of its interface.
#[derive(Clone, Copy)]
enum Ticks {
    Whole(u64),
    /// Seconds, and ticks.
    Pair(u32, u32),
}

impl Ticks {
    fn of(self, second: u64) -> u64 {
        match self {
            Self::Whole(ticks) => ticks,
            Self::Pair(seconds, ticks) => u64::from(seconds) * second + u64::from(ticks),
        }
    }
}

/// The datagram in a frame.
fn datagram(link: Linktype, time: Option<Timestamp>, frame: &[u8]) -> Option<Captured<'_>> {
    let packet = match link {
        Linktype::ETHERNET => LaxSlicedPacket::from_ethernet(frame).ok()?,
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => LaxSlicedPacket::from_ip(frame).ok()?,
        // The family, in the order of bytes of who captured it: it says nothing that IP does not.
        Linktype::NULL | Linktype::LOOP => LaxSlicedPacket::from_ip(frame.get(4..)?).ok()?,
        Linktype::LINUX_SLL => cooked(frame.get(14..16)?, frame.get(16..)?)?,
        Linktype::LINUX_SLL2 => cooked(frame.get(..2)?, frame.get(20..)?)?,
        _ => return None,
    };
    let (source, is_fragment): (IpAddr, bool) = match packet.net.as_ref()? {
        LaxNetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.is_payload_fragmented()),
        LaxNetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.is_payload_fragmented()),
        LaxNetSlice::Arp(_) => return None,
    };
    if is_fragment {
        return Some(Captured::Fragment);
    }
    match packet.transport? {
        TransportSlice::Udp(udp) => Some(Captured::Datagram(Datagram {
            from: SocketAddr::new(source, udp.source_port()),
            time,
            payload: udp.payload(),
        })),
        _ => None,
    }
}

fn cooked<'a>(protocol: &[u8], payload: &'a [u8]) -> Option<LaxSlicedPacket<'a>> {
    let protocol = u16::from_be_bytes(protocol.try_into().ok()?);
    Some(LaxSlicedPacket::from_ether_type(
        EtherType(protocol),
        payload,
    ))
}
