//! Whatever goes into a pipeline, its records are numbered without gaps and its totals add up.

use std::net::Ipv4Addr;

use proptest::{collection::vec, prelude::*};
use tracer_core::{
    clock::{Anchor, Clock},
    decode::{decode, kind_of},
    fact::{self, Fact, Question},
    format::{Format, Json},
    outcome::Outcome,
    pipeline::{Pipeline, is_of_processes},
    record::{Event, Record, Stop},
    select::{Ports, Selection, Term, Test},
    totals::Counters,
};

use crate::{
    facts::{anchor, any_counters, any_fact},
    frames::{any_frame, time},
};

#[derive(Clone, Debug)]
enum Input {
    Frame(Vec<u8>),
    Fact(Fact),
    Counters(u64, Counters),
    Start(u64),
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        12 => any_frame().prop_map(Input::Frame),
        1 => vec(any::<u8>(), 0..20).prop_map(Input::Frame),
        3 => any_fact().prop_map(Input::Fact),
        1 => (time(), any_counters()).prop_map(|(time, counters)| Input::Counters(time, counters)),
        1 => time().prop_map(Input::Start),
    ]
}

fn selection() -> impl Strategy<Value = Selection> {
    let test = prop_oneof![
        (0_u16..3).prop_map(|port| Test::Port(Ports(vec![port..=port]))),
        Just(Test::External),
        (0_u32..3).prop_map(|uid| Test::User(vec![uid])),
        (0_u32..4).prop_map(|pid| Test::Pid(vec![pid])),
        Just(Test::Process(vec!["sh".to_owned()])),
    ];
    let term = (test, any::<bool>()).prop_map(|(test, is_negated)| Term { test, is_negated });
    (
        vec(term, 0..3),
        any::<bool>(),
        prop::sample::subsequence(Event::OF_CONNECTIONS.to_vec(), 0..3),
        prop::sample::subsequence(Outcome::ALL.to_vec(), 0..2),
    )
        .prop_map(|(terms, any, events, not_outcomes)| Selection {
            terms,
            any,
            events,
            not_outcomes,
            ..Selection::default()
        })
}

/// A run from its first record to its last.
#[derive(Clone, Debug)]
struct Run {
    selection: Selection,
    anchor: Anchor,
    count: Option<u64>,
    start_ns: u64,
    inputs: Vec<Input>,
    stop_ns: u64,
}

fn run() -> impl Strategy<Value = Run> {
    (
        selection(),
        anchor(),
        prop::option::of(0_u64..4),
        time(),
        vec(input(), 0..40),
        time(),
    )
        .prop_map(
            |(selection, anchor, count, start_ns, inputs, stop_ns)| Run {
                selection,
                anchor,
                count,
                start_ns,
                inputs,
                stop_ns,
            },
        )
}

impl Run {
    /// Its records. What there is to ask is answered, as in a run on a machine.
    fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        let mut pipeline = Pipeline::new(self.selection.clone(), false, self.anchor.clone())
            .limited_to(self.count);
        pipeline.start(self.start_ns, &mut records);
        for input in &self.inputs {
            match input {
                Input::Frame(bytes) => match decode(bytes) {
                    Ok(frame) => {
                        for question in pipeline.questions(&frame) {
                            pipeline.learn(&answer(question), &mut records);
                        }
                        pipeline.frame(frame, &mut records);
                    }
                    Err(_) => pipeline.undecodable(kind_of(bytes)),
                },
                Input::Fact(fact) => pipeline.learn(fact, &mut records),
                Input::Counters(time_ns, counters) => {
                    pipeline.count(*time_ns, *counters, &mut records);
                }
                Input::Start(time_ns) => pipeline.start(*time_ns, &mut records),
            }
        }
        pipeline.stop(self.stop_ns, &mut records);
        records
    }

    /// How many of its frames about connections, or about processes, decode, and how many do not.
    fn frames(&self, of_processes: bool) -> (u64, u64) {
        let (mut sound, mut senseless) = (0, 0);
        for input in &self.inputs {
            if let Input::Frame(bytes) = input
                && kind_of(bytes).is_some_and(is_of_processes) == of_processes
            {
                match decode(bytes) {
                    Ok(_) => sound += 1,
                    Err(_) => senseless += 1,
                }
            }
        }
        (sound, senseless)
    }
}

/// What a machine has to say, whatever is asked.
fn answer(question: Question) -> Fact {
    match question {
        Question::Process { pid, start_ticks } => Fact::Process(fact::Process {
            pid,
            start_ticks,
            parent: pid / 2,
            ..fact::Process::default()
        }),
        Question::Cgroup { id, is_v1 } => Fact::Cgroup(fact::Cgroup {
            id,
            is_v1,
            path: format!("/system.slice/{id}.service"),
        }),
        Question::Namespace { netns, .. } => Fact::Addresses(vec![Ipv4Addr::from(netns).into()]),
    }
}

fn stop_of(records: &[Record]) -> Option<&Stop> {
    match records.last()? {
        Record::Stop(stop) => Some(stop),
        _ => None,
    }
}

fn connections_in(records: &[Record]) -> u64 {
    let connections = records
        .iter()
        .filter(|r| matches!(r, Record::Connection(_)));
    connections.map(|_| 1).sum()
}

fn json(records: &[Record], anchor: &Anchor) -> Vec<u8> {
    let clock = Clock::new(anchor.clone());
    let mut bytes = Vec::new();
    for record in records {
        Json.write(record, &clock, &mut bytes);
    }
    bytes
}

proptest! {
    #[test]
    fn records_are_numbered_without_gaps(run in run()) {
        let records = run.records();
        let numbers = records.iter().map(|record| record.head().seq);
        prop_assert!(numbers.eq(1..=records.len() as u64));
    }

    #[test]
    fn totals_add_up(run in run()) {
        let records = run.records();
        let Some(stop) = stop_of(&records) else {
            return Err(TestCaseError::fail("the last record is no stop"));
        };
        let output = &stop.output;
        prop_assert_eq!(output.delivered + output.derived, output.suppressed + output.written);
        prop_assert_eq!(output.written, stop.head.seq);
        prop_assert_eq!(output.written, output.derived + connections_in(&records));
        let connections = (stop.kernel.delivered, stop.kernel.undecodable);
        prop_assert_eq!(connections, run.frames(false));
        let processes = (stop.processes.delivered, stop.processes.undecodable);
        prop_assert_eq!(processes, run.frames(true));
    }

    #[test]
    fn no_more_connections_are_written_than_were_asked_for(run in run()) {
        let written = connections_in(&run.records());
        prop_assert!(run.count.is_none_or(|count| written <= count));
    }

    #[test]
    fn every_record_is_a_line_of_json_and_the_same_again(run in run()) {
        let records = run.records();
        let lines = json(&records, &run.anchor);
        let values: Result<Vec<serde_json::Value>, _> = lines
            .split_inclusive(|byte| *byte == b'\n')
            .map(serde_json::from_slice)
            .collect();
        prop_assert_eq!(values?.len(), records.len());
        prop_assert_eq!(json(&run.records(), &run.anchor), lines);
    }
}
