//! Traps of SNMP, as `snmptrapd` writes them into its log: a line that says when and from whom, and behind
//! it the objects, with tabs between them.
//!
//! Format: <https://man.archlinux.org/man/snmptrapd.8.en.raw>. Names and numbers:
//! <https://monitortools.com/tech/snmp/mib/Cisco/CISCOTRAP-MIB>,
//! <https://mibs.observium.org/mib/CISCO-CONFIG-MAN-MIB>

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;

use super::time::{self, When};
use crate::{
    discovery::{Act, Actor, Analytic, What},
    logs::{Origin, Unreadable},
};

/// The roots that are written by name before the rest of a number.
const ROOTS: [(&str, &str); 8] = [
    ("iso", "1"),
    ("SNMPv2-SMI::internet", "1.3.6.1"),
    ("SNMPv2-SMI::mgmt", "1.3.6.1.2"),
    ("SNMPv2-SMI::mib-2", "1.3.6.1.2.1"),
    ("SNMPv2-SMI::private", "1.3.6.1.4"),
    ("SNMPv2-SMI::enterprises", "1.3.6.1.4.1"),
    ("SNMPv2-SMI::snmpModules", "1.3.6.1.6.3"),
    ("SNMPv2-MIB::snmpTraps", "1.3.6.1.6.3.1.1.5"),
];
/// Notifications whose name is known though the log has only their number.
const NOTIFICATIONS: [(&str, &str); 9] = [
    ("1.3.6.1.6.3.1.1.5.1", "coldStart"),
    ("1.3.6.1.6.3.1.1.5.2", "warmStart"),
    ("1.3.6.1.6.3.1.1.5.3", "linkDown"),
    ("1.3.6.1.6.3.1.1.5.4", "linkUp"),
    ("1.3.6.1.6.3.1.1.5.5", "authenticationFailure"),
    ("1.3.6.1.4.1.9.0.0", "reload"),
    ("1.3.6.1.4.1.9.0.1", "tcpConnectionClose"),
    ("1.3.6.1.4.1.9.9.43.2.0.1", "ciscoConfigManEvent"),
    ("1.3.6.1.4.1.9.9.43.2.0.2", "ccmCLIRunningConfigChanged"),
];
/// What the traps of version 1 that all devices have are called in the log.
const GENERIC: [(&str, &str); 6] = [
    ("Cold Start", "coldStart"),
    ("Warm Start", "warmStart"),
    ("Link Down", "linkDown"),
    ("Link Up", "linkUp"),
    ("Authentication Failure", "authenticationFailure"),
    ("EGP Neighbor Loss", "egpNeighborLoss"),
];
/// Objects that say something, by name and number.
const OBJECTS: [(&str, &str, Object); 10] = [
    ("snmpTrapOID", "1.3.6.1.6.3.1.1.4.1", Object::Notification),
    ("snmpTrapAddress", "1.3.6.1.6.3.18.1.3", Object::Device),
    ("authAddr", "1.3.6.1.4.1.9.2.1.5", Object::From),
    ("tsLineUser", "1.3.6.1.4.1.9.2.9.2.1.18", Object::User),
    (
        "ccmHistoryEventTerminalNumber",
        "1.3.6.1.4.1.9.9.43.1.1.6.1.7",
        Object::Terminal,
    ),
    (
        "ccmHistoryEventTerminalUser",
        "1.3.6.1.4.1.9.9.43.1.1.6.1.8",
        Object::User,
    ),
    (
        "ccmHistoryEventCommandSourceAddress",
        "1.3.6.1.4.1.9.9.43.1.1.6.1.10",
        Object::From,
    ),
    ("tcpConnState", "1.3.6.1.2.1.6.13.1.1", Object::Connection),
    (
        "tcpConnectionState",
        "1.3.6.1.2.1.6.19.1.7",
        Object::Connection,
    ),
    (
        "tcpConnectionProcess",
        "1.3.6.1.2.1.6.19.1.8",
        Object::Connection,
    ),
];

/// What an object says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Object {
    /// What the trap is called.
    Notification,
    /// The address of the device, where another sent its trap on.
    Device,
    /// Where somebody was.
    From,
    /// Who it was.
    User,
    /// Which terminal he used.
    Terminal,
    /// A connection, whose ends are in the index.
    Connection,
}

/// A trap whose lines are being read.
#[derive(Clone, Debug)]
pub struct Trap {
    origin: Origin,
    when: When,
    /// The name of the device; nothing: only addresses are known.
    name: Option<String>,
    /// The address of the device.
    device: Option<IpAddr>,
    /// Who sent the trap.
    sender: Option<IpAddr>,
    notification: Option<String>,
    user: Option<String>,
    tty: Option<String>,
    from: Option<IpAddr>,
    /// The other end of a connection.
    peer: Option<IpAddr>,
}

