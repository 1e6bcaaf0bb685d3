//! `hosts` of a window.

use tracer_core::{
    hosts::Hosts,
    record::{Connection, Record},
};

use super::{Answer, Chosen, Question, now};
use crate::{cli::HistoryArgs, run::Ending};

/// Sums up who communicated in a window.
pub fn hosts(
    question: &Question<'_>,
    args: &HistoryArgs,
    hosts: &mut Hosts,
) -> anyhow::Result<Ending> {
    let window = args.window.resolve(&now())?;
    let mut answer = Answer::new(question, window.since, window.until)?;
    let start = answer.start()?;
    hosts.begin();
    hosts.record(&Record::Start(Box::new(start.clone())));
    let mut run_before = None;
    let chosen = &mut answer.chosen;
    answer
        .history
        .spans(&answer.runs, answer.span, &mut |run, told| {
            if run_before != Some(run.number()) {
                hosts.boot(&run.boot_id);
                run_before = Some(run.number());
            }
            // What is asked for is a connection: one of its records says so for all.
            if told.iter().any(|record| keeps(chosen, record)) {
                for record in told {
                    hosts.record(&Record::Connection(Box::new(record)));
                }
            }
        })?;
    hosts.record(&Record::Stop(Box::new(answer.stop(&start)?)));
    Ok(answer.ending())
}

fn keeps(chosen: &mut Chosen, record: &Connection) -> bool {
    chosen.keeps(&Record::Connection(Box::new(record.clone())))
}
