//! What is counted, as `OpenMetrics` has it. Nothing that a traced process chose is among it.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet, text},
    metrics::MetricType,
    registry::{Registry, Unit},
};

use super::account::Account;
use crate::{host::pods::Counts, run::agent::stream, store::Standing};

/// What `OpenMetrics` is called in HTTP.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The categories of loss.
const CATEGORIES: [&str; 8] = [
    "clock_step",
    HISTORY,
    "hook_detached",
    "hook_missed",
    "map_full",
    "output",
    "processes",
    "ring_full",
];
/// The one that the history counts.
const HISTORY: &str = "history";

/// What is counted, at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// What the run came to.
    pub account: Account,
    /// How it stands with the history.
    pub history: Standing,
    /// How large the history is, with its WAL.
    pub history_bytes: u64,
    /// How it stands with the stream, if there is one.
    pub stream: Option<stream::Handle>,
    /// How it has gone with the list of pods, if that is asked for.
    pub pods: Option<Counts>,
}

/// All of it, ready to be sent.
pub fn page(snapshot: Snapshot) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("conntracer");
    registry.register_collector(Box::new(snapshot));
    let mut page = String::new();
    text::encode(&mut page, &registry)?;
    Ok(page)
}

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.run(&mut page)?;
        self.records(&mut page)?;
        self.kernel(&mut page)?;
        self.processes(&mut page)?;
        self.history(&mut page)?;
        self.stream(&mut page)?;
        self.pods(&mut page)
    }
}

impl Snapshot {
    /// What runs, and how.
    fn run(&self, page: &mut Page<'_>) -> fmt::Result {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        page.infos("build", "Version of conntracer.", [version])?;
        page.gauge(
            "start_time",
            "When the agent was started, since 1970.",
            Some(&Unit::Seconds),
            u64::try_from(self.account.started.as_second()).unwrap_or_default(),
        )?;
        let Some(attached) = &self.account.attached else {
            return Ok(());
        };
        page.infos(
            "hook",
            "The hook that reports a fact.",
            attached
                .hooks
                .iter()
                .map(|hook| [("fact", hook.name.as_str()), ("via", hook.via.as_str())]),
        )?;
        page.gauge(
            "degradations",
            "What this kernel keeps the agent from doing: the sentences of `degraded` in the start record.",
            None,
            attached.degraded as u64,
        )
    }

    fn records(&self, page: &mut Page<'_>) -> fmt::Result {
        let events = self
            .account
            .events
            .iter()
            .map(|(word, count)| (*word, *count));
        page.counters("events", "Records by event.", "event", events)?;
        page.counters(
            "lost",
            "What was lost, by category.",
            "category",
            CATEGORIES.map(|category| (category, self.lost(category))),
        )?;
        let output = self.account.totals.output();
        page.counter(
            "records_derived",
            "Records made in user space.",
            output.derived,
        )?;
        page.counter(
            "records_suppressed",
            "Records selected out in user space.",
            output.suppressed,
        )?;
        page.counter("records_written", "Records that were kept.", output.written)
    }

    fn lost(&self, category: &str) -> u64 {
        if category == HISTORY {
            return self.history.lost;
        }
        self.account.lost.get(category).copied().unwrap_or_default()
    }

    fn kernel(&self, page: &mut Page<'_>) -> fmt::Result {
        let kernel = self.account.totals.kernel();
        page.counter(
            "kernel_seen",
            "Facts of connections that were to be reported.",
            kernel.seen,
        )?;
        page.counter(
            "kernel_selected_out",
            "Of these, dropped in the kernel because nobody selected them.",
            kernel.selected_out,
        )?;
        page.counter(
            "kernel_undecodable",
            "Of these, frames that made no sense.",
            kernel.undecodable,
        )?;
        page.counter(
            "kernel_delivered",
            "Of these, frames that became records.",
            kernel.delivered,
        )?;
        page.counter(
            "own",
            "What the agent itself did, which is told nowhere else.",
            self.account.totals.own(),
        )
    }

    fn processes(&self, page: &mut Page<'_>) -> fmt::Result {
        let processes = self.account.totals.processes();
        page.counter(
            "processes_seen",
            "What processes and cgroups did that was to be reported.",
            processes.seen,
        )?;
        page.counter(
            "processes_undecodable",
            "Of these, frames that made no sense.",
            processes.undecodable,
        )?;
        page.counter(
            "processes_delivered",
            "Of these, received.",
            processes.delivered,
        )?;
        let names = self.account.totals.processed.names;
        page.counter(
            "names_answers",
            "What came from where answers of DNS come from.",
            names.answers,
        )?;
        page.counter(
            "names_malformed",
            "Of these, what made no sense.",
            names.malformed,
        )
    }

