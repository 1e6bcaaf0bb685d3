//! Version 5: records of one form, each of packets one way.
//!
//! Format: <https://www.cisco.com/c/en/us/td/docs/net_mgmt/netflow_collection_engine/3-6/user/guide/format.html>

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;

use super::{
    bytes::Bytes,
    context::Context,
    message::{Header, Version},
    taken::{Reason, Taken},
    tuple, uptime,
};
use crate::flows::{Amount, End, Flow, Format, Origin, ip::IpProtocol};

/// Length of a header.
pub(super) const HEADER: usize = 24;
/// Length of a record.
const RECORD: usize = 48;
/// How many records a message has at most.
const MOST: usize = 30;
/// The bits of the sampling interval; the two above them tell how it is sampled.
const INTERVAL: u16 = 0x3fff;

/// Length of a message of so many records.
pub(super) fn length(count: usize) -> usize {
    HEADER + count * RECORD
}

/// Whether the count is one that can be, and the length is of it.
pub(super) fn recognises(payload: &[u8]) -> bool {
    let count = payload.get(2..).and_then(|rest| Bytes(rest).u16());
    let count = count.map_or(0, usize::from);
    (1..=MOST).contains(&count) && payload.len() >= length(count)
}

/// Reads the header.
pub(super) fn header(bytes: &mut Bytes) -> Option<Header> {
    bytes.u16()?;
    Some(Header {
        version: Version::Netflow5,
        count: bytes.u16()?,
        uptime: Some(bytes.u32()?),
        exported: exported(bytes.u32()?, bytes.u32()?),
        sequence: bytes.u32()?,
        domain: bytes.u16().map(u32::from)?,
        sampling: bytes.u16()? & INTERVAL,
    })
}

fn exported(seconds: u32, nanoseconds: u32) -> Timestamp {
    let nanoseconds = i32::try_from(nanoseconds.min(999_999_999)).unwrap_or_default();
    Timestamp::new(i64::from(seconds), nanoseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Reads all records that are whole. How many.
pub(super) fn records(body: &[u8], context: &Context, taken: &mut Taken) -> u64 {
    let count = usize::from(context.header.count);
    let mut bytes = Bytes(body);
    let mut read = 0;
    while read < count && bytes.len() >= RECORD {
        taken.flows.extend(flow(&mut bytes, context));
        read += 1;
    }
    if read < count {
        let detail = format!("{count} records announced, {read} are there");
        taken.problem(&context.origin, Reason::CountMismatch, detail);
    }
    context.trailing(bytes.0, taken);
    u64::try_from(read).unwrap_or(u64::MAX)
}

fn flow(bytes: &mut Bytes, context: &Context) -> Option<Flow> {
    let header = &context.header;
    let origin = Origin::Packet(context.origin.clone());
    let mut flow = Flow::new(header.exported, Format::Netflow5, origin);
    let [source, destination, _next_hop] = [bytes.u32()?, bytes.u32()?, bytes.u32()?];
    flow.ingress = tuple::interface(u64::from(bytes.u16()?));
    flow.egress = tuple::interface(u64::from(bytes.u16()?));
    flow.packets = Amount::forward(u64::from(bytes.u32()?));
    flow.bytes = Amount::forward(u64::from(bytes.u32()?));
    let [first, last] = [bytes.u32()?, bytes.u32()?];
    let until = uptime::absolute(header, last).unwrap_or(header.exported);
    let start = || until.checked_sub(uptime::between(first, last)).ok();
    flow.time = uptime::absolute(header, first).or_else(start)?;
    flow.end = Some(until);
    let ports = [bytes.u16()?, bytes.u16()?];
    bytes.u8()?;
    let flags = bytes.u8()?;
    let protocol = IpProtocol(bytes.u8()?);
    // Type of service, systems and masks: nothing that a flow has.
    bytes.take(9)?;
    flow.protocol = Some(protocol);
    flow.flags = tuple::flags(Some(protocol), flags);
    flow.icmp = tuple::icmp_of_port(protocol, ports[1]);
    flow.source = end(source, tuple::port(Some(protocol), ports[0]));
    flow.destination = end(destination, tuple::port(Some(protocol), ports[1]));
    flow.device.clone_from(&context.device);
    context.sampled().apply(&mut flow);
    Some(flow)
}

fn end(ip: u32, port: Option<u16>) -> End {
    End::at(IpAddr::V4(Ipv4Addr::from_bits(ip)), port)
}
