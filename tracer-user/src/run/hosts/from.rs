//! From files of one host or of several.

use tracer_core::{
    clock::{Anchor, Clock},
    hosts::Hosts,
    record::Record,
};

use super::{Ending, Shown};
use crate::{
    cli::HostsArgs,
    run::{
        enrich::Enriching,
        files::{Files, Taker},
    },
};

/// Shows who communicated, by what is in the files.
pub fn run(args: &HostsArgs) -> anyhow::Result<Ending> {
    let mut hosts = Hosts::default();
    let files = Files {
        paths: &args.from,
        selection: &args.show.selection,
        networks: &args.show.networks,
        discovery: None,
    };
    let ending = files.read(&mut hosts)?;
    Shown::new(args, Enriching::new(&args.enrich)?)?.write(&hosts, &utc(), &[])?;
    Ok(if hosts.left_out() == 0 {
        ending
    } else {
        ending.worse(Ending::Incomplete)
    })
}

impl Taker for Hosts {
    fn begin(&mut self) {
        self.begin();
    }

    fn record(&mut self, record: &Record) {
        self.record(record);
    }

    fn line(&mut self, line: &str) -> Result<(), serde_json::Error> {
        self.line(line)
    }
}

/// The clock of rows that may be of several hosts.
fn utc() -> Clock {
    Clock::new(Anchor {
        boot_ns: 0,
        utc_ns: 0,
        offset_s: 0,
        zone: "UTC".to_owned(),
    })
}
