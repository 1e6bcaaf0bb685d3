//! Messages of the versions, by their headers.
//!
//! Format: version 9 in RFC 3954, 5.1; IPFIX in RFC 7011, 3.1.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    bytes::{Bytes, are_zero},
    taken::Reason,
    version5,
};
use crate::flows::Format;

/// Length of a header of version 9, and of IPFIX.
const HEADER_9: usize = 20;
const HEADER_10: usize = 16;
/// Length of the header of a set, which is the least that one can have.
pub(super) const SET_HEADER: usize = 4;

/// Length of the least set of templates: one template with one field. What seems to be a shorter one are
/// zeros, and the version of a next message.
const TEMPLATE_SET: usize = SET_HEADER + 8;

/// Versions of the protocol, by the number that a message begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Version {
    /// 5: records of one form.
    Netflow5,
    /// 9: records by templates.
    Netflow9,
    /// 10: IPFIX.
    Ipfix,
}

impl Version {
    /// Of a message.
    pub(super) fn of(message: &[u8]) -> Option<Self> {
        match Bytes(message).u16()? {
            5 => Some(Self::Netflow5),
            9 => Some(Self::Netflow9),
            10 => Some(Self::Ipfix),
            _ => None,
        }
    }

    /// The format of flows that it tells.
    #[must_use]
    pub fn format(self) -> Format {
        match self {
            Self::Netflow5 => Format::Netflow5,
            Self::Netflow9 => Format::Netflow9,
            Self::Ipfix => Format::Ipfix,
        }
    }

    fn header_length(self) -> usize {
        match self {
            Self::Netflow5 => version5::HEADER,
            Self::Netflow9 => HEADER_9,
            Self::Ipfix => HEADER_10,
        }
    }

    /// Whether a set can be of this number.
    fn has_set(self, number: u16) -> bool {
        match self {
            Self::Netflow5 => false,
            Self::Netflow9 => matches!(number, 0 | 1 | 256..),
            Self::Ipfix => matches!(number, 2 | 3 | 256..),
        }
    }
}

/// What the header of a message says.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub version: Version,
    /// How many records follow: what that means differs from maker to maker, but in version 5.
    pub count: u16,
    /// When it was sent.
    pub exported: Timestamp,
    /// How long the exporter was up by then, in milliseconds.
    pub uptime: Option<u32>,
    pub sequence: u32,
    /// What of the exporter tells: its engine, source, or observation domain.
    pub domain: u32,
    /// Of version 5: one of so many packets was seen.
    pub sampling: u16,
}

/// A message: its header, what follows that is of it, and what follows that is not.
pub(super) struct Message<'a> {
    pub header: Header,
    pub body: &'a [u8],
    pub after: &'a [u8],
    /// It is shorter than it says.
    pub is_truncated: bool,
}

impl<'a> Message<'a> {
    /// Takes a payload apart.
    pub fn of(payload: &'a [u8]) -> Result<Self, (Reason, String)> {
        let version = Version::of(payload).ok_or_else(|| unknown(payload))?;
        let mut bytes = Bytes(payload);
        let read = match version {
            Version::Netflow5 => version5::header(&mut bytes).map(|header| (header, None)),
            Version::Netflow9 => header_9(&mut bytes).map(|header| (header, None)),
            Version::Ipfix => header_10(&mut bytes).map(|(header, end)| (header, Some(end))),
        };
        let cut_off = || format!("{} bytes are no header of {version:?}", payload.len());
        let (header, length) = read.ok_or_else(|| (Reason::Truncated, cut_off()))?;
        let length = length.unwrap_or(bytes.len());
        let (body, after) = bytes.0.split_at_checked(length).unwrap_or((bytes.0, &[]));
        Ok(Self {
            header,
            body,
            after,
            is_truncated: length > bytes.len(),
        })
    }
}

fn unknown(payload: &[u8]) -> (Reason, String) {
    match Bytes(payload).u16() {
        Some(version) => (Reason::UnknownVersion, format!("version {version}")),
        None => (Reason::Truncated, format!("{} bytes", payload.len())),
    }
}

fn header_9(bytes: &mut Bytes) -> Option<Header> {
    bytes.u16()?;
    Some(Header {
        version: Version::Netflow9,
        count: bytes.u16()?,
        uptime: Some(bytes.u32()?),
        exported: seconds(bytes.u32()?),
        sequence: bytes.u32()?,
        domain: bytes.u32()?,
        sampling: 0,
    })
}

/// And how much of the message is behind it.
fn header_10(bytes: &mut Bytes) -> Option<(Header, usize)> {
    bytes.u16()?;
    let length = usize::from(bytes.u16()?);
    let header = Header {
        version: Version::Ipfix,
        count: 0,
        uptime: None,
        exported: seconds(bytes.u32()?),
        sequence: bytes.u32()?,
        domain: bytes.u32()?,
        sampling: 0,
    };
    Some((header, length.checked_sub(HEADER_10)?))
}

/// A time of 32 bits is always one that can be.
pub(super) fn seconds(seconds: u32) -> Timestamp {
    Timestamp::from_second(i64::from(seconds)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The length of the first message of those that lie one after the other in a buffer, with the zeros
/// that it is padded with. None, if it is not all there, or is none.
#[must_use]
pub fn length(buffer: &[u8]) -> Option<usize> {
    let version = Version::of(buffer)?;
    let second = || Bytes(buffer.get(2..)?).u16().map(usize::from);
    let length = match version {
        Version::Netflow5 => version5::length(second()?),
        Version::Netflow9 => length_9(buffer)?,
        Version::Ipfix => second()?.checked_add(zeros(buffer.get(second()?..)?))?,
    };
    (version.header_length()..=buffer.len())
        .contains(&length)
        .then_some(length)
}

/// Version 9 does not tell its length: sets are walked until something else comes. That cannot be taken
/// for a set, as 5, 9 and 10 are numbers that no set has.
fn length_9(buffer: &[u8]) -> Option<usize> {
    let mut at = HEADER_9;
    while let Some(rest) = buffer.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(length) = set_length(Version::Netflow9, rest) else {
            let zeros = zeros(rest);
            let is_next = Version::of(rest.get(zeros..)?).is_some();
            return (is_next || zeros == rest.len()).then_some(at + zeros);
        };
        at = at.checked_add(length)?;
    }
    Some(at)
}

/// Length of the set that comes first, if one does.
fn set_length(version: Version, buffer: &[u8]) -> Option<usize> {
    let mut bytes = Bytes(buffer);
    let number = bytes.u16().filter(|number| version.has_set(*number))?;
    let length = usize::from(bytes.u16()?);
    let least = if number == 0 {
        TEMPLATE_SET
    } else {
        SET_HEADER
    };
    (least..=buffer.len()).contains(&length).then_some(length)
}

/// How many zeros come first; the one that a next message begins with is not among them.
fn zeros(buffer: &[u8]) -> usize {
    let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
    match buffer.get(zeros) {
        Some(5 | 9 | 10) => zeros.saturating_sub(1),
        _ if are_zero(buffer) => zeros,
        _ => 0,
    }
}

/// Whether a datagram looks like one of an exporter: by its version and what comes next. Others that
/// begin with the same numbers are told apart by a first set that cannot be.
#[must_use]
pub fn recognises(payload: &[u8]) -> bool {
    let Some(version) = Version::of(payload) else {
        return false;
    };
    match version {
        Version::Netflow5 => version5::recognises(payload),
        _ => payload
            .get(version.header_length()..)
            .is_some_and(|sets| set_length(version, sets).is_some()),
    }
}
