//! `/healthz`, `/readyz` and `/metrics`: whether the agent does what it is there for, and how much of it.

mod account;
mod beat;
mod metrics;
mod server;

use std::{path::PathBuf, time::Instant};

pub use self::server::Server;
use self::{
    account::{Account, Shared},
    beat::Beat,
};
use super::stream;
use crate::{
    host::pods::Pods,
    output::sink::RecordSink,
    store::{self, Handle, Standing},
};

/// What there is to be told of the agent.
pub struct Health {
    account: Shared,
    history: Handle,
    /// Where the history is.
    path: PathBuf,
    /// What it streams, if it does.
    stream: Option<stream::Handle>,
    /// The pods that it is told of, if it asks.
    pods: Option<Pods>,
    conditions: Vec<Condition>,
}

/// What must be so before the agent is ready.
struct Condition {
    /// What it is about, in a word.
    name: &'static str,
    /// What is said while it is not so.
    unmet: &'static str,
    /// Whether it is so.
    is_met: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Health {
    /// Of an agent that writes this history and begins now, and perhaps streams and is told of pods.
    pub fn new(
        history: Handle,
        path: PathBuf,
        stream: Option<stream::Handle>,
        pods: Option<Pods>,
    ) -> Self {
        let account = Shared::new();
        let mut health = Self {
            account: account.clone(),
            history: history.clone(),
            path,
            stream,
            pods: pods.clone(),
            conditions: Vec::new(),
        };
        let traced = account.clone();
        health.ready_when(Condition {
            name: "tracing",
            unmet: "the hooks are not in their places yet",
            is_met: Box::new(move || traced.read().attached.is_some()),
        });
        health.ready_when(Condition {
            name: "history",
            unmet: "the first record is not on the disk yet",
            is_met: Box::new(move || history.standing().has_begun),
        });
        health.ready_when(Condition {
            name: "agent",
            unmet: "it is ending",
            is_met: Box::new(move || !account.read().is_ending),
        });
        if let Some(pods) = pods {
            health.ready_when(Condition {
                name: "pods",
                unmet: "the API server has not told the pods of this node yet",
                is_met: Box::new(move || pods.has_synced()),
            });
        }
        health
    }

    /// Has one more thing be so before the agent is ready.
    fn ready_when(&mut self, condition: Condition) {
        self.conditions.push(condition);
    }

    /// What has to be given all records. It must know of the end before the history does, for that takes
    /// its time.
    pub fn observer(&self) -> Box<dyn RecordSink> {
        Box::new(self.account.clone())
    }

    /// What stands still, a line each.
    fn standstill(&self) -> Vec<String> {
        standstill(
            &self.account.read(),
            &self.history.standing(),
            Instant::now(),
        )
    }

    /// What is still to come before it is ready, a line each.
    fn unmet(&self) -> Vec<String> {
        unmet(&self.conditions)
    }

    /// All numbers, as `OpenMetrics` has them.
    fn metrics(&self) -> Result<String, std::fmt::Error> {
        metrics::page(metrics::Snapshot {
            account: self.account.read(),
            history: self.history.standing(),
            history_bytes: store::size(&self.path),
            stream: self.stream.clone(),
            pods: self.pods.as_ref().map(Pods::counts),
        })
    }
}

/// A line for each thread that stands still. Nothing is expected of a run that is ending: that has its own
/// bounds.
fn standstill(account: &Account, history: &Standing, now: Instant) -> Vec<String> {
    if account.is_ending {
        return Vec::new();
    }
    let writing = match history.heard {
        Some(heard) => Beat::heard(heard),
        None => Beat::expected(account.since),
    };
    let threads = [("tracing", account.tracing), ("the history", writing)];
    let silent = threads
        .into_iter()
        .filter_map(|(what, beat)| Some((what, beat.silence(now)?)));
    silent
        .map(|(what, silence)| format!("{what} has stood still for {} s", silence.as_secs()))
        .collect()
}

/// A line for each condition that is not met.
fn unmet(conditions: &[Condition]) -> Vec<String> {
    let unmet = conditions.iter().filter(|condition| !(condition.is_met)());
    unmet
        .map(|condition| format!("{}: {}", condition.name, condition.unmet))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn standing(heard: Option<Instant>) -> Standing {
        Standing {
            waiting: 0,
            room: 10,
            lost: 0,
            has_begun: heard.is_some(),
            is_failing: false,
            heard,
        }
    }

    #[test]
    fn what_stands_still_is_said_with_for_how_long() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut account = Account::new(start);
        let none = standing(None);
        assert_eq!(standstill(&account, &none, after(120)), [""; 0]);
        assert_eq!(
            standstill(&account, &none, after(121)),
            [
                "tracing has stood still for 121 s",
                "the history has stood still for 121 s"
            ]
        );
        account.tracing = Beat::heard(after(200));
        let history = standing(Some(after(130)));
        assert_eq!(standstill(&account, &history, after(190)), [""; 0]);
        assert_eq!(
            standstill(&account, &history, after(200)),
            ["the history has stood still for 70 s"]
        );
        let history = standing(Some(after(260)));
        assert_eq!(
            standstill(&account, &history, after(261)),
            ["tracing has stood still for 61 s"]
        );
    }

    #[test]
    fn a_history_that_cannot_be_written_does_not_stand_still() {
        let start = Instant::now();
        let now = start + Duration::from_hours(1);
        let mut account = Account::new(start);
        account.tracing = Beat::heard(now);
        let failing = Standing {
            is_failing: true,
            waiting: 10,
            lost: 1000,
            ..standing(Some(now))
        };
        assert_eq!(standstill(&account, &failing, now), [""; 0]);
    }

    #[test]
    fn what_is_ending_may_take_its_time() {
        let start = Instant::now();
        let mut account = Account::new(start);
        let late = start + Duration::from_hours(1);
        assert_ne!(standstill(&account, &standing(Some(start)), late), [""; 0]);
        account.is_ending = true;
        assert_eq!(standstill(&account, &standing(Some(start)), late), [""; 0]);
    }

    #[test]
    fn each_condition_that_is_not_met_has_a_line() {
        let condition = |name, is_met| Condition {
            name,
            unmet: "not yet",
            is_met: Box::new(move || is_met),
        };
        let conditions = [condition("one", false), condition("two", true)];
        assert_eq!(unmet(&conditions), ["one: not yet"]);
        assert_eq!(unmet(&conditions[1..]), [""; 0]);
    }
}
