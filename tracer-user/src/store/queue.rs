//! What waits to be written, within a bound.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tracer_core::{record::Record, redact::Arguments};
use tracing::error;

use super::{
    book::{Gap, Why},
    retention::Keep,
    row::nanoseconds,
};
use crate::run::LOSS;

/// So many records wait at most. What comes then is counted.
pub const WAITING_MAX: usize = 262_144;
/// So many records are written at once.
const BATCH_MAX: usize = 8192;
/// So long records are gathered before they are written.
const GATHERING: Duration = Duration::from_millis(250);
/// A run is told of at least so often.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A run that was not there for so long was suspended or stopped.
const SILENCE_NS: u64 = 30_000_000_000;

/// What can change while it runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How much is kept, and for how long.
    pub keep: Keep,
    /// What is kept of arguments.
    pub arguments: Arguments,
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Work {
    pub records: Vec<Record>,
    pub gaps: Vec<Gap>,
    pub settings: Option<Settings>,
    /// Nothing follows.
    pub is_last: bool,
}

/// How it stands with what is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Records that wait, those that are being written included.
    pub waiting: usize,
    /// How many of them there can be.
    pub room: usize,
    /// Records that there was no room for, or that could not be written, since the start.
    pub lost: u64,
    /// The first record of the run is on the disk.
    pub has_begun: bool,
    /// What was tried last could not be written.
    pub is_failing: bool,
    /// When whoever writes was there last; `None`: not yet.
    pub heard: Option<Instant>,
}

/// Between the thread that traces and the one that writes.
#[derive(Debug)]
pub struct Queue {
    /// How many records wait at most.
    room: usize,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    records: VecDeque<Record>,
    /// Those that the writer has.
    under_way: usize,
    /// What there was no room for since the last that was written.
    dropped: Option<Gap>,
    gaps: Vec<Gap>,
    settings: Option<Settings>,
    /// What was lost, however long ago.
    lost: u64,
    writing: Writing,
    /// Whoever traces was there since this was asked last; when, in nanoseconds since boot.
    is_alive: bool,
    alive_ns: Option<u64>,
    is_over: bool,
}

/// How far whoever writes has come.
#[derive(Debug, Default)]
struct Writing {
    /// The first record of the run is written.
    has_begun: bool,
    /// What was tried last could not be written.
    is_failing: bool,
    /// When it was there last.
    heard: Option<Instant>,
}

