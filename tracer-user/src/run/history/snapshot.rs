//! `snapshot` of a moment.

use jiff::SignedDuration;
use tracer_core::{history::Span, record::Record};

use super::{Answer, Question, now, stream::Out};
use crate::{cli::When, output::sink::RecordSink, run::Ending};

/// Lists what was open at a moment.
pub fn snapshot(
    question: &Question<'_>,
    at: Option<When>,
    sink: impl FnOnce() -> anyhow::Result<Box<dyn RecordSink>>,
) -> anyhow::Result<Ending> {
    let now = now();
    let at = match at {
        Some(at) => at.resolve(&now)?,
        None => now.timestamp(),
    };
    let moment = Span {
        since: at,
        until: at + SignedDuration::from_nanos(1),
    };
    let mut answer = Answer::new(question, Some(moment.since), Some(moment.until))?;
    let mut out = Out::new(sink()?);
    answer.lacks_what_was_removed("connection")?;
    answer.say_what_is_uncovered();
    let start = answer.start()?;
    out.write(Record::Start(Box::new(start.clone())))?;
    for record in answer.history.open_at(&answer.runs, at)? {
        let record = Record::Connection(Box::new(record));
        if answer.chosen.keeps(&record) {
            out.write(record)?;
        }
    }
    out.write(Record::Stop(Box::new(answer.stop(&start)?)))?;
    out.end()?;
    Ok(answer.ending())
}
