//! In recordings of one host or of several.

use std::io::Write;

use tracer_core::{clock::Clock, record::Record};

use super::NO_COLUMNS;
use crate::{
    cli::{Config, DiscoveryArgs, SelectionArgs},
    output::sink::{RecordSink, Sink, Written},
    run::{
        Ending,
        enrich::Enriching,
        live,
        replay::{self, Recorded},
    },
};

/// Where all findings go.
type Out = Sink<Box<dyn Write>>;

/// Tells who did while it was recorded, one recording after the other.
pub fn run(
    args: &DiscoveryArgs,
    selection: &SelectionArgs,
    config: &Config,
) -> anyhow::Result<Ending> {
    args.format.check(args.show.output.output)?;
    let mut out = None;
    let mut is_closed = false;
    let mut ending = Ending::Done;
    for file in &args.from {
        let recorded = Recorded {
            enriching: &Enriching::default(),
            file,
            selection,
            networks: &args.show.networks,
            count: None,
            discovery: Some(config.discovery()),
            no_verify: false,
        };
        let input = replay::open(file)?;
        let (out, closed) = (&mut out, &mut is_closed);
        // Made once, and not before it is known that there is something to read.
        let sink = move || {
            let out = match out {
                Some(out) => out,
                none => none.insert(sink(args, config)?),
            };
            Ok(Box::new(Shared { out, closed }) as Box<dyn RecordSink>)
        };
        ending = ending.worse(replay::replay(&recorded, input, sink)?);
        if is_closed {
            break;
        }
    }
    Ok(ending)
}

fn sink(args: &DiscoveryArgs, config: &Config) -> anyhow::Result<Out> {
    live::sink(&args.show.output, &NO_COLUMNS, &args.format, config)
}

/// What each replay writes to.
struct Shared<'a> {
    out: &'a mut Out,
    /// Nobody reads any more.
    closed: &'a mut bool,
}

impl RecordSink for Shared<'_> {
    fn take(&mut self, records: &[Record], clock: &Clock) -> anyhow::Result<Written> {
        let written = self.out.take(records, clock)?;
        *self.closed = written == Written::Closed;
        Ok(written)
    }

    fn end(&mut self) -> anyhow::Result<Written> {
        self.out.end()
    }
}
