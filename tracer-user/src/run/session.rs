//! One run of tracing: from the doors through the pipeline to the sink.

use std::time::{Duration, Instant};

use tracer_core::{
    decode::{decode, kind_of},
    discovery::Elements,
    fact::Fact,
    pipeline::Pipeline,
    record::Record,
    recording::Entry,
};
use tracing::{info, warn};

use super::{Ending, NOTES, enrich::Enriching, told::Told};
use crate::{
    host::{Host, clock::Clock, namespaces::Namespace},
    kernel::source::{Message, Source, frames},
    output::{
        recorder::Recorder,
        sink::{RecordSink, Written},
    },
};

/// How often the clocks are compared, the addresses of this host are read again and totals are told.
const REFRESH_INTERVAL: Duration = Duration::from_mins(1);

/// How long what was there before waits to be told with what takes its time to be found out: some of it
/// is told only once.
const SURVEY_PATIENCE: Duration = Duration::from_secs(5);

/// A run.
pub struct Session<S: Source, H: Host, C: Clock> {
    /// The kernel.
    pub source: S,
    /// The machine beside it.
    pub host: H,
    /// The clocks.
    pub clock: C,
    /// What makes records of it.
    pub pipeline: Pipeline,
    /// Where they go; `None`: only a recording is made.
    pub sink: Option<Box<dyn RecordSink>>,
    /// Where the recording goes.
    pub recorder: Option<Recorder>,
    /// The network namespaces whose sockets are looked at.
    pub namespaces: Vec<Namespace>,
    /// When it ends, if nobody ends it.
    pub until: Until,
    /// How often open connections are updated; `None`: never.
    pub update_interval: Option<Duration>,
    /// Reads what is configured again; `None`: that cannot be asked for.
    pub reload: Option<Box<dyn Reload>>,
    /// What files say of other hosts, which may change.
    pub enriching: Enriching,
}

/// Reads what is configured again.
pub trait Reload {
    /// What is to be used from here on.
    fn read(&mut self) -> anyhow::Result<Change>;

    /// It is used.
    fn done(&mut self);
}

/// What can change while a run goes on.
pub struct Change {
    /// What was declared.
    pub facts: Vec<Fact>,
    /// By what it is judged who looks at connections.
    pub elements: Elements,
}

/// When a run ends, if nobody ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Never.
    Interrupted,
    /// After some time.
    After(Duration),
    /// When all of what was there before has been told.
    Surveyed,
}

impl Until {
    /// After some time, or never.
    pub fn after(duration: Option<impl Into<Duration>>) -> Self {
        duration.map_or(Self::Interrupted, |duration| Self::After(duration.into()))
    }
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Tracing,
    /// The kernel was told to stop; what is left is still processed.
    Stopping,
}

/// The state of a run while it runs.
struct Progress {
    /// What was said of it beside its records.
    told: Told,
    phase: Phase,
    /// Nobody reads the records any more.
    is_closed: bool,
    /// A recording could not be written.
    has_failed: bool,
    next_refresh: Instant,
    next_update: Option<Instant>,
    deadline: Option<Instant>,
}

impl Progress {
    /// How long to wait for a message at most.
    fn time_left(&self) -> Option<Duration> {
        let next = [self.deadline, self.next_update]
            .into_iter()
            .flatten()
            .min();
        next.filter(|_| self.phase == Phase::Tracing)
            .map(|next| next.saturating_duration_since(Instant::now()))
    }
}

