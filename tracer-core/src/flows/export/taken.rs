//! What comes out of packets: flows, and what could not be read.

use serde::Serialize;

use super::bytes::are_zero;
use crate::flows::{Flow, Packet};

/// What was taken out of packets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// Flows, as they were told.
    pub flows: Vec<Flow>,
    /// What could not be read, or is not a flow.
    pub problems: Vec<Problem>,
}

impl Taken {
    /// Notes what could not be read.
    pub(super) fn problem(&mut self, origin: &Packet, reason: Reason, detail: impl Into<String>) {
        self.problems.push(Problem {
            origin: origin.clone(),
            reason,
            detail: detail.into(),
        });
    }

    /// Notes what lies behind all that was read of a packet. Some exporters pad with zeros to a fixed
    /// length.
    pub(super) fn trailing(&mut self, origin: &Packet, rest: &[u8]) {
        if rest.is_empty() {
            return;
        }
        let reason = if are_zero(rest) {
            Reason::TrailingZeros
        } else {
            Reason::TrailingBytes
        };
        self.problem(origin, reason, format!("{} bytes", rest.len()));
    }
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where.
    pub origin: Packet,
    /// What kind of problem it is.
    pub reason: Reason,
    /// What exactly, in a few words.
    pub detail: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.reason.words())?;
        if self.detail.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.detail)
    }
}

/// Kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It is of none of the versions that are known.
    UnknownVersion,
    /// It is shorter than it says.
    Truncated,
    /// The header's count of records is not what follows.
    CountMismatch,
    /// Zeros behind the last set.
    TrailingZeros,
    /// Something else behind it.
    TrailingBytes,
    /// A set is not one: of a reserved number, or of a length that cannot be.
    BadSet,
    /// A template is not one: without fields, or cut off.
    BadTemplate,
    /// What is left of a set is not a record of its template.
    BadRecord,
    /// Records that do not tell of two addresses, or of no time that can be: no flows.
    NotFlow,
    /// Records whose template never came.
    NoTemplate,
    /// Records that waited for a template were let go, for others.
    WaitingDropped,
    /// A template that is larger than any should be, or one too many.
    TooManyTemplates,
    /// What an exporter, or a domain of one, had told was let go, for others.
    Forgotten,
}

impl Reason {
    /// What it is, in a few words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::UnknownVersion => "of no version that is known",
            Self::Truncated => "shorter than it says",
            Self::CountMismatch => "not as many records as it says",
            Self::TrailingZeros => "zeros behind the last set",
            Self::TrailingBytes => "something behind the last set",
            Self::BadSet => "no set",
            Self::BadTemplate => "no template",
            Self::BadRecord => "not a whole record of its template",
            Self::NotFlow => "records that tell of no flow between two addresses",
            Self::NoTemplate => "records whose template never came",
            Self::WaitingDropped => "too many records waited for their template",
            Self::TooManyTemplates => "too large or too many templates",
            Self::Forgotten => "let go for others",
        }
    }

    /// Nothing was lost by it.
    #[must_use]
    pub fn is_harmless(self) -> bool {
        matches!(self, Self::TrailingZeros)
    }
}
