//! What the run came to so far, kept by a sink for whoever asks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use jiff::Timestamp;
use tracer_core::{
    clock::Clock,
    fact::Hook,
    record::{Event, Record},
    totals::{Lost, Totals},
};

use super::beat::Beat;
use crate::output::sink::{RecordSink, Written};

/// What the run came to so far.
#[derive(Clone, Debug)]
pub struct Account {
    /// When the agent began.
    pub started: Timestamp,
    /// The same by the clock that nobody sets.
    pub since: Instant,
    /// The thread that traces.
    pub tracing: Beat,
    /// How tracing was set up, once it was.
    pub attached: Option<Attached>,
    /// No record follows.
    pub is_ending: bool,
    /// Event → records of it.
    pub events: BTreeMap<&'static str, u64>,
    /// What was told as lost.
    pub lost: Lost,
    /// What the kernel half and the pipeline have counted.
    pub totals: Totals,
}

/// How tracing was set up.
#[derive(Clone, Debug)]
pub struct Attached {
    /// Which hook reports which fact.
    pub hooks: Vec<Hook>,
    /// How many things the kernel kept us from doing.
    pub degraded: usize,
}

impl Account {
    /// Of a run that is yet to begin.
    pub fn new(now: Instant) -> Self {
        let of_run = [Event::Start, Event::Loss, Event::Stop];
        let events = Event::SELECTABLE.into_iter().chain(of_run);
        Self {
            started: Timestamp::now(),
            since: now,
            tracing: Beat::expected(now),
            attached: None,
            is_ending: false,
            // A counter that is not there yet cannot be told from one that nobody has.
            events: events.map(|event| (event.word(), 0)).collect(),
            lost: Lost::new(),
            totals: Totals::default(),
        }
    }

    fn take(&mut self, records: &[Record], now: Instant) {
        self.tracing = Beat::heard(now);
        for record in records {
            *self.events.entry(record.head().event.word()).or_default() += 1;
            match record {
                Record::Start(start) => {
                    self.attached = Some(Attached {
                        hooks: start.hooks.clone(),
                        degraded: start.degraded.len(),
                    });
                }
                Record::Loss(loss) => {
                    for (category, count) in &loss.lost {
                        let known = self.lost.entry(category.clone()).or_default();
                        *known = known.saturating_add(*count);
                    }
                }
                Record::Connection(_)
                | Record::Socket(_)
                | Record::Discovery(_)
                | Record::Stop(_) => {}
            }
        }
    }
}

/// The account, where one thread keeps it and another reads it.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Mutex<Account>>);

impl Shared {
    /// The account of a run that is yet to begin.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Account::new(Instant::now()))))
    }

    /// The account as it is now.
    pub fn read(&self) -> Account {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecordSink for Shared {
    fn take(&mut self, records: &[Record], _: &Clock) -> anyhow::Result<Written> {
        self.lock().take(records, Instant::now());
        Ok(Written::All)
    }

    fn totals(&mut self, totals: &Totals) {
        self.lock().totals = totals.clone();
    }

    fn end(&mut self) -> anyhow::Result<Written> {
        self.lock().is_ending = true;
        Ok(Written::All)
    }
}
