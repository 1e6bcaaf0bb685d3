//! A report: what records tell, on one page for people who decide and people who write it down.
//!
//! Records go in, of one host or of several ([`Report`]); a page of HTML comes out that needs nothing but
//! itself. Rows are those of [`Hosts`]; what else is told is gathered in [`notes`], what was there before
//! the window in [`baseline`]. From these come sentences ([`summary`]), pictures ([`timeline`], [`graph`],
//! [`draw`]) and tables ([`table`], [`tables`]), which [`page`] puts together.

mod baseline;
mod commands;
mod coverage;
mod draw;
mod external;
mod graph;
mod html;
mod notes;
mod page;
mod summary;
mod table;
mod tables;
#[cfg(test)]
mod tests;
mod timeline;

use std::{net::IpAddr, sync::Arc};

use jiff::Timestamp;
use serde::Deserialize;

use self::{
    baseline::{Baseline, Destination},
    commands::Commands,
    notes::Notes,
};
use crate::{
    enrich::Enrichment,
    hosts::{Hosts, Observation, Run},
    protocol::Protocol,
    record::Record,
    redact::Arguments,
};

/// Connections and listeners that are kept at most: about a quarter of a gigabyte.
const CONNECTIONS_MAX: usize = 1 << 19;

/// Counts of open connections that are kept at most, for the timeline: 32 MiB. What comes after them counts
/// as moved evenly until the next count.
const COUNTS_MAX: usize = 1 << 20;

/// The window of a report: what happened at `since` belongs to it, what happened at `until` does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Its first moment; `None`: the first record.
    pub since: Option<Timestamp>,
    /// The moment behind its last; `None`: behind the last record.
    pub until: Option<Timestamp>,
}

impl Span {
    fn is_after(&self, at: Timestamp) -> bool {
        self.since.is_some_and(|since| at < since)
    }

    fn is_before(&self, at: Timestamp) -> bool {
        self.until.is_some_and(|until| at >= until)
    }

    fn has(&self, at: Timestamp) -> bool {
        !self.is_after(at) && !self.is_before(at)
    }
}

/// Whom a host connected to before the window.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its address.
    pub ip: IpAddr,
    /// Its port.
    pub port: Option<u16>,
    /// What is spoken.
    pub protocol: Protocol,
    /// When that began first.
    pub first: Timestamp,
    /// When it was told of last.
    pub last: Timestamp,
}

/// What is said of a report beside what records tell.
#[derive(Clone, Debug)]
pub struct Cover {
    /// The version of conntracer that makes it.
    pub version: String,
    /// When it is made.
    pub made: Timestamp,
    /// What was read, e.g. the names of files.
    pub sources: Vec<String>,
    /// The flags by which it was selected, as they were typed.
    pub selection: Vec<String>,
}

/// What every line of `-o json` says of itself.
#[derive(Deserialize)]
struct Line {
    time: Timestamp,
    event: String,
    /// Who does not list the socket.
    #[serde(default)]
    hidden_from: Vec<String>,
}

/// Gathers what records tell, for a page.
#[derive(Debug)]
pub struct Report {
    window: Span,
    hosts: Hosts,
    baseline: Baseline,
    notes: Notes,
    commands: Commands,
    enrichment: Arc<Enrichment>,
    /// A record of the run was not older than the window, so what was open before it still was.
    has_begun: bool,
}

impl Report {
    /// Nothing yet, of this window, which shows so much of the arguments of processes.
    #[must_use]
    pub fn new(window: Span, arguments: Arguments) -> Self {
        Self::keeping(CONNECTIONS_MAX, window, arguments)
    }

    /// The same, of so many connections and listeners at most.
    #[must_use]
    pub fn keeping(most: usize, window: Span, arguments: Arguments) -> Self {
        Self {
            window,
            hosts: Hosts::keeping(most).with_counts(COUNTS_MAX),
            baseline: Baseline::keeping(most),
            notes: Notes::default(),
            commands: Commands::new(arguments),
            enrichment: Arc::default(),
            has_begun: false,
        }
    }

    /// The records that follow are those of another run.
    pub fn begin(&mut self) {
        self.end_run();
        self.hosts.begin();
    }