impl<S: Source, H: Host, C: Clock> Session<S, H, C> {
    /// Traces until a limit, a signal, or the end of whoever reads. `facts`: how tracing was set up.
    pub fn run(mut self, facts: Vec<Fact>) -> anyhow::Result<Ending> {
        let mut records = Vec::new();
        let mut progress = Progress {
            told: Told::default(),
            phase: Phase::Tracing,
            is_closed: false,
            has_failed: false,
            next_refresh: Instant::now() + REFRESH_INTERVAL,
            next_update: self.update_interval.map(|after| Instant::now() + after),
            deadline: None,
        };
        let begin = self.host.begin();
        for fact in facts.into_iter().chain(begin) {
            self.learn(&fact, &mut records, &mut progress);
        }
        let start_ns = self.clock.boot_ns();
        self.record(&Entry::Start(start_ns), &mut progress);
        self.pipeline.start(start_ns, &mut records);
        self.write(&mut records, &mut progress)?;
        self.source.survey(std::mem::take(&mut self.namespaces));
        if let Until::After(duration) = self.until {
            progress.deadline = Some(Instant::now() + duration);
        }
        while self.step(&mut records, &mut progress)? {}
        let stop_ns = self.clock.boot_ns();
        self.record(&Entry::Stop(stop_ns), &mut progress);
        self.pipeline.stop(stop_ns, &mut records);
        self.write(&mut records, &mut progress)?;
        if let Some(sink) = &mut self.sink
            && !progress.is_closed
        {
            sink.end()?;
        }
        if let Some(recorder) = &self.recorder {
            let hash = recorder.last_hash();
            info!(target: NOTES, "the recording ends with the hash {hash}");
        }
        Ok(if progress.has_failed {
            Ending::Failed
        } else {
            Ending::of(&self.pipeline)
        })
    }

    /// Deals with one message. Whether there is more to come.
    fn step(&mut self, records: &mut Vec<Record>, progress: &mut Progress) -> anyhow::Result<bool> {
        self.keep_time(progress)?;
        self.learn_late(Duration::ZERO, records, progress);
        match self.source.next(progress.time_left()) {
            Message::Frames(bytes) => self.frames(&bytes, records, progress)?,
            Message::Detached(detached) => {
                self.learn(&Fact::Detached(detached), records, progress);
            }
            Message::Counters(time_ns, counters) => {
                self.record(&Entry::Counters(time_ns, counters), progress);
                self.pipeline.count(time_ns, counters, records);
                if let Some(sink) = &mut self.sink {
                    sink.totals(self.pipeline.totals());
                }
                self.refresh(records, progress);
                if progress.phase == Phase::Tracing {
                    self.source.sweep();
                }
            }
            Message::Surveyed(time_ns) => {
                self.learn_late(SURVEY_PATIENCE, records, progress);
                if progress.phase == Phase::Tracing {
                    self.cross_check(records, progress);
                }
                self.record(&Entry::Surveyed(time_ns), progress);
                self.pipeline.surveyed(records);
                self.write(records, progress)?;
                if let Some(sink) = &mut self.sink {
                    sink.surveyed();
                }
                if self.until == Until::Surveyed {
                    self.stop(progress)?;
                }
            }
            Message::Interrupted => self.stop(progress)?,
            Message::Reload => self.reload(records, progress),
            Message::TimedOut => {}
            Message::Ended => return Ok(false),
        }
        self.write(records, progress)?;
        if self.pipeline.is_full() || progress.is_closed {
            self.stop(progress)?;
        }
        Ok(true)
    }

    /// Learns what took its time to be found out.
    fn learn_late(
        &mut self,
        patience: Duration,
        records: &mut Vec<Record>,
        progress: &mut Progress,
    ) {
        for fact in self.host.late(patience) {
            self.learn(&fact, records, progress);
        }
    }

    /// Compares what was found with what others list, if that is asked for.
    fn cross_check(&mut self, records: &mut Vec<Record>, progress: &mut Progress) {
        let Some(check) = self.source.cross_check() else {
            return;
        };
        for sentence in &check.not_compared {
            warn!("cross-check: {sentence}");
        }
        for question in self.pipeline.questions_of(&check) {
            for fact in self.host.answer(question) {
                self.learn(&fact, records, progress);
            }
        }
        self.learn(&Fact::CrossCheck(check), records, progress);
    }

    /// Goes on by what is configured now. What makes no sense changes nothing.
    fn reload(&mut self, records: &mut Vec<Record>, progress: &mut Progress) {
        let Some(mut reload) = self.reload.take() else {
            return;
        };
        match reload.read() {
            Ok(change) => {
                for fact in &change.facts {
                    self.learn(fact, records, progress);
                }
                self.pipeline.judge_by(change.elements);
            }
            Err(error) => warn!("{error:#}; what was configured before goes on"),
        }
        reload.done();
        self.reload = Some(reload);
    }

