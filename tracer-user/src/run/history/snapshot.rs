//! `snapshot` of a moment.

use jiff::{SignedDuration, Zoned};
use tracer_core::record::Record;

use super::{Answer, Question, stream::Out};
use crate::{cli::When, output::sink::RecordSink, run::Ending};

/// Lists what was open at a moment: at the last that the history knows, if none is named.
pub fn snapshot(
    question: &Question<'_>,
    at: Option<When>,
    sink: impl FnOnce() -> anyhow::Result<Box<dyn RecordSink>>,
) -> anyhow::Result<Ending> {
    let moment = SignedDuration::from_nanos(1);
    let at = at.map(|at| at.resolve(&Zoned::now())).transpose()?;
    let mut answer = Answer::new(question, at, at.map(|at| at + moment))?;
    let at = answer.span.until - moment;
    answer.span.since = at;
    let mut out = Out::new(sink()?);
    answer.cover("connection")?;
    answer.say_what_is_uncovered();
    let start = answer.start()?;
    out.write(Record::Start(Box::new(start.clone())))?;
    for record in answer.history.open_at(&answer.runs, at)? {
        let mut record = Record::Connection(Box::new(record));
        if answer.chosen.keeps(&mut record) {
            out.write(record)?;
        }
    }
    out.write(Record::Stop(Box::new(answer.stop(&start)?)))?;
    out.end()?;
    Ok(answer.ending())
}
