//! When a host was watched.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::known::Interval;
use crate::record::{Filter, Loss, Record, Start, Stop};

/// A selection by these flags leaves nothing out of what has an address that was seen.
const HARMLESS: [&str; 1] = ["netns"];

/// The category of a loss of no connection.
const PROCESSES: &str = "processes";

/// When a host was watched, and what of that was not seen.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    /// From the first to the last record of a run.
    runs: Vec<Interval>,
    /// When records were lost, and how that is said.
    gaps: Vec<(Interval, String)>,
    /// What was recorded was only what these flags select.
    selected: BTreeSet<String>,
}

impl Coverage {
    /// Takes a record.
    pub fn record(&mut self, record: &Record) {
        let Ok(time) = record.head().time.parse::<Timestamp>() else {
            return;
        };
        match record {
            Record::Start(start) => self.start(start, time),
            Record::Loss(loss) => self.loss(loss, time),
            Record::Stop(stop) => self.stop(stop, time),
            _ => self.until(time),
        }
    }

    fn start(&mut self, start: &Start, time: Timestamp) {
        let window = start.window.as_ref();
        let ends = window.map(|window| (window.since.parse(), window.until.parse()));
        let (since, until) = match ends {
            Some((Ok(since), Ok(until))) => (since, until),
            _ => (time, time),
        };
        self.runs.push(Interval { since, until });
        for one in &start.uncovered {
            let (since, until) = (one.since, one.until);
            let why = format!("of {since:.0} to {until:.0} nothing, or not all, was recorded");
            self.gaps.push((Interval { since, until }, why));
        }
        self.note_selection(&start.filter);
    }

    fn note_selection(&mut self, filter: &Filter) {
        let flags = filter.connections.keys();
        let flags = flags.filter(|flag| !HARMLESS.contains(&flag.as_str()));
        self.selected.extend(flags.cloned());
        let records = filter.records.keys();
        self.selected.extend(records.cloned());
    }

    fn loss(&mut self, loss: &Loss, until: Timestamp) {
        self.until(until);
        let since = loss.since.parse().unwrap_or(until);
        let of_connections = loss
            .lost
            .iter()
            .filter(|(category, _)| *category != PROCESSES);
        let count = of_connections.fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        if count > 0 {
            let why = format!("{count} records were lost between {since:.0} and {until:.0}");
            self.gaps.push((Interval { since, until }, why));
        }
    }

    /// What was lost and of which no record told when: then nothing of the run is certain.
    fn stop(&mut self, stop: &Stop, time: Timestamp) {
        self.until(time);
        let told = self.gaps.iter().any(|(_, why)| why.contains("lost"));
        let count: u64 = stop
            .kernel
            .lost
            .values()
            .fold(0, |sum, count| sum.saturating_add(*count));
        if let (Some(run), true) = (self.runs.last(), count > 0 && !told) {
            self.gaps
                .push((*run, format!("{count} records of this run were lost")));
        }
    }

    fn until(&mut self, time: Timestamp) {
        if let Some(run) = self.runs.last_mut() {
            run.until = run.until.max(time);
        }
    }

    /// Why it is not certain that all of a time was seen.
    pub fn uncovered(&self, interval: Interval) -> Option<String> {
        if !self.selected.is_empty() {
            let flags: Vec<String> = self
                .selected
                .iter()
                .map(|flag| format!("--{flag}"))
                .collect();
            return Some(format!(
                "only what {} selects was recorded",
                flags.join(" ")
            ));
        }
        if !self.runs.iter().any(|run| run.contains(interval)) {
            return Some("this host was not watched then, or not all of that time".to_owned());
        }
        self.gap(interval).map(str::to_owned)
    }

    /// Why some of what was to be recorded then may be missing.
    pub fn gap(&self, interval: Interval) -> Option<&str> {
        let gap = self.gaps.iter().find(|(gap, _)| gap.overlaps(interval));
        gap.map(|(_, why)| why.as_str())
    }
}
