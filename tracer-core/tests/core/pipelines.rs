//! Whatever goes into a pipeline, its records are numbered without gaps and its totals add up.

use std::net::Ipv4Addr;

use proptest::{collection::vec, prelude::*};
use tracer_core::{
    clock::{Anchor, Clock},
    decode::{Frame, decode, kind_of},
    discovery::Elements,
    fact::{self, Fact, Question},
    format::{Format, Json, Layout, Table},
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
        prop::sample::subsequence(Event::SELECTABLE.to_vec(), 0..3),
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
pub struct Run {
    selection: Selection,
    anchor: Anchor,
    count: Option<u64>,
    start_ns: u64,
    inputs: Vec<Input>,
    stop_ns: u64,
}

pub fn run() -> impl Strategy<Value = Run> {
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
    pub fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        let mut pipeline = Pipeline::new(self.selection.clone(), false, self.anchor.clone())
            .limited_to(self.count)
            .discovering(Some(Elements::default()));
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

    /// How many sockets its last cross-check found.
    fn hidden(&self) -> u64 {
        let mut checks = self.inputs.iter().filter_map(|input| match input {
            Input::Fact(Fact::CrossCheck(check)) => Some(&check.hidden),
            _ => None,
        });
        let sockets = checks.next_back().into_iter().flatten();
        sockets.map(|hidden| hidden.sockets.len() as u64).sum()
    }

    /// How many of its frames a finding can be of.
    fn glimpses(&self) -> u64 {
        let shows = |input: &&Input| {
            matches!(input, Input::Frame(bytes)
                if matches!(decode(bytes), Ok(Frame::Look(_) | Frame::Exec(_))))
        };
        self.inputs.iter().filter(shows).map(|_| 1).sum()
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
            path: format!("/kubepods/burstable/{id:064x}"),
        }),
        Question::Container { cgroup } => Fact::Container(fact::Container {
            id: cgroup.rsplit('/').next().unwrap_or_default().to_owned(),
            name: Some("web".to_owned()),
            ..fact::Container::default()
        }),
        Question::Resident {
            pid,
            start_ticks,
            cgroup,
            is_v1,
            uid,
        } => Fact::Resident(fact::Resident {
            pid,
            start_ticks,
            cgroup,
            is_v1,
            uid,
            name: Some(format!("u{uid}")),
        }),
        Question::Executable {
            pid,
            start_ticks,
            exec_id,
        } => Fact::Executable(fact::Executable {
            pid,
            start_ticks,
            exec_id,
            path: String::new(),
            hash: fact::Hash::Unreadable,
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

fn selectable_in(records: &[Record]) -> u64 {
    let selectable = records
        .iter()
        .filter(|r| matches!(r, Record::Connection(_) | Record::Socket(_)));
    selectable.map(|_| 1).sum()
}

fn json(records: &[Record], anchor: &Anchor) -> Vec<u8> {
    let clock = Clock::new(anchor.clone());
    let mut bytes = Vec::new();
    for record in records {
        Json.write(record, &clock, &mut bytes);
    }
    bytes
}

/// What was taken away is named in the record of the loss, and in no later one.
#[test]
fn a_hook_that_is_taken_away_is_named_once() {
    let mut records = Vec::new();
    let anchor = Anchor {
        boot_ns: 0,
        utc_ns: 0,
        offset_s: 0,
        zone: "UTC".to_owned(),
    };
    let mut pipeline = Pipeline::new(Selection::default(), false, anchor.clone());
    pipeline.start(0, &mut records);
    let detached = fact::Detached {
        program: "datagram_egress".to_owned(),
        hooks: vec![fact::Hook {
            name: "datagram".to_owned(),
            via: "cgroup_skb".to_owned(),
        }],
    };
    pipeline.learn(&Fact::Detached(detached.clone()), &mut records);
    let mut counters = Counters::default();
    counters.connections.hook_detached = 1;
    pipeline.count(1, counters, &mut records);
    counters.connections.hook_missed = 1;
    pipeline.count(2, counters, &mut records);
    let losses = records.iter().filter_map(|record| match record {
        Record::Loss(loss) => Some(&loss.detached),
        _ => None,
    });
    assert_eq!(losses.collect::<Vec<_>>(), [&vec![detached], &Vec::new()]);
    let mut text = Vec::new();
    let mut table = Table::new(Layout {
        width: None,
        is_coloured: false,
        is_wide: false,
    });
    table.write(&records[1], &Clock::new(anchor.clone()), &mut text);
    let text = String::from_utf8_lossy(&text);
    let told = "1 hook_detached, taken away: datagram_egress of datagram through cgroup_skb\n";
    assert!(text.ends_with(told), "{text}");
    let lines = json(&records, &anchor);
    let line = lines.split(|byte| *byte == b'\n').nth(1);
    let first: serde_json::Value =
        serde_json::from_slice(line.unwrap_or_default()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        first["detached"],
        serde_json::json!([{
            "program": "datagram_egress",
            "hooks": [{"name": "datagram", "via": "cgroup_skb"}],
        }])
    );
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
        prop_assert_eq!(output.written, records.len() as u64);
        // Made in user space are those of the run, findings, and of sockets those that only others list.
        let of_the_run = output.written - selectable_in(&records);
        // A finding is told again if it comes to matter more.
        let more = run.hidden() + 2 * run.glimpses();
        prop_assert!((of_the_run..=of_the_run + more).contains(&output.derived));
        let connections = (stop.kernel.delivered, stop.kernel.undecodable);
        prop_assert_eq!(connections, run.frames(false));
        let processes = (stop.processes.delivered, stop.processes.undecodable);
        prop_assert_eq!(processes, run.frames(true));
    }

    #[test]
    fn no_more_connections_are_written_than_were_asked_for(run in run()) {
        let written = selectable_in(&run.records());
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
