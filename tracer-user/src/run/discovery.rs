//! `conntracer discovery`: who looks at the connections of a host, device or cloud.

mod from;
mod read;

use std::time::Duration;

use super::{
    Ending,
    enrich::Enriching,
    history::{self, Question, Wanted},
    live::{self, Live, Output, Recording, Updates},
    session::Until,
};
use crate::{
    cli::{
        Config, DiscoveryArgs, DiscoveryWithin, SelectionArgs, TableArgs, check_findings,
        not_of_a_history,
    },
    kernel::ladder::Fact,
    store::read::Kinds,
};

/// What is to be known beside the hooks of discovery: who each process is, and which connections the same
/// session opens.
const BESIDE: [Fact; 5] = [
    Fact::Process,
    Fact::Cgroup,
    Fact::Destroy,
    Fact::Connect,
    Fact::State,
];

/// A table of findings has no columns.
const NO_COLUMNS: TableArgs = TableArgs { columns: None };

/// Tells who does so now, did while it was recorded, or did by logs.
pub fn run(args: &DiscoveryArgs) -> anyhow::Result<Ending> {
    if let Some(DiscoveryWithin::Read(args)) = &args.within {
        return read::run(args);
    }
    let config = args.live.config.load()?;
    let elements = config.discovery();
    let selection = args.show.selection.of_findings(args.severity.into())?;
    check_findings(args.show.output.output, Some(&elements))?;
    if !args.from.is_empty() {
        not_of_a_history(&[("--from", args.history.is_given())])?;
        return from::run(args, &selection, &config);
    }
    if args.history.is_given() {
        return before(args, &selection, &config);
    }
    live::run(Live {
        facts: &BESIDE,
        selection: &selection,
        enriching: Enriching::default(),
        networks: &args.show.networks,
        config: &config,
        output: Output::Shown(&args.show.output, &NO_COLUMNS, &args.format),
        kernel: &args.live,
        record: Recording::of(&args.recording, &args.show.output),
        count: None,
        updates: Updates::Never,
        udp_idle: Duration::MAX,
        states: false,
        discovery: Some(elements),
        cross_check: false,
        hash: args.details.hash,
        pods: None,
        until: Until::after(args.duration),
        reload: None,
    })
}

/// Tells who did before, by what an agent has kept.
fn before(
    args: &DiscoveryArgs,
    selection: &SelectionArgs,
    config: &Config,
) -> anyhow::Result<Ending> {
    not_of_a_history(&[
        ("--duration", args.duration.is_some()),
        ("--record", args.recording.record.is_some()),
        ("--hash", args.details.hash),
    ])?;
    let question = Question {
        enriching: Enriching::default(),
        path: args.history.place.path(config),
        selection,
        networks: &args.show.networks,
    };
    let wanted = Wanted {
        kinds: Kinds {
            connections: false,
            findings: true,
        },
        count: None,
    };
    history::stream(&question, &args.history, wanted, || {
        let sink = live::sink(&args.show.output, &NO_COLUMNS, &args.format, config)?;
        Ok(Box::new(sink))
    })
}
