//! A flow, in the one form that all formats are put into.
//!
//! What a format does not say is absent: never empty, and never a zero that nobody has counted.

use std::{net::IpAddr, sync::Arc};

use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeSeq as _};

use super::{attribute::Attributed, ip::IpProtocol};
use crate::{
    clock::nanoseconds,
    geo::{As, Geo},
    logs,
    people::Profile,
    record::Owner,
    scope::Scope,
    threat::Hit,
};

/// What another device tells of packets between two ends.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flow {
    /// Of the first packet, or of the event; of what is told afterwards with nothing but a duration, the end less it.
    #[serde(serialize_with = "nanoseconds")]
    pub time: Timestamp,
    /// Of the last packet.
    #[serde(
        serialize_with = "some_nanoseconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub end: Option<Timestamp>,
    /// What told it.
    pub format: Format,
    /// Where.
    pub origin: Origin,
    /// Who sent the first packet, if that is known; else who is written first.
    pub source: End,
    /// The other end.
    pub destination: End,
    /// `source` has begun it: the device says so. Formats that tell of packets one way do not.
    pub initiator_known: bool,
    /// What is spoken over IP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<IpProtocol>,
    /// Of ICMP, in place of ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp: Option<Icmp>,
    /// Bytes, as the device counts them: most count those of IP, some those of the frame.
    #[serde(skip_serializing_if = "Amount::is_unknown")]
    pub bytes: Amount,
    /// Packets.
    #[serde(skip_serializing_if = "Amount::is_unknown")]
    pub packets: Amount,
    /// What the device did with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// What of it is told, where a device tells of one connection several times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// Why it ended, or was not let through, as the device words it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The rule, policy or access list that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Where it came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Side>,
    /// Where it went out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress: Option<Side>,
    /// What the device calls this connection, unique on it for a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// TCP flags that were seen, of all packets together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<TcpFlags>,
    /// What the device found is spoken, e.g. `ssl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// Registered name of the destination's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The device that tells it: its name, or its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Arc<str>>,
    /// Which connection of this host it was, and whose, if that was asked.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub attributed: Option<Box<Attributed>>,
}

impl Flow {
    /// One of which nothing is known but when, by what and where it was told.
    #[must_use]
    pub fn new(time: Timestamp, format: Format, origin: Origin) -> Self {
        Self {
            time,
            end: None,
            format,
            origin,
            source: End::default(),
            destination: End::default(),
            initiator_known: false,
            protocol: None,
            icmp: None,
            bytes: Amount::default(),
            packets: Amount::default(),
            action: None,
            stage: None,
            reason: None,
            rule: None,
            ingress: None,
            egress: None,
            session: None,
            flags: None,
            application: None,
            service: None,
            device: None,
            attributed: None,
        }
    }

    /// Who the device says its ends are.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        let users = [&self.source.user, &self.destination.user];
        users.into_iter().flatten().map(String::as_str)
    }

    /// Whose connection of this host it was, if that was asked and found.
    #[must_use]
    pub fn owner(&self) -> Option<&Owner> {
        self.attributed.as_ref()?.owner.as_deref()
    }
}

/// One end of a flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct End {
    /// Its address, before translation. Absent where a device writes a name in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// Its port, of protocols that have some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// What the device made of address and port, where that is something else.
    #[serde(skip_serializing_if = "Nat::is_none")]
    pub nat: Nat,
    /// Who that is, as the device says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What the device calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What kind of address it is: told when the flow is asked about, by the rules of who asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Where it is, by databases that were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo: Option<Arc<Geo>>,
    /// The autonomous system that it belongs to.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub network: Option<Arc<As>>,
    /// Whose account `user` is, by a table that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Arc<Profile>>,
    /// That account is not expected to speak with the other end.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unexpected: bool,
    /// The indicators that it meets, of feeds that were asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub threat: Vec<Hit>,
}