/// Reads a first line. Nothing: it is none.
pub fn begin(line: &str, origin: &Origin) -> Option<Trap> {
    let line = line.trim_end();
    let when = time::all_of(line.get(..19)?)?;
    let rest = line.get(19..)?.trim_start();
    let (agent, sender) = match rest.split_once("(via ") {
        // Version 1: `192.0.2.1(via UDP: [192.0.2.9]:50000->[192.0.2.10]:162) TRAP, SNMP v1, community x`.
        Some((agent, via)) => (agent, via.split_once(") TRAP")?.0),
        // Later ones: `router1 [UDP: [192.0.2.1]:50000->[192.0.2.9]:162]:`.
        None => rest.strip_suffix("]:")?.split_once(" [")?,
    };
    let is_first = rest.contains("(via ");
    let sender = address(sender);
    let name = agent
        .split_whitespace()
        .next()
        .filter(|name| *name != "<UNKNOWN>");
    let own = name.and_then(|name| name.parse::<IpAddr>().ok());
    let bracketed = agent.split_once('[').and_then(|(_, rest)| address(rest));
    let device = own
        .or(bracketed)
        .filter(|address| !address.is_unspecified());
    Some(Trap {
        origin: origin.clone(),
        when,
        name: name.filter(|_| own.is_none()).map(str::to_owned),
        // What comes after version 1 names its sender where it does not carry the address of the device.
        device: if is_first { device } else { device.or(sender) },
        sender,
        notification: None,
        user: None,
        tty: None,
        from: None,
        peer: None,
    })
}

/// The first address in brackets, or the text up to a bracket.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.split_once('[').map_or(text, |(_, rest)| rest);
    text.split(']').next()?.trim().parse().ok()
}

impl Trap {
    /// Takes a line behind the first.
    pub fn take(&mut self, line: &str) {
        if self.notification.is_none() {
            self.notification = first_version(line.trim());
        }
        for (name, value) in line.split('\t').filter_map(|field| field.split_once(" = ")) {
            self.object(name.trim(), without_type(value.trim()));
        }
    }

    fn object(&mut self, name: &str, value: &str) {
        let Some((object, index)) = object(name) else {
            return;
        };
        let address = || {
            value
                .parse()
                .ok()
                .filter(|address: &IpAddr| !address.is_unspecified())
        };
        match object {
            Object::Notification => self.notification = notification(value),
            Object::Device => {
                let device = address();
                if device.is_some() && device != self.device {
                    // The name is the sender's.
                    self.name = None;
                    self.device = device;
                }
            }
            Object::From => self.from = address().or(self.from),
            Object::User if !value.is_empty() => self.user = Some(value.to_owned()),
            Object::Terminal if value != "-1" => self.tty = Some(value.to_owned()),
            Object::Connection => self.peer = peer(index).or(self.peer),
            Object::User | Object::Terminal => {}
        }
    }

    /// What it says, once all lines are taken.
    pub fn act(self, now: Option<Timestamp>) -> Result<Act, Unreadable> {
        let line = self.origin.line;
        let unreadable = |why: &str| Unreadable(format!("the trap of line {line} {why}"));
        let notification = self.notification;
        let notification = notification.ok_or_else(|| unreadable("does not say what it is"))?;
        let time = self
            .when
            .resolve(now)
            .ok_or_else(|| unreadable("has no year"))?;
        let device = self.device.or(self.sender);
        let sender = self.sender.filter(|sender| Some(*sender) != device);
        let from = self.from.or(self.peer).or(sender);
        Ok(Act {
            analytic: Analytic::NetworkDevice,
            time,
            host: self
                .name
                .or_else(|| Some(device?.to_string()))
                .unwrap_or_default(),
            what: What::Call(notification),
            actor: Actor {
                user: self.user,
                tty: self.tty,
                via: Some("snmp".to_owned()),
                from: from.map(|from| from.to_string()),
                ..Actor::default()
            },
            origin: self.origin,
        })
    }
}

/// What the second line of a trap of version 1 is about:
/// `SNMPv2-SMI::enterprises.9 Enterprise Specific Trap (1) Uptime: 0:00:29.40`.
fn first_version(line: &str) -> Option<String> {
    let (kind, rest) = line.split_once(" Trap (")?;
    let (number, _) = rest.split_once(") Uptime:")?;
    if let Some(enterprise) = kind.strip_suffix(" Enterprise Specific") {
        let number = number.trim_start_matches('.');
        return match number.parse::<u32>() {
            Ok(number) => notification(&format!("{}.0.{number}", number_of(enterprise)?)),
            Err(_) => notification(number),
        };
    }
    let (_, name) = GENERIC.iter().find(|(words, _)| kind.ends_with(words))?;
    Some((*name).to_owned())
}

/// The name of a notification, without its module, or its number.
fn notification(text: &str) -> Option<String> {
    let Some(number) = number_of(text) else {
        let name = text.rsplit_once("::").map_or(text, |(_, name)| name);
        return (!name.is_empty()).then(|| name.to_owned());
    };
    let known = NOTIFICATIONS.iter().find(|(known, _)| *known == number);
    Some(known.map_or(number, |(_, name)| (*name).to_owned()))
}

