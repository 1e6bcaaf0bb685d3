//! Records become rows.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::Deserialize;

use super::row::Row;
use crate::{
    hosts::Observation,
    record::{NOT_OF_CONNECTIONS, Record},
    redact::Arguments,
};

/// Letters of the machine id that tell hosts of one name apart.
const ID_LEN: usize = 8;

/// Who tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Agent {
    /// Name of the host, and what tells it from others of that name.
    pub id: String,
    /// Name of the host.
    pub source: String,
    /// Names the boot; empty where nothing said which it was.
    pub boot: String,
}

/// A row, and of what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Who tells.
    pub agent: Arc<Agent>,
    /// When it was so.
    pub time: Timestamp,
    /// Names the connection on its host and boot.
    pub id: Arc<str>,
    /// The row.
    pub row: Row,
}

impl Told {
    /// Names the row among those of all hosts: the same in whatever way it was told, with whatever was redacted.
    #[must_use]
    pub fn name(&self) -> String {
        let Agent { id, boot, .. } = &*self.agent;
        let state = self.row.state.unwrap_or_default();
        format!("{id} {boot} {} {} {state}", self.id, self.time)
    }
}

/// What every line of `-o json` says of itself, and the first of the host.
#[derive(Deserialize)]
struct Line {
    time: Timestamp,
    event: String,
    host: Arc<str>,
    #[serde(default)]
    boot_id: String,
    #[serde(default)]
    machine_id: String,
}

/// Records of runs, one after the other.
#[derive(Debug)]
pub struct Rows {
    each_change: bool,
    arguments: Arguments,
    agent: Arc<Agent>,
    now: Timestamp,
    /// Those whose last record has not come.
    open: BTreeMap<(Arc<str>, Arc<str>), Row>,
}

impl Rows {
    /// `each_change`: a row of every change, not only of the latest state.
    #[must_use]
    pub fn new(each_change: bool, arguments: Arguments) -> Self {
        Self {
            each_change,
            arguments,
            agent: Arc::default(),
            now: Timestamp::default(),
            open: BTreeMap::new(),
        }
    }

    /// When the last record was.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Takes a record; gives the rows that are due.
    pub fn record(&mut self, record: &Record, out: &mut Vec<Told>) {
        match record {
            Record::Start(start) => {
                let head = &start.head;
                self.begin(&head.host, &start.boot_id, &start.machine_id, out);
            }
            Record::Connection(connection) => self.take(&Observation::from(&**connection), out),
            Record::Socket(_) | Record::Discovery(_) | Record::Loss(_) | Record::Stop(_) => {}
        }
        // What conntracer wrote itself can be read.
        self.now = record.head().time.parse().unwrap_or(self.now);
    }

    /// Takes a line of `-o json`; gives the rows that are due.
    ///
    /// # Errors
    /// If it is none.
    pub fn line(&mut self, line: &str, out: &mut Vec<Told>) -> Result<(), serde_json::Error> {
        let record: Line = serde_json::from_str(line)?;
        match record.event.as_str() {
            "start" => self.begin(&record.host, &record.boot_id, &record.machine_id, out),
            other if NOT_OF_CONNECTIONS.contains(&other) => {}
            _ => self.take(&serde_json::from_str(line)?, out),
        }
        self.now = record.time;
        Ok(())
    }

    /// No more records of this run follow: what is open still is, with its latest state.
    pub fn end(&mut self, out: &mut Vec<Told>) {
        let open = std::mem::take(&mut self.open);
        if self.each_change {
            return;
        }
        for ((host, id), row) in open {
            let told = self.told(&host, id, self.now, row);
            out.push(told);
        }
    }

    fn begin(&mut self, host: &Arc<str>, boot: &str, machine: &str, out: &mut Vec<Told>) {
        self.end(out);
        let machine: String = machine.chars().take(ID_LEN).collect();
        let mut id = host.to_string();
        if !machine.is_empty() {
            id = format!("{id}-{machine}");
        }
        self.agent = Arc::new(Agent {
            id,
            source: host.to_string(),
            boot: boot.to_owned(),
        });
    }

    fn take(&mut self, one: &Observation, out: &mut Vec<Told>) {
        let row = Row::of(one, &self.arguments);
        let key = (one.host.clone(), one.id.clone());
        let is_last = one.event.is_last();
        let before = if is_last {
            self.open.remove(&key)
        } else {
            self.open.insert(key, row.clone())
        };
        let is_due = if self.each_change {
            before.is_none_or(|before| before.state != row.state)
        } else {
            is_last
        };
        if is_due {
            let told = self.told(&one.host, one.id.clone(), one.at.time, row);
            out.push(told);
        }
    }

    fn told(&self, host: &Arc<str>, id: Arc<str>, time: Timestamp, row: Row) -> Told {
        let agent = if *self.agent.source == **host {
            self.agent.clone()
        } else {
            // Nothing said which boot it was.
            Arc::new(Agent {
                id: host.to_string(),
                source: host.to_string(),
                boot: String::new(),
            })
        };
        Told {
            agent,
            time,
            id,
            row,
        }
    }
}
