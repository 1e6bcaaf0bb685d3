//! sFlow of version 5: packets that a switch picked, one of so many.
//!
//! There are no flows in it, no beginning and no end: a sample is told as a flow of as many packets as it
//! stands for. Format: <https://sflow.org/sflow_version_5.txt>.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    bytes::Bytes,
    frame,
    sampling::Rate,
    taken::{Reason, Taken},
    tuple,
};
use crate::flows::{Amount, End, Flow, Format, Origin, Packet, Side, ip::IpProtocol};

const VERSION: u32 = 5;
/// Kinds of samples: of packets, and of counters; each with a form for large numbers.
const FLOW: u32 = 1;
const COUNTERS: u32 = 2;
const EXPANDED_FLOW: u32 = 3;
const EXPANDED_COUNTERS: u32 = 4;
/// Kinds of what a sample tells.
const RAW_HEADER: u32 = 1;
const SAMPLED_IPV4: u32 = 3;
const SAMPLED_IPV6: u32 = 4;
/// What a raw header begins with.
const ETHERNET: u32 = 1;
const HEADER_IPV4: u32 = 11;
const HEADER_IPV6: u32 = 12;
/// The bits of an interface's number: those above tell what it counts, an interface if they are zero.
const INTERFACE: u32 = 0x3fff_ffff;

/// So many agents are told apart by the numbers of their packets; those of one more are not looked at.
const AGENTS_MAX: usize = 1024;
/// How far back a packet may be that was overtaken; what is further back is a counter that began anew.
const LATE: u32 = 1_000;

/// What agents have told, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agents {
    /// Packets of agents.
    pub packets: u64,
    /// Samples that became flows.
    pub flows: u64,
    /// Samples of counters: they tell of interfaces, and not of who speaks to whom.
    pub counters: u64,
    /// Samples of packets that are not IP.
    pub others: u64,
    /// Samples of kinds that makers define.
    pub unknown: u64,
    /// By address and part of the device.
    numbers: BTreeMap<(IpAddr, u32), Numbers>,
}

/// How the packets of an agent were numbered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Numbers {
    last: Option<u32>,
    packets: u64,
    missed: u64,
}

impl Numbers {
    fn note(&mut self, number: u32) {
        self.packets += 1;
        let Some(last) = self.last else {
            self.last = Some(number);
            return;
        };
        let ahead = number.wrapping_sub(last);
        let back = last.wrapping_sub(number);
        if ahead != 0 && ahead <= u32::MAX / 2 {
            self.missed = self.missed.saturating_add(u64::from(ahead - 1));
            self.last = Some(number);
        } else if back > LATE {
            self.last = Some(number);
        }
    }
}

/// How an agent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Its address, as it tells it.
    pub agent: IpAddr,
    /// Which part of the device.
    pub sub_agent: u32,
    /// Packets.
    pub packets: u64,
    /// How many were missed, by the numbers.
    pub missed: u64,
}

/// Whether a datagram looks like one of an agent.
#[must_use]
pub fn recognises(payload: &[u8]) -> bool {
    header(&mut Bytes(payload)).is_some_and(|header| header.samples < 1_000)
}

struct Header {
    agent: IpAddr,
    sub_agent: u32,
    sequence: u32,
    samples: u32,
}

fn header(bytes: &mut Bytes) -> Option<Header> {
    bytes.u32().filter(|version| *version == VERSION)?;
    let agent = match bytes.u32()? {
        1 => IpAddr::from(bytes.array::<4>()?),
        2 => IpAddr::from(bytes.array::<16>()?),
        _ => return None,
    };
    let [sub_agent, sequence, _uptime, samples] =
        [bytes.u32()?, bytes.u32()?, bytes.u32()?, bytes.u32()?];
    Some(Header {
        agent,
        sub_agent,
        sequence,
        samples,
    })
}

/// What is known of a sample before it is read.
struct Context {
    origin: Packet,
    received: Timestamp,
    device: Arc<str>,
}

impl Agents {
    /// Takes the payload of one datagram, which does not tell when it was sent: so when it was received.
    pub fn take(&mut self, payload: &[u8], from: &Packet, received: Timestamp, taken: &mut Taken) {
        let mut bytes = Bytes(payload);
        let Some(header) = header(&mut bytes) else {
            let detail = format!("{} bytes are no header of sFlow 5", payload.len());
            return taken.problem(from, Reason::Truncated, detail);
        };
        self.packets += 1;
        let place = (header.agent, header.sub_agent);
        if self.numbers.len() < AGENTS_MAX || self.numbers.contains_key(&place) {
            self.numbers.entry(place).or_default().note(header.sequence);
        }
        let context = Context {
            origin: Packet {
                sequence: Some(header.sequence),
                ..from.clone()
            },
            received,
            device: header.agent.to_string().into(),
        };
        for read in 0..header.samples {
            let Some((kind, sample)) = part(&mut bytes) else {
                let detail = format!("{} samples announced, {read} are there", header.samples);
                taken.problem(&context.origin, Reason::Truncated, detail);
                return;
            };
            self.sample(kind, sample, &context, taken);
        }
        taken.trailing(&context.origin, bytes.0);
    }

    /// How agents stand.
    pub fn standing(&self) -> impl Iterator<Item = Standing> {
        let numbers = self.numbers.iter();
        numbers.map(|((agent, sub_agent), numbers)| Standing {
            agent: *agent,
            sub_agent: *sub_agent,
            packets: numbers.packets,
            missed: numbers.missed,
        })
    }

