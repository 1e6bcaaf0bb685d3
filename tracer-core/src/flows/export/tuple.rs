//! Protocol, ports and what stands in their place, which all versions tell alike.

use crate::flows::{Icmp, Side, TcpFlags, ip::IpProtocol};

/// A port. Of protocols without any, a zero is none; of ICMP, whatever stands there.
pub(super) fn port(protocol: Option<IpProtocol>, port: u16) -> Option<u16> {
    let may_be_zero = protocol.is_none_or(IpProtocol::has_ports);
    let is_icmp = protocol.is_some_and(IpProtocol::is_icmp);
    (!is_icmp && (may_be_zero || port != 0)).then_some(port)
}

/// Type and code, as one number of two bytes.
pub(super) fn icmp(number: u16) -> Icmp {
    let [kind, code] = number.to_be_bytes();
    Icmp { kind, code }
}

/// Type and code, which stand in place of the destination's port.
pub(super) fn icmp_of_port(protocol: IpProtocol, port: u16) -> Option<Icmp> {
    protocol.is_icmp().then(|| icmp(port))
}

/// Flags of TCP. It has no packets without any, so that none means that they were not looked at.
pub(super) fn flags(protocol: Option<IpProtocol>, flags: u8) -> Option<TcpFlags> {
    let is_tcp = protocol == Some(IpProtocol::TCP);
    (is_tcp && flags != 0).then_some(TcpFlags(flags))
}

/// An interface by its number, as SNMP counts them: from 1, so that zero is none.
pub(super) fn interface(number: u64) -> Option<Side> {
    (number != 0).then(|| Side::interface(number.to_string()))
}
