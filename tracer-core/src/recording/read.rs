//! Reading a recording piece by piece, as its bytes arrive.

use std::ops::Range;

use super::{
    ANY_FORMAT, COUNTERS, Entry, FACT, FRAME, Header, MAGIC, ReadError, SEAL, START, STOP,
    SURVEYED,
    chain::{Chain, Hash},
};
use crate::text::lossy;

/// Longest entry that is believed; the longest that is written are a few hundred kilobytes.
const ENTRY_MAX: usize = 1 << 26;
/// Bytes of an entry before its own.
const HEAD: usize = 5;

/// Reads a recording. Entries are handed out once the hash behind them shows that they are what was
/// written.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
    /// Where in `bytes` the next entry begins.
    next: usize,
    /// Up to where in `bytes` entries may be handed out.
    proven: usize,
    /// Up to where in `bytes` entries are in the chain; never less than `proven`.
    chained: usize,
    /// Bytes of the recording before those in `bytes`.
    before: usize,
    /// Up to where in the recording a hash shows what was written.
    sealed: usize,
    /// How many entries were handed out.
    count: u64,
    chain: Chain,
    /// The last hash that shows it.
    last: Option<Hash>,
    is_trusting: bool,
    has_ended: bool,
}

/// An entry that is there in whole.
struct Whole {
    kind: u8,
    /// Where its own bytes are.
    bytes: Range<usize>,
}

impl Reader {
    /// One that hands out entries without looking at hashes.
    #[must_use]
    pub fn trusting() -> Self {
        Self {
            is_trusting: true,
            ..Self::default()
        }
    }

    /// Takes more bytes of the recording.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.next);
        self.before += self.next;
        self.proven = self.proven.saturating_sub(self.next);
        self.chained = self.chained.saturating_sub(self.next);
        self.next = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// No more bytes come: what has no hash behind it is handed out, too.
    pub fn end(&mut self) {
        self.has_ended = true;
    }

    /// The header, once all of it has arrived.
    ///
    /// # Errors
    /// If this is no recording, or one of another format.
    pub fn header(&mut self) -> Result<Option<Header>, ReadError> {
        if !self.has_magic()? {
            return Ok(None);
        }
        let Some(second) = line(self.bytes.get(MAGIC.len()..).unwrap_or_default()) else {
            return Ok(None);
        };
        let header = serde_json::from_slice(second)
            .map_err(|error| ReadError::BadHeader(error.to_string()))?;
        self.next = MAGIC.len() + second.len() + 1;
        self.proven = self.next;
        self.chained = self.next;
        self.chain
            .add(self.bytes.get(..self.next).unwrap_or_default());
        Ok(Some(header))
    }

    /// Whether the first line has arrived.
    fn has_magic(&self) -> Result<bool, ReadError> {
        /// Bytes of a number that might stand there.
        const NUMBER_MAX: usize = 8;
        let known = ANY_FORMAT.len().min(self.bytes.len());
        if self.bytes.get(..known) != ANY_FORMAT.get(..known) {
            return Err(ReadError::NotARecording);
        }
        let rest = self.bytes.get(known..).unwrap_or_default();
        let rest = rest.get(..NUMBER_MAX).unwrap_or(rest);
        match line(rest) {
            None if rest.len() == NUMBER_MAX => Err(ReadError::NotARecording),
            None => Ok(false),
            Some(_) if self.bytes.starts_with(MAGIC) => Ok(true),
            Some(found) => Err(ReadError::OtherFormat(lossy(found))),
        }
    }

