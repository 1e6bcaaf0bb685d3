//! What a history answers: the commands that look at now, looking at then.

mod command;
mod hosts;
mod import;
mod report;
mod snapshot;
mod stream;

use std::{path::PathBuf, sync::Arc};

use anyhow::bail;
use jiff::Timestamp;
use tracer_core::{
    enrich::Enrichment,
    history::{Span, Uncovered, Why},
    hosts::Sum,
    record::{
        Event, Filter, Head, KernelTotals, NameTotals, OutputTotals, ProcessTotals, Record, Start,
        Stop, Window, Word,
    },
    select::{FromLines, Told},
    totals::Lost,
};
use tracing::error;

pub use self::{
    command::command,
    hosts::hosts,
    report::report,
    snapshot::snapshot,
    stream::{Wanted, stream},
};
use super::{Ending, LOSS, enrich::Enriching};
use crate::{
    cli::{NetworkArgs, SelectionArgs, Surroundings, UsageError},
    host::clock::{Clock as _, SystemClock},
    store::read::{History, Run},
};

/// What is asked.
pub struct Question<'a> {
    /// Of the history that is there.
    pub path: PathBuf,
    /// What of it.
    pub selection: &'a SelectionArgs,
    /// What files say of other hosts.
    pub enriching: Enriching,
    /// Networks, which cannot be declared afterwards.
    pub networks: &'a NetworkArgs,
}

/// An answer that is being given.
struct Answer {
    history: History,
    path: PathBuf,
    runs: Vec<Run>,
    span: Span,
    filter: Filter,
    uncovered: Vec<Uncovered>,
    chosen: Chosen,
    /// What is answered by, in place of connections.
    sums: Vec<Sum>,
}

/// What is asked for, and how much of it there was.
struct Chosen {
    selected: FromLines,
    /// What files say of other hosts.
    enrichment: Option<Arc<Enrichment>>,
    /// Records that were read, and those of them that were not asked for.
    read: u64,
    suppressed: u64,
}

impl Chosen {
    /// Whether a record was asked for. Those of the run itself always are. Says of it what files say.
    fn keeps(&mut self, record: &mut Record) -> bool {
        self.read += 1;
        if let Some(enrichment) = &self.enrichment {
            enrichment.record(record);
        }
        let told = Told::of(record);
        let is_kept = told.is_none_or(|told| self.selected.keeps(&told));
        self.suppressed += u64::from(!is_kept);
        is_kept
    }

    /// Whether connections were asked for that were summed up.
    fn keeps_sum(&mut self, sum: &Sum) -> bool {
        self.read += sum.connections;
        let is_kept = self.selected.keeps(&Told::of_sum(sum));
        if !is_kept {
            self.suppressed += sum.connections;
        }
        is_kept
    }
}

impl Answer {
    /// What there is to say of a window; without a begin: from the first run on, without an end: until the
    /// last record.
    fn new(
        question: &Question<'_>,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> anyhow::Result<Self> {
        if !question.networks.is_empty() {
            let why = "--internal-cidr, --external-cidr: the agent has judged addresses when it saw them: declare networks there";
            return Err(UsageError(why.to_owned()).into());
        }
        let path = question.path.clone();
        let history = History::open(&path)?;
        let runs = history.runs()?;
        let (Some(first), Some(last)) = (runs.first(), runs.last()) else {
            bail!("the history {} is empty", path.display());
        };
        let until = until.unwrap_or(last.until());
        let since = since.unwrap_or_else(|| first.started()).min(until);
        let span = Span { since, until };
        // All owners are looked at for them.
        let users = if question.selection.names_accounts() {
            history.accounts()?
        } else {
            Vec::new()
        };
        let selection = question.selection.resolve(&Surroundings {
            users: &users,
            is_live: false,
            may_have_more_users: false,
        })?;
        let selection = question.enriching.select(selection);
        history.pick(&selection)?;
        Ok(Self {
            uncovered: Vec::new(),
            sums: Vec::new(),
            history,
            path,
            runs,
            span,
            filter: selection.describe(false),
            chosen: Chosen {
                selected: FromLines::new(selection),
                enrichment: question.enriching.now(),
                read: 0,
                suppressed: 0,
            },
        })
    }

