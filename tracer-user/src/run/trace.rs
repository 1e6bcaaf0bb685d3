//! `conntracer trace`

use super::{
    Ending,
    live::{self, Live, Output, Recording, Updates},
    session::Until,
};
use crate::{
    cli::{TraceArgs, check_findings},
    kernel::ladder::Fact,
};

/// Traces live.
pub fn run(args: &TraceArgs) -> anyhow::Result<Ending> {
    let config = args.live.config.load()?;
    let discovery = args.findings.elements(&args.show.selection, &config);
    check_findings(args.show.output.output, discovery.as_ref())?;
    live::run(Live {
        facts: &Fact::ALL,
        selection: &args.show.selection,
        networks: &args.show.networks,
        config: &config,
        output: Output::Shown(&args.show.output, &args.table, &args.format),
        hooks: &args.live.hooks,
        buffer: args.live.buffer,
        kernel_log: args.live.kernel_log,
        record: Recording::of(&args.recording, &args.show.output),
        count: args.count,
        updates: Updates::every(args.update_interval.into()),
        udp_idle: args.watch.udp_idle.into(),
        states: args.states || args.format.nemesis.states,
        discovery,
        cross_check: false,
        hash: args.details.hash,
        until: Until::after(args.watch.duration),
    })
}
