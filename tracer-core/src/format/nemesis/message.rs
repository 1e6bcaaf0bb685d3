//! Rows become messages: what is posted at once.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    row::Row,
    rows::{Agent, Told},
};

/// What the user says of all messages.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The case.
    pub project: String,
    /// When the server may forget it.
    pub expiration: Expiration,
    /// Rows of a message at most.
    pub rows_max: usize,
}

/// When the server may forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiration {
    /// Then.
    At(Timestamp),
    /// So long after the message's time.
    After(SignedDuration),
}

impl Expiration {
    /// Of a message of this time; at the end of the calendar at the latest.
    #[must_use]
    pub fn of(self, time: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::After(after) => time.checked_add(after).unwrap_or(Timestamp::MAX),
        }
    }
}

/// Rows of one host and one second.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who tells.
    pub agent: Arc<Agent>,
    /// The second.
    pub time: Timestamp,
    /// The rows.
    pub told: Vec<Told>,
}

/// What the server takes.
#[derive(Debug, Serialize)]
pub struct Body<'a> {
    metadata: Metadata<'a>,
    data: Vec<&'a Row>,
}

#[derive(Debug, Serialize)]
struct Metadata<'a> {
    agent_id: &'a str,
    agent_type: &'static str,
    automated: bool,
    data_type: &'static str,
    source: &'a str,
    project: &'a str,
    timestamp: String,
    expiration: String,
}

impl Message {
    /// What the server takes.
    #[must_use]
    pub fn body<'a>(&'a self, profile: &'a Profile) -> Body<'a> {
        Body {
            metadata: Metadata {
                agent_id: &self.agent.id,
                agent_type: "conntracer",
                automated: true,
                data_type: "network_connection",
                source: &self.agent.source,
                project: &profile.project,
                timestamp: time(self.time),
                expiration: time(profile.expiration.of(self.time)),
            },
            data: self.told.iter().map(|told| &told.row).collect(),
        }
    }
}

/// The one form that all versions of the server take: of whole seconds, with a fraction.
fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// The second of a time.
fn second(time: Timestamp) -> i64 {
    time.as_second()
}

/// Puts rows of one host and second together, in their order.
#[derive(Debug)]
pub struct Messages {
    rows_max: usize,
    pending: Option<Message>,
}

impl Messages {
    /// Of so many rows at most.
    #[must_use]
    pub fn new(rows_max: usize) -> Self {
        Self {
            rows_max,
            pending: None,
        }
    }

    /// Takes a row; gives the message that it does not belong to, if that is complete now.
    pub fn put(&mut self, told: Told) -> Option<Message> {
        if let Some(pending) = &mut self.pending
            && pending.told.len() < self.rows_max
            && pending.agent == told.agent
            && second(pending.time) == second(told.time)
        {
            pending.told.push(told);
            return None;
        }
        self.pending.replace(Message {
            agent: told.agent.clone(),
            time: told.time,
            told: vec![told],
        })
    }

    /// The message of a second that is over.
    pub fn of_before(&mut self, now: Timestamp) -> Option<Message> {
        self.pending
            .take_if(|pending| second(pending.time) != second(now))
    }

    /// The last message.
    pub fn end(&mut self) -> Option<Message> {
        self.pending.take()
    }
}
