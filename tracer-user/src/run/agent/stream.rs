//! What an agent tells while it keeps: a selection of its records, as lines of JSON on stdout.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tracer_core::{
    clock::Clock,
    format::Bounded,
    record::{Event, Head, Loss, Record, Stop, Word},
    redact::Arguments,
    select::{Following, Selection},
};
use tracing::{error, warn};

use crate::{
    output::{
        lines::Lines,
        pipe::{Offered, Pipe},
        sink::{RecordSink, Written},
    },
    run::{LOSS, NOTES},
};

/// What passes logs of containers on splits lines that are longer (CRI: 16 KiB with what it adds).
const LINE_MAX: usize = (16 << 10) - 256;
/// How many bytes wait for whoever reads stdout.
const ROOM: usize = 8 << 20;

/// Writes what is selected of the records. It never waits for whoever reads.
pub struct Stream {
    selected: Following,
    lines: Lines,
    pipe: Pipe,
    suppressed: u64,
    /// Of what was written, what says that records were lost.
    losses: u64,
    /// What there was no room for since a line was taken last.
    gap: Option<Gap>,
    handle: Handle,
}

/// Records that were lost one after the other.
struct Gap {
    /// When the first of them was.
    since: String,
    records: u64,
}

/// What remains when the stream is handed over.
#[derive(Clone, Debug, Default)]
pub struct Handle(Arc<Standing>);

/// How it stands with the stream.
#[derive(Debug, Default)]
struct Standing {
    written: AtomicU64,
    lost: AtomicU64,
    /// Not all was read in the end.
    is_cut: AtomicBool,
}

impl Handle {
    /// Records that were written, or wait for whoever reads.
    pub fn written(&self) -> u64 {
        self.0.written.load(Ordering::Relaxed)
    }

    /// Records that there was no room for.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Whether something that was selected was not written.
    pub fn has_lost(&self) -> bool {
        self.lost() > 0 || self.0.is_cut.load(Ordering::Relaxed)
    }
}

impl Stream {
    /// Starts to write.
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn start(selection: Selection, arguments: Arguments) -> anyhow::Result<Self> {
        let pipe = Pipe::start(std::io::stdout(), "stdout", ROOM)?;
        let format = Bounded { line_max: LINE_MAX };
        Ok(Self {
            selected: Following::new(selection),
            lines: Lines::new(Box::new(format), arguments),
            pipe,
            suppressed: 0,
            losses: 0,
            gap: None,
            handle: Handle::default(),
        })
    }

    /// What remains when it is handed over.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Writes a record, if it is selected and there is room for it.
    fn record(&mut self, record: &Record, clock: &Clock) -> Written {
        if !self.selected.keeps(record) {
            self.suppressed += 1;
            return Written::All;
        }
        let is_of_run = matches!(record, Record::Start(_) | Record::Stop(_));
        // Else each line that is read would be followed by one that says what was lost meanwhile.
        if self.gap.is_some() && !is_of_run && !self.pipe.has_drained() {
            self.lose(record.head());
            return Written::All;
        }
        if self.tell_gap(record.head(), is_of_run, clock) == Offered::Closed {
            return Written::Closed;
        }
        let mut told = record.clone();
        match &mut told {
            Record::Start(start) => start.filter = self.selected.selection().describe(false),
            Record::Stop(stop) => self.sum_up(stop),
            _ => {}
        }
        match self.write(told, is_of_run, clock) {
            Offered::Taken => {}
            Offered::Full => self.lose(record.head()),
            Offered::Closed => return Written::Closed,
        }
        Written::All
    }

    /// Says how many records were lost, as soon as there is room for that.
    fn tell_gap(&mut self, next: &Head, insists: bool, clock: &Clock) -> Offered {
        let Some(gap) = &self.gap else {
            return Offered::Taken;
        };
        let loss = Loss {
            head: Head {
                event: Event::Loss,
                ..next.clone()
            },
            lost: BTreeMap::from([(Word::Borrowed("output"), gap.records)]),
            detached: Vec::new(),
            since: gap.since.clone(),
        };
        let offered = self.write(Record::Loss(Box::new(loss)), insists, clock);
        if offered == Offered::Taken {
            self.losses += 1;
            self.gap = None;
        }
        offered
    }

    /// Writes a line; where it insists, there is room.
    fn write(&mut self, mut record: Record, insists: bool, clock: &Clock) -> Offered {
        record.number(self.handle.written() + 1);
        let line = self.lines.of(&record, clock);
        let offered = if insists {
            self.pipe.insist(line)
        } else {
            self.pipe.offer(line)
        };
        if offered == Offered::Taken {
            self.handle.0.written.fetch_add(1, Ordering::Relaxed);
        }
        offered
    }

    fn lose(&mut self, head: &Head) {
        self.handle.0.lost.fetch_add(1, Ordering::Relaxed);
        let gap = self.gap.get_or_insert_with(|| {
            error!(
                target: LOSS,
                "records are being lost: output: whoever reads stdout is too slow; the history has them"
            );
            Gap {
                since: head.time.clone(),
                records: 0,
            }
        });
        gap.records += 1;
    }

    /// Makes totals of the agent those of the stream, whose last record has them.
    fn sum_up(&self, stop: &mut Stop) {
        let output = &mut stop.output;
        output.derived += self.losses;
        output.suppressed += self.suppressed;
        output.lost = self.handle.lost();
        output.written = self.handle.written() + 1;
    }
}

impl RecordSink for Stream {
    fn take(&mut self, records: &[Record], clock: &Clock) -> anyhow::Result<Written> {
        for record in records {
            if self.record(record, clock) == Written::Closed {
                warn!(target: NOTES, "nobody reads stdout any more: the stream ends, the history goes on");
                return Ok(Written::Closed);
            }
        }
        Ok(Written::All)
    }

    fn end(&mut self) -> anyhow::Result<Written> {
        let left = self.pipe.end();
        if left > 0 {
            self.handle.0.is_cut.store(true, Ordering::Relaxed);
            error!(target: LOSS, "records were lost: output: {left} bytes of the stream were not read in time");
        }
        Ok(Written::All)
    }
}
