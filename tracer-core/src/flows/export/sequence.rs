//! What the numbers that exporters count by tell of messages that were missed.

use super::message::{Header, Version};

/// How far back a message may be that was overtaken; what is further back is a counter that began anew.
const LATE: u32 = 1_000;
/// How much less the uptime may be, of one that was overtaken, in milliseconds.
const LATE_MS: u32 = 60_000;

/// What the numbers of a domain have told.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    last: Option<Last>,
    pub missed: u64,
    pub late: u64,
    pub resets: u64,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    number: u32,
    /// What the next number should be, if that is known.
    next: Option<u32>,
    uptime: Option<u32>,
}

impl Sequence {
    /// Notes a message and how many records it had: none, if some of them could not be counted.
    pub fn note(&mut self, header: &Header, records: Option<u64>, flows: u64) {
        let step = match header.version {
            // It counts messages.
            Version::Netflow9 => Some(1),
            _ => records,
        };
        let advance = |step: u64| header.sequence.wrapping_add(low(step));
        let next = step.map(advance);
        if let Some(last) = self.last
            && !self.follows(last, header, flows)
        {
            return;
        }
        self.last = Some(Last {
            number: header.sequence,
            next,
            uptime: header.uptime,
        });
    }

    /// Whether it is the newest, and not one that was overtaken. What lies between is counted.
    fn follows(&mut self, last: Last, header: &Header, flows: u64) -> bool {
        // Some exporters of IPFIX count what a message tells before they number it.
        let counts_first = header.version == Version::Ipfix
            && header.sequence == last.number.wrapping_add(low(flows));
        let Some(next) = last.next.filter(|_| !counts_first) else {
            return true;
        };
        let ahead = header.sequence.wrapping_sub(next);
        if ahead <= u32::MAX / 2 {
            self.missed = self.missed.saturating_add(u64::from(ahead));
            return true;
        }
        let back = next.wrapping_sub(header.sequence);
        let is_reset = back > LATE || began_anew(last, header);
        if is_reset {
            self.resets += 1;
        } else {
            self.late += 1;
        }
        is_reset
    }
}

fn began_anew(last: Last, header: &Header) -> bool {
    let (Some(before), Some(now)) = (last.uptime, header.uptime) else {
        return false;
    };
    before.saturating_sub(now) > LATE_MS
}

/// The counter has 32 bits.
fn low(count: u64) -> u32 {
    u32::try_from(count & u64::from(u32::MAX)).unwrap_or_default()
}
