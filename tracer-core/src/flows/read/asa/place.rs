//! Addresses, ports, protocols and types of ICMP, as messages write them.

use std::{
    fmt::{Display, Formatter},
    net::IpAddr,
};

use super::cursor::Cursor;
use crate::{
    flows::{End, Icmp, ip::IpProtocol},
    logs::Unreadable,
};

/// Ports that are written as words, as in "TCP and UDP Ports" of Cisco's "CLI Configuration Guide".
const PORTS: [(&str, u16); 27] = [
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("tacacs", 49),
    ("domain", 53),
    ("bootps", 67),
    ("bootpc", 68),
    ("tftp", 69),
    ("www", 80),
    ("http", 80),
    ("pop3", 110),
    ("sunrpc", 111),
    ("ntp", 123),
    ("netbios-ns", 137),
    ("netbios-dgm", 138),
    ("netbios-ssn", 139),
    ("imap4", 143),
    ("snmp", 161),
    ("snmptrap", 162),
    ("bgp", 179),
    ("ldap", 389),
    ("https", 443),
    ("isakmp", 500),
    ("syslog", 514),
    ("rip", 520),
];

/// An address and what stands behind its slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    host: Host<'a>,
    port: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host<'a> {
    Ip(IpAddr),
    /// With `names`, the device writes what an administrator calls it in place of the address.
    Name(&'a str),
}

impl<'a> Place<'a> {
    /// `10.0.0.1/80`, `Web_Server/80` or `2001:db8::1`.
    pub fn of(text: &'a str) -> Result<Self, Unreadable> {
        let (host, port) = match text.rsplit_once('/') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        Self::new(host, port)
    }

    /// From its parts.
    pub fn new(host: &'a str, port: Option<&'a str>) -> Result<Self, Unreadable> {
        let host = match host.parse() {
            Ok(ip) => Host::Ip(ip),
            Err(_) if is_name(host) => Host::Name(host),
            Err(_) => return Err(Unreadable(format!("no address: `{host}`"))),
        };
        Ok(Self { host, port })
    }

    /// The end of a flow that it is.
    pub fn end(&self, protocol: IpProtocol) -> Result<End, Unreadable> {
        let port = match self.port.filter(|_| protocol.has_ports()) {
            Some(port) => number(port)?,
            None => None,
        };
        let mut end = End {
            port,
            ..End::default()
        };
        match self.host {
            Host::Ip(ip) => end.ip = Some(ip),
            Host::Name(name) => end.name = Some(name.to_owned()),
        }
        Ok(end)
    }

    /// Whether it is no name.
    pub fn is_address(&self) -> bool {
        matches!(self.host, Host::Ip(_))
    }

    /// Whether there is a number in its port's place.
    pub fn is_numbered(&self) -> bool {
        self.port.is_some_and(|port| port.parse::<u32>().is_ok())
    }

    /// What is in its port's place, as it is written.
    pub fn port(&self) -> Option<&'a str> {
        self.port
    }

    /// The name of its port, if it has a word there.
    pub fn service(&self) -> Option<&'a str> {
        self.port.filter(|port| starts_with_letter(port))
    }
}

impl Display for Place<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self.host {
            Host::Ip(ip) => write!(f, "{ip}"),
            Host::Name(name) => f.write_str(name),
        }?;
        self.port.map_or(Ok(()), |port| write!(f, "/{port}"))
    }
}

fn starts_with_letter(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
}

/// Addresses with a mistake are no names.
fn is_name(text: &str) -> bool {
    let has_letter = text.chars().any(char::is_alphabetic);
    has_letter && !text.contains([':', '/', '\\', '(', ')', ',', '"'])
}

/// The number of a port. Nothing: it has a word that is not known.
fn number(port: &str) -> Result<Option<u16>, Unreadable> {
    if starts_with_letter(port) {
        let known = PORTS.iter().find(|(name, _)| *name == port);
        return Ok(known.map(|(_, number)| *number));
    }
    let number = port.parse();
    number.map_or_else(
        |_| Err(Unreadable(format!("no port: `{port}`"))),
        |port| Ok(Some(port)),
    )
}

/// Messages say `ICMP` of both versions.
pub fn of_version(protocol: IpProtocol, ip: Option<IpAddr>) -> IpProtocol {
    match ip {
        Some(IpAddr::V6(_)) if protocol == IpProtocol::ICMP => IpProtocol::ICMPV6,
        _ => protocol,
    }
}

/// The protocol that a word names.
pub fn protocol(word: &str) -> Result<IpProtocol, Unreadable> {
    IpProtocol::of(word).ok_or_else(|| Unreadable(format!("no protocol: `{word}`")))
}

/// `type 8 code 0`, or `(type 8, code 0)`, if that comes next.
pub fn icmp(cursor: &mut Cursor<'_>) -> Result<Option<Icmp>, Unreadable> {
    let text = cursor.rest().trim_start();
    let text = text.trim_start_matches(['(', '[']);
    if !text.starts_with("type ") {
        return Ok(None);
    }
    let mut inner = Cursor::new(text);
    inner.expect("type")?;
    let kind = octet(inner.word()?)?;
    inner.expect("code")?;
    let code = octet(inner.word()?)?;
    *cursor = inner;
    Ok(Some(Icmp { kind, code }))
}

/// A type or code of ICMP.
pub fn octet(word: &str) -> Result<u8, Unreadable> {
    let word = word.trim_end_matches([',', ')', ']']);
    let octet = word.parse();
    octet.map_err(|_| Unreadable(format!("no type or code of ICMP: `{word}`")))
}
