//! What was there before the window: who was known already, and what was still open when it began.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
};

use jiff::Timestamp;

use super::Known;
use crate::{
    hosts::{Moment, Observation},
    protocol::Protocol,
    record::{Bytes, Direction, Event},
};

/// Whom a host connects to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    /// The host that does.
    pub host: Arc<str>,
    /// Address of the other one.
    pub ip: IpAddr,
    /// Port of the other one.
    pub port: Option<u16>,
    /// What is spoken.
    pub protocol: Protocol,
}

/// What was there before the window.
#[derive(Debug)]
pub struct Baseline {
    known: HashSet<Destination>,
    /// Of the run of the records that come: what was not over yet, as it was last told before the window.
    open: HashMap<Arc<str>, Observation>,
    /// What UDP sockets had moved before: their records count on from there.
    moved: HashMap<Arc<str>, Bytes>,
    /// The first and the last moment of which something is known.
    extent: Option<(Timestamp, Timestamp)>,
    most: usize,
    left_out: u64,
}

impl Baseline {
    /// Nothing yet; of so many destinations, and open connections, at most.
    pub fn keeping(most: usize) -> Self {
        Self {
            known: HashSet::new(),
            open: HashMap::new(),
            moved: HashMap::new(),
            extent: None,
            most,
            left_out: 0,
        }
    }

    /// Takes what was told before the window, which begins then.
    pub fn see(&mut self, mut seen: Observation, since: Timestamp) {
        let at = seen.at.time;
        let (first, last) = self.extent.unwrap_or((at, at));
        self.extent = Some((first.min(at), last.max(at)));
        self.learn(&seen);
        if seen.event.is_last() {
            self.open.remove(&seen.id);
            return;
        }
        if self.open.len() >= self.most && !self.open.contains_key(&seen.id) {
            self.left_out += 1;
            return;
        }
        // Not every record has counts.
        let before = self.open.get(&seen.id);
        seen.bytes = seen.bytes.or(before.and_then(|before| before.bytes));
        seen.at = Moment {
            time: since,
            seq: 0,
        };
        seen.event = Event::Existing;
        seen.open_before = true;
        self.open.insert(seen.id.clone(), seen);
    }

    /// Takes whom a host connected to.
    pub fn know(&mut self, host: &Arc<str>, known: &Known) {
        let (first, last) = self.extent.unwrap_or((known.first, known.last));
        self.extent = Some((first.min(known.first), last.max(known.last)));
        self.add(Destination {
            host: host.clone(),
            ip: known.ip,
            port: known.port,
            protocol: known.protocol,
        });
    }

    fn learn(&mut self, seen: &Observation) {
        if let Some(destination) = destination_of(seen) {
            self.add(destination);
        }
    }

    fn add(&mut self, destination: Destination) {
        if self.known.len() < self.most || self.known.contains(&destination) {
            self.known.insert(destination);
        } else {
            self.left_out += 1;
        }
    }

    /// What there was of this connection when the window began, the first time that it is asked for. What a
    /// UDP socket had moved by then is taken away from what is told now.
    pub fn goes_on(&mut self, seen: &mut Observation) -> Option<Observation> {
        let found = self.open.remove(&seen.id).map(|found| self.begin(found));
        if let (Some(moved), Some(bytes)) = (self.moved.get(&seen.id), &mut seen.bytes) {
            bytes.sent = bytes.sent.saturating_sub(moved.sent);
            bytes.received = bytes.received.saturating_sub(moved.received);
        }
        if seen.event.is_last() {
            self.moved.remove(&seen.id);
        }
        found
    }

    /// As it was when the window began.
    fn begin(&mut self, mut found: Observation) -> Observation {
        if found.protocol == Protocol::Udp
            && let Some(bytes) = found.bytes.take()
        {
            self.moved.insert(found.id.clone(), bytes);
        }
        found
    }

    /// No record of this run follows: what was open when the window began, and of which nothing was told in it.
    pub fn end_run(&mut self) -> Vec<Observation> {
        self.moved.clear();
        let open = std::mem::take(&mut self.open);
        let mut open: Vec<Observation> = open.into_values().collect();
        open.sort_by(|one, other| one.id.cmp(&other.id));
        for found in &mut open {
            if found.protocol == Protocol::Udp {
                found.bytes = None;
            }
        }
        open
    }

    /// Whether somebody was known before the window.
    pub fn has(&self, destination: &Destination) -> bool {
        self.known.contains(destination)
    }

    /// The first and the last moment before the window of which something is known.
    pub fn extent(&self) -> Option<(Timestamp, Timestamp)> {
        self.extent
    }

    /// How many records there was no room for.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

/// Whom this host connects to, if it does.
fn destination_of(seen: &Observation) -> Option<Destination> {
    let remote = seen.remote?;
    (seen.direction == Some(Direction::Outbound)).then(|| Destination {
        host: seen.host.clone(),
        ip: remote.ip,
        port: remote.port,
        protocol: seen.protocol,
    })
}
