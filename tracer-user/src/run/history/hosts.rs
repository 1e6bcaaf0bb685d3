//! `hosts` of a window.

use jiff::Zoned;
use tracer_core::{hosts::Hosts, record::Record};

use super::{Answer, Question};
use crate::{cli::HistoryArgs, run::Ending};

/// Sums up who communicated in a window.
pub fn hosts(
    question: &Question<'_>,
    args: &HistoryArgs,
    hosts: &mut Hosts,
) -> anyhow::Result<Ending> {
    let window = args.window.resolve(&Zoned::now())?;
    let mut answer = Answer::new(question, window.since, window.until)?;
    let is_summed = answer.sums_up()?;
    answer.cover(if is_summed { "86400" } else { "connection" })?;
    let start = answer.start()?;
    hosts.begin();
    hosts.record(&Record::Start(Box::new(start.clone())));
    if is_summed {
        sums(&mut answer, hosts);
    } else {
        details(&mut answer, hosts)?;
    }
    hosts.record(&Record::Stop(Box::new(answer.stop(&start)?)));
    Ok(answer.ending())
}

/// By every connection of the window.
fn details(answer: &mut Answer, hosts: &mut Hosts) -> anyhow::Result<()> {
    let mut run_before = None;
    let chosen = &mut answer.chosen;
    let (runs, span) = (&answer.runs, answer.span);
    answer.history.spans(runs, span, &mut |run, told| {
        if run_before != Some(run.number()) {
            hosts.boot(&run.boot_id);
            run_before = Some(run.number());
        }
        let mut told: Vec<Record> = told
            .into_iter()
            .map(|record| Record::Connection(Box::new(record)))
            .collect();
        // What is asked for is a connection: one of its records says so for all.
        if told.iter_mut().any(|record| chosen.keeps(record)) {
            for record in &told {
                hosts.record(record);
            }
        }
    })
}

/// By what was summed up of it.
fn sums(answer: &mut Answer, hosts: &mut Hosts) {
    let host = answer.history.host().clone();
    for sum in std::mem::take(&mut answer.sums) {
        if answer.chosen.keeps_sum(&sum) {
            hosts.sum(&host, sum);
        }
    }
}