impl End {
    /// An address, and a port.
    #[must_use]
    pub fn at(ip: IpAddr, port: impl Into<Option<u16>>) -> Self {
        Self {
            ip: Some(ip),
            port: port.into(),
            ..Self::default()
        }
    }

    /// Notes what it was translated to; nothing, if that is what it was.
    pub fn translate(&mut self, ip: Option<IpAddr>, port: Option<u16>) {
        let nat = Nat { ip, port };
        let is_same = |new: &Nat| {
            new.ip.is_none_or(|ip| Some(ip) == self.ip)
                && new.port.is_none_or(|port| Some(port) == self.port)
        };
        self.nat = if is_same(&nat) { Nat::default() } else { nat };
    }
}

/// What an end was translated to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Nat {
    /// Its address behind the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// Its port there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

impl Nat {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// How much was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// From the source to the destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward: Option<u64>,
    /// From the destination to the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverse: Option<u64>,
    /// Both ways together, where only that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Counted of samples, and multiplied.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

impl Amount {
    /// What went one way.
    #[must_use]
    pub fn forward(count: u64) -> Self {
        Self {
            forward: Some(count),
            ..Self::default()
        }
    }

    /// What went each way.
    #[must_use]
    pub fn both(forward: u64, reverse: u64) -> Self {
        Self {
            forward: Some(forward),
            reverse: Some(reverse),
            ..Self::default()
        }
    }

    /// Both ways together.
    #[must_use]
    pub fn total(count: u64) -> Self {
        Self {
            total: Some(count),
            ..Self::default()
        }
    }

    /// All that is known to have moved.
    #[must_use]
    pub fn sum(&self) -> Option<u64> {
        let each = || match (self.forward, self.reverse) {
            (None, None) => None,
            (forward, reverse) => {
                let sum = forward.unwrap_or_default();
                Some(sum.saturating_add(reverse.unwrap_or_default()))
            }
        };
        self.total.or_else(each)
    }

    /// Nothing is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.sum().is_none()
    }
}

/// Type and code of ICMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Icmp {
    /// Type.
    #[serde(rename = "type")]
    pub kind: u8,
    /// Code.
    pub code: u8,
}

/// Where on a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Name or number of the interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Its zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

impl Side {
    /// An interface.
    #[must_use]
    pub fn interface(name: impl Into<String>) -> Self {
        Self {
            interface: Some(name.into()),
            zone: None,
        }
    }
}

/// What a device did with a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It let it through.
    Allowed,
    /// It did not, or cut it off.
    Denied,
}

impl Action {
    /// The word of the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
        }
    }
}

/// What of a connection is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// That it begins: counters are those of the beginning, if there are any.
    Start,
    /// It goes on.
    Update,
    /// It is over: counters are those of all of it.
    End,
}

impl Stage {
    /// The word of the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Update => "update",
            Self::End => "end",
        }
    }
}

/// TCP flags, as they are in a header; the ninth is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    const WORDS: [&str; 8] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];

    /// The words of those that are set.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let is_set = move |bit: usize| self.0 & (1 << bit) != 0;
        let words = Self::WORDS.into_iter().enumerate();
        words.filter_map(move |(bit, word)| is_set(bit).then_some(word))
    }
}

impl Serialize for TcpFlags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for word in self.words() {
            list.serialize_element(word)?;
        }
        list.end()
    }
}

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `NetFlow` version 5.
    Netflow5,
    /// `NetFlow` version 9 (RFC 3954).
    Netflow9,
    /// IPFIX (RFC 7011).
    Ipfix,
    /// sFlow version 5: packets that were sampled, and no flows.
    Sflow,
    /// `NetFlow` security event logging of Cisco's ASA.
    CiscoNsel,
    /// System log of Cisco's ASA and FTD.
    CiscoAsa,
    /// Traffic log of Palo Alto's PAN-OS.
    PanosTraffic,
    /// Deep Visibility of `SentinelOne`.
    Sentinelone,
    /// Connections of Zeek.
    ZeekConn,
    /// EVE of Suricata.
    SuricataEve,
    /// VPC flow logs of AWS.
    AwsVpc,
    /// Flow logs of Azure.
    AzureVnet,
    /// VPC flow logs of Google Cloud.
    GcpVpc,
    /// Events of Linux's connection tracking.
    Conntrack,
    /// JSON of nfdump.
    Nfdump,
    /// What conntracer wrote with `-o json`.
    Conntracer,
}

