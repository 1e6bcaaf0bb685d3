//! Numbers of information elements.
//!
//! Registry: <https://www.iana.org/assignments/ipfix/ipfix.xhtml>; those of Cisco's firewalls:
//! <https://www.cisco.com/c/en/us/td/docs/security/asa/special/netflow/guide/asa_netflow.html>.

/// Number of the enterprise whose elements tell of the other way (RFC 5103, 6.1).
const REVERSE: u32 = 29305;

/// What a field tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// Who defines it; 0 of IANA's, and of all of version 9.
    pub enterprise: u32,
    pub number: u16,
}

impl Element {
    pub const fn iana(number: u16) -> Self {
        Self {
            enterprise: 0,
            number,
        }
    }

    /// The same, of packets the other way.
    pub const fn reverse(self) -> Self {
        Self {
            enterprise: REVERSE,
            ..self
        }
    }
}

pub const OCTETS: Element = Element::iana(1);
pub const PACKETS: Element = Element::iana(2);
pub const PROTOCOL: Element = Element::iana(4);
pub const TCP_FLAGS: Element = Element::iana(6);
pub const SOURCE_PORT: Element = Element::iana(7);
pub const SOURCE_IPV4: Element = Element::iana(8);
pub const INGRESS: Element = Element::iana(10);
pub const DESTINATION_PORT: Element = Element::iana(11);
pub const DESTINATION_IPV4: Element = Element::iana(12);
pub const EGRESS: Element = Element::iana(14);
pub const END_UPTIME: Element = Element::iana(21);
pub const START_UPTIME: Element = Element::iana(22);
pub const OUT_OCTETS: Element = Element::iana(23);
pub const OUT_PACKETS: Element = Element::iana(24);
pub const SOURCE_IPV6: Element = Element::iana(27);
pub const DESTINATION_IPV6: Element = Element::iana(28);
pub const ICMP_IPV4: Element = Element::iana(32);
pub const SAMPLING_INTERVAL: Element = Element::iana(34);
pub const SAMPLER_ID: Element = Element::iana(48);
pub const SAMPLER_INTERVAL: Element = Element::iana(50);
pub const TOTAL_OCTETS: Element = Element::iana(85);
pub const TOTAL_PACKETS: Element = Element::iana(86);
pub const APPLICATION_NAME: Element = Element::iana(96);
pub const EXPORTER_IPV4: Element = Element::iana(130);
pub const EXPORTER_IPV6: Element = Element::iana(131);
pub const END_REASON: Element = Element::iana(136);
pub const ICMP_IPV6: Element = Element::iana(139);
pub const FLOW_ID: Element = Element::iana(148);
pub const START_SECONDS: Element = Element::iana(150);
pub const END_SECONDS: Element = Element::iana(151);
pub const START_MILLISECONDS: Element = Element::iana(152);
pub const END_MILLISECONDS: Element = Element::iana(153);
pub const START_MICROSECONDS: Element = Element::iana(154);
pub const END_MICROSECONDS: Element = Element::iana(155);
pub const START_NANOSECONDS: Element = Element::iana(156);
pub const END_NANOSECONDS: Element = Element::iana(157);
pub const START_DELTA: Element = Element::iana(158);
pub const END_DELTA: Element = Element::iana(159);
pub const SYSTEM_INIT: Element = Element::iana(160);
pub const DURATION_MILLISECONDS: Element = Element::iana(161);
pub const DURATION_MICROSECONDS: Element = Element::iana(162);
pub const ICMP_TYPE_IPV4: Element = Element::iana(176);
pub const ICMP_CODE_IPV4: Element = Element::iana(177);
pub const ICMP_TYPE_IPV6: Element = Element::iana(178);
pub const ICMP_CODE_IPV6: Element = Element::iana(179);
pub const UDP_SOURCE_PORT: Element = Element::iana(180);
pub const UDP_DESTINATION_PORT: Element = Element::iana(181);
pub const TCP_SOURCE_PORT: Element = Element::iana(182);
pub const TCP_DESTINATION_PORT: Element = Element::iana(183);
pub const NAT_SOURCE_IPV4: Element = Element::iana(225);
pub const NAT_DESTINATION_IPV4: Element = Element::iana(226);
pub const NAT_SOURCE_PORT: Element = Element::iana(227);
pub const NAT_DESTINATION_PORT: Element = Element::iana(228);
pub const INITIATOR_OCTETS: Element = Element::iana(231);
pub const RESPONDER_OCTETS: Element = Element::iana(232);
pub const FIREWALL_EVENT: Element = Element::iana(233);
pub const BIFLOW_DIRECTION: Element = Element::iana(239);
pub const COLLECTED: Element = Element::iana(258);
pub const NAT_SOURCE_IPV6: Element = Element::iana(281);
pub const NAT_DESTINATION_IPV6: Element = Element::iana(282);
pub const INITIATOR_PACKETS: Element = Element::iana(298);
pub const RESPONDER_PACKETS: Element = Element::iana(299);
pub const SELECTOR_ID: Element = Element::iana(302);
pub const SAMPLED_PACKETS: Element = Element::iana(305);
pub const SAMPLING_SPACE: Element = Element::iana(306);
pub const SAMPLE_SIZE: Element = Element::iana(309);
pub const SAMPLE_POPULATION: Element = Element::iana(310);
pub const OBSERVED: Element = Element::iana(323);
pub const ENTERPRISE: Element = Element::iana(346);
pub const USER: Element = Element::iana(371);

pub const ASA_INGRESS_LIST: Element = Element::iana(33000);
pub const ASA_EGRESS_LIST: Element = Element::iana(33001);
pub const ASA_EXTENDED_EVENT: Element = Element::iana(33002);
pub const ASA_USER: Element = Element::iana(40000);
pub const ASA_NAT_SOURCE_IP: Element = Element::iana(40001);
pub const ASA_NAT_DESTINATION_IP: Element = Element::iana(40002);
pub const ASA_NAT_SOURCE_PORT: Element = Element::iana(40003);
pub const ASA_NAT_DESTINATION_PORT: Element = Element::iana(40004);
pub const ASA_EVENT: Element = Element::iana(40005);

pub const PANOS_APPLICATION: Element = Element::iana(56701);
pub const PANOS_USER: Element = Element::iana(56702);
