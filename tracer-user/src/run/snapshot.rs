//! `conntracer snapshot`

use std::time::Duration;

use super::{
    Ending,
    live::{self, Live, Output, Recording, Updates},
    session::Until,
};
use crate::{cli::SnapshotArgs, kernel::ladder::Fact};

/// Lists the sockets of now.
pub fn run(args: &SnapshotArgs) -> anyhow::Result<Ending> {
    live::run(Live {
        facts: &[Fact::Existing],
        selection: &args.show.selection,
        networks: &args.show.networks,
        config: &args.live.config.load()?,
        output: Output::Shown(&args.show.output, &args.table, &args.format),
        hooks: &args.live.hooks,
        buffer: args.live.buffer,
        kernel_log: args.live.kernel_log,
        record: Recording::of(&args.recording, &args.show.output),
        count: None,
        updates: Updates::Never,
        udp_idle: Duration::MAX,
        states: false,
        discovery: None,
        cross_check: args.cross_check,
        hash: args.details.hash,
        until: Until::Surveyed,
    })
}
