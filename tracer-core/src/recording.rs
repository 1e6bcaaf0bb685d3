//! Recordings: frames and facts in the order in which they were processed.
//!
//! A recording begins with [`MAGIC`] and a line of JSON, the [`Header`]. Entries follow: a byte for
//! the kind, four bytes of length (little endian), and so many bytes. A recording that was cut off
//! can be read up to the cut.
//!
//! Entries of a kind of their own, seals, hold a SHA-256 of all that came since the last one, and of
//! that one. There is one behind the header, and one behind each piece that is written at once: a hash
//! for each entry would make the recording a fifth larger and say no more. Whoever changes a byte has
//! to change every hash behind it, the last one included, which can be noted elsewhere.

mod chain;
mod read;

use std::fmt;

use serde::{Deserialize, Serialize};

use self::chain::Chain;
pub use self::{chain::Hash, read::Reader};
use crate::{clock::Anchor, fact::Fact, text::printable, totals::Counters};

/// The first line of a recording.
pub const MAGIC: &[u8] = b"conntracer recording 2\n";

/// Whether what begins like this is a recording, of whatever format.
#[must_use]
pub fn recognises(begin: &[u8]) -> bool {
    begin.starts_with(ANY_FORMAT)
}
/// What it begins with in every format.
const ANY_FORMAT: &[u8] = b"conntracer recording ";

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
    /// All of what was there before had been reported.
    Surveyed(u64),
    /// Tracing ended.
    Stop(u64),
}

const FRAME: u8 = b'F';
const FACT: u8 = b'f';
const COUNTERS: u8 = b'C';
const START: u8 = b'S';
const SURVEYED: u8 = b'X';
const STOP: u8 = b'E';
const SEAL: u8 = b'#';

/// Why a recording cannot be read any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// It does not begin like a recording.
    NotARecording,
    /// It is a recording of another format.
    OtherFormat(String),
    /// The header makes no sense.
    BadHeader(String),
    /// It ends in the middle of an entry, or of the header.
    Truncated {
        /// Where the entry begins, in bytes; zero: it ends in its header.
        at: usize,
        /// From where on no hash shows what was written, in bytes.
        from: usize,
    },
    /// Entries are not what they were when they were written.
    Changed {
        /// Where the first of those that one hash is of begins, in bytes.
        from: usize,
        /// Its number, from 1.
        entry: u64,
        /// Where the hash is, in bytes.
        seal: usize,
    },
    /// It ends before the hash of its last entries.
    Unsealed {
        /// Where the first of them begins, in bytes.
        from: usize,
    },
    /// An entry makes no sense.
    BadEntry {
        /// Where it begins, in bytes.
        at: usize,
        /// From where on no hash shows what was written, in bytes.
        from: usize,
        /// What is wrong.
        why: String,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecording => write!(f, "this is not a recording of conntracer"),
            Self::OtherFormat(found) => write!(
                f,
                "this recording has format {}, and this conntracer reads format 2",
                printable(found)
            ),
            Self::BadHeader(why) => write!(f, "the header makes no sense: {why}"),
            Self::Truncated { at: 0, .. } => write!(f, "the recording ends in its header"),
            Self::Truncated { at, from } if from < at => write!(
                f,
                "the recording ends in the entry at byte {at}, before the hash of what lies from \
                 byte {from} on"
            ),
            Self::Truncated { at, .. } => write!(f, "the recording ends in the entry at byte {at}"),
            Self::Changed { from: 0, seal, .. } => write!(
                f,
                "the header is not what was recorded: the hash at byte {seal} is another one"
            ),
            Self::Changed { from, entry, seal } => write!(
                f,
                "what lies between bytes {from} and {seal}, from entry {entry} on, is not what was \
                 recorded: the hash at byte {seal} is another one"
            ),
            Self::Unsealed { from } => write!(
                f,
                "the recording ends before the hash of what lies from byte {from} on"
            ),
            Self::BadEntry { at, from, why } if from < at => write!(
                f,
                "the entry at byte {at} makes no sense: {why}; no hash shows what was written from \
                 byte {from} on"
            ),
            Self::BadEntry { at, why, .. } => {
                write!(f, "the entry at byte {at} makes no sense: {why}")
            }
        }
    }
}

impl std::error::Error for ReadError {}

/// Writes a recording.
#[derive(Debug)]
pub struct Writer {
    chain: Chain,
    last: Hash,
}

impl Writer {
    /// Begins a recording.
    ///
    /// # Errors
    /// If the header cannot be put in words; none of ours is such.
    pub fn begin(header: &Header, out: &mut Vec<u8>) -> serde_json::Result<Self> {
        let start = out.len();
        out.extend_from_slice(MAGIC);
        serde_json::to_writer(&mut *out, header)?;
        out.push(b'\n');
        let mut chain = Chain::default();
        chain.add(out.get(start..).unwrap_or_default());
        let last = chain.close();
        append(SEAL, last.as_bytes(), out);
        Ok(Self { chain, last })
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// If the entry cannot be put in words; none of ours is such.
    pub fn entry(&mut self, entry: &Entry<'_>, out: &mut Vec<u8>) -> serde_json::Result<()> {
        let start = out.len();
        match entry {
            Entry::Frame(bytes) => append(FRAME, bytes, out),
            Entry::Fact(fact) => append(FACT, &serde_json::to_vec(fact)?, out),
            Entry::Counters(time_ns, counters) => {
                append(COUNTERS, &serde_json::to_vec(&(time_ns, counters))?, out);
            }
            Entry::Start(time_ns) => append(START, &time_ns.to_le_bytes(), out),
            Entry::Surveyed(time_ns) => append(SURVEYED, &time_ns.to_le_bytes(), out),
            Entry::Stop(time_ns) => append(STOP, &time_ns.to_le_bytes(), out),
        }
        self.chain.add(out.get(start..).unwrap_or_default());
        Ok(())
    }

    /// Appends the hash of the entries since the last one, if there are any.
    pub fn seal(&mut self, out: &mut Vec<u8>) {
        if !self.chain.is_closed() {
            self.last = self.chain.close();
            append(SEAL, self.last.as_bytes(), out);
        }
    }

    /// The last hash that was written.
    #[must_use]
    pub fn last(&self) -> Hash {
        self.last
    }
}

fn append(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.push(kind);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(bytes);
}