    fn history(&self, page: &mut Page<'_>) -> fmt::Result {
        let records = Unit::Other("records".to_owned());
        page.gauge(
            "history_waiting",
            "Records that wait to be written.",
            Some(&records),
            self.history.waiting as u64,
        )?;
        page.gauge(
            "history_room",
            "How many of them there can be.",
            Some(&records),
            self.history.room as u64,
        )?;
        page.gauge(
            "history_failing",
            "1 while the history cannot be written, else 0.",
            None,
            u64::from(self.history.is_failing),
        )?;
        page.gauge(
            "history_size",
            "How large the history is, with its WAL.",
            Some(&Unit::Bytes),
            self.history_bytes,
        )
    }

    fn stream(&self, page: &mut Page<'_>) -> fmt::Result {
        let Some(stream) = &self.stream else {
            return Ok(());
        };
        page.counter(
            "stream_records",
            "Records of the stream: written, or waiting for whoever reads it.",
            stream.written(),
        )?;
        page.counter(
            "stream_lost",
            "Records of the stream that there was no room for; the history has them.",
            stream.lost(),
        )
    }

    fn pods(&self, page: &mut Page<'_>) -> fmt::Result {
        let Some(counts) = &self.pods else {
            return Ok(());
        };
        page.gauge(
            "pods",
            "Pods of this node, as far as is known.",
            None,
            counts.pods as u64,
        )?;
        page.gauge(
            "pods_left_out",
            "Pods of the last list that there was no room for.",
            None,
            counts.left_out as u64,
        )?;
        page.counter("pods_lists", "Lists that came whole.", counts.lists)?;
        page.counter(
            "pods_watch_restarts",
            "Watches that broke, and were begun anew.",
            counts.restarts,
        )?;
        page.counter(
            "pods_errors",
            "Requests to the API server that were refused or came to nothing.",
            counts.errors,
        )
    }
}

/// Where metrics are written, each with what it is.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// One for each value of a label.
    fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> fmt::Result {
        let mut counters = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        for (word, value) in values {
            counters
                .encode_family(&[(label, word)])?
                .encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: u64) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, unit, MetricType::Gauge)?
            .encode_gauge(&value)
    }

    /// One for each set of labels.
    fn infos<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        sets: impl IntoIterator<Item = [(&'a str, &'a str); N]>,
    ) -> fmt::Result {
        let mut infos = self
            .0
            .encode_descriptor(name, help, None, MetricType::Info)?;
        for set in sets {
            infos.encode_info(&set)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tracer_core::fact::Hook;

    use super::*;
    use crate::run::agent::health::account::Attached;

    fn snapshot() -> Snapshot {
        Snapshot {
            account: Account::new(Instant::now()),
            history: Standing {
                waiting: 3,
                room: 10,
                lost: 7,
                has_begun: true,
                is_failing: true,
                heard: None,
            },
            history_bytes: 4096,
            stream: Some(stream::Handle::default()),
            pods: Some(Counts {
                pods: 12,
                ..Counts::default()
            }),
        }
    }

    #[test]
    fn every_category_of_the_schema_has_a_counter() {
        let schema = include_str!("../../../../../docs/event.schema.json");
        let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
        let lost = schema["$defs"]["lost"]["properties"].as_object().unwrap();
        let known: Vec<&String> = lost.keys().collect();
        assert_eq!(known, CATEGORIES);
    }

    #[test]
    fn what_is_known_is_told_and_nothing_that_is_not() {
        let mut snapshot = snapshot();
        let early = page(snapshot).unwrap();
        assert!(!early.contains("conntracer_hook_info"), "{early}");
        assert!(!early.contains("degradations"), "{early}");
        snapshot = self::snapshot();
        snapshot.account.lost = [("ring_full".into(), 5)].into();
        snapshot.account.attached = Some(Attached {
            hooks: vec![Hook {
                name: "accept".to_owned(),
                via: "fexit".to_owned(),
            }],
            degraded: 2,
        });
        let page = page(snapshot).unwrap();
        for line in [
            "conntracer_hook_info{fact=\"accept\",via=\"fexit\"} 1",
            "conntracer_degradations 2",
            "conntracer_lost_total{category=\"history\"} 7",
            "conntracer_lost_total{category=\"ring_full\"} 5",
            "conntracer_lost_total{category=\"output\"} 0",
            "conntracer_events_total{event=\"connect\"} 0",
            "conntracer_history_waiting_records 3",
            "conntracer_history_room_records 10",
            "conntracer_history_failing 1",
            "conntracer_history_size_bytes 4096",
            "conntracer_stream_records_total 0",
            "conntracer_stream_lost_total 0",
            "conntracer_pods 12",
            "conntracer_pods_errors_total 0",
            "# EOF",
        ] {
            assert!(page.lines().any(|told| told == line), "{line}: {page}");
        }
    }
}
