//! Answers of DNS (RFC 1035) and of multicast DNS (RFC 6762), as they came.

use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use simple_dns::{Packet, PacketFlag, RCODE, rdata::RData};

use crate::text::lossy;

/// An address, and what it was asked for by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The address.
    pub address: IpAddr,
    /// The name that was asked for.
    pub name: String,
    /// The names that it is an alias of, the last one the address's own.
    pub aliases: Vec<String>,
}

/// It is no message of DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an answer of DNS makes no sense: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// How many aliases are followed; resolvers give up sooner.
const ALIASES_MAX: usize = 16;

/// The addresses in a message. None in a question, nor in an answer that there is none.
///
/// # Errors
/// If the bytes are no message, and why.
pub fn read(message: &[u8]) -> Result<Vec<Answer>, Malformed> {
    let packet = Packet::parse(message).map_err(|error| Malformed(error.to_string()))?;
    if !packet.has_flags(PacketFlag::RESPONSE) || packet.rcode() != RCODE::NoError {
        return Ok(Vec::new());
    }
    let aliases = aliases(&packet);
    let answers = packet.answers.iter().filter_map(|record| {
        let address = match &record.rdata {
            RData::A(a) => IpAddr::V4(Ipv4Addr::from(a.address)),
            RData::AAAA(aaaa) => IpAddr::V6(Ipv6Addr::from(aaaa.address)),
            _ => return None,
        };
        let mut names = chain(&aliases, text(&record.name));
        names.retain(|name| !name.is_empty());
        let name = names.pop()?;
        names.reverse();
        Some(Answer {
            address,
            name,
            aliases: names,
        })
    });
    Ok(answers.collect())
}

/// Name → the name that is an alias of it.
fn aliases(packet: &Packet<'_>) -> HashMap<String, String> {
    let records = packet.answers.iter();
    let alias = records.filter_map(|record| match &record.rdata {
        RData::CNAME(canonical) => Some((text(&canonical.0), text(&record.name))),
        _ => None,
    });
    alias.collect()
}

/// The name, the alias of it, and so on up to what was asked for.
fn chain(aliases: &HashMap<String, String>, name: String) -> Vec<String> {
    let mut names = vec![name];
    while names.len() <= ALIASES_MAX
        && let Some(alias) = names.last().and_then(|last| aliases.get(last))
        && !names.contains(alias)
    {
        names.push(alias.clone());
    }
    names
}

/// A name as people write it. Case means nothing, and any bytes may stand in it.
fn text(name: &simple_dns::Name<'_>) -> String {
    let labels: Vec<String> = name
        .iter()
        .map(|label| lossy(label.as_ref()).to_ascii_lowercase())
        .collect();
    labels.join(".")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use simple_dns::{
        CLASS, Name, ResourceRecord,
        rdata::{A, AAAA, CNAME},
    };

    use super::*;

    fn record<'a>(name: &'a str, rdata: RData<'a>) -> ResourceRecord<'a> {
        ResourceRecord::new(Name::new_unchecked(name), CLASS::IN, 60, rdata)
    }

    fn message(records: Vec<ResourceRecord<'_>>) -> Vec<u8> {
        let mut packet = Packet::new_reply(7);
        packet.answers = records;
        packet.build_bytes_vec_compressed().unwrap()
    }

    fn a(address: [u8; 4]) -> RData<'static> {
        RData::A(A {
            address: u32::from_be_bytes(address),
        })
    }

    fn cname(name: &str) -> RData<'_> {
        RData::CNAME(CNAME(Name::new_unchecked(name)))
    }

    #[test]
    fn an_address_has_the_name_that_was_asked_for() {
        let bytes = message(vec![
            record("WWW.example.com", cname("edge.example.net")),
            record("edge.example.net", cname("a1.example.org")),
            record("a1.example.org", a([192, 0, 2, 7])),
            record("a1.example.org", a([192, 0, 2, 8])),
            record(
                "six.example.com",
                RData::AAAA(AAAA {
                    address: 0x2001_0db8_u128 << 96 | 1,
                }),
            ),
        ]);
        let answers = read(&bytes).unwrap();
        assert_eq!(answers.len(), 3);
        assert_eq!(answers[0].address, IpAddr::from([192, 0, 2, 7]));
        assert_eq!(answers[0].name, "www.example.com");
        assert_eq!(answers[0].aliases, ["edge.example.net", "a1.example.org"]);
        assert_eq!(answers[1].address, IpAddr::from([192, 0, 2, 8]));
        assert_eq!(answers[2].name, "six.example.com");
        assert_eq!(answers[2].address, "2001:db8::1".parse::<IpAddr>().unwrap());
        assert!(answers[2].aliases.is_empty());
    }

    #[test]
    fn aliases_that_go_in_circles_come_to_an_end() {
        let bytes = message(vec![
            record("a.example", cname("b.example")),
            record("b.example", cname("a.example")),
            record("b.example", a([192, 0, 2, 7])),
        ]);
        assert_eq!(read(&bytes).unwrap()[0].name, "a.example");
    }

    #[test]
    fn a_question_answers_nothing() {
        let mut packet = Packet::new_query(7);
        packet.answers = vec![record("a.example", a([192, 0, 2, 7]))];
        assert_eq!(read(&packet.build_bytes_vec().unwrap()), Ok(Vec::new()));
        assert!(read(b"\0\x07").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = read(&bytes);
        }

        #[test]
        fn a_message_with_changed_bytes_is_safe(
            changes in prop::collection::vec((0_usize..120, any::<u8>()), 0..8),
        ) {
            let mut bytes = message(vec![
                record("www.example.com", cname("edge.example.net")),
                record("edge.example.net", a([192, 0, 2, 7])),
            ]);
            for (at, value) in changes {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            let _ = read(&bytes);
        }
    }
}
