//! Which hosts communicate: one row for each source, destination, port and protocol.
//!
//! Records go in, of one host or of several, in any order; rows come out. Each socket's records are
//! summed up first ([`sighting`]), then the two ends of a connection that was seen at both are found
//! ([`ends`]), and what is left is put into rows ([`row`]).

mod container;
mod ends;
mod flows;
mod observation;
mod order;
mod report;
mod row;
mod runs;
mod sighting;
mod sum;
#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Deserialize;
use serde_json::Value;

pub(crate) use self::order::arrange;
use self::row::{Counted, Key};
pub use self::{
    container::Container,
    flows::Flows,
    observation::{End, Moment, Observation, Who},
    order::{Grouping, Sort},
    report::{Rule, Run},
    row::{Destination, Far, Group, Moved, Process, Row, Source, User},
    sum::Sum,
};
pub(crate) use self::{ends::Connection, sighting::Sighting};
use crate::record::{Event, NOT_OF_CONNECTIONS, Record, Start, Stop};

/// Who saw something: a boot of a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Agent {
    host: Arc<str>,
    /// Empty where nothing said which boot it was.
    boot: Arc<str>,
}

/// What every line of `-o json` says of itself, and the first of the boot.
#[derive(Deserialize)]
struct Read {
    time: String,
    event: String,
    boot_id: Option<Arc<str>>,
}

/// What names a socket's connection among those of all hosts.
type Name = (Agent, Arc<str>);

/// Connections that are kept at most: about a quarter of a gigabyte.
const CONNECTIONS_MAX: usize = 1 << 19;

/// Records of one host or of several, summed up.
#[derive(Debug)]
pub struct Hosts {
    /// The runs of conntracer that told of them; the last is the one of the records that come.
    runs: Vec<Run>,
    /// The boot of whose records these are.
    boot: Arc<str>,
    /// More than one process has told of them.
    is_of_several: bool,
    sightings: BTreeMap<Name, Sighting>,
    /// What was summed up before, each with its host.
    sums: Vec<(Arc<str>, Sum)>,
    /// How many flows of other devices there was no room for.
    flows_left_out: u64,
    /// Everybody, once each.
    everybody: BTreeSet<Arc<Who>>,
    /// How many sightings are kept.
    most: usize,
    /// How many counts between the first and the last of connections are still kept.
    counts_left: usize,
}

impl Default for Hosts {
    fn default() -> Self {
        Self::keeping(CONNECTIONS_MAX)
    }
}

impl Hosts {
    /// Nothing yet; of so many connections and listeners at most.
    #[must_use]
    pub fn keeping(most: usize) -> Self {
        Self {
            runs: Vec::new(),
            boot: Arc::default(),
            is_of_several: false,
            sightings: BTreeMap::new(),
            sums: Vec::new(),
            flows_left_out: 0,
            everybody: BTreeSet::new(),
            most,
            counts_left: 0,
        }
    }

    /// The same, which also keeps so many of the counts that come while connections are open, for whoever
    /// asks when something moved.
    #[must_use]
    pub(crate) fn with_counts(mut self, most: usize) -> Self {
        self.counts_left = most;
        self
    }

    /// The records that follow are those of another run.
    pub fn begin(&mut self) {
        self.boot = Arc::default();
        self.runs.push(Run::default());
    }

    /// The records that follow are those of a run that is under way.
    pub fn begin_live(&mut self) {
        self.begin();
        if let Some(run) = self.runs.last_mut() {
            *run = Run::live();
        }
    }

    /// The records that follow, though of this run, were made in another boot, or by another process of
    /// this one: what was found open in it may have been seen before.
    pub fn boot(&mut self, boot_id: &str) {
        self.boot = Arc::from(boot_id);
        self.is_of_several = true;
    }

    /// Takes a record of this run.
    pub fn record(&mut self, record: &Record) {
        let time = &record.head().time;
        match record {
            Record::Start(start) => self.start(start),
            Record::Stop(stop) => self.stop(stop),
            Record::Connection(connection) => self.take(Observation::from(&**connection)),
            Record::Socket(_) | Record::Discovery(_) | Record::Loss(_) => {}
        }
        self.see(time);
    }

    /// Takes a line of `-o json` of this run.
    ///
    /// # Errors
    /// If it is none.
    pub fn line(&mut self, line: &str) -> Result<(), serde_json::Error> {
        let record: Read = serde_json::from_str(line)?;
        match record.event.as_str() {
            "start" => {
                self.boot = record.boot_id.unwrap_or_default();
                let fields = serde_json::from_str(line)?;
                if let Some(run) = self.runs.last_mut() {
                    run.start(fields);
                }
            }
            "stop" => {
                let fields = serde_json::from_str(line)?;
                if let Some(run) = self.runs.last_mut() {
                    run.stop(fields);
                }
            }
            other if NOT_OF_CONNECTIONS.contains(&other) => {}
            _ => self.take(serde_json::from_str(line)?),
        }
        self.see(&record.time);
        Ok(())
    }