    fn sample(&mut self, kind: u32, sample: &[u8], context: &Context, taken: &mut Taken) {
        match kind {
            FLOW | EXPANDED_FLOW => self.flow(kind, sample, context, taken),
            COUNTERS | EXPANDED_COUNTERS => self.counters += 1,
            _ => {
                self.unknown += 1;
                let detail = format!("sample of kind {kind}");
                taken.problem(&context.origin, Reason::NotFlow, detail);
            }
        }
    }

    fn flow(&mut self, kind: u32, sample: &[u8], context: &Context, taken: &mut Taken) {
        let mut bytes = Bytes(sample);
        let Some(head) = Head::of(&mut bytes, kind == EXPANDED_FLOW) else {
            let detail = format!("{} bytes are not a sample", sample.len());
            return taken.problem(&context.origin, Reason::BadRecord, detail);
        };
        if let Some(flow) = head.flow(&mut bytes, context) {
            self.flows += 1;
            taken.flows.push(flow);
        } else {
            self.others += 1;
            let detail = "a sample does not tell of two addresses";
            taken.problem(&context.origin, Reason::NotFlow, detail);
        }
    }
}

/// Takes a sample or a record off the front: its kind, and what is in it.
fn part<'a>(bytes: &mut Bytes<'a>) -> Option<(u32, &'a [u8])> {
    let kind = bytes.u32()?;
    let length = usize::try_from(bytes.u32()?).ok()?;
    Some((kind, bytes.take(length)?))
}

/// What a sample begins with.
struct Head {
    rate: Rate,
    ingress: Option<Side>,
    egress: Option<Side>,
    records: u32,
}

impl Head {
    fn of(bytes: &mut Bytes, is_expanded: bool) -> Option<Self> {
        // Its number, and what picked it, which has a number more in the other form.
        bytes.take(if is_expanded { 12 } else { 8 })?;
        let rate = Rate::one_in(u64::from(bytes.u32()?));
        // How many could have been picked, and how many were not for want of time.
        bytes.take(8)?;
        let [ingress, egress] = [
            interface(bytes, is_expanded)?,
            interface(bytes, is_expanded)?,
        ];
        Some(Self {
            rate,
            ingress: side(ingress),
            egress: side(egress),
            records: bytes.u32()?,
        })
    }

    /// The first record that tells of two addresses. What others add, of switching and of routes, is
    /// nothing that a flow has.
    fn flow(self, bytes: &mut Bytes, context: &Context) -> Option<Flow> {
        let origin = Origin::Packet(context.origin.clone());
        let mut flow = Flow::new(context.received, Format::Sflow, origin);
        let most = usize::try_from(self.records).unwrap_or(usize::MAX);
        let mut records = std::iter::from_fn(|| part(bytes)).take(most);
        let length = records.find_map(|(kind, record)| note(&mut flow, kind, record))?;
        flow.packets = Amount::forward(1);
        flow.bytes = Amount::forward(u64::from(length));
        flow.ingress = self.ingress;
        flow.egress = self.egress;
        flow.device = Some(Arc::clone(&context.device));
        self.rate.apply(&mut flow);
        Some(flow)
    }
}

/// An interface, as the short form tells it: what it counts in the upper two bits.
fn interface(bytes: &mut Bytes, is_expanded: bool) -> Option<u32> {
    let kind = if is_expanded { bytes.u32()? } else { 0 };
    let number = bytes.u32()?;
    Some(if kind == 0 { number } else { u32::MAX })
}

/// The largest number is the device itself; what is above it is not one interface.
fn side(number: u32) -> Option<Side> {
    let number = Some(number).filter(|number| *number < INTERFACE)?;
    tuple::interface(u64::from(number))
}

/// Notes what a record tells, and how long the packet was.
fn note(flow: &mut Flow, kind: u32, record: &[u8]) -> Option<u32> {
    let mut bytes = Bytes(record);
    match kind {
        RAW_HEADER => raw_header(flow, &mut bytes),
        SAMPLED_IPV4 => sampled(flow, &mut bytes, |bytes| {
            bytes.array::<4>().map(IpAddr::from)
        }),
        SAMPLED_IPV6 => sampled(flow, &mut bytes, |bytes| {
            bytes.array::<16>().map(IpAddr::from)
        }),
        _ => None,
    }
}

fn raw_header(flow: &mut Flow, bytes: &mut Bytes) -> Option<u32> {
    let [protocol, length, _stripped, sampled] =
        [bytes.u32()?, bytes.u32()?, bytes.u32()?, bytes.u32()?];
    // It is filled up to a border of four.
    let header = bytes.0.get(..usize::try_from(sampled).ok()?)?;
    let packet = match protocol {
        ETHERNET => frame::ethernet(header),
        HEADER_IPV4 | HEADER_IPV6 => frame::ip(header),
        _ => None,
    };
    packet?.note(flow);
    Some(length)
}

fn sampled(
    flow: &mut Flow,
    bytes: &mut Bytes,
    ip: fn(&mut Bytes) -> Option<IpAddr>,
) -> Option<u32> {
    let length = bytes.u32()?;
    let protocol = IpProtocol(u8::try_from(bytes.u32()?).ok()?);
    let [source, destination] = [ip(bytes)?, ip(bytes)?];
    let port = |number: u32| tuple::port(Some(protocol), u16::try_from(number).ok()?);
    let ports = [port(bytes.u32()?), port(bytes.u32()?)];
    let [.., flags] = bytes.u32()?.to_be_bytes();
    flow.source = End::at(source, ports[0]);
    flow.destination = End::at(destination, ports[1]);
    flow.protocol = Some(protocol);
    flow.flags = tuple::flags(Some(protocol), flags);
    Some(length)
}