impl Queue {
    /// One in which so many records wait at most.
    pub fn new(room: usize) -> Self {
        Self {
            room,
            waiting: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// How many records wait at most.
    pub fn room(&self) -> usize {
        self.room
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes records, as far as there is room. `boot_ns`, `now`: what the clocks say.
    pub fn add(&self, records: &[Record], boot_ns: u64, now: i64) {
        let mut waiting = self.lock();
        waiting.notice_silence(boot_ns, now);
        for record in records {
            waiting.add(record, self.room);
        }
        drop(waiting);
        self.changed.notify_all();
    }

    /// Other settings are to be used.
    pub fn change(&self, settings: Settings) {
        self.lock().settings = Some(settings);
        self.changed.notify_all();
    }

    /// Nothing follows.
    pub fn end(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    /// Nothing follows, and it has been said.
    pub fn is_over(&self) -> bool {
        self.lock().is_over
    }

    /// Whether something was lost.
    pub fn has_lost(&self) -> bool {
        self.lock().lost > 0
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let waiting = self.lock();
        Standing {
            waiting: waiting.records.len() + waiting.under_way,
            room: self.room,
            lost: waiting.lost,
            has_begun: waiting.writing.has_begun,
            is_failing: waiting.writing.is_failing,
            heard: waiting.writing.heard,
        }
    }

    /// The first record of the run is written. Whether that is news.
    pub fn begin(&self) -> bool {
        !std::mem::replace(&mut self.lock().writing.has_begun, true)
    }

    /// Whether writing fails from here on. Whether that is news.
    pub fn set_failing(&self, is_failing: bool) -> bool {
        std::mem::replace(&mut self.lock().writing.is_failing, is_failing) != is_failing
    }

    /// Whether whoever traces was there since this was asked last.
    pub fn was_alive(&self) -> bool {
        std::mem::take(&mut self.lock().is_alive)
    }

    /// What is to be written next; waits for it, but not for longer than until the next heartbeat. `is_busy`:
    /// there is something else to do.
    pub fn next(&self, is_busy: bool) -> Work {
        let begun = Instant::now();
        let mut waiting = self.lock();
        loop {
            let is_due = is_busy
                || waiting.is_over
                || waiting.settings.is_some()
                || waiting.records.len() >= BATCH_MAX;
            let patience = if is_due {
                Duration::ZERO
            } else if waiting.records.is_empty() {
                HEARTBEAT
            } else {
                GATHERING
            };
            let left = patience.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return waiting.take();
            }
            waiting = self
                .changed
                .wait_timeout(waiting, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits before something is tried again.
    pub fn pause(&self, time: Duration) {
        let mut waiting = self.lock();
        waiting.writing.heard = Some(Instant::now());
        let is_going_on = |waiting: &mut Waiting| !waiting.is_over;
        let _ = self.changed.wait_timeout_while(waiting, time, is_going_on);
    }

    /// What was taken is written. How many records there was no room for before, where that is over.
    pub fn written(&self, work: &Work) -> Option<u64> {
        let mut waiting = self.lock();
        waiting.under_way = 0;
        let dropped = work.gaps.iter().filter(|gap| gap.why == Why::Dropped);
        let dropped: u64 = dropped.map(|gap| gap.dropped).sum();
        (dropped > 0 && waiting.dropped.is_none()).then_some(dropped)
    }

    /// What was taken cannot be written. It is counted.
    pub fn lost(&self, work: &Work) {
        let mut waiting = self.lock();
        waiting.under_way = 0;
        for record in &work.records {
            waiting.lose(record);
        }
        let gaps = work.gaps.iter().copied();
        waiting.gaps.extend(gaps);
    }

    /// What there is no more time for. How many records that are.
    pub fn abandon(&self, work: &Work) -> usize {
        let mut waiting = self.lock();
        let abandoned = waiting.records.len() + work.records.len();
        waiting.lost = waiting.lost.saturating_add(abandoned as u64);
        waiting.records.clear();
        waiting.under_way = 0;
        abandoned
    }
}

impl Waiting {
    fn add(&mut self, record: &Record, room: usize) {
        let is_of_run = matches!(record, Record::Start(_) | Record::Stop(_));
        if self.records.len() + self.under_way < room || is_of_run {
            self.records.push_back(record.clone());
            return;
        }
        if self.dropped.is_none() {
            error!(
                target: LOSS,
                "records are being lost: history: {room} wait to be written, and there is no room for more"
            );
        }
        self.lose(record);
    }

    fn lose(&mut self, record: &Record) {
        self.lost += 1;
        let time = nanoseconds(&record.head().time);
        let gap = self.dropped.get_or_insert(Gap {
            why: Why::Dropped,
            since: time,
            until: time,
            dropped: 0,
        });
        gap.since = gap.since.min(time);
        gap.until = gap.until.max(time);
        gap.dropped += 1;
    }

    fn notice_silence(&mut self, boot_ns: u64, now: i64) {
        self.is_alive = true;
        let Some(before) = self.alive_ns.replace(boot_ns) else {
            return;
        };
        let silence = boot_ns.saturating_sub(before);
        if silence > SILENCE_NS {
            self.gaps.push(Gap {
                why: Why::Silent,
                since: now.saturating_sub(i64::try_from(silence).unwrap_or(i64::MAX)),
                until: now,
                dropped: 0,
            });
        }
    }

    fn take(&mut self) -> Work {
        self.writing.heard = Some(Instant::now());
        let count = self.records.len().min(BATCH_MAX);
        let records: Vec<Record> = self.records.drain(..count).collect();
        self.under_way = records.len();
        // What was dropped came behind what still waits.
        let dropped = if self.records.is_empty() {
            self.dropped.take()
        } else {
            None
        };
        Work {
            records,
            gaps: self.gaps.drain(..).chain(dropped).collect(),
            settings: self.settings.take(),
            is_last: self.is_over && self.records.is_empty(),
        }
    }
}
