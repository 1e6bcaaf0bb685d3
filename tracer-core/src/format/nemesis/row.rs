//! A row: what the server knows of a connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::Serialize;

use crate::{
    hosts::{End, Observation},
    protocol::Protocol,
    record::Direction,
    redact::Arguments,
};

/// The states that the type of data has; what is none of them is `UNKNOWN`.
const STATES: [&str; 11] = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSED",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
];

/// A connection or listener, by the seven keys that the server takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// This end: address and port, of IPv6 with brackets; what is not known is zeros.
    pub local_address: String,
    /// The other end, of a listener zeros.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_address: Option<String>,
    /// E.g. `tcp,ipv4`.
    pub protocol: String,
    /// TCP state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// Who used it last, or the first of those who hold it. The server's column is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_id: Option<i32>,
    /// Its command line, or its name where that is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_name: Option<String>,
    /// Its systemd unit, else the registered name of the port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

impl Row {
    /// Of what a record says.
    pub fn of(told: &Observation, arguments: &Arguments) -> Self {
        // A socket of both families may have no address of its own yet, and the other end's already.
        let decides = told.remote.or(told.local);
        let is_v6 = decides.is_some_and(|end| canonical(end).is_ipv6());
        let nowhere = End {
            ip: unspecified(is_v6),
            port: None,
        };
        let local = told.local.map_or(nowhere, |end| End {
            ip: if canonical(end).is_unspecified() {
                nowhere.ip
            } else {
                end.ip
            },
            ..end
        });
        let listens = told.direction == Some(Direction::Listening);
        let listens_to = (listens && told.protocol == Protocol::Tcp).then_some(nowhere);
        let who = told.people.first();
        let command_line = told
            .args
            .as_deref()
            .and_then(|args| arguments.of(args))
            .map(|args| args.join(" "));
        let name = || who.map(|who| who.name.clone());
        let service = || told.service.as_deref().map(str::to_owned);
        Self {
            local_address: of_end(local),
            remote_address: told.remote.or(listens_to).map(of_end),
            protocol: format!(
                "{},{}",
                told.protocol.word(),
                if is_v6 { "ipv6" } else { "ipv4" }
            ),
            state: (told.protocol == Protocol::Tcp).then(|| state(told.state.as_deref())),
            process_id: who.and_then(|who| i32::try_from(who.pid).ok()),
            process_name: said(command_line).or_else(|| said(name())),
            service: said(who.and_then(|who| who.unit.clone())).or_else(|| said(service())),
        }
    }
}

/// Text of the server's database has no NUL in it.
pub(super) fn said(text: Option<String>) -> Option<String> {
    text.map(|text| text.replace('\0', "\u{fffd}"))
        .filter(|text| !text.is_empty())
}

fn state(word: Option<&str>) -> &'static str {
    let known = STATES.into_iter().find(|known| Some(*known) == word);
    known.unwrap_or("UNKNOWN")
}

fn unspecified(is_v6: bool) -> IpAddr {
    if is_v6 {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    }
}

fn canonical(end: End) -> IpAddr {
    end.ip.to_canonical()
}

/// Address and port, of IPv6 with brackets.
pub(super) fn address(ip: IpAddr, port: u16) -> String {
    SocketAddr::new(ip.to_canonical(), port).to_string()
}

fn of_end(end: End) -> String {
    address(end.ip, end.port.unwrap_or(0))
}
