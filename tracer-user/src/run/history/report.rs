//! `report` of a window.

use std::ops::ControlFlow;

use tracer_core::{record::Record, report::Report};

use super::{Answer, Question, here, stream::records};
use crate::{cli::Window, run::Ending, store::read::Kinds};

/// Tells a report what happened in a window, and whom the host knew before.
pub fn report(
    question: &Question<'_>,
    window: Window,
    report: &mut Report,
) -> anyhow::Result<Ending> {
    let mut answer = Answer::new(question, window.since, window.until)?;
    answer.cover("connection")?;
    let start = answer.start()?;
    report.begin();
    let clock = here();
    for one in &answer.uncovered {
        report.note(&one.sentence(&clock));
    }
    let boot_id = start.boot_id.clone();
    let host = start.head.host.clone();
    report.record(&Record::Start(Box::new(start.clone())));
    report.boot(&boot_id);
    if let Some(since) = window.since {
        for known in answer.history.known_before(since)? {
            report.knew(&host, &known);
        }
    }
    let kinds = Kinds {
        connections: true,
        findings: true,
    };
    records(&mut answer, window.since.is_some(), kinds, &mut |record| {
        report.record(&record);
        Ok(ControlFlow::Continue(()))
    })?;
    report.record(&Record::Stop(Box::new(answer.stop(&start)?)));
    Ok(answer.ending())
}
