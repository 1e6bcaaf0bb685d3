//! The flow that an event tells.

use std::{collections::HashMap, net::IpAddr, str::FromStr};

use jiff::{Timestamp, civil::DateTime};
use serde_json::Value;

use super::{
    super::Around,
    names::{self, Names},
};
use crate::{
    flows::{Action, End, Flow, Format, ip::IpProtocol},
    logs::{Origin, Unreadable},
};

/// Kinds of events that are connections; "IP Listen" is none. The others are what old agents say.
const CONNECTIONS: [&str; 5] = ["ipconnect", "tcpv4", "tcpv6", "udpv4", "udpv6"];
/// What is written where there is nothing.
const NOTHING: [&str; 3] = ["null", "n/a", "-"];
/// From which number on the digits of a time count milliseconds, microseconds and nanoseconds: each is in the
/// seventies of the last century, and in the year 5138 or later by the unit before.
const UNITS: [(i64, i64); 3] = [
    (100_000_000_000_000_000, 1),
    (100_000_000_000_000, 1_000),
    (100_000_000_000, 1_000_000),
];
const NANOSECONDS: i64 = 1_000_000_000;

/// What an event says, by its names as they are compared.
#[derive(Debug, Default)]
pub struct Event(HashMap<String, String>);

/// Who opened a connection, as the agent on one of its ends sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Outgoing,
    Incoming,
}

impl Event {
    /// Of names, as they are compared, and values.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut event = Self::default();
        for (name, value) in pairs {
            event.note(name.to_owned(), value);
        }
        event
    }

    /// Of JSON: names have dots, or are those of objects within each other.
    pub fn of_value(value: &Value) -> Self {
        let mut event = Self::default();
        event.flatten("", value);
        event
    }

    fn flatten(&mut self, name: &str, value: &Value) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    self.flatten(&format!("{name}{}", names::plain(key)), value);
                }
            }
            Value::String(text) => self.note(name.to_owned(), text),
            Value::Number(number) => self.note(name.to_owned(), &number.to_string()),
            // No field that is read is one of these.
            Value::Array(_) | Value::Bool(_) | Value::Null => {}
        }
    }

    fn note(&mut self, name: String, value: &str) {
        let value = value.trim();
        let is_nothing = |nothing: &&str| nothing.eq_ignore_ascii_case(value);
        if !value.is_empty() && !NOTHING.iter().any(is_nothing) {
            self.0.entry(name).or_insert_with(|| value.to_owned());
        }
    }

    /// Whether it has the names that such events have.
    pub fn is_of_sentinelone(&self) -> bool {
        names::are_of_sentinelone(|name| self.0.contains_key(name))
    }

    /// What it tells; nothing of an event that is no connection.
    pub fn flow(&self, origin: &Origin, around: &Around) -> Result<Option<Flow>, Unreadable> {
        if !self.is_connection() {
            return Ok(None);
        }
        let mut flow = Flow::new(self.time(around)?, Format::Sentinelone, origin.into());
        flow.source = self.end(names::SOURCE_IP, names::SOURCE_PORT)?;
        flow.destination = self.end(names::DESTINATION_IP, names::DESTINATION_PORT)?;
        if flow.source.ip.is_none() && flow.destination.ip.is_none() {
            return Err(Unreadable::new("a connection without addresses"));
        }
        let direction = self.direction();
        flow.initiator_known = direction.is_some();
        // The source is who began it, whatever the direction: that tells which end the agent is on. Without
        // it nobody knows whose user it is.
        match direction {
            Some(Direction::Outgoing) => flow.source.user = self.text(names::USER),
            Some(Direction::Incoming) => flow.destination.user = self.text(names::USER),
            None => {}
        }
        self.status(&mut flow);
        self.spoken(&mut flow);
        flow.device = self.get(names::ENDPOINT).map(Into::into);
        Ok(Some(flow))
    }

    fn is_connection(&self) -> bool {
        match self.get(names::KIND) {
            Some(kind) => CONNECTIONS.contains(&&*names::plain(kind)),
            None => self.get(names::DESTINATION_IP).is_some(),
        }
    }

    fn end(&self, ip: Names, port: Names) -> Result<End, Unreadable> {
        Ok(End {
            ip: self.read::<IpAddr>(ip, "an address")?,
            port: self.read(port, "a port")?,
            ..End::default()
        })
    }

    fn direction(&self) -> Option<Direction> {
        match self.get(names::DIRECTION)?.to_ascii_uppercase().as_str() {
            "OUTGOING" | "OUTBOUND" => Some(Direction::Outgoing),
            "INCOMING" | "INBOUND" => Some(Direction::Incoming),
            _ => None,
        }
    }

    /// What became of it. A failure is the network's, not that of a rule.
    fn status(&self, flow: &mut Flow) {
        let Some(status) = self.get(names::STATUS) else {
            return;
        };
        flow.action = match status.to_ascii_uppercase().as_str() {
            "SUCCESS" => Some(Action::Allowed),
            "BLOCKED" => Some(Action::Denied),
            _ => None,
        };
        let is_reason = flow.action != Some(Action::Allowed);
        flow.reason = is_reason.then(|| status.to_owned());
    }

    fn spoken(&self, flow: &mut Flow) {
        let name = self.get(names::SPOKEN);
        let of_agent = self.get(names::OF_AGENT).or(self.get(names::KIND));
        flow.protocol = name.and_then(transport).or(of_agent.and_then(transport));
        let is_application = |name: &&str| transport(name).is_none();
        flow.application = name.filter(is_application).map(str::to_owned);
    }

    fn time(&self, around: &Around) -> Result<Timestamp, Unreadable> {
        let text = self.get(names::TIME);
        let text = text.ok_or_else(|| Unreadable::new("no time"))?;
        moment(text, around)
    }

    fn get(&self, names: Names) -> Option<&str> {
        names
            .iter()
            .find_map(|name| self.0.get(*name))
            .map(String::as_str)
    }

    fn text(&self, names: Names) -> Option<String> {
        self.get(names).map(str::to_owned)
    }

    fn read<T: FromStr>(&self, names: Names, what: &str) -> Result<Option<T>, Unreadable> {
        let name = names.first().copied().unwrap_or_default();
        let wrong = |text: &str| Unreadable(format!("{name}: not {what}: `{text}`"));
        let read = |text: &str| text.parse().map_err(|_| wrong(text));
        self.get(names).map(read).transpose()
    }
}

/// The protocol of `TCP` or `TCPV4`. Other names are those of applications.
fn transport(name: &str) -> Option<IpProtocol> {
    let name = name.to_ascii_lowercase();
    match name
        .strip_suffix(['4', '6'])
        .unwrap_or(&name)
        .trim_end_matches('v')
    {
        "tcp" => Some(IpProtocol::TCP),
        "udp" => Some(IpProtocol::UDP),
        _ => None,
    }
}

/// A time with a zone or without, or since 1970 in whatever unit.
fn moment(text: &str, around: &Around) -> Result<Timestamp, Unreadable> {
    let wrong = || Unreadable(format!("not a time: `{text}`"));
    if let Ok(number) = text.parse::<i64>() {
        let unit = UNITS.into_iter().find(|(least, _)| number >= *least);
        let unit = unit.map_or(NANOSECONDS, |(_, unit)| unit);
        let moment = Timestamp::from_nanosecond(i128::from(number) * i128::from(unit));
        return moment.map_err(|_| wrong());
    }
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    around.moment(text.parse::<DateTime>().map_err(|_| wrong())?)
}
