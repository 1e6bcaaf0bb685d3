//! What a history covers: when of a time the agent was there, and what it could not keep.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::clock::{Clock, nanoseconds};

/// A run of the agent, as far as it matters to what is covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Names the boot.
    pub boot_id: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended, or was there last.
    pub until: Timestamp,
    /// It ended by itself.
    pub has_stopped: bool,
}

/// When a time is not covered, or not all of it, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uncovered {
    /// From when: RFC 3339, UTC, nanoseconds.
    #[serde(serialize_with = "nanoseconds")]
    pub since: Timestamp,
    /// Until when.
    #[serde(serialize_with = "nanoseconds")]
    pub until: Timestamp,
    /// Why.
    #[serde(flatten)]
    pub why: Why,
}

/// Why a time is not covered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    /// The history begins later.
    NotBegun,
    /// What is older was removed.
    Removed,
    /// The host was down, or starting.
    HostDown,
    /// The agent was stopped, and started later.
    AgentStopped,
    /// The agent was killed, and started later.
    AgentKilled,
    /// No agent has been there since.
    NoAgent,
    /// The agent was there and did not run: the host was suspended, or the agent was.
    Silent,
    /// Records could not be kept.
    Dropped {
        /// How many.
        records: u64,
    },
    /// Records were lost.
    Lost {
        /// How many.
        records: u64,
    },
}

/// A time between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub since: Timestamp,
    /// The moment behind its last.
    pub until: Timestamp,
}

/// How long a run may not have been heard of and still be there. It is heard of every ten seconds at least.
pub const PATIENCE: SignedDuration = SignedDuration::from_secs(15);

/// When nothing was recorded, of a time. `runs`: in the order in which they began.
#[must_use]
pub fn between(runs: &[Run], span: Span) -> Vec<Uncovered> {
    let mut found = Vec::new();
    let mut tell = |since: Timestamp, until: Timestamp, why: Why| {
        let (since, until) = (since.max(span.since), until.min(span.until));
        if since < until {
            found.push(Uncovered { since, until, why });
        }
    };
    let Some(first) = runs.first() else {
        tell(span.since, span.until, Why::NotBegun);
        return found;
    };
    tell(span.since, first.started, Why::NotBegun);
    for (run, next) in runs.iter().zip(runs.iter().skip(1)) {
        // Shutting down stops the agent, too: before another boot, nobody can tell one from the other.
        let why = if run.boot_id == next.boot_id {
            if run.has_stopped {
                Why::AgentStopped
            } else {
                Why::AgentKilled
            }
        } else {
            Why::HostDown
        };
        tell(run.until, next.started, why);
    }
    if let Some(last) = runs.last()
        && (last.has_stopped || span.until.duration_since(last.until) > PATIENCE)
    {
        tell(last.until, span.until, Why::NoAgent);
    }
    found
}

impl Uncovered {
    /// All of it, for people; times as the clock of the host shows them.
    #[must_use]
    pub fn sentence(&self, clock: &Clock) -> String {
        let local = |time: Timestamp| clock.local_day(&time.to_string());
        let (since, until) = (local(self.since), local(self.until));
        // The day is not said twice.
        let until = match (since.split_once(' '), until.split_once(' ')) {
            (Some((day, _)), Some((same, time))) if day == same => time,
            _ => &until,
        };
        format!("{since} to {until}: {}", self.why)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::NotBegun => "no recording: the history begins later",
            Self::Removed => "details were removed",
            Self::HostDown => "no recording: the host was down",
            Self::AgentStopped => "no recording: the agent was stopped",
            Self::AgentKilled => "no recording: the agent was killed",
            Self::NoAgent => "no recording: no agent was running",
            Self::Silent => "no recording: the host or the agent was suspended",
            Self::Dropped { records } => return write!(f, "{records} records could not be kept"),
            Self::Lost { records } => return write!(f, "{records} records lost"),
        };
        f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + minute * 60).unwrap()
    }

    fn run(boot: &str, started: i64, until: i64, has_stopped: bool) -> Run {
        Run {
            boot_id: boot.to_owned(),
            started: at(started),
            until: at(until),
            has_stopped,
        }
    }

    fn told(runs: &[Run], since: i64, until: i64) -> Vec<(i64, i64, Why)> {
        let span = Span {
            since: at(since),
            until: at(until),
        };
        let minute = |time: Timestamp| (time.as_second() - 1_700_000_000) / 60;
        let found = between(runs, span);
        let found = found
            .into_iter()
            .map(|one| (minute(one.since), minute(one.until), one.why));
        found.collect()
    }

    #[test]
    fn every_time_without_an_agent_is_told_with_its_reason() {
        let runs = [
            run("a", 10, 20, true),
            run("a", 25, 30, false),
            run("a", 31, 40, false),
            run("b", 46, 60, true),
        ];
        assert_eq!(
            told(&runs, 0, 70),
            [
                (0, 10, Why::NotBegun),
                (20, 25, Why::AgentStopped),
                (30, 31, Why::AgentKilled),
                (40, 46, Why::HostDown),
                (60, 70, Why::NoAgent),
            ]
        );
        assert_eq!(told(&runs, 12, 18), []);
        assert_eq!(told(&runs, 12, 22), [(20, 22, Why::AgentStopped)]);
        assert_eq!(told(&[], 1, 2), [(1, 2, Why::NotBegun)]);
    }

    #[test]
    fn an_agent_that_is_running_is_heard_of_now_and_then() {
        let running = [run("a", 10, 20, false)];
        let mut span = Span {
            since: at(10),
            until: at(20) + SignedDuration::from_secs(14),
        };
        assert_eq!(between(&running, span), []);
        span.until += SignedDuration::from_secs(2);
        assert_eq!(between(&running, span).len(), 1);
    }
}
