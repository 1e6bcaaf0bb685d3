//! System log of Cisco's ASA, and of FTD, which writes the same messages.
//!
//! Formats: "Cisco Secure Firewall ASA Series Syslog Messages",
//! <https://www.cisco.com/c/en/us/td/docs/security/asa/syslog/asa-syslog.html>, and document 116149,
//! <https://www.cisco.com/c/en/us/support/docs/security/adaptive-security-appliance-asa-software/116149-qanda-ASA-00.html>

mod connection;
mod cursor;
mod event;
mod header;
mod joined;
mod place;
mod stamp;
#[cfg(test)]
mod tests;
mod translation;
mod written;

use std::sync::Arc;

use self::{
    cursor::Cursor,
    event::Parse,
    header::{Header, Message},
    joined::{Joined, Piece},
    translation::Translations,
};
use super::Around;
use crate::{
    flows::{Flow, Format},
    logs::{self, Reader, Unreadable},
};

/// Reads a message about a connection, of which time and device are known.
type Read = fn(&mut Cursor<'_>, Flow) -> Result<Piece, Unreadable>;

/// What a message is about.
#[derive(Clone, Copy)]
enum Form {
    /// A connection was built or torn down.
    Connection(Read),
    /// An address was translated.
    Translation,
    /// A packet was let through or not.
    Event(Parse),
}

/// The messages that tell of flows. All others are about something else.
const FORMS: [(u32, Form); 30] = [
    (106_001, Form::Event(event::from_to)),
    (106_006, Form::Event(event::from_to)),
    (106_007, Form::Event(event::from_to)),
    (106_014, Form::Event(event::inbound_icmp)),
    (106_015, Form::Event(event::from_to)),
    (106_023, Form::Event(event::access_group)),
    (106_100, Form::Event(event::access_list)),
    (106_102, Form::Event(event::access_list)),
    (106_103, Form::Event(event::access_list)),
    (302_013, Form::Connection(connection::connection)),
    (302_014, Form::Connection(connection::connection)),
    (302_015, Form::Connection(connection::connection)),
    (302_016, Form::Connection(connection::connection)),
    (302_017, Form::Connection(connection::connection)),
    (302_018, Form::Connection(connection::connection)),
    (302_020, Form::Connection(connection::icmp)),
    (302_021, Form::Connection(connection::icmp)),
    (302_035, Form::Connection(connection::connection)),
    (302_036, Form::Connection(connection::connection)),
    (302_303, Form::Connection(connection::connection)),
    (302_304, Form::Connection(connection::connection)),
    (302_305, Form::Connection(connection::connection)),
    (302_306, Form::Connection(connection::connection)),
    (305_011, Form::Translation),
    (305_012, Form::Translation),
    (313_001, Form::Event(event::icmp_to_device)),
    (313_004, Form::Event(event::icmp_to_device)),
    (313_005, Form::Event(event::icmp_error)),
    (710_002, Form::Event(event::to_device)),
    (710_003, Form::Event(event::to_device)),
];

/// Reads it.
#[derive(Debug)]
pub struct Asa {
    around: Around,
    joined: Joined,
    translations: Translations,
    /// The name of the last: a log is of few.
    device: Option<Arc<str>>,
}

/// Whether a line has a message of ASA or FTD.
#[must_use]
pub fn recognises(line: &str) -> bool {
    Message::of(line).is_some()
}

impl Asa {
    /// `around`: the zone and the year of times that are written without them.
    #[must_use]
    pub fn new(around: &Around) -> Self {
        Self {
            around: around.clone(),
            joined: Joined::default(),
            translations: Translations::default(),
            device: None,
        }
    }

    fn read(
        &mut self,
        form: Form,
        message: &Message<'_>,
        origin: &logs::Origin,
        flows: &mut Vec<Flow>,
    ) -> Result<(), Unreadable> {
        let header = message.header();
        let device = self.device(header.host);
        let mut cursor = Cursor::new(message.text);
        match form {
            Form::Translation => self.translations.take(&mut cursor, device)?,
            Form::Connection(read) => {
                let flow = self.flow(header, device, origin)?;
                self.join(read(&mut cursor, flow)?, flows);
            }
            Form::Event(parse) => {
                let mut flow = self.flow(header, device, origin)?;
                parse(&mut cursor, &mut flow)?;
                flows.push(flow);
            }
        }
        Ok(())
    }

    fn join(&mut self, piece: Piece, flows: &mut Vec<Flow>) {
        if piece.is_end {
            let alone = |flow: &mut Flow| self.translations.fill(flow);
            self.joined.end(piece, flows, alone);
        } else {
            self.joined.begin(piece, flows);
        }
    }

    /// One of which the header is known.
    fn flow(
        &self,
        header: Header<'_>,
        device: Option<Arc<str>>,
        origin: &logs::Origin,
    ) -> Result<Flow, Unreadable> {
        let stamp = header.stamp;
        let stamp = stamp.ok_or_else(|| Unreadable::new("no time stands before it"))?;
        let moment = stamp.moment(&self.around)?;
        let mut flow = Flow::new(moment, Format::CiscoAsa, origin.into());
        flow.device = device;
        Ok(flow)
    }

    fn device(&mut self, host: Option<&str>) -> Option<Arc<str>> {
        let host = host?;
        if self.device.as_deref() != Some(host) {
            self.device = Some(host.into());
        }
        self.device.clone()
    }
}

impl Reader<Flow> for Asa {
    fn line(
        &mut self,
        line: &str,
        origin: &logs::Origin,
        flows: &mut Vec<Flow>,
    ) -> Result<(), Unreadable> {
        if line.trim().is_empty() {
            return Ok(());
        }
        let message = Message::of(line);
        let message = message.ok_or_else(|| Unreadable::new("no message of ASA or FTD"))?;
        let number = message.number;
        // Messages of other numbers are about something else than flows.
        let Some((_, form)) = FORMS.iter().find(|(known, _)| *known == number) else {
            return Ok(());
        };
        let read = self.read(*form, &message, origin, flows);
        read.map_err(|Unreadable(why)| Unreadable(format!("message {number}: {why}")))
    }

    fn end(&mut self, flows: &mut Vec<Flow>) -> Result<(), Unreadable> {
        self.joined.flush(flows);
        Ok(())
    }
}