    /// Does what is due.
    fn keep_time(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| Instant::now() >= at);
        if is_due(progress.next_update) && progress.phase == Phase::Tracing {
            progress.next_update = self.update_interval.map(|after| Instant::now() + after);
            self.source.update();
        }
        if is_due(progress.deadline) {
            self.stop(progress)?;
        }
        Ok(())
    }

    fn stop(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        if progress.phase == Phase::Tracing {
            progress.phase = Phase::Stopping;
            self.source.stop()?;
        }
        Ok(())
    }

    fn frames(
        &mut self,
        bytes: &[u8],
        records: &mut Vec<Record>,
        progress: &mut Progress,
    ) -> anyhow::Result<()> {
        for bytes in frames(bytes) {
            match decode(bytes) {
                Ok(frame) => {
                    for question in self.pipeline.questions(&frame) {
                        for fact in self.host.answer(question) {
                            self.learn(&fact, records, progress);
                        }
                    }
                    self.record(&Entry::Frame(bytes), progress);
                    self.pipeline.frame(frame, records);
                }
                Err(error) => {
                    warn!("a frame from the kernel makes no sense: {error}");
                    self.record(&Entry::Frame(bytes), progress);
                    self.pipeline.undecodable(kind_of(bytes));
                }
            }
            if records.len() >= RECORDS_MAX {
                self.write(records, progress)?;
            }
        }
        Ok(())
    }

    /// Goes on by what files say now of other hosts.
    fn enrich(&mut self) {
        let Some(now) = self.enriching.changed() else {
            return;
        };
        self.pipeline.enrich(now);
        if let Err(error) = self.source.select(self.pipeline.compiled()) {
            warn!("the kernel half goes on with the indicators that were: {error:#}");
        }
    }

    fn refresh(&mut self, records: &mut Vec<Record>, progress: &mut Progress) {
        self.enrich();
        if Instant::now() >= progress.next_refresh {
            progress.next_refresh += REFRESH_INTERVAL;
            progress.told.totals(self.pipeline.totals());
            let anchor = Fact::Clock(self.clock.anchor());
            for fact in [anchor].into_iter().chain(self.host.refresh()) {
                self.learn(&fact, records, progress);
            }
        }
    }

    fn learn(&mut self, fact: &Fact, records: &mut Vec<Record>, progress: &mut Progress) {
        self.record(&Entry::Fact(Box::new(fact.clone())), progress);
        self.pipeline.learn(fact, records);
        if matches!(fact, Fact::Addresses(_) | Fact::Networks(_))
            && let Err(error) = self.source.select(self.pipeline.compiled())
        {
            warn!("the kernel half goes on with the addresses that were: {error:#}");
        }
    }

    /// Writes to the recording. One that cannot be written ends there; tracing goes on.
    fn record(&mut self, entry: &Entry<'_>, progress: &mut Progress) {
        let result = self.recorder.as_mut().map(|recorder| recorder.entry(entry));
        self.check_recording(result, progress);
    }

    fn check_recording(&mut self, result: Option<anyhow::Result<()>>, progress: &mut Progress) {
        if let Some(Err(error)) = result {
            self.recorder = None;
            progress.has_failed = true;
            tracing::error!("{error:#}; the recording ends here, tracing goes on");
            if self.sink.is_none() {
                progress.is_closed = true;
            }
        }
    }

    /// Writes the records.
    fn write(&mut self, records: &mut Vec<Record>, progress: &mut Progress) -> anyhow::Result<()> {
        let result = self.recorder.as_mut().map(Recorder::flush);
        self.check_recording(result, progress);
        progress.told.records(records);
        if let Some(sink) = &mut self.sink
            && !progress.is_closed
        {
            let written = sink.take(records, self.pipeline.clock())?;
            progress.is_closed = written == Written::Closed;
        }
        records.clear();
        Ok(())
    }
}

/// Records that are gathered before they are written.
const RECORDS_MAX: usize = 1024;