    /// The next entry, once all of it has arrived, and the hash behind it.
    ///
    /// # Errors
    /// If it makes no sense or is not what was written, and where in the file that is.
    pub fn entry(&mut self) -> Result<Option<Entry<'_>>, ReadError> {
        loop {
            let is_proven = self.is_trusting || self.next < self.proven || self.prove()?;
            if !is_proven && !self.has_ended {
                return Ok(None);
            }
            let Some(whole) = self.whole(self.next)? else {
                return Ok(None);
            };
            let at = self.before + self.next;
            self.next = whole.bytes.end;
            if whole.kind != SEAL {
                self.count += 1;
                let bytes = self.bytes.get(whole.bytes).unwrap_or_default();
                return decode(whole.kind, bytes)
                    .map(Some)
                    .map_err(|why| self.bad(at, why));
            }
        }
    }

    /// Goes on to the next hash, once it has arrived; whether it has.
    fn prove(&mut self) -> Result<bool, ReadError> {
        while let Some(whole) = self.whole(self.chained)? {
            let at = self.chained;
            self.chained = whole.bytes.end;
            if whole.kind != SEAL {
                self.chain
                    .add(self.bytes.get(at..self.chained).unwrap_or_default());
                continue;
            }
            let hash = self.chain.close();
            if self.bytes.get(whole.bytes) != Some(hash.as_bytes()) {
                return Err(ReadError::Changed {
                    from: self.sealed,
                    entry: self.count + 1,
                    seal: self.before + at,
                });
            }
            self.proven = self.chained;
            self.sealed = self.before + self.chained;
            self.last = Some(hash);
            return Ok(true);
        }
        Ok(false)
    }

    /// The entry that begins at a place in `bytes`, if all of it is there.
    fn whole(&self, at: usize) -> Result<Option<Whole>, ReadError> {
        let bad = |why: String| self.bad(self.before + at, why);
        let Some((kind, len)) = head(self.bytes.get(at..).unwrap_or_default()) else {
            return Ok(None);
        };
        if len > ENTRY_MAX {
            return Err(bad(format!("it claims {len} bytes")));
        }
        if kind == SEAL && len != Hash::LEN {
            return Err(bad(format!("it claims a hash of {len} bytes")));
        }
        let bytes = at + HEAD..at + HEAD + len;
        let is_there = bytes.end <= self.bytes.len();
        Ok(is_there.then_some(Whole { kind, bytes }))
    }

    /// Whether the recording, now that no more bytes come, ends behind a hash.
    ///
    /// # Errors
    /// If it does not, and where it ends.
    pub fn finish(&self) -> Result<(), ReadError> {
        let at = self.before + self.next;
        let from = self.unproven_from(at);
        if self.next != self.bytes.len() {
            Err(ReadError::Truncated { at, from })
        } else if from < at {
            Err(ReadError::Unsealed { from })
        } else {
            Ok(())
        }
    }

    /// The hash up to which it is what was written; `None`: none was looked at.
    #[must_use]
    pub fn last(&self) -> Option<Hash> {
        self.last
    }

    /// From where on no hash shows what was written, of what is read up to a place in the recording.
    fn unproven_from(&self, at: usize) -> usize {
        if self.is_trusting { at } else { self.sealed }
    }

    /// What is wrong with the entry at a place in the recording.
    fn bad(&self, at: usize, why: String) -> ReadError {
        ReadError::BadEntry {
            at,
            from: self.unproven_from(at),
            why,
        }
    }
}

/// The bytes before the first line end.
fn line(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    bytes.get(..end)
}

fn head(bytes: &[u8]) -> Option<(u8, usize)> {
    let kind = *bytes.first()?;
    let len = bytes.get(1..HEAD)?.first_chunk().copied()?;
    Some((kind, u32::from_le_bytes(len) as usize))
}

/// What an entry says, or what is wrong with it.
fn decode(kind: u8, bytes: &[u8]) -> Result<Entry<'_>, String> {
    let time = || time_of(bytes).ok_or_else(|| "its time is too short".to_owned());
    Ok(match kind {
        FRAME => Entry::Frame(bytes),
        FACT => Entry::Fact(serde_json::from_slice(bytes).map_err(|e| e.to_string())?),
        COUNTERS => {
            let (time_ns, counters) = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
            Entry::Counters(time_ns, counters)
        }
        START => Entry::Start(time()?),
        SURVEYED => Entry::Surveyed(time()?),
        STOP => Entry::Stop(time()?),
        unknown => return Err(format!("unknown kind {unknown}")),
    })
}

fn time_of(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk().copied().map(u64::from_le_bytes)
}
