//! Protocols over IP, by number: unlike this host's connections, flows are of any.

use serde::{Serialize, Serializer};

/// Names of IANA's registry of protocol numbers, as logs write them, with other words that logs have
/// for some.
const NAMES: [(u8, &str); 18] = [
    (0, "hopopt"),
    (1, "icmp"),
    (2, "igmp"),
    (4, "ipv4"),
    (6, "tcp"),
    (17, "udp"),
    (33, "dccp"),
    (41, "ipv6"),
    (46, "rsvp"),
    (47, "gre"),
    (50, "esp"),
    (51, "ah"),
    (58, "ipv6-icmp"),
    (88, "eigrp"),
    (89, "ospf"),
    (103, "pim"),
    (132, "sctp"),
    (136, "udplite"),
];
/// Other words for some of them.
const ALIASES: [(&str, u8); 8] = [
    ("icmp6", 58),
    ("icmpv6", 58),
    ("ipv6_icmp", 58),
    ("ipip", 4),
    ("ipinip", 4),
    ("ospfigp", 89),
    ("esp50", 50),
    ("udp-lite", 136),
];

/// Protocols that have ports: TCP, UDP, DCCP, SCTP and UDP-Lite. Of others the same place has a number of
/// their own, e.g. that of a call, or nothing.
const WITH_PORTS: [u8; 5] = [6, 17, 33, 132, 136];

/// What is spoken over IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpProtocol(pub u8);

impl IpProtocol {
    /// ICMP.
    pub const ICMP: Self = Self(1);
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// ICMP of IPv6.
    pub const ICMPV6: Self = Self(58);

    /// Its name, if it has one that logs use.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let found = NAMES.iter().find(|(number, _)| *number == self.0);
        found.map(|(_, name)| *name)
    }

    /// The one of a name, or of a number in decimal digits.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse() {
            return Some(Self(number));
        }
        let is = |name: &str| name.eq_ignore_ascii_case(text);
        let named = NAMES.iter().find(|(_, name)| is(name)).map(|(n, _)| *n);
        let other = || ALIASES.iter().find(|(name, _)| is(name)).map(|(_, n)| *n);
        named.or_else(other).map(Self)
    }

    /// Whether it has ports.
    #[must_use]
    pub fn has_ports(self) -> bool {
        WITH_PORTS.contains(&self.0)
    }

    /// Whether it is ICMP, of either version of IP: then ports are none.
    #[must_use]
    pub fn is_icmp(self) -> bool {
        matches!(self, Self::ICMP | Self::ICMPV6)
    }
}

impl std::fmt::Display for IpProtocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Serialize for IpProtocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_and_by_number() {
        for (text, number, said) in [
            ("TCP", 6, "tcp"),
            ("17", 17, "udp"),
            ("icmp6", 58, "ipv6-icmp"),
            ("253", 253, "253"),
        ] {
            let protocol = IpProtocol::of(text).unwrap();
            assert_eq!((protocol.0, protocol.to_string().as_str()), (number, said));
        }
        assert_eq!(IpProtocol::of("256"), None);
        assert_eq!(IpProtocol::of("nothing"), None);
    }
}