impl Format {
    /// The word of the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Netflow5 => "netflow5",
            Self::Netflow9 => "netflow9",
            Self::Ipfix => "ipfix",
            Self::CiscoNsel => "cisco-nsel",
            Self::Sflow => "sflow",
            Self::CiscoAsa => "cisco-asa",
            Self::PanosTraffic => "panos-traffic",
            Self::Sentinelone => "sentinelone",
            Self::ZeekConn => "zeek-conn",
            Self::SuricataEve => "suricata-eve",
            Self::AwsVpc => "aws-vpc",
            Self::AzureVnet => "azure-vnet",
            Self::GcpVpc => "gcp-vpc",
            Self::Conntrack => "conntrack",
            Self::Nfdump => "nfdump",
            Self::Conntracer => "conntracer",
        }
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// Where a flow was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Origin {
    /// In a line of a log.
    Line {
        /// Name of the file.
        file: Arc<str>,
        /// Number of the line, from 1; of something of several lines, the first.
        line: u64,
    },
    /// In a packet of an exporter.
    Packet(Packet),
}

impl From<&logs::Origin> for Origin {
    fn from(origin: &logs::Origin) -> Self {
        Self::Line {
            file: Arc::clone(&origin.file),
            line: origin.line,
        }
    }
}

/// A packet that an exporter sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Packet {
    /// Name of the file that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Arc<str>>,
    /// Its number in the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packet: Option<u64>,
    /// Who sent it, where that is known: `address:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exporter: Option<Arc<str>>,
    /// How the exporter counts it: packets or flows, by the format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u32>,
}

#[expect(clippy::ref_option, reason = "it is what serde hands over")]
fn some_nanoseconds<S: Serializer>(
    time: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => nanoseconds(time, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_unknown_is_absent() {
        let origin = Origin::Line {
            file: "asa.log".into(),
            line: 7,
        };
        let time = Timestamp::from_second(1_700_000_000).unwrap();
        let mut flow = Flow::new(time, Format::CiscoAsa, origin);
        flow.source = End::at([10, 0, 0, 5].into(), 40_000);
        flow.source
            .translate(Some([10, 0, 0, 5].into()), Some(40_000));
        flow.destination = End::at([203, 0, 113, 9].into(), 443);
        flow.destination
            .translate(Some([192, 0, 2, 1].into()), None);
        flow.protocol = Some(IpProtocol::TCP);
        flow.bytes = Amount::total(12);
        flow.flags = Some(TcpFlags(0x13));
        assert_eq!(
            serde_json::to_value(&flow).unwrap(),
            json!({
                "time": "2023-11-14T22:13:20.000000000Z",
                "format": "cisco-asa",
                "origin": {"file": "asa.log", "line": 7},
                "source": {"ip": "10.0.0.5", "port": 40000},
                "destination": {"ip": "203.0.113.9", "port": 443, "nat": {"ip": "192.0.2.1"}},
                "initiator_known": false,
                "protocol": "tcp",
                "bytes": {"total": 12},
                "flags": ["FIN", "SYN", "ACK"],
            })
        );
    }

    #[test]
    fn what_moved_is_summed_up() {
        assert_eq!(Amount::default().sum(), None);
        assert_eq!(Amount::forward(3).sum(), Some(3));
        assert_eq!(Amount::both(3, u64::MAX).sum(), Some(u64::MAX));
        assert_eq!(Amount::total(3).sum(), Some(3));
        let packet = Origin::Packet(Packet {
            packet: Some(1),
            ..Packet::default()
        });
        assert_eq!(serde_json::to_value(packet).unwrap(), json!({"packet": 1}));
    }
}
