//! `conntracer snapshot`

use std::time::Duration;

use super::{
    Ending,
    enrich::Enriching,
    history::{self, Question},
    live::{self, Live, Output, Recording, Updates},
    session::Until,
};
use crate::{
    cli::{SnapshotArgs, not_of_a_history},
    kernel::ladder::Fact,
};

/// Lists the sockets of now.
pub fn run(args: &SnapshotArgs) -> anyhow::Result<Ending> {
    if args.at.is_some() || args.place.history.is_some() {
        return before(args);
    }
    let config = args.live.config.load()?;
    live::run(Live {
        facts: &[Fact::Existing],
        selection: &args.show.selection,
        enriching: Enriching::new(&config.enrich(&args.enrich))?,
        networks: &args.show.networks,
        config: &config,
        output: Output::Shown(&args.show.output, &args.table, &args.format),
        kernel: &args.live,
        record: Recording::of(&args.recording, &args.show.output),
        count: None,
        updates: Updates::Never,
        udp_idle: Duration::MAX,
        states: false,
        discovery: None,
        cross_check: args.cross_check,
        hash: args.details.hash,
        pods: None,
        until: Until::Surveyed,
        reload: None,
    })
}

/// Lists the sockets of then.
fn before(args: &SnapshotArgs) -> anyhow::Result<Ending> {
    not_of_a_history(&[
        ("--cross-check", args.cross_check),
        ("--record", args.recording.record.is_some()),
        ("--hash", args.details.hash),
    ])?;
    let config = args.live.config.load()?;
    let question = Question {
        path: args.place.path(&config),
        selection: &args.show.selection,
        enriching: Enriching::new(&config.enrich(&args.enrich))?,
        networks: &args.show.networks,
    };
    history::snapshot(&question, args.at, || {
        let sink = live::sink(&args.show.output, &args.table, &args.format, &config)?;
        Ok(Box::new(sink))
    })
}