    /// Takes a record of this run.
    pub fn record(&mut self, record: &Record) {
        // What conntracer wrote itself can be read.
        let time: Timestamp = record.head().time.parse().unwrap_or_default();
        self.has_begun |= !self.window.is_after(time);
        match record {
            Record::Connection(connection) => {
                if !connection.hidden_from.is_empty() && self.window.has(time) {
                    self.notes.take(record, self.commands.arguments());
                }
                self.observe(Observation::from(&**connection));
            }
            Record::Start(_) | Record::Stop(_) => self.hosts.record(record),
            Record::Socket(_) | Record::Discovery(_) | Record::Loss(_) => {
                if self.window.has(time) {
                    self.notes.take(record, self.commands.arguments());
                    self.hosts.see(&record.head().time);
                }
            }
        }
    }

    /// Takes a line of `-o json` of this run.
    ///
    /// # Errors
    /// If it is none.
    pub fn line(&mut self, line: &str) -> Result<(), serde_json::Error> {
        let head: Line = serde_json::from_str(line)?;
        self.has_begun |= !self.window.is_after(head.time);
        let is_in_window = self.window.has(head.time);
        match head.event.as_str() {
            "start" | "stop" => return self.hosts.line(line),
            "socket" | "discovery" | "loss" => {
                if is_in_window {
                    let fields = serde_json::from_str(line)?;
                    self.notes.take_fields(&fields, self.commands.arguments());
                    self.hosts.line(line)?;
                }
            }
            _ => {
                let seen = serde_json::from_str(line)?;
                if !head.hidden_from.is_empty() && is_in_window {
                    let fields = serde_json::from_str(line)?;
                    self.notes.take_fields(&fields, self.commands.arguments());
                }
                self.observe(seen);
            }
        }
        Ok(())
    }

    /// Other hosts are told of by what files say.
    pub fn enrich(&mut self, enrichment: Arc<Enrichment>) {
        self.enrichment = enrichment;
    }

    /// Says something of what is read that its records do not say.
    pub fn note(&mut self, sentence: &str) {
        self.notes.say(sentence);
    }

    fn observe(&mut self, mut seen: Observation) {
        let at = seen.at.time;
        if self.window.is_before(at) {
            return;
        }
        self.commands.see(&seen);
        if let Some(since) = self.window.since.filter(|since| at < *since) {
            self.baseline.see(seen, since);
            return;
        }
        if let Some(found) = self.baseline.goes_on(&mut seen) {
            self.hosts.take(found);
        }
        self.hosts.see(&format!("{at:.9}"));
        self.hosts.take(seen);
    }

    /// What was open when the window began, and of which no record followed, was open all the time.
    fn end_run(&mut self) {
        let open = self.baseline.end_run();
        if self.has_begun {
            for found in open {
                self.hosts.take(found);
            }
        }
        self.has_begun = false;
    }

    /// How many records there was no room for.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        let left_out = [
            self.hosts.left_out(),
            self.baseline.left_out(),
            self.notes.left_out(),
        ];
        left_out.into_iter().fold(0, u64::saturating_add)
    }

    /// Whether it has all that there was to tell: nothing was lost or cut off, and there was room for all.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let is_whole = |run: &Run| run.lost().is_some_and(|lost| lost.is_empty());
        self.left_out() == 0 && self.hosts.runs().iter().all(is_whole)
    }

    /// The records that follow may be of several processes, of which each has found open what it had not
    /// opened: as [`Hosts::boot`].
    pub fn boot(&mut self, boot_id: &str) {
        self.hosts.boot(boot_id);
    }

    /// This host connected to somebody before the window.
    pub fn knew(&mut self, host: &Arc<str>, known: &Known) {
        self.baseline.know(host, known);
    }

    /// The page. No more records are taken.
    #[must_use]
    pub fn page(mut self, cover: &Cover) -> String {
        self.end_run();
        page::write(&self, cover)
    }

    /// Whether a destination was there before the window, by what is known of before.
    fn is_known(&self, destination: &Destination) -> bool {
        self.baseline.has(destination)
    }

    /// The first and the last moment of which something is told.
    fn extent(&self) -> Option<(Timestamp, Timestamp)> {
        let runs = self.hosts.runs().iter();
        let windows = runs.filter_map(|run| self.window_of(run));
        windows.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    }

    /// What a run tells of the window: from when until when. `None`: nothing.
    fn window_of(&self, run: &Run) -> Option<(Timestamp, Timestamp)> {
        let since: Timestamp = run.window().since.parse().ok()?;
        let until: Timestamp = run.window().until.parse().ok()?;
        let since = self.window.since.map_or(since, |at| at.max(since));
        let until = self.window.until.map_or(until, |at| at.min(until));
        (since <= until).then_some((since, until))
    }
}
