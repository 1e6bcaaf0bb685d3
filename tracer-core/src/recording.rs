//! Recordings: frames and facts in the order in which they were processed.
//!
//! A recording begins with [`MAGIC`] and a line of JSON, the [`Header`]. Entries follow: a byte for
//! the kind, four bytes of length (little endian), and so many bytes. A recording that was cut off
//! can be read up to the cut.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{clock::Anchor, fact::Fact, totals::Counters};

/// The first line of a recording.
pub const MAGIC: &[u8] = b"conntracer recording 1\n";

/// The second line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of conntracer that wrote it.
    pub version: String,
    /// `everything`, or the selection that was applied before recording, as it was given.
    pub selection: Recorded,
    /// What the clocks said at the beginning.
    pub clock: Anchor,
}

/// What a recording contains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recorded {
    /// Everything that was seen.
    Everything,
    /// What the flags selected.
    Selected(Vec<String>),
}

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry<'a> {
    /// A frame as it came from the ring.
    Frame(&'a [u8]),
    /// A fact.
    Fact(Box<Fact>),
    /// Counters, at a time in nanoseconds since boot.
    Counters(u64, Counters),
    /// Every hook was attached.
    Start(u64),
    /// Tracing ended.
    Stop(u64),
}

const FRAME: u8 = b'F';
const FACT: u8 = b'f';
const COUNTERS: u8 = b'C';
const START: u8 = b'S';
const STOP: u8 = b'E';

/// Longest entry that is believed; the longest that is written are a few hundred kilobytes.
const ENTRY_MAX: usize = 1 << 26;

/// Why a recording cannot be read any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// It does not begin like a recording.
    NotARecording,
    /// The header makes no sense.
    BadHeader(String),
    /// It ends in the middle of an entry, or of the header.
    Truncated {
        /// Where the entry begins, in bytes; zero: it ends in its header.
        at: usize,
    },
    /// An entry makes no sense.
    BadEntry {
        /// Where it begins, in bytes.
        at: usize,
        /// What is wrong.
        why: String,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecording => write!(f, "this is not a recording of conntracer"),
            Self::BadHeader(why) => write!(f, "the header makes no sense: {why}"),
            Self::Truncated { at: 0 } => write!(f, "the recording ends in its header"),
            Self::Truncated { at } => write!(f, "the recording ends in the entry at byte {at}"),
            Self::BadEntry { at, why } => write!(f, "the entry at byte {at} makes no sense: {why}"),
        }
    }
}

impl std::error::Error for ReadError {}

/// The beginning of a recording.
///
/// # Errors
/// If the header cannot be put in words; none of ours is such.
pub fn write_header(header: &Header, out: &mut Vec<u8>) -> serde_json::Result<()> {
    out.extend_from_slice(MAGIC);
    serde_json::to_writer(&mut *out, header)?;
    out.push(b'\n');
    Ok(())
}

/// Appends an entry.
///
/// # Errors
/// If the entry cannot be put in words; none of ours is such.
pub fn write_entry(entry: &Entry<'_>, out: &mut Vec<u8>) -> serde_json::Result<()> {
    match entry {
        Entry::Frame(bytes) => append(FRAME, bytes, out),
        Entry::Fact(fact) => append(FACT, &serde_json::to_vec(fact)?, out),
        Entry::Counters(time_ns, counters) => {
            append(COUNTERS, &serde_json::to_vec(&(time_ns, counters))?, out);
        }
        Entry::Start(time_ns) => append(START, &time_ns.to_le_bytes(), out),
        Entry::Stop(time_ns) => append(STOP, &time_ns.to_le_bytes(), out),
    }
    Ok(())
}

fn append(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.push(kind);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Reads a recording piece by piece, as its bytes arrive.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
    /// Where in `bytes` the next entry begins.
    next: usize,
    /// Bytes of the recording before those in `bytes`.
    before: usize,
}

impl Reader {
    /// Takes more bytes of the recording.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.next);
        self.before += self.next;
        self.next = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The header, once all of it has arrived.
    ///
    /// # Errors
    /// If this is no recording, or one of another version.
    pub fn header(&mut self) -> Result<Option<Header>, ReadError> {
        let known = MAGIC.len().min(self.bytes.len());
        if self.bytes.get(..known) != MAGIC.get(..known) {
            return Err(ReadError::NotARecording);
        }
        let rest = self.bytes.get(MAGIC.len()..).unwrap_or_default();
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            return Ok(None);
        };
        let header = serde_json::from_slice(rest.get(..end).unwrap_or_default())
            .map_err(|error| ReadError::BadHeader(error.to_string()))?;
        self.next = MAGIC.len() + end + 1;
        Ok(Some(header))
    }

    /// The next entry, once all of it has arrived.
    ///
    /// # Errors
    /// If it makes no sense, and where in the file that is.
    pub fn entry(&mut self) -> Result<Option<Entry<'_>>, ReadError> {
        let at = self.before + self.next;
        let bad = |why: String| ReadError::BadEntry { at, why };
        let rest = self.bytes.get(self.next..).unwrap_or_default();
        let Some((kind, len)) = entry_head(rest) else {
            return Ok(None);
        };
        if len > ENTRY_MAX {
            return Err(bad(format!("it claims {len} bytes")));
        }
        let Some(bytes) = rest.get(5..5 + len) else {
            return Ok(None);
        };
        self.next += 5 + len;
        let time = || time_of(bytes).ok_or_else(|| bad("its time is too short".to_owned()));
        let entry = match kind {
            FRAME => Entry::Frame(bytes),
            FACT => Entry::Fact(serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?),
            COUNTERS => {
                let (time_ns, counters) =
                    serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
                Entry::Counters(time_ns, counters)
            }
            START => Entry::Start(time()?),
            STOP => Entry::Stop(time()?),
            unknown => return Err(bad(format!("unknown kind {unknown}"))),
        };
        Ok(Some(entry))
    }

    /// Whether the recording, now that no more bytes come, ends between two entries.
    ///
    /// # Errors
    /// If it ends inside one, and where.
    pub fn finish(&self) -> Result<(), ReadError> {
        if self.next == self.bytes.len() {
            Ok(())
        } else {
            Err(ReadError::Truncated {
                at: self.before + self.next,
            })
        }
    }
}

fn entry_head(bytes: &[u8]) -> Option<(u8, usize)> {
    let kind = *bytes.first()?;
    let len = bytes.get(1..5)?.first_chunk().copied()?;
    Some((kind, u32::from_le_bytes(len) as usize))
}

fn time_of(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk().copied().map(u64::from_le_bytes)
}
