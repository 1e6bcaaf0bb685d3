//! `conntracer trace`

use super::{
    Ending,
    enrich::Enriching,
    history::{self, Question, Wanted},
    live::{self, Live, Output, Recording, Updates},
    session::Until,
};
use crate::{
    cli::{Config, TraceArgs, check_findings, not_of_a_history},
    kernel::ladder::Fact,
    store::read::Kinds,
};

/// Traces live.
pub fn run(args: &TraceArgs) -> anyhow::Result<Ending> {
    let config = args.live.config.load()?;
    let discovery = args.findings.elements(&args.show.selection, &config);
    check_findings(args.show.output.output, discovery.as_ref())?;
    if args.history.is_given() {
        return before(args, &config, discovery.is_some());
    }
    live::run(Live {
        facts: &Fact::ALL,
        selection: &args.show.selection,
        enriching: Enriching::new(&config.enrich(&args.enrich))?,
        networks: &args.show.networks,
        config: &config,
        output: Output::Shown(&args.show.output, &args.table, &args.format),
        kernel: &args.live,
        record: Recording::of(&args.recording, &args.show.output),
        count: args.count,
        updates: Updates::every(args.update_interval.into()),
        udp_idle: args.watch.udp_idle.into(),
        states: args.states || args.format.nemesis.states,
        discovery,
        cross_check: false,
        hash: args.details.hash,
        pods: None,
        until: Until::after(args.watch.duration),
        reload: None,
    })
}

/// Tells what happened before.
fn before(args: &TraceArgs, config: &Config, findings: bool) -> anyhow::Result<Ending> {
    not_of_a_history(&[
        ("--duration", args.watch.duration.is_some()),
        ("--record", args.recording.record.is_some()),
        ("--states", args.states),
        ("--hash", args.details.hash),
    ])?;
    let question = Question {
        path: args.history.place.path(config),
        selection: &args.show.selection,
        enriching: Enriching::new(&config.enrich(&args.enrich))?,
        networks: &args.show.networks,
    };
    let wanted = Wanted {
        kinds: Kinds {
            connections: true,
            findings,
        },
        count: args.count,
    };
    history::stream(&question, &args.history, wanted, || {
        let sink = live::sink(&args.show.output, &args.table, &args.format, config)?;
        Ok(Box::new(sink))
    })
}
