//! Packets of exporters, as many as are asked for: `NetFlow` 5 and 9, IPFIX, sFlow.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
};

use super::ends;

/// Flows of a packet, at most: so many `NetFlow` 5 allows.
pub const IN_PACKET: u64 = 30;
/// Samples of a datagram, as switches send them.
const IN_DATAGRAM: u64 = 7;
/// When all of it was, seconds since 1970.
const SECOND: u64 = 1_763_629_200;

/// What exporters send.
#[derive(Clone, Copy, Debug)]
pub enum Packets {
    /// <https://www.cisco.com/c/en/us/td/docs/net_mgmt/netflow_collection_engine/3-6/user/guide/format.html>
    Netflow5,
    /// RFC 3954
    Netflow9,
    /// RFC 7011
    Ipfix,
    /// <https://sflow.org/sflow_version_5.txt>, in a capture
    Sflow,
}

impl Packets {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Netflow5 => "netflow5",
            Self::Netflow9 => "netflow9",
            Self::Ipfix => "ipfix",
            Self::Sflow => "sflow",
        }
    }

    /// Writes so many flows: packets one after the other, of sFlow a capture.
    pub fn write(self, count: u64, path: &Path) -> anyhow::Result<()> {
        let mut out = BufWriter::new(File::create(path)?);
        let at_once = match self {
            Self::Sflow => IN_DATAGRAM,
            _ => IN_PACKET,
        };
        if let Self::Sflow = self {
            out.write_all(&CAPTURE)?;
        }
        for first in (0..count).step_by(usize::try_from(at_once)?) {
            let flows = first..count.min(first + at_once);
            let packet = match self {
                Self::Netflow5 => netflow5(flows),
                Self::Netflow9 => netflow9(flows),
                Self::Ipfix => ipfix(flows),
                Self::Sflow => captured(&sflow(flows)),
            };
            out.write_all(&packet)?;
        }
        Ok(out.flush()?)
    }
}

type Flows = std::ops::Range<u64>;

fn netflow5(flows: Flows) -> Vec<u8> {
    let mut out = [half(5), half(flows.end - flows.start)].concat();
    // Uptime, when it was sent, its number, and of which engine.
    out.extend(words(&[3_600_000, SECOND, 0, flows.start, 0]));
    for number in flows {
        let (ip, port) = ends(number);
        out.extend_from_slice(&ip);
        out.extend_from_slice(&[203, 0, 113, 9]);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&[0, 1, 0, 2]);
        out.extend(words(&[18, 2260, 3_590_000, 3_599_000]));
        out.extend_from_slice(&port.to_be_bytes());
        out.extend_from_slice(&half(443));
        out.extend_from_slice(&[0, 0x1b, 6, 0]);
        out.extend_from_slice(&[0; 8]);
    }
    out
}

/// Fields and their lengths: addresses, ports, protocol, flags, packets, bytes, of version 9 when it began and ended.
const FIELDS: [(u64, u64); 8] = [
    (8, 4),
    (12, 4),
    (7, 2),
    (11, 2),
    (4, 1),
    (6, 1),
    (2, 4),
    (1, 4),
];
const UPTIMES: [(u64, u64); 2] = [(22, 4), (21, 4)];
const MILLISECONDS: [(u64, u64); 2] = [(152, 8), (153, 8)];

/// Each packet has its template, as those of routers have that restart.
fn netflow9(flows: Flows) -> Vec<u8> {
    let count = flows.end - flows.start;
    let mut out = [half(9), half(count + 1)].concat();
    out.extend(words(&[3_600_000, SECOND, flows.start / IN_PACKET, 0]));
    out.extend(template(0, UPTIMES));
    out.extend(set(256, &data(flows, &words(&[3_590_000, 3_599_000]))));
    out
}

fn ipfix(flows: Flows) -> Vec<u8> {
    let first = flows.start;
    let millis = [SECOND * 1000 - 10_000, SECOND * 1000 - 1000];
    let sets = [
        template(2, MILLISECONDS),
        set(256, &data(flows, &millis.map(u64::to_be_bytes).concat())),
    ]
    .concat();
    let mut out = [half(10), half(16 + length(&sets))].concat();
    out.extend(words(&[SECOND, first, 0]));
    out.extend(sets);
    out
}

fn template(id: u64, times: [(u64, u64); 2]) -> Vec<u8> {
    let fields = FIELDS.into_iter().chain(times);
    let fields: Vec<u8> = fields
        .flat_map(|(field, length)| [half(field), half(length)].concat())
        .collect();
    let head = [half(256), half(length(&fields) / 4)].concat();
    set(id, &[head, fields].concat())
}

fn data(flows: Flows, times: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for number in flows {
        let (ip, port) = ends(number);
        out.extend_from_slice(&ip);
        out.extend_from_slice(&[203, 0, 113, 9]);
        out.extend_from_slice(&port.to_be_bytes());
        out.extend_from_slice(&half(443));
        out.extend_from_slice(&[6, 0x1b]);
        out.extend(words(&[18, 2260]));
        out.extend_from_slice(times);
    }
    out
}

/// With how long it is, as long as whole words are.
fn set(id: u64, content: &[u8]) -> Vec<u8> {
    let padding = vec![0; (4 - content.len() % 4) % 4];
    let content = [content, &padding].concat();
    [&half(id)[..], &half(4 + length(&content)), &content].concat()
}

fn sflow(flows: Flows) -> Vec<u8> {
    let count = flows.end - flows.start;
    let mut out = words(&[5, 1, 0xc000_0201, 0, flows.start / IN_DATAGRAM, 1000, count]);
    for number in flows {
        let (ip, port) = ends(number);
        let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0];
        packet.extend_from_slice(&ip);
        packet.extend_from_slice(&[203, 0, 113, 9]);
        packet.extend_from_slice(&port.to_be_bytes());
        packet.extend_from_slice(&half(443));
        packet.extend_from_slice(&[0; 8]);
        packet.extend_from_slice(&[0x50, 0x02, 0, 0, 0, 0, 0, 0]);
        let long = length(&packet);
        let header = [words(&[11, long, 0, long]), packet].concat();
        let record = [words(&[1, length(&header)]), header].concat();
        // Its number, of which port, one of 256, of how many, none lost, from where to where.
        let sample = [words(&[number, 1, 256, number * 256, 0, 3, 4, 1]), record].concat();
        out.extend(words(&[1, length(&sample)]));
        out.extend(sample);
    }
    out
}

/// The beginning of a capture (pcap) of packets that begin with IP.
const CAPTURE: [u8; 24] = [
    0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 101,
];

/// A datagram as it is captured.
fn captured(payload: &[u8]) -> Vec<u8> {
    let long = length(payload);
    let mut packet = vec![0x45, 0];
    packet.extend_from_slice(&half(long + 28));
    packet.extend_from_slice(&[0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    for number in [6343, 6343, long + 8, 0] {
        packet.extend_from_slice(&half(number));
    }
    packet.extend_from_slice(payload);
    let long = length(&packet);
    [words(&[SECOND, 0, long, long]), packet].concat()
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// The lower 32 bits of each.
fn words(numbers: &[u64]) -> Vec<u8> {
    let word = |number: &u64| u32::try_from(number & 0xffff_ffff).unwrap_or_default();
    numbers
        .iter()
        .flat_map(|number| word(number).to_be_bytes())
        .collect()
}

/// The lower 16 bits.
fn half(number: u64) -> [u8; 2] {
    u16::try_from(number & 0xffff)
        .unwrap_or_default()
        .to_be_bytes()
}
