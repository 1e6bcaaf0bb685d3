//! When connections were opened, when attempts failed, and when bytes moved.

use jiff::Timestamp;

use super::external::is_external;
use crate::{
    hosts::{Connection, Sighting},
    record::Bytes,
};

/// Steps there are at most.
const STEPS_MAX: i64 = 240;

/// Milliseconds of a second.
const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Lengths of a step, in milliseconds, that people can count in.
const LENGTHS: [i64; 26] = [
    10,
    50,
    100,
    500,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    30 * DAY,
    365 * DAY,
];

/// What happened in steps of equal length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// When the first step begins: milliseconds since 1970.
    pub begin_ms: i64,
    /// How long each is, milliseconds.
    pub step_ms: i64,
    /// What happened in each.
    pub steps: Vec<Step>,
}

/// What happened in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// With external hosts.
    pub external: Part,
    /// With all others.
    pub other: Part,
}

/// What happened with some of the hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Connections that were opened.
    pub opened: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Bytes that left the host that counts.
    pub sent: u64,
    /// Bytes that came to it.
    pub received: u64,
}

impl Step {
    /// Connections that were opened.
    pub fn opened(&self) -> u64 {
        self.external.opened + self.other.opened
    }

    /// Attempts that failed.
    pub fn failed(&self) -> u64 {
        self.external.failed + self.other.failed
    }

    /// Bytes that left.
    pub fn sent(&self) -> u64 {
        self.external.sent.saturating_add(self.other.sent)
    }

    /// Bytes that came.
    pub fn received(&self) -> u64 {
        self.external.received.saturating_add(self.other.received)
    }
}

impl Timeline {
    /// An empty one, from when until when.
    pub fn new(since: Timestamp, until: Timestamp) -> Self {
        let (since, until) = (since.as_millisecond(), until.as_millisecond());
        let span = until.saturating_sub(since).max(0);
        let fits = |step: &i64| count(since, since.saturating_add(span), *step) <= STEPS_MAX;
        let longest = DAY.saturating_mul(365);
        let step_ms = LENGTHS.into_iter().find(fits).unwrap_or(longest);
        let begin_ms = since.div_euclid(step_ms).saturating_mul(step_ms);
        let count = count(since, since.saturating_add(span), step_ms).min(STEPS_MAX);
        Self {
            begin_ms,
            step_ms,
            steps: vec![Step::default(); usize::try_from(count).unwrap_or(1)],
        }
    }

    /// Counts a connection.
    pub fn add(&mut self, connection: &Connection<'_>) {
        let socket = connection.socket;
        if socket.is_listener() {
            return;
        }
        let is_external = is_external(socket.scope());
        if !socket.open_before {
            let place = self.place(socket.first().time.as_millisecond());
            let step = self.steps.get_mut(place);
            if let Some(part) = step.map(|step| step.part(is_external)) {
                part.failed += u64::from(socket.failed.is_some());
                part.opened += u64::from(socket.failed.is_none());
            }
        }
        self.move_bytes(socket, is_external);
    }

    fn move_bytes(&mut self, socket: &Sighting, is_external: bool) {
        let course = socket.course();
        for (before, after) in course.iter().zip(course.iter().skip(1)) {
            let moved = Bytes {
                sent: after.1.sent.saturating_sub(before.1.sent),
                received: after.1.received.saturating_sub(before.1.received),
            };
            self.spread(before.0, after.0, moved, is_external);
        }
    }