    fn start(&mut self, start: &Start) {
        self.boot = Arc::from(start.boot_id.as_str());
        // It is an object, which can always be said in JSON.
        if let (Some(run), Ok(Value::Object(fields))) =
            (self.runs.last_mut(), serde_json::to_value(start))
        {
            run.start(fields);
        }
    }

    fn stop(&mut self, stop: &Stop) {
        if let (Some(run), Ok(Value::Object(fields))) =
            (self.runs.last_mut(), serde_json::to_value(stop))
        {
            run.stop(fields);
        }
    }

    /// The run has told of something at this time.
    pub(crate) fn see(&mut self, time: &str) {
        if let Some(run) = self.runs.last_mut() {
            run.see(time);
        }
    }

    /// The runs, in the order in which they began here.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// How many records there was no room for.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.runs.iter().map(Run::left_out).sum::<u64>() + self.flows_left_out
    }

    /// There was no room for so many flows.
    fn left_out_of_flows(&mut self, count: u64) {
        self.flows_left_out += count;
    }

    /// Takes what a record says of a connection or listener.
    pub fn take(&mut self, mut seen: Observation) {
        let agent = Agent {
            host: seen.host.clone(),
            boot: self.boot.clone(),
        };
        let name = (agent, seen.id.clone());
        if self.sightings.len() >= self.most && !self.sightings.contains_key(&name) {
            self.runs.last_mut().into_iter().for_each(Run::leave_out);
            return;
        }
        let people = std::mem::take(&mut seen.people);
        let people = people.into_iter().map(|who| self.only(who)).collect();
        let sighting = self.sightings.entry(name).or_default();
        if self.counts_left > 0 && seen.event == Event::Update && sighting.count(&seen) {
            self.counts_left -= 1;
        }
        sighting.add(&seen, people);
    }

    /// Takes what was summed up before, on a host.
    pub fn sum(&mut self, host: &Arc<str>, sum: Sum) {
        self.sums.push((host.clone(), sum));
    }

    /// Drops what is known of a connection of this run, for whoever watches for so long that not all can be
    /// kept.
    pub fn forget(&mut self, host: &Arc<str>, id: &str) {
        let agent = Agent {
            host: host.clone(),
            boot: self.boot.clone(),
        };
        let Some(sighting) = self.sightings.remove(&(agent, Arc::from(id))) else {
            return;
        };
        let people = sighting.people.clone();
        drop(sighting);
        for who in people {
            // This one and that of everybody: nobody else knows it.
            if Arc::strong_count(&who) == 2 {
                self.everybody.remove(&who);
            }
        }
    }

    /// The one that stands for all that are equal, for there are many connections of one process.
    fn only(&mut self, who: Who) -> Arc<Who> {
        if let Some(known) = self.everybody.get(&who) {
            return known.clone();
        }
        let new = Arc::new(who);
        self.everybody.insert(new.clone());
        new
    }

    /// The rows, in order.
    #[must_use]
    pub fn rows(&self, grouping: Grouping, sort: Sort) -> Vec<Row> {
        let mut rows = self.connections(|connections| {
            let mut rows: BTreeMap<Key, Counted> = BTreeMap::new();
            for connection in connections {
                let key = Key::of(&connection, grouping);
                rows.entry(key).or_default().add(&connection);
            }
            sum::add(&mut rows, &self.sums, grouping);
            row::finish(rows)
        });
        arrange(&mut rows, sort);
        rows
    }

    /// What is made of the connections, each once, and of the listeners that nobody used.
    pub(crate) fn connections<T>(
        &self,
        make: impl FnOnce(&mut dyn Iterator<Item = Connection<'_>>) -> T,
    ) -> T {
        let all = self.sightings.iter();
        let all = all.map(|((agent, _), sighting)| (agent, sighting));
        let sockets = if self.is_of_several || self.runs.len() > 1 {
            runs::once(all)
        } else {
            all.map(|(agent, one)| (agent, Cow::Borrowed(one)))
                .collect()
        };
        let seen: Vec<(&Agent, &Sighting)> = sockets
            .iter()
            .map(|(agent, one)| (*agent, &**one))
            .collect();
        let pairs = ends::pairs(&seen);
        make(&mut ends::connections(&seen, &pairs))
    }
}
