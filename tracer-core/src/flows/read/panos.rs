//! The traffic log of Palo Alto's PAN-OS: as it sends and exports it by itself, and in the CEF and the LEEF
//! of the formats that its vendor proposes.
//!
//! Format:
//! <https://docs.paloaltonetworks.com/pan-os/11-0/pan-os-admin/monitoring/use-syslog-for-monitoring/syslog-field-descriptions/traffic-log-fields>

mod column;
mod keys;
mod session;
mod time;

use self::{
    column::{Columns, Line},
    keys::Keys,
};
use super::Around;
use crate::{
    flows::Flow,
    logs::{Origin, Reader, Unreadable},
};

/// The type that tells of flows.
const TRAFFIC: &str = "TRAFFIC";
/// The other types that share a stream with it.
const OTHERS: [&str; 22] = [
    "AUDIT",
    "AUTH",
    "AUTHENTICATION",
    "CONFIG",
    "CORRELATION",
    "DATA",
    "DECRYPTION",
    "DNS",
    "FILE",
    "GLOBALPROTECT",
    "GTP",
    "HIP-MATCH",
    "HIPMATCH",
    "IPTAG",
    "SCTP",
    "SYSTEM",
    "THREAT",
    "TUNNEL",
    "URL",
    "USERID",
    "USER-ID",
    "WILDFIRE",
];
/// What an export of the web interface begins with.
const EXPORTED: &str = "Domain,Receive Time,";

/// Reads the traffic log.
#[derive(Debug)]
pub struct Panos {
    around: Around,
}

impl Panos {
    /// `around`: of which zone its times are, for the log does not say.
    #[must_use]
    pub fn new(around: &Around) -> Self {
        Self {
            around: around.clone(),
        }
    }
}

/// Whether a line is of PAN-OS, of whatever type.
#[must_use]
pub fn recognises(line: &str) -> bool {
    let is_columns = || head(line).is_some_and(|head| time::civil(head.receive).is_ok());
    is_columns() || Keys::find(line).is_some() || is_title(line)
}

impl Reader<Flow> for Panos {
    fn line(
        &mut self,
        line: &str,
        origin: &Origin,
        told: &mut Vec<Flow>,
    ) -> Result<(), Unreadable> {
        if line.trim().is_empty() || is_title(line) {
            return Ok(());
        }
        if let Some(line) = of_traffic(line)? {
            told.push(session::flow(&line, origin, &self.around)?);
        }
        Ok(())
    }
}

fn is_title(line: &str) -> bool {
    let line = line.trim_start_matches('\u{feff}');
    // Most lines are told apart without a copy.
    let may_be = line.trim_start_matches('"').starts_with('D');
    may_be && line.replace('"', "").starts_with(EXPORTED)
}

/// What a line of the traffic log says. A line of another type is known and no flow.
fn of_traffic(line: &str) -> Result<Option<Line<'_>>, Unreadable> {
    if let Some(keys) = Keys::find(line) {
        let kind = keys
            .kind()
            .ok_or_else(|| Unreadable::new("CEF or LEEF without a type of log that is known"))?;
        return Ok((kind == TRAFFIC).then_some(Line::Keys(keys)));
    }
    let head =
        head(line).ok_or_else(|| Unreadable::new("no type of log of PAN-OS, as `,TRAFFIC,`"))?;
    if head.kind != TRAFFIC {
        return Ok(None);
    }
    Columns::new(&head).map(|columns| Some(Line::Columns(columns)))
}

/// The columns to the type; behind whatever header syslog has.
#[derive(Debug)]
struct Head<'a> {
    receive: &'a str,
    serial: &'a str,
    kind: &'static str,
    /// The columns behind the type.
    rest: &'a str,
}

/// The first type in a line is its own: no column before it can be one.
fn head(line: &str) -> Option<Head<'_>> {
    let (mut before, mut rest) = (["", ""], line);
    while let Some((field, behind)) = rest.split_once(',') {
        let [receive, serial] = before;
        if let Some(kind) = kind(field) {
            return Some(Head {
                receive,
                serial,
                kind,
                rest: behind,
            });
        }
        (before, rest) = ([serial, field], behind);
    }
    None
}

/// A type of log.
fn kind(word: &str) -> Option<&'static str> {
    let word = word.trim_matches('"');
    let mut all = std::iter::once(TRAFFIC).chain(OTHERS);
    all.find(|kind| *kind == word)
}

#[cfg(test)]
mod tests;
