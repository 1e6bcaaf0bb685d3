//! From files of one host or of several, and from flow logs of other devices.

use tracer_core::{
    clock::{Anchor, Clock},
    flows::Flow,
    hosts::{Flows, Hosts},
    record::{Event, NOT_OF_CONNECTIONS, Record},
    recording,
};
use tracing::info;

use super::{Ending, Shown};
use crate::{
    cli::{HostsArgs, UsageError},
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
    files.check()?;
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
                    judge: Judge::new(&args.show, enriching.clone(), false)?,
                    flows: Flows::default(),
                },
            )),
        };
        reading.input(input, &mut progress)?;
    }
    drop(progress);
    let mut answered = Ok(());
    if let Some(reading) = flows {
        let (summing, problems, of_flows) = reading.end()?;
        answered = summing.end(problems, &mut hosts);
        ending = ending.worse(of_flows);
    }
    Shown::new(args, enriching)?.write(&hosts, &utc(), &[])?;
    answered?;
    Ok(if hosts.left_out() == 0 {
        ending
    } else {
        ending.worse(Ending::Incomplete)
    })
}

/// Whether a file that begins like this was written by conntracer: a recording, or records as JSON.
fn is_recorded(begin: &[u8]) -> bool {
    let mut lines = begin.split(|byte| *byte == b'\n');
    let first = lines.find(|line| !line.is_empty());
    let first = String::from_utf8_lossy(first.unwrap_or_default());
    recording::recognises(begin) || (first.starts_with('{') && is_record(&first))
}

/// Whether a line of JSON, which may be broken, says which event of a record it is.
fn is_record(line: &str) -> bool {
    let value = line
        .split_once("\"event\"")
        .map(|(_, rest)| rest.trim_start());
    let value = value.and_then(|rest| rest.strip_prefix(':'));
    let word = value.and_then(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    word.is_some_and(|word| {
        let mut selectable = Event::SELECTABLE.iter().map(|event| event.word());
        selectable.any(|known| known == word) || NOT_OF_CONNECTIONS.contains(&word)
    })
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
    fn end(self, problems: u64, hosts: &mut Hosts) -> Result<(), UsageError> {
        let left = self.judge.left;
        info!(target: NOTES, "flows that were not selected: {left}; could not be read: {problems}");
        let others = self.flows.others.iter();
        let others: Vec<String> = others.map(|(of, count)| format!("{of}: {count}")).collect();
        if !others.is_empty() {
            let others = others.join(", ");
            info!(target: NOTES, "flows that have no row, which `flows read` shows: {others}");
        }
        self.flows.finish(hosts);
        self.judge.check()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_is_told_from_other_logs() {
        for begin in [
            "conntracer recording 2\n{",
            "{\"time\":\"2026-11-20T09:00:00Z\",\"event\":\"start\"",
            "\n{\"a\": 1, \"event\" : \"close\", ",
            "{\"event\":\"loss\"\n",
        ] {
            assert!(is_recorded(begin.as_bytes()), "{begin}");
        }
        for begin in [
            "",
            "{",
            "{\"event\":\"flow\"}",
            "{\"timestamp\":1,\"event_type\":\"flow\"}",
            "Nov 20 \"event\":\"start\"",
        ] {
            assert!(!is_recorded(begin.as_bytes()), "{begin}");
        }
    }
}
