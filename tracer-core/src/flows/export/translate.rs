//! A flow of a record.

use std::net::IpAddr;

use jiff::Timestamp;

use super::{
    amounts::{BYTES, PACKETS},
    context::Context,
    element::{self as e, Element},
    firewall,
    message::Version,
    record::Record,
    sampling::Sampling,
    times, tuple,
};
use crate::flows::{End, Flow, Format, Icmp, Origin, ip::IpProtocol};

/// Values of the direction of a flow that is told both ways (RFC 5103, 6.3).
const FROM_INITIATOR: u64 = 1;
const FROM_RESPONDER: u64 = 2;

/// The elements of one end.
struct Ends {
    ip: [Element; 2],
    ports: [Element; 3],
    nat_ip: [Element; 3],
    nat_port: [Element; 2],
}

const SOURCE: Ends = Ends {
    ip: [e::SOURCE_IPV4, e::SOURCE_IPV6],
    ports: [e::SOURCE_PORT, e::UDP_SOURCE_PORT, e::TCP_SOURCE_PORT],
    nat_ip: [e::NAT_SOURCE_IPV4, e::NAT_SOURCE_IPV6, e::ASA_NAT_SOURCE_IP],
    nat_port: [e::NAT_SOURCE_PORT, e::ASA_NAT_SOURCE_PORT],
};
const DESTINATION: Ends = Ends {
    ip: [e::DESTINATION_IPV4, e::DESTINATION_IPV6],
    ports: [
        e::DESTINATION_PORT,
        e::UDP_DESTINATION_PORT,
        e::TCP_DESTINATION_PORT,
    ],
    nat_ip: [
        e::NAT_DESTINATION_IPV4,
        e::NAT_DESTINATION_IPV6,
        e::ASA_NAT_DESTINATION_IP,
    ],
    nat_port: [e::NAT_DESTINATION_PORT, e::ASA_NAT_DESTINATION_PORT],
};

/// What a record tells. None, if that is not what moved between two addresses: some count by prefix,
/// by label, or by the addresses of Ethernet alone.
pub(super) fn flow(
    record: &Record,
    context: &Context,
    init: Option<Timestamp>,
    sampling: &Sampling,
) -> Option<Flow> {
    let header = &context.header;
    let is_asa = firewall::is_asa(record, header.version);
    let format = if is_asa {
        Format::CiscoNsel
    } else {
        header.version.format()
    };
    let origin = Origin::Packet(context.origin.clone());
    let mut flow = Flow::new(header.exported, format, origin);
    flow.protocol = record.u8(e::PROTOCOL).map(IpProtocol);
    flow.source = SOURCE.end(record, flow.protocol)?;
    flow.destination = DESTINATION.end(record, flow.protocol)?;
    firewall::event(&mut flow, record);
    firewall::identities(&mut flow, record);
    times::note(&mut flow, record, header, init);
    details(&mut flow, record, context);
    amounts(&mut flow, record, header.version, is_asa);
    if let Some(rate) = sampling.of(record) {
        rate.apply(&mut flow);
    }
    initiator(&mut flow, record, is_asa);
    Some(flow)
}

impl Ends {
    fn end(&self, record: &Record, protocol: Option<IpProtocol>) -> Option<End> {
        let ips = || self.ip.into_iter().filter_map(|element| record.ip(element));
        // Templates for both versions of IP fill the one that is not used with zeros.
        let ip = ips().find(is_some_ip).or_else(|| ips().next())?;
        let port = self.ports.iter().find_map(|element| record.u16(*element));
        let mut end = End::at(ip, port.and_then(|port| tuple::port(protocol, port)));
        let mut nat_ips = self.nat_ip.iter().filter_map(|element| record.ip(*element));
        let nat_ports = self.nat_port.iter().find_map(|port| record.u16(*port));
        let nat_port = nat_ports.filter(|port| *port != 0 && end.port.is_some());
        end.translate(nat_ips.find(is_some_ip), nat_port);
        Some(end)
    }
}

fn is_some_ip(ip: &IpAddr) -> bool {
    !ip.is_unspecified()
}

fn details(flow: &mut Flow, record: &Record, context: &Context) {
    let interface = |element| tuple::interface(record.number(element)?);
    flow.icmp = icmp(record, flow.protocol);
    flow.flags = tuple::flags(flow.protocol, flags(record));
    flow.ingress = interface(e::INGRESS);
    flow.egress = interface(e::EGRESS);
    flow.session = record.some(e::FLOW_ID).map(|number| number.to_string());
    let mut exporters = [e::EXPORTER_IPV4, e::EXPORTER_IPV6].into_iter();
    let exporter = exporters.find_map(|element| record.ip(element).filter(is_some_ip));
    let exporter = exporter.map(|ip| ip.to_string().into());
    flow.device = exporter.or_else(|| context.device.clone());
}

/// Of both ways. Elements of two bytes have the known flags in the lower one.
fn flags(record: &Record) -> u8 {
    let flags = |element| record.number(element).unwrap_or_default();
    let [low, ..] = (flags(e::TCP_FLAGS) | flags(e::TCP_FLAGS.reverse())).to_le_bytes();
    low
}

/// Type and code: in elements of their own, in one of two bytes, or in place of the destination's port,
/// in this order. One of two bytes that is zero, as of an echo's reply, may be one that is not used.
fn icmp(record: &Record, protocol: Option<IpProtocol>) -> Option<Icmp> {
    protocol.filter(|protocol| protocol.is_icmp())?;
    let pair = |[kind, code]: [Element; 2]| {
        Some(Icmp {
            kind: record.u8(kind)?,
            code: record.u8(code)?,
        })
    };
    let pairs = [
        [e::ICMP_TYPE_IPV4, e::ICMP_CODE_IPV4],
        [e::ICMP_TYPE_IPV6, e::ICMP_CODE_IPV6],
    ];
    let numbers = [e::ICMP_IPV4, e::ICMP_IPV6, e::DESTINATION_PORT];
    let numbers = || numbers.iter().filter_map(|element| record.u16(*element));
    let number = || numbers().find(|number| *number != 0).or(numbers().next());
    pairs
        .into_iter()
        .find_map(pair)
        .or_else(|| number().map(tuple::icmp))
}

fn amounts(flow: &mut Flow, record: &Record, version: Version, is_asa: bool) {
    flow.bytes = BYTES.read(record, version, flow.stage);
    flow.packets = PACKETS.read(record, version, flow.stage);
    if is_asa && !BYTES.has_initiator(record) {
        flow.bytes = BYTES.together(record).unwrap_or(flow.bytes);
    }
}

/// Notes who began it, where that is told; and puts it first.
fn initiator(flow: &mut Flow, record: &Record, is_asa: bool) {
    let has_initiator = BYTES.has_initiator(record) || PACKETS.has_initiator(record);
    match record.number(e::BIFLOW_DIRECTION) {
        Some(FROM_INITIATOR) => flow.initiator_known = true,
        Some(FROM_RESPONDER) => {
            flow.initiator_known = true;
            turn(flow);
        }
        _ => flow.initiator_known = is_asa || has_initiator,
    }
}

fn turn(flow: &mut Flow) {
    std::mem::swap(&mut flow.source, &mut flow.destination);
    std::mem::swap(&mut flow.ingress, &mut flow.egress);
    for amount in [&mut flow.bytes, &mut flow.packets] {
        std::mem::swap(&mut amount.forward, &mut amount.reverse);
    }
}
