//! What came out of the ring, and what of it there is room for and time.

use std::time::{Duration, Instant};

use tracer_abi::Kind;
use tracer_core::{
    decode::kind_of,
    pipeline::is_of_processes,
    totals::{Counters, Counts},
};

use super::source::frames;

/// Bytes of frames about connections that may wait to be processed.
const CONNECTIONS_MAX: usize = 32 << 20;
/// Bytes of frames of all kinds that may wait to be processed.
const ALL_MAX: usize = 64 << 20;

/// How long what waits is still told after the user has interrupted. Who does that expects the end within a
/// second; detaching and the last frames take part of that.
const GRACE: Duration = Duration::from_millis(500);

/// What came out of the ring.
#[derive(Default)]
pub struct Received {
    /// What was received, and what of that was dropped.
    pub counters: Counters,
}

impl Received {
    /// Counts a frame. Whether there is room for it behind the `queued` bytes.
    pub fn admit(&mut self, frame: &[u8], queued: usize) -> bool {
        let kind = kind_or_connection(frame);
        let max = if is_of_processes(kind) {
            ALL_MAX
        } else {
            CONNECTIONS_MAX
        };
        let counts = self.counters.of_kind(kind);
        counts.received += 1;
        let has_room = queued + frame.len() <= max;
        if !has_room {
            counts.output += 1;
        }
        has_room
    }
}

/// What waits behind the ring. Once the user has interrupted, it has a moment to be told; the rest is dropped
/// and counted.
#[derive(Default)]
pub struct Backlog {
    until: Option<Instant>,
    dropped: Counters,
}

impl Backlog {
    /// The user interrupts, `now`; said again, that changes nothing.
    pub fn interrupt(&mut self, now: Instant) {
        self.until.get_or_insert(now + GRACE);
    }

    /// Whether there is time `now` for a batch of frames. Counts it where there is none.
    pub fn admit(&mut self, batch: &[u8], now: Instant) -> bool {
        let has_time = self.until.is_none_or(|until| now < until);
        if !has_time {
            for frame in frames(batch) {
                self.dropped.of_kind(kind_or_connection(frame)).output += 1;
            }
        }
        has_time
    }

    /// The counters with what was dropped here.
    #[must_use]
    pub fn add_to(&self, mut counters: Counters) -> Counters {
        let add = |counts: &mut Counts, dropped: &Counts| counts.output += dropped.output;
        add(&mut counters.connections, &self.dropped.connections);
        add(&mut counters.processes, &self.dropped.processes);
        counters
    }
}

/// The kind of a frame. One that makes no sense counts among connections, as where it is decoded.
fn kind_or_connection(frame: &[u8]) -> u16 {
    kind_of(frame).unwrap_or(Kind::CONNECT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracer_abi::Header;
    use zerocopy::{FromZeros as _, IntoBytes as _};

    fn frame(kind: u16) -> Vec<u8> {
        let mut header = Header::new_zeroed();
        header.kind = kind;
        header.len = u32::try_from(size_of::<Header>()).unwrap();
        header.as_bytes().to_vec()
    }

    #[test]
    fn who_interrupts_waits_for_a_moment_of_what_waits() {
        let batch = [frame(Kind::CONNECT), frame(Kind::EXEC), frame(Kind::CLOSE)].concat();
        let now = Instant::now();
        let mut backlog = Backlog::default();
        assert!(backlog.admit(&batch, now));
        backlog.interrupt(now);
        assert!(backlog.admit(&batch, now + GRACE / 2));
        backlog.interrupt(now + GRACE / 2);
        assert!(!backlog.admit(&batch, now + GRACE));
        let counted = Counters {
            connections: Counts {
                output: 3,
                ..Counts::default()
            },
            ..Counters::default()
        };
        let counters = backlog.add_to(counted);
        assert_eq!(counters.connections.output, 5);
        assert_eq!(counters.processes.output, 1);
    }
}