    /// Counts what moved between two times, as if it moved evenly.
    fn spread(&mut self, since: Timestamp, until: Timestamp, moved: Bytes, is_external: bool) {
        if moved.sent == 0 && moved.received == 0 {
            return;
        }
        let (since, until) = (since.as_millisecond(), until.as_millisecond());
        let (first, last) = (self.place(since), self.place(until));
        let share = |bytes: u64, until_ms: i64| {
            let (part, whole) = (until_ms.saturating_sub(since), until.saturating_sub(since));
            match (u128::try_from(part), u128::try_from(whole)) {
                (Ok(part), Ok(whole)) if whole > 0 && part < whole => {
                    u64::try_from(u128::from(bytes) * part / whole).unwrap_or(bytes)
                }
                _ => bytes,
            }
        };
        let mut done = Bytes {
            sent: 0,
            received: 0,
        };
        for at in first..=last {
            let is_last = at == last;
            let end = if is_last { until } else { self.end_of(at) };
            let now = Bytes {
                sent: if is_last {
                    moved.sent
                } else {
                    share(moved.sent, end)
                },
                received: if is_last {
                    moved.received
                } else {
                    share(moved.received, end)
                },
            };
            let Some(step) = self.steps.get_mut(at) else {
                return;
            };
            let part = step.part(is_external);
            part.sent = part.sent.saturating_add(now.sent.saturating_sub(done.sent));
            part.received = part
                .received
                .saturating_add(now.received.saturating_sub(done.received));
            done = now;
        }
    }

    /// When a step ends.
    fn end_of(&self, at: usize) -> i64 {
        let steps = i64::try_from(at).unwrap_or(i64::MAX).saturating_add(1);
        self.begin_ms
            .saturating_add(steps.saturating_mul(self.step_ms))
    }

    /// In which step a time is; what is before the first or after the last is in that.
    fn place(&self, ms: i64) -> usize {
        let steps = ms.saturating_sub(self.begin_ms).max(0) / self.step_ms.max(1);
        let last = self.steps.len().saturating_sub(1);
        usize::try_from(steps).unwrap_or(last).min(last)
    }

    /// How long a step is, in words.
    pub fn step(&self) -> String {
        let units = [
            (DAY, "day"),
            (HOUR, "hour"),
            (MINUTE, "minute"),
            (SECOND, "second"),
            (1, "millisecond"),
        ];
        let unit = units.into_iter().find(|(unit, _)| self.step_ms % unit == 0);
        let (unit, word) = unit.unwrap_or((1, "millisecond"));
        match self.step_ms / unit {
            1 => word.to_owned(),
            many => format!("{many} {word}s"),
        }
    }
}

impl Step {
    fn part(&mut self, is_external: bool) -> &mut Part {
        if is_external {
            &mut self.external
        } else {
            &mut self.other
        }
    }
}

/// How many steps of a length there are between two times.
fn count(since: i64, until: i64, step: i64) -> i64 {
    until.div_euclid(step) - since.div_euclid(step) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn steps_are_few_and_of_a_round_length() {
        for (span, step) in [
            (0, 10),
            (1_000, 10),
            (60_000, 500),
            (HOUR, 30 * SECOND),
            (DAY, 10 * MINUTE),
            (30 * DAY, 6 * HOUR),
            (4_000 * DAY, 30 * DAY),
        ] {
            let timeline = Timeline::new(at(1_700_000_000_007), at(1_700_000_000_007 + span));
            assert_eq!(timeline.step_ms, step, "{span}");
            assert!(timeline.steps.len() <= 240, "{span}");
            assert_eq!(timeline.begin_ms % step, 0);
            assert!(timeline.end_of(timeline.steps.len() - 1) > 1_700_000_000_007 + span);
        }
    }

    #[test]
    fn what_moved_is_spread_and_none_of_it_is_lost() {
        let mut timeline = Timeline::new(at(0), at(10_000));
        let moved = Bytes {
            sent: 1_000_001,
            received: 7,
        };
        timeline.spread(at(3_333), at(7_777), moved, true);
        timeline.spread(at(5_000), at(5_000), moved, false);
        timeline.spread(at(-5_000), at(50_000), moved, false);
        let sum = |of: fn(&Step) -> u64| timeline.steps.iter().map(of).sum::<u64>();
        assert_eq!(sum(Step::sent), 3_000_003);
        assert_eq!(sum(Step::received), 21);
        let external: Vec<u64> = timeline
            .steps
            .iter()
            .map(|step| step.external.sent)
            .collect();
        let most = external.iter().max().unwrap();
        let touched = external.iter().filter(|sent| **sent > 0).count();
        assert!(touched > 40 && *most < 30_000, "{touched} {most}");
    }
}
