//! Messages of Nemesis 1.x with data of the type `network_connection`, one JSON object a line, as its server takes
//! them.
//!
//! Records become rows ([`rows`]): one of each connection and listener, with its latest state, or one of each
//! change of it; or flows do, one each ([`flows`]). Rows of one second become a message ([`message`]), since only the message has a time. The server
//! takes no key that it does not know, so nothing is told beside them.

pub mod flows;
pub mod message;
mod row;
pub mod rows;

use self::{
    message::{Message, Messages, Profile},
    rows::{Rows, Told},
};
use super::{Format, json::line};
use crate::{clock::Clock, record::Record, redact::Arguments};

/// Writes messages of Nemesis 1.x.
#[derive(Debug)]
pub struct Nemesis {
    rows: Rows,
    messages: Messages,
    profile: Profile,
    told: Vec<Told>,
}

impl Nemesis {
    /// `each_change`: rows of every change of a state.
    #[must_use]
    pub fn new(profile: Profile, each_change: bool, arguments: Arguments) -> Self {
        Self {
            rows: Rows::new(each_change, arguments),
            messages: Messages::new(profile.rows_max),
            profile,
            told: Vec::new(),
        }
    }

    fn gather(&mut self, out: &mut Vec<u8>) {
        for told in self.told.drain(..) {
            if let Some(message) = self.messages.put(told) {
                write(&message, &self.profile, out);
            }
        }
    }
}

impl Format for Nemesis {
    fn write(&mut self, record: &Record, _clock: &Clock, out: &mut Vec<u8>) {
        self.rows.record(record, &mut self.told);
        self.gather(out);
        if let Some(message) = self.messages.of_before(self.rows.now()) {
            write(&message, &self.profile, out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.rows.end(&mut self.told);
        self.gather(out);
        if let Some(message) = self.messages.end() {
            write(&message, &self.profile, out);
        }
    }
}

/// Appends a line: a message as the server takes it.
pub fn write(message: &Message, profile: &Profile, out: &mut Vec<u8>) {
    line(&message.body(profile), out);
}
