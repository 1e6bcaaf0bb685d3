//! Sockets of kinds that are not followed, in words.

use serde::{Deserialize, Serialize};
use tracer_abi::{SocketFrame, family, socket_type};

/// What kind of socket it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SocketKind {
    /// The process makes what follows the IP header itself.
    Raw,
    /// The process makes whole frames itself, or sees those of others.
    Packet,
    /// ICMP echo without further rights.
    Icmp,
    /// SCTP
    Sctp,
    /// DCCP
    Dccp,
    /// Another protocol over IP.
    Ip,
    /// Frames that bypass the network stack.
    Xdp,
    /// To virtual machines, or to their host.
    Vsock,
}

/// `IPPROTO_…` (`include/uapi/linux/in.h`)
mod ip {
    pub const ICMP: u32 = 1;
    pub const DCCP: u32 = 33;
    pub const ICMPV6: u32 = 58;
    pub const SCTP: u32 = 132;
}

impl SocketKind {
    /// The kind of socket that a frame tells of; none of a family that no program reports.
    #[must_use]
    pub fn of(frame: &SocketFrame) -> Option<Self> {
        match (frame.family, frame.socket_type, frame.protocol) {
            (family::PACKET, ..) => Some(Self::Packet),
            (family::XDP, ..) => Some(Self::Xdp),
            (family::VSOCK, ..) => Some(Self::Vsock),
            (family::IPV4 | family::IPV6, kind, protocol) => Some(Self::of_ip(kind, protocol)),
            _ => None,
        }
    }

    fn of_ip(kind: u16, protocol: u32) -> Self {
        match (kind, protocol) {
            (socket_type::RAW, _) => Self::Raw,
            (_, ip::SCTP) => Self::Sctp,
            (_, ip::DCCP) => Self::Dccp,
            (socket_type::DATAGRAM, ip::ICMP | ip::ICMPV6) => Self::Icmp,
            _ => Self::Ip,
        }
    }

    /// The word of the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Packet => "packet",
            Self::Icmp => "icmp",
            Self::Sctp => "sctp",
            Self::Dccp => "dccp",
            Self::Ip => "ip",
            Self::Xdp => "xdp",
            Self::Vsock => "vsock",
        }
    }
}

/// `ipv4` or `ipv6`; none of what is not IP.
#[must_use]
pub fn family_of(frame: &SocketFrame) -> Option<&'static str> {
    match frame.family {
        family::IPV4 => Some("ipv4"),
        family::IPV6 => Some("ipv6"),
        _ => None,
    }
}

/// The type in a word; none of one that has no name here.
#[must_use]
pub fn type_of(frame: &SocketFrame) -> Option<&'static str> {
    match frame.socket_type {
        socket_type::STREAM => Some("stream"),
        socket_type::DATAGRAM => Some("datagram"),
        socket_type::RAW => Some("raw"),
        socket_type::SEQPACKET => Some("seqpacket"),
        _ => None,
    }
}

/// What is spoken, by its name or, where it has none here, its number; ethertypes as they are
/// usually written. None where the process has not said.
#[must_use]
pub fn protocol_of(frame: &SocketFrame) -> Option<String> {
    let (name, number) = match (frame.family, frame.protocol) {
        (_, 0) => return None,
        (family::IPV4 | family::IPV6, number) => (ip_name(number), number.to_string()),
        (family::PACKET, number) => (ethernet_name(number), format!("0x{number:04x}")),
        _ => return None,
    };
    Some(name.map_or(number, str::to_owned))
}

/// The keywords of the registry of protocol numbers, in small letters.
fn ip_name(number: u32) -> Option<&'static str> {
    Some(match number {
        ip::ICMP => "icmp",
        2 => "igmp",
        4 => "ipip",
        6 => "tcp",
        17 => "udp",
        ip::DCCP => "dccp",
        41 => "ipv6",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        ip::ICMPV6 => "icmpv6",
        89 => "ospf",
        103 => "pim",
        112 => "vrrp",
        115 => "l2tp",
        ip::SCTP => "sctp",
        136 => "udplite",
        255 => "raw",
        _ => return None,
    })
}

/// `ETH_P_…` (`include/uapi/linux/if_ether.h`)
fn ethernet_name(number: u32) -> Option<&'static str> {
    Some(match number {
        0x0003 => "all",
        0x0800 => "ipv4",
        0x0806 => "arp",
        0x8100 => "vlan",
        0x86dd => "ipv6",
        0x8864 => "pppoe",
        0x888e => "eapol",
        0x88cc => "lldp",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use tracer_abi::{Header, Identity};

    use super::*;

    fn frame(family: u16, socket_type: u16, protocol: u32) -> SocketFrame {
        SocketFrame {
            header: Header {
                time_ns: 0,
                kind: 0,
                cpu: 0,
                len: 0,
            },
            owner: Identity::NOBODY,
            inode: 1,
            netns: 1,
            protocol,
            family,
            socket_type,
            reserved: 0,
        }
    }

    #[test]
    fn a_socket_is_called_what_a_responder_calls_it() {
        let said = |family, socket_type, protocol| {
            let frame = frame(family, socket_type, protocol);
            let words = [
                SocketKind::of(&frame).map(SocketKind::word),
                family_of(&frame),
                type_of(&frame),
            ];
            let mut words: Vec<String> = words.into_iter().flatten().map(str::to_owned).collect();
            words.extend(protocol_of(&frame));
            words.join(" ")
        };
        assert_eq!(said(2, 3, 1), "raw ipv4 raw icmp");
        assert_eq!(said(10, 3, 255), "raw ipv6 raw raw");
        assert_eq!(said(2, 3, 132), "raw ipv4 raw sctp");
        assert_eq!(said(10, 2, 58), "icmp ipv6 datagram icmpv6");
        assert_eq!(said(2, 1, 132), "sctp ipv4 stream sctp");
        assert_eq!(said(2, 5, 132), "sctp ipv4 seqpacket sctp");
        assert_eq!(said(2, 6, 33), "dccp ipv4 dccp");
        assert_eq!(said(2, 2, 136), "ip ipv4 datagram udplite");
        assert_eq!(said(2, 3, 253), "raw ipv4 raw 253");
        assert_eq!(said(17, 3, 3), "packet raw all");
        assert_eq!(said(17, 2, 0x88b5), "packet datagram 0x88b5");
        assert_eq!(said(17, 3, 0), "packet raw");
        assert_eq!(said(44, 3, 0), "xdp raw");
        assert_eq!(said(40, 1, 0), "vsock stream");
        assert_eq!(said(1, 1, 0), "stream");
    }
}
