//! From files of one host or of several, and from flow logs of other devices.

use tracer_core::{
    clock::{Anchor, Clock},
    flows::Flow,
    hosts::{Flows, Hosts},
    record::Record,
    recording,
};
use tracing::info;

use super::{Ending, Shown};
use crate::{
    cli::HostsArgs,
    output::progress::Progress,
    run::{
        NOTES,
        enrich::Enriching,
        files::{Files, Taker},
        flows::{
            judge::Judge,
            out::{NotWritten, Sink},
            read::Reading,
        },
        input::{self, Input},
    },
};

/// What the beginning of a line of `-o json` has in it, of records.
const RECORD: &[u8] = b"\"event\":\"";

/// Shows who communicated, by what is in the files.
pub fn run(args: &HostsArgs) -> anyhow::Result<Ending> {
    let enriching = Enriching::new(&args.enrich)?;
    let mut hosts = Hosts::default();
    let files = Files {
        paths: &[],
        selection: &args.show.selection,
        networks: &args.show.networks,
        discovery: None,
    };
    let mut ending = Ending::Done;
    let mut flows: Option<Reading<Summing>> = None;
    let voice = &args.show.output.tone.voice;
    let paths = input::files(&args.from)?;
    let mut progress = Progress::new(input::length(&paths), "flows", !voice.quiet);
    for path in &paths {
        let input = Input::open_with(path, |raw| Box::new(progress.reading(raw)))?;
        if is_recorded(&input.begin) {
            ending = ending.worse(files.read_from(path, input.bytes(), &mut hosts)?);
            continue;
        }
        let reading = match &mut flows {
            Some(reading) => reading,
            None => flows.insert(Reading::new(
                &args.log,
                voice,
                Summing {
                    judge: Judge::new(&args.show, enriching.clone())?,
                    flows: Flows::default(),
                },
            )),
        };
        reading.input(input, &mut progress)?;
    }
    drop(progress);
    if let Some(reading) = flows {
        let (summing, problems, of_flows) = reading.end()?;
        summing.end(problems, &mut hosts);
        ending = ending.worse(of_flows);
    }
    Shown::new(args, enriching)?.write(&hosts, &utc(), &[])?;
    Ok(if hosts.left_out() == 0 {
        ending
    } else {
        ending.worse(Ending::Incomplete)
    })
}

/// Whether a file that begins like this was written by conntracer: a recording, or records as JSON.
fn is_recorded(begin: &[u8]) -> bool {
    let mut parts = begin.windows(RECORD.len());
    recording::recognises(begin) || (begin.starts_with(b"{") && parts.any(|part| part == RECORD))
}

/// Sums up flows.
struct Summing {
    judge: Judge,
    flows: Flows,
}

impl Sink for Summing {
    fn take(&mut self, mut flow: Flow) -> Result<(), NotWritten> {
        if self.judge.keeps(&mut flow) {
            self.flows.take(&flow);
        }
        Ok(())
    }
}

impl Summing {
    fn end(self, problems: u64, hosts: &mut Hosts) {
        let left = self.judge.left;
        info!(target: NOTES, "flows that were not selected: {left}; could not be read: {problems}");
        let others = self.flows.others.iter();
        let others: Vec<String> = others.map(|(of, count)| format!("{of}: {count}")).collect();
        if !others.is_empty() {
            let others = others.join(", ");
            info!(target: NOTES, "flows that have no row, which `flows read` shows: {others}");
        }
        self.flows.finish(hosts);
    }
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
