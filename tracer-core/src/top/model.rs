//! What is known: the connections that are open, and those that ended a short while ago.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::{
    column::Known,
    seen::{Seen, is_over},
    status::Status,
};
use crate::{
    clock::Clock,
    enrich::Enrichment,
    hosts::{Grouping, Hosts, Row, Sort},
    record::{Connection, Endpoint, Event, Id, Record},
};

/// Open connections that are kept, about two kilobytes each. More are counted, and told as not shown.
const OPEN_MAX: usize = 131_072;
/// Connections that ended that are shown for a while.
const ENDED_MAX: usize = 4096;
/// How long those are shown, nanoseconds.
const ENDED_NS: u64 = 10_000_000_000;
/// Connections that ended that count in the rows of hosts; the oldest are forgotten.
const COUNTED_MAX: usize = 16_384;

/// What is known.
#[derive(Debug, Default)]
pub struct Model {
    connections: HashMap<Id, Arc<Seen>>,
    /// Those of them that ended, oldest first, and when.
    ended: VecDeque<(u64, Id)>,
    /// The connections in the rows of hosts that ended, oldest first.
    counted: VecDeque<Id>,
    hosts: Hosts,
    /// What files say of other hosts.
    enrichment: Arc<Enrichment>,
    known: Known,
    clock: Option<Clock>,
    status: Status,
    listeners: usize,
    not_kept: u64,
    changes: u64,
}

impl Model {
    /// One that knows nothing.
    #[must_use]
    pub fn new() -> Self {
        let mut model = Self::default();
        model.hosts.begin();
        model
    }

    /// Takes records, at a time in nanoseconds since boot.
    pub fn take(&mut self, records: &[Record], clock: &Clock, now_ns: u64) {
        if records.is_empty() {
            return;
        }
        self.changes += 1;
        self.clock = Some(clock.clone());
        for record in records {
            match record {
                Record::Start(start) => {
                    self.status.start(start, now_ns);
                    self.hosts.record(record);
                }
                Record::Connection(connection) => self.connection(connection, record, now_ns),
                Record::Loss(loss) => self.status.lose(loss),
                Record::Discovery(finding) => self.status.find(finding),
                // Neither is a connection.
                Record::Socket(_) | Record::Stop(_) => {}
            }
        }
    }

    /// Rows of hosts are told by this, from here on.
    pub fn enrich(&mut self, enrichment: Arc<Enrichment>) {
        self.enrichment = enrichment;
        self.changes += 1;
    }

    fn connection(&mut self, connection: &Connection, record: &Record, now_ns: u64) {
        let id = connection.id;
        let is_last = is_over(connection);
        if let Some(remote) = &connection.remote {
            self.known.threats |= remote.is_threat();
            self.known.places |= remote.geo.is_some() || remote.network.is_some();
        }
        let met_none = !self
            .connections
            .get(&id)
            .is_some_and(|seen| seen.is_threat());
        if met_none && connection.remote.as_ref().is_some_and(Endpoint::is_threat) {
            self.status.meet(connection);
        }
        if let Some(seen) = self.connections.get_mut(&id) {
            let was_over = seen.ended_ns.is_some();
            Arc::make_mut(seen).add(connection, now_ns);
            if was_over {
                self.hosts.record(record);
                return;
            }
        } else {
            if self.open() + self.listeners >= OPEN_MAX && !is_last {
                self.not_kept += 1;
                return;
            }
            let seen = Seen::new(connection, now_ns);
            self.listeners += usize::from(seen.is_listener());
            if !seen.is_listener() && connection.head.event != Event::Existing {
                self.status.count(now_ns);
            }
            self.connections.insert(id, Arc::new(seen));
        }
        self.hosts.record(record);
        if is_last {
            self.end(connection, now_ns);
        }
    }

    /// Notes that one has ended.
    fn end(&mut self, connection: &Connection, now_ns: u64) {
        let is_listener = self
            .connections
            .get(&connection.id)
            .is_some_and(|seen| seen.is_listener());
        self.listeners = self.listeners.saturating_sub(usize::from(is_listener));
        self.ended.push_back((now_ns, connection.id));
        self.counted.push_back(connection.id);
        if self.ended.len() > ENDED_MAX {
            self.drop_oldest();
        }
        if self.counted.len() > COUNTED_MAX
            && let Some(oldest) = self.counted.pop_front()
        {
            self.hosts
                .forget(&connection.head.host, &oldest.to_string());
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, id)) = self.ended.pop_front() {
            self.connections.remove(&id);
            self.changes += 1;
        }
    }

    /// Drops those that ended so long ago that they are not shown any more.
    pub fn keep_time(&mut self, now_ns: u64) {
        while let Some((ended_ns, _)) = self.ended.front()
            && ended_ns.saturating_add(ENDED_NS) <= now_ns
        {
            self.drop_oldest();
        }
    }

    /// All of what was there before has been told.
    pub fn surveyed(&mut self) {
        self.status.is_surveyed = true;
        self.changes += 1;
    }

    /// Something was said that is to be read.
    pub fn say(&mut self, messages: &[String]) {
        self.status.messages = messages.to_vec();
        self.changes += 1;
    }

    /// How often it has changed: the same number, the same rows.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Connections that are open.
    pub(super) fn open(&self) -> usize {
        let over = self.ended.len() + self.listeners;
        self.connections.len().saturating_sub(over)
    }

    /// Sockets that others can connect to.
    pub(super) fn listeners(&self) -> usize {
        self.listeners
    }

    /// Records of open connections for which there was no room.
    pub(super) fn not_kept(&self) -> u64 {
        self.not_kept
    }

    /// What is said at all times.
    pub(super) fn status(&self) -> &Status {
        &self.status
    }

    /// The clock of the newest records.
    pub(super) fn clock(&self) -> Option<&Clock> {
        self.clock.as_ref()
    }

    /// What was asked for, flag by flag.
    pub(super) fn selection(&self) -> Vec<String> {
        let run = self.hosts.runs().last();
        run.map(crate::hosts::Run::filter).unwrap_or_default()
    }

    /// The connections, in no order.
    pub(super) fn connections(&self) -> Vec<Arc<Seen>> {
        self.connections.values().cloned().collect()
    }

    /// What is known of other hosts beside their addresses.
    pub(super) fn known(&self) -> Known {
        self.known
    }

    /// The rows of hosts.
    pub(super) fn hosts(&self, sort: Sort) -> Vec<Row> {
        let mut rows = self.hosts.rows(Grouping::None, sort);
        for row in &mut rows {
            self.enrichment.row(row);
        }
        rows
    }
}