    /// Answers by sums, if they can say what is asked and there is much: then of whole minutes, hours or
    /// days. Whether it does.
    fn sums_up(&mut self) -> anyhow::Result<bool> {
        let is_summed =
            self.chosen.selected.selection().is_of_sums() && self.history.is_much(self.span)?;
        if is_summed {
            (self.span, self.sums) = self.history.sums(self.span)?;
        }
        Ok(is_summed)
    }

    /// Finds out when of the window nothing was recorded, or not all, or is not there any more: of the kind
    /// of rows that it is answered by.
    fn cover(&mut self, what: &str) -> anyhow::Result<()> {
        let removed = self.history.removed(what, self.span)?;
        self.uncovered = self.history.uncovered(&self.runs, self.span)?;
        self.uncovered.splice(0..0, removed);
        Ok(())
    }

    /// The first record: of the newest run that was there, with what was asked.
    fn start(&self) -> anyhow::Result<Start> {
        let mut overlapping = self.runs.iter().filter(|run| run.overlaps(self.span));
        let Some(newest) = overlapping.next_back().or(self.runs.last()) else {
            bail!("the history {} is empty", self.path.display());
        };
        let mut start = newest.start()?;
        for run in overlapping {
            let degraded = run.start()?.degraded;
            let new = degraded
                .into_iter()
                .filter(|one| !start.degraded.contains(one));
            let new: Vec<String> = new.collect();
            start.degraded.extend(new);
        }
        let kept = &start.filter.connections;
        if !kept.is_empty() {
            let flags: Vec<String> = kept.keys().map(|flag| format!("--{flag}")).collect();
            start.not_covered.push(format!(
                "what the agent was told not to keep: it selected by {}",
                flags.join(" ")
            ));
        }
        let text = |time: Timestamp| format!("{time:.9}");
        start.head.time = text(self.span.since);
        start.head.seq = 1;
        start.filter = self.filter.clone();
        start.window = Some(Window {
            since: text(self.span.since),
            until: text(self.span.until),
        });
        start.uncovered.clone_from(&self.uncovered);
        Ok(start)
    }

    /// The last record: how much it came to, and what was lost in the window.
    fn stop(&self, start: &Start) -> anyhow::Result<Stop> {
        let Chosen {
            read, suppressed, ..
        } = self.chosen;
        let lost = self.lost()?;
        let sum: u64 = lost.values().sum();
        Ok(Stop {
            head: Head {
                time: format!("{:.9}", self.span.until),
                event: Event::Stop,
                seq: 0,
                host: start.head.host.clone(),
            },
            kernel: KernelTotals {
                seen: read + sum,
                lost,
                delivered: read,
                ..KernelTotals::default()
            },
            output: OutputTotals {
                delivered: read,
                // The first record and this one.
                derived: 2,
                suppressed,
                written: read - suppressed + 2,
                lost: 0,
            },
            processes: ProcessTotals::default(),
            names: NameTotals::default(),
            cross_check: None,
            discovery: None,
            own: 0,
        })
    }

    fn lost(&self) -> anyhow::Result<Lost> {
        let mut lost = Lost::new();
        for loss in self.history.losses(self.span)? {
            for (category, count) in loss.lost {
                *lost.entry(category).or_default() += count;
            }
        }
        let dropped = self.uncovered.iter().map(|one| match one.why {
            Why::Dropped { records } => records,
            _ => 0,
        });
        let dropped: u64 = dropped.sum();
        if dropped > 0 {
            lost.insert(Word::Borrowed("history"), dropped);
        }
        lost.remove("clock_step");
        Ok(lost)
    }

    /// Says when it was not recorded, where the answer itself has no place for that.
    fn say_what_is_uncovered(&self) {
        let clock = here();
        for one in &self.uncovered {
            error!(target: LOSS, "{}", one.sentence(&clock));
        }
    }

    fn ending(&self) -> Ending {
        if self.uncovered.is_empty() {
            Ending::Done
        } else {
            Ending::Incomplete
        }
    }
}

/// The clock by which times are shown: that of the zone of this machine.
pub fn here() -> tracer_core::clock::Clock {
    tracer_core::clock::Clock::new(SystemClock::new().anchor())
}
