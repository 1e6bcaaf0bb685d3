//! `trace` and `discovery` of a window.

use std::ops::ControlFlow;

use jiff::Zoned;
use tracer_core::{clock::Clock, record::Record};

use super::{Answer, Question, here};
use crate::{
    cli::HistoryArgs,
    output::sink::{RecordSink, Written},
    run::Ending,
    store::read::Kinds,
};

/// Records that are written at once.
const RECORDS_MAX: usize = 1024;

/// Which records of a window are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Of which kinds.
    pub kinds: Kinds,
    /// So many about connections at most.
    pub count: Option<u64>,
}

/// Writes the records of a window to a sink, which is made once it is known that there is something to
/// read.
pub fn stream<'a>(
    question: &Question<'_>,
    args: &HistoryArgs,
    wanted: Wanted,
    sink: impl FnOnce() -> anyhow::Result<Box<dyn RecordSink + 'a>>,
) -> anyhow::Result<Ending> {
    let window = args.window.resolve(&Zoned::now())?;
    let mut answer = Answer::new(question, window.since, window.until)?;
    let mut out = Out::new(sink()?);
    let what = if wanted.kinds.connections {
        "connection"
    } else {
        "other"
    };
    answer.cover(what)?;
    answer.say_what_is_uncovered();
    let start = answer.start()?;
    out.write(Record::Start(Box::new(start.clone())))?;
    let mut left = wanted.count;
    records(
        &mut answer,
        window.since.is_some(),
        wanted.kinds,
        &mut |record| {
            let is_of_connection = matches!(record, Record::Connection(_));
            out.write(record)?;
            left = left.map(|left| left.saturating_sub(u64::from(is_of_connection)));
            Ok(if out.is_closed || left == Some(0) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        },
    )?;
    out.write(Record::Stop(Box::new(answer.stop(&start)?)))?;
    out.end()?;
    Ok(answer.ending())
}

/// Hands over the records that were asked for, until nobody wants more.
pub fn records(
    answer: &mut Answer,
    has_begin: bool,
    kinds: Kinds,
    take: &mut dyn FnMut(Record) -> anyhow::Result<ControlFlow<()>>,
) -> anyhow::Result<()> {
    let chosen = &mut answer.chosen;
    // What was open then comes first, as what is open now does where one begins to look.
    if has_begin && kinds.connections {
        for record in answer.history.open_before(&answer.runs, answer.span)? {
            let mut record = Record::Connection(Box::new(record));
            if chosen.keeps(&mut record) && take(record)?.is_break() {
                return Ok(());
            }
        }
    }
    answer
        .history
        .stream(answer.span, kinds, &mut |mut record| {
            if chosen.keeps(&mut record) {
                take(record)
            } else {
                Ok(ControlFlow::Continue(()))
            }
        })
}

/// Where records go, numbered.
pub struct Out<'a> {
    sink: Box<dyn RecordSink + 'a>,
    clock: Clock,
    records: Vec<Record>,
    seq: u64,
    /// Nobody reads any more.
    is_closed: bool,
}

impl<'a> Out<'a> {
    /// Nothing is written yet.
    pub fn new(sink: Box<dyn RecordSink + 'a>) -> Self {
        Self {
            sink,
            clock: here(),
            records: Vec::new(),
            seq: 0,
            is_closed: false,
        }
    }

    /// Writes a record.
    pub fn write(&mut self, mut record: Record) -> anyhow::Result<()> {
        self.seq += 1;
        record.number(self.seq);
        self.records.push(record);
        if self.records.len() >= RECORDS_MAX {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        if !self.is_closed {
            let written = self.sink.take(&self.records, &self.clock)?;
            self.is_closed = written == Written::Closed;
        }
        self.records.clear();
        Ok(())
    }

    /// No record follows.
    pub fn end(&mut self) -> anyhow::Result<()> {
        self.flush()?;
        if !self.is_closed {
            self.sink.end()?;
        }
        Ok(())
    }
}
