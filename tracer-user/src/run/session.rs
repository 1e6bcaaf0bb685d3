//! One run of tracing: from the doors through the pipeline to the sink.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use tracer_core::{
    decode::{decode, kind_of},
    fact::Fact,
    pipeline::Pipeline,
    record::Record,
    recording::Entry,
};
use tracing::warn;

use super::Ending;
use crate::{
    host::{Host, clock::Clock},
    kernel::drain::{Message, Source, frames},
    output::{
        recorder::Recorder,
        sink::{Sink, Written},
    },
};

/// How often the clocks are compared and the addresses of this host are read again.
const REFRESH_INTERVAL: Duration = Duration::from_mins(1);

/// A run.
pub struct Session<S: Source, H: Host, C: Clock, W: Write> {
    /// The kernel.
    pub source: S,
    /// The machine beside it.
    pub host: H,
    /// The clocks.
    pub clock: C,
    /// What makes records of it.
    pub pipeline: Pipeline,
    /// Where they go; `None`: only a recording is made.
    pub sink: Option<Sink<W>>,
    /// Where the recording goes.
    pub recorder: Option<Recorder>,
    /// How long it runs at most.
    pub duration: Option<Duration>,
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
    phase: Phase,
    /// Nobody reads the records any more.
    is_closed: bool,
    /// A recording could not be written.
    has_failed: bool,
    next_refresh: Instant,
}

impl<S: Source, H: Host, C: Clock, W: Write> Session<S, H, C, W> {
    /// Traces until a limit, a signal, or the end of whoever reads. `facts`: how tracing was set up.
    pub fn run(mut self, facts: Vec<Fact>) -> anyhow::Result<Ending> {
        let mut records = Vec::new();
        let mut progress = Progress {
            phase: Phase::Tracing,
            is_closed: false,
            has_failed: false,
            next_refresh: Instant::now() + REFRESH_INTERVAL,
        };
        let begin = self.host.begin();
        for fact in facts.into_iter().chain(begin) {
            self.learn(&fact, &mut records, &mut progress);
        }
        let start_ns = self.clock.boot_ns();
        self.record(&Entry::Start(start_ns), &mut progress);
        self.pipeline.start(start_ns, &mut records);
        self.write(&mut records, &mut progress)?;
        let deadline = self.duration.map(|after| Instant::now() + after);
        while self.step(deadline, &mut records, &mut progress)? {}
        let stop_ns = self.clock.boot_ns();
        self.record(&Entry::Stop(stop_ns), &mut progress);
        self.pipeline.stop(stop_ns, &mut records);
        self.write(&mut records, &mut progress)?;
        Ok(if progress.has_failed {
            Ending::Failed
        } else if self.pipeline.totals().is_complete() {
            Ending::Done
        } else {
            Ending::Incomplete
        })
    }

    /// Deals with one message. Whether there is more to come.
    fn step(
        &mut self,
        deadline: Option<Instant>,
        records: &mut Vec<Record>,
        progress: &mut Progress,
    ) -> anyhow::Result<bool> {
        let left = deadline
            .filter(|_| progress.phase == Phase::Tracing)
            .map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match self.source.next(left) {
            Message::Frames(bytes) => self.frames(&bytes, records, progress)?,
            Message::Counters(time_ns, counters) => {
                self.record(&Entry::Counters(time_ns, counters), progress);
                self.pipeline.count(time_ns, counters, records);
                self.refresh(records, progress);
            }
            Message::Interrupted | Message::TimedOut => self.stop(progress)?,
            Message::Ended => return Ok(false),
        }
        self.write(records, progress)?;
        if self.pipeline.is_full() || progress.is_closed {
            self.stop(progress)?;
        }
        Ok(true)
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
                        if let Some(fact) = self.host.answer(question) {
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

    fn refresh(&mut self, records: &mut Vec<Record>, progress: &mut Progress) {
        if Instant::now() >= progress.next_refresh {
            progress.next_refresh += REFRESH_INTERVAL;
            let anchor = Fact::Clock(self.clock.anchor());
            for fact in [anchor].into_iter().chain(self.host.refresh()) {
                self.learn(&fact, records, progress);
            }
        }
    }

    fn learn(&mut self, fact: &Fact, records: &mut Vec<Record>, progress: &mut Progress) {
        self.record(&Entry::Fact(Box::new(fact.clone())), progress);
        self.pipeline.learn(fact, records);
        if matches!(fact, Fact::Addresses(_))
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
        if let Some(sink) = &mut self.sink
            && !progress.is_closed
            && !records.is_empty()
        {
            let written = sink.write(records, self.pipeline.clock())?;
            progress.is_closed = written == Written::Closed || sink.flush()? == Written::Closed;
        }
        records.clear();
        Ok(())
    }
}

/// Records that are gathered before they are written.
const RECORDS_MAX: usize = 1024;
