//! Counting, so that the totals add up and nothing is lost in silence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    pipeline::is_of_processes,
    record::{KernelTotals, NameTotals, OutputTotals, ProcessTotals, Word},
};

/// What the kernel half and the draining counted, since tracing began. All only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Frames about connections.
    pub connections: Counts,
    /// Frames about processes and cgroups.
    pub processes: Counts,
}

impl Counters {
    /// The counts of the family that a kind of frame belongs to.
    pub fn of_kind(&mut self, kind: u16) -> &mut Counts {
        if is_of_processes(kind) {
            &mut self.processes
        } else {
            &mut self.connections
        }
    }
}

/// Counts of one family of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Times there was something to report.
    pub seen: u64,
    /// Dropped in the kernel because the selection did not match.
    pub selected_out: u64,
    /// Dropped in the kernel because the ring had no room.
    pub ring_full: u64,
    /// Sockets that could not be remembered.
    pub map_full: u64,
    /// Times the kernel skipped a hook.
    pub hook_missed: u64,
    /// Hooks that somebody has taken away.
    pub hook_detached: u64,
    /// Taken from the ring.
    pub received: u64,
    /// Taken from the ring and dropped, because what comes behind was too slow.
    pub output: u64,
    /// The tool's own activity.
    pub own: u64,
}

impl Counts {
    /// Frames that the kernel counted and that did not come out of the ring. While tracing goes on
    /// that includes those on their way, so it is only certain at the end.
    fn not_received(&self) -> u64 {
        self.seen
            .saturating_sub(self.selected_out)
            .saturating_sub(self.received)
    }
}

/// Loss by category.
pub type Lost = BTreeMap<Word, u64>;

/// What was processed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Processed {
    /// Frames about connections that became records.
    pub delivered: u64,
    /// Frames about connections that made no sense.
    pub undecodable: u64,
    /// Frames about processes and cgroups.
    pub processes: u64,
    /// Of these, frames that made no sense.
    pub processes_undecodable: u64,
    /// What came of names.
    pub names: NameTotals,
    /// Records made in user space.
    pub derived: u64,
    /// Records selected out in user space.
    pub suppressed: u64,
    /// Records written.
    pub written: u64,
}

/// Keeps the totals of a run.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// What was processed so far.
    pub processed: Processed,
    counters: Counters,
}

impl Totals {
    /// Takes newer counters. What was lost since the last ones, by category; empty: nothing.
    pub fn update(&mut self, counters: Counters) -> Lost {
        let (new, old) = (&counters, &self.counters);
        let grown = |new: u64, old: u64| new.saturating_sub(old);
        let lost = categories([
            (
                "ring_full",
                grown(new.connections.ring_full, old.connections.ring_full),
            ),
            (
                "map_full",
                grown(
                    sum([new.connections.map_full, new.processes.map_full]),
                    sum([old.connections.map_full, old.processes.map_full]),
                ),
            ),
            (
                "hook_missed",
                grown(new.connections.hook_missed, old.connections.hook_missed),
            ),
            (
                "hook_detached",
                grown(new.connections.hook_detached, old.connections.hook_detached),
            ),
            (
                "output",
                grown(new.connections.output, old.connections.output),
            ),
            (
                "processes",
                grown(process_loss(&new.processes), process_loss(&old.processes)),
            ),
        ]);
        self.counters = counters;
        lost
    }

    /// `kernel` of the `stop` record.
    #[must_use]
    pub fn kernel(&self) -> KernelTotals {
        let counts = &self.counters.connections;
        let map_full = sum([counts.map_full, self.counters.processes.map_full]);
        KernelTotals {
            // What a socket that was not remembered, or a hook that was skipped or taken away, would
            // have told, counted once for each.
            seen: sum([
                counts.seen,
                map_full,
                counts.hook_missed,
                counts.hook_detached,
            ]),
            selected_out: counts.selected_out,
            lost: categories([
                ("ring_full", counts.not_received()),
                ("map_full", map_full),
                ("hook_missed", counts.hook_missed),
                ("hook_detached", counts.hook_detached),
                ("output", counts.output),
            ]),
            undecodable: self.processed.undecodable,
            delivered: self.processed.delivered,
        }
    }

    /// `output` of the `stop` record.
    #[must_use]
    pub fn output(&self) -> OutputTotals {
        OutputTotals {
            delivered: self.processed.delivered,
            derived: self.processed.derived,
            suppressed: self.processed.suppressed,
            written: self.processed.written,
            lost: 0,
        }
    }

    /// `processes` of the `stop` record.
    #[must_use]
    pub fn processes(&self) -> ProcessTotals {
        let counts = &self.counters.processes;
        ProcessTotals {
            // Of connections that are not selected nobody is told who holds them.
            seen: sum([
                counts.seen.saturating_sub(counts.selected_out),
                counts.hook_missed,
            ]),
            lost: sum([counts.not_received(), counts.hook_missed, counts.output]),
            undecodable: self.processed.processes_undecodable,
            delivered: self
                .processed
                .processes
                .saturating_sub(self.processed.processes_undecodable),
        }
    }

    /// `own` of the `stop` record.
    #[must_use]
    pub fn own(&self) -> u64 {
        sum([self.counters.connections.own, self.counters.processes.own])
    }

    /// Whether any record was lost.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.kernel().lost.is_empty()
    }
}

fn process_loss(counts: &Counts) -> u64 {
    sum([counts.ring_full, counts.hook_missed, counts.output])
}

/// Counters are read from recordings too, and those may be damaged.
fn sum<const N: usize>(counts: [u64; N]) -> u64 {
    counts.into_iter().fold(0, u64::saturating_add)
}

fn categories<const N: usize>(counts: [(&'static str, u64); N]) -> Lost {
    let lost = counts.into_iter().filter(|(_, count)| *count > 0);
    lost.map(|(category, count)| (category.into(), count))
        .collect()
}