/// The number of an object that is written as one, without the dot before it.
fn number_of(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches('.');
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return Some(text.to_owned());
    }
    ROOTS.iter().find_map(|(root, number)| {
        let rest = text.strip_prefix(root)?;
        (rest.is_empty() || rest.starts_with('.')).then(|| format!("{number}{rest}"))
    })
}

/// What an object is, and its index.
fn object(name: &str) -> Option<(Object, &str)> {
    let number = number_of(name);
    OBJECTS.iter().find_map(|(known, known_number, object)| {
        let rest_of = |text: &str, prefix: &str| {
            let rest = text.strip_prefix(prefix)?;
            (rest.is_empty() || rest.starts_with('.')).then_some(rest.len())
        };
        let length = match &number {
            Some(number) => rest_of(number, known_number)?,
            None => rest_of(name.rsplit_once("::")?.1, known)?,
        };
        let index = name.get(name.len().checked_sub(length)?..)?;
        Some((*object, index.trim_start_matches('.')))
    })
}

/// A value without its type and the quotes around it.
fn without_type(value: &str) -> &str {
    let typed = value.split_once(": ");
    let typed = typed.filter(|(kind, _)| !kind.contains(['"', ' ']));
    let value = typed.map_or(value, |(_, value)| value).trim();
    value.trim_matches('"')
}

/// The other end of a connection: by its index in the old table (addresses of four numbers, each with its
/// port behind it), and in the new (kind and length before each address, or kind and quotes around it).
fn peer(index: &str) -> Option<IpAddr> {
    if index.contains('"') {
        return index.split('"').nth(3)?.parse().ok();
    }
    let numbers: Option<Vec<u16>> = index
        .split('.')
        .take(40)
        .map(|part| part.parse().ok())
        .collect();
    let numbers = numbers?;
    let octets = match numbers.as_slice() {
        [_, _, _, _, _, peer @ .., _] if numbers.len() == 10 => peer,
        [_, length, rest @ ..] => {
            let rest = rest.get(usize::from(*length) + 1..)?;
            let (_, rest) = rest.split_first()?;
            let (length, rest) = rest.split_first()?;
            rest.get(..usize::from(*length))?
        }
        _ => return None,
    };
    let octets: Result<Vec<u8>, _> = octets.iter().map(|octet| u8::try_from(*octet)).collect();
    let octets = octets.ok()?;
    let four = <[u8; 4]>::try_from(octets.as_slice()).map(|octets| Ipv4Addr::from(octets).into());
    let sixteen =
        <[u8; 16]>::try_from(octets.as_slice()).map(|octets| Ipv6Addr::from(octets).into());
    four.or(sixteen).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_the_same() {
        for (text, expected) in [
            ("SNMPv2-MIB::authenticationFailure", "authenticationFailure"),
            (".1.3.6.1.6.3.1.1.5.5", "authenticationFailure"),
            ("iso.3.6.1.6.3.1.1.5.5", "authenticationFailure"),
            ("SNMPv2-MIB::snmpTraps.5", "authenticationFailure"),
            (
                "SNMPv2-SMI::enterprises.9.9.43.2.0.1",
                "ciscoConfigManEvent",
            ),
            (
                "SNMPv2-SMI::enterprises.8072.2.3.0.1",
                "1.3.6.1.4.1.8072.2.3.0.1",
            ),
        ] {
            assert_eq!(notification(text).as_deref(), Some(expected), "{text}");
        }
        for (line, expected) in [
            (
                "SNMPv2-SMI::enterprises.9 Enterprise Specific Trap (1) Uptime: 0:00:29",
                "tcpConnectionClose",
            ),
            (
                "RMON-MIB::rmon Enterprise Specific Trap (RMON-MIB::risingAlarm) Uptime: 0",
                "risingAlarm",
            ),
            (
                "iso.3.6.1.6.3 Authentication Failure Trap (0) Uptime: 0:00:00",
                "authenticationFailure",
            ),
        ] {
            assert_eq!(first_version(line).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn ends_of_connections() {
        for (name, expected) in [
            (
                "TCP-MIB::tcpConnState.192.0.2.1.23.198.51.100.7.50000",
                Some("198.51.100.7"),
            ),
            (
                ".1.3.6.1.2.1.6.13.1.1.192.0.2.1.23.198.51.100.7.50000",
                Some("198.51.100.7"),
            ),
            (
                "TCP-MIB::tcpConnectionState.ipv4.\"192.0.2.1\".22.ipv4.\"198.51.100.7\".5",
                Some("198.51.100.7"),
            ),
            (
                "SNMPv2-SMI::mib-2.6.19.1.7.1.4.192.0.2.1.22.1.4.198.51.100.7.5",
                Some("198.51.100.7"),
            ),
            ("TCP-MIB::tcpConnState.1.65535", None),
            ("TCP-MIB::tcpConnState.192.0.2.1.23.198.51.100.700.5", None),
        ] {
            let (object, index) = object(name).unwrap();
            let found = peer(index).map(|peer| peer.to_string());
            assert_eq!(
                (object, found.as_deref()),
                (Object::Connection, expected),
                "{name}"
            );
        }
        assert_eq!(object("TCP-MIB::tcpConnStatement.1"), None);
    }
}
