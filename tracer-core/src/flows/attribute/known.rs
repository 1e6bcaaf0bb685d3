//! What a host has recorded of its connections.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    coverage::Coverage,
    ends::{Ends, Place},
    later,
};
use crate::{
    protocol::Protocol,
    record::{Connection, Destination, Direction, Endpoint, Event, Id, Owner, Process, Record},
    scope::Scope,
};

/// So many connections are known at most.
const CONNECTIONS_MAX: usize = 4 << 20;

/// So many connections to one end are looked at for a flow, at most.
const LOOKED_AT_MAX: usize = 4096;

/// A port is used for the same end again after this at the earliest, by the rules of `TIME_WAIT`.
const REUSED_AFTER: SignedDuration = SignedDuration::from_secs(1);

/// A time between two, both of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub since: Timestamp,
    pub until: Timestamp,
}

impl Interval {
    pub fn overlaps(self, other: Self) -> bool {
        self.since <= other.until && other.since <= self.until
    }

    pub fn contains(self, other: Self) -> bool {
        self.since <= other.since && other.until <= self.until
    }

    pub fn with(self, other: Self) -> Self {
        Self {
            since: self.since.min(other.since),
            until: self.until.max(other.until),
        }
    }

    pub fn widened(self, by: SignedDuration) -> Self {
        Self {
            since: later(self.since, -by),
            until: later(self.until, by),
        }
    }
}

/// A connection that was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Names it on its host and boot.
    pub id: Id,
    /// The host.
    pub host: Arc<str>,
    /// What was spoken.
    pub protocol: Protocol,
    /// This end; none of a socket that had no address of its own.
    pub local: Option<(IpAddr, u16)>,
    /// The other end.
    pub remote: (IpAddr, u16),
    /// The network namespace, by its inode.
    netns: u32,
    /// When it began, or was found.
    pub began: Timestamp,
    /// When it was over.
    pub ended: Option<Timestamp>,
    /// When it was heard of last.
    pub seen: Timestamp,
    /// Who used it.
    pub owner: Option<Arc<Owner>>,
    /// Who opened it, where that is another process.
    pub opened_by: Option<Arc<Process>>,
    /// It is older than the tracing.
    open_before: bool,
    direction: Option<Direction>,
    is_external: bool,
}

impl Recorded {
    /// When it was open, as far as that is known.
    pub(super) fn interval(&self) -> Interval {
        Interval {
            since: if self.open_before {
                Timestamp::MIN
            } else {
                self.began
            },
            until: self.ended.unwrap_or(Timestamp::MAX),
        }
    }

    /// Its beginning was seen.
    pub(super) fn is_begun(&self) -> bool {
        !self.open_before
    }

    /// Whether the same process is told of both.
    pub(super) fn has_owner_of(&self, other: &Self) -> bool {
        let process = |recorded: &Self| {
            let owner = recorded.owner.as_ref()?;
            Some((owner.process.pid, owner.process.start_time.clone()))
        };
        process(self).is_some() && process(self) == process(other) && self.host == other.host
    }

    /// The other end has begun it.
    pub(super) fn is_inbound(&self) -> bool {
        self.direction == Some(Direction::Inbound)
    }

    pub(super) fn is_to_external(&self) -> bool {
        self.is_external && self.direction != Some(Direction::Inbound)
    }

    pub(super) fn ran_within(&self, interval: Interval) -> bool {
        let ran = Interval {
            since: self.began,
            until: self.ended.unwrap_or(self.began),
        };
        self.is_begun() && interval.contains(ran)
    }
}

/// What a connection is found by.
type Key = (Protocol, u16, Place);

/// What may have had the ends of a flow behind a translation by the host itself.
#[derive(Debug, Default)]
pub(super) struct Behind {
    /// With the same port, which a translation keeps if it can.
    pub same_port: Vec<usize>,
    /// With any port, of those that began last.
    pub all: Vec<usize>,
    /// There were more of them than are looked at.
    pub is_cut: bool,
}

/// What a host has recorded, of one run after the other.
#[derive(Debug, Default)]
pub struct Known {
    connections: Vec<Recorded>,
    by_id: HashMap<(Arc<str>, Id), usize>,
    by_ends: HashMap<Key, Vec<usize>>,
    by_remote: HashMap<(Protocol, Place), Vec<usize>>,
    /// Its addresses, each with the network namespaces that it was seen in.
    addresses: HashMap<IpAddr, BTreeSet<u32>>,
    coverage: Coverage,
    boot: Arc<str>,
    left_out: u64,
}

impl Known {
    /// An address that the host has, whether it was seen or not.
    pub fn address(&mut self, ip: IpAddr) {
        self.addresses.entry(ip.to_canonical()).or_default();
    }

    /// Takes the next record.
    pub fn record(&mut self, record: &Record) {
        self.coverage.record(record);
        match record {
            Record::Start(start) => self.boot = start.boot_id.as_str().into(),
            Record::Connection(connection) => self.connection(connection),
            _ => {}
        }
    }

    /// How many connections there was no room for.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// All of them.
    #[must_use]
    pub fn connections(&self) -> &[Recorded] {
        &self.connections
    }

    fn connection(&mut self, connection: &Connection) {
        let Ok(time) = connection.head.time.parse::<Timestamp>() else {
            return;
        };
        let key = (self.boot.clone(), connection.id);
        if let Some(at) = self.by_id.get(&key) {
            let at = *at;
            self.go_on(at, connection, time);
            return;
        }
        let Some(remote) = connection.remote.as_ref().and_then(place) else {
            return;
        };
        if self.connections.len() >= CONNECTIONS_MAX {
            self.left_out += 1;
            return;
        }
        let at = self.connections.len();
        self.by_id.insert(key, at);
        let began = began(connection, time);
        self.connections.push(Recorded {
            id: connection.id,
            host: connection.head.host.clone(),
            protocol: connection.protocol,
            local: None,
            remote,
            netns: connection.netns,
            began,
            ended: None,
            seen: time,
            owner: None,
            opened_by: None,
            open_before: connection.open_before || connection.head.event == Event::Existing,
            direction: None,
            is_external: false,
        });
        self.go_on(at, connection, time);
    }

    /// What a record adds to what is known of a connection.
    fn go_on(&mut self, at: usize, connection: &Connection, time: Timestamp) {
        let Some(recorded) = self.connections.get_mut(at) else {
            return;
        };
        recorded.seen = recorded.seen.max(time);
        if connection.head.event.is_last() {
            recorded.ended = Some(time);
        }
        if connection.owner.is_some() {
            recorded.owner.clone_from(&connection.owner);
        }
        if connection.opened_by.is_some() {
            recorded.opened_by.clone_from(&connection.opened_by);
        }
        recorded.direction = connection.direction.or(recorded.direction);
        let remote = connection.remote.as_ref();
        if let Some(place) = remote.and_then(place) {
            recorded.remote = place;
        }
        recorded.is_external |= remote.is_some_and(|end| end.scope == Some(Scope::External));
        let Some(local) = connection.local.as_ref().and_then(place) else {
            return;
        };
        if !local.0.is_unspecified() {
            recorded.local = Some(local);
            if !local.0.is_loopback() {
                let seen_in = self.addresses.entry(local.0).or_default();
                seen_in.insert(recorded.netns);
            }
        }
        let others = [connection.translated, connection.requested];
        let others = others.into_iter().flatten().map(destination);
        for remote in others.chain([recorded.remote]) {
            let all = self
                .by_ends
                .entry((recorded.protocol, local.1, remote))
                .or_default();
            if !all.contains(&at) {
                all.push(at);
            }
            let there = self
                .by_remote
                .entry((recorded.protocol, remote))
                .or_default();
            if there.last() != Some(&at) {
                there.push(at);
            }
        }
    }

    /// Those that have the ends of a flow.
    pub(super) fn with_ends(&self, ends: &Ends) -> Vec<usize> {
        let mut found = Vec::new();
        for (local, remote) in ends.pairs() {
            let all = self.by_ends.get(&(ends.protocol, local.1, remote));
            for at in all.into_iter().flatten() {
                let recorded = self.connections.get(*at);
                // What had no address of its own may have had any of the host's.
                let is_it = recorded.is_some_and(|one| match one.local {
                    Some((ip, _)) => ip == local.0,
                    None => self.addresses.contains_key(&local.0),
                });
                if is_it && !found.contains(at) {
                    found.push(*at);
                }
            }
        }
        found
    }

    /// Whether what a flow was may be missing, and have had the same ends as this one: in another network namespace
    /// that has the address, or before or after it. `about`: the time of the flow, with the tolerance.
    pub(super) fn may_have_a_double(
        &self,
        recorded: &Recorded,
        of_flow: Interval,
        about: Interval,
    ) -> bool {
        let seen_in = recorded.local.and_then(|(ip, _)| self.addresses.get(&ip));
        let is_shared = seen_in.is_some_and(|all| all.len() > 1);
        let is_of_the_time = recorded.interval().overlaps(of_flow.widened(REUSED_AFTER));
        (is_shared || !is_of_the_time) && self.coverage.gap(about).is_some()
    }

    /// Whether an end may be this host.
    pub(super) fn has_address(&self, ends: &Ends) -> bool {
        let mut all = ends.source.iter().chain(&ends.destination);
        all.any(|(ip, _)| self.addresses.contains_key(ip))
    }

    /// There are no more records: puts them in the order in which they are looked for.
    pub(super) fn settle(&mut self) {
        let connections = &self.connections;
        let begun = |at: &usize| connections.get(*at).map(|one| one.interval().since);
        for there in self.by_remote.values_mut() {
            there.sort_by_key(begun);
        }
    }

    /// What has the other end of a flow, and an address of another network namespace than that of the flow: of a
    /// container, say, whose addresses this host translates to its own.
    pub(super) fn behind(&self, ends: &Ends, then: Interval) -> Behind {
        let mut behind = Behind::default();
        for (local, remote) in ends.pairs() {
            let Some(own) = self.addresses.get(&local.0) else {
                continue;
            };
            let is_behind = |at: &usize| {
                let recorded = self.connections.get(*at);
                recorded.is_some_and(|one| {
                    let is_another = one.local.is_some_and(|(ip, _)| ip != local.0);
                    is_another && !own.contains(&one.netns) && one.interval().overlaps(then)
                })
            };
            let same_port = self.by_ends.get(&(ends.protocol, local.1, remote));
            let same_port = same_port.into_iter().flatten().copied();
            behind.same_port.extend(same_port.filter(is_behind));
            let there = self.by_remote.get(&(ends.protocol, remote));
            let there = there.map_or(&[][..], Vec::as_slice);
            let began = |at: &usize| self.connections.get(*at).map(|one| one.interval().since);
            let before = there.partition_point(|at| began(at) <= Some(then.until));
            let newest = there.iter().take(before).rev();
            behind.is_cut |= before > LOOKED_AT_MAX;
            let found = newest.take(LOOKED_AT_MAX).copied().filter(is_behind);
            behind.all.extend(found);
        }
        behind
    }

    /// Whether this host is where it went, and not where it came from.
    pub(super) fn is_inbound(&self, ends: &Ends) -> bool {
        let is_own = |places: &[Place]| {
            let mut ips = places.iter().map(|(ip, _)| ip);
            ips.any(|ip| self.addresses.contains_key(ip))
        };
        is_own(&ends.destination) && !is_own(&ends.source)
    }

    /// Why it is not certain that all of a time was seen.
    pub(super) fn uncovered(&self, interval: Interval) -> Option<String> {
        if self.left_out > 0 {
            let count = self.left_out;
            return Some(format!("there was no room for {count} connections"));
        }
        self.coverage.uncovered(interval)
    }
}

/// When it began: what is told only with its end tells how long it was.
fn began(connection: &Connection, time: Timestamp) -> Timestamp {
    let lasted = connection.duration_us.and_then(|us| i64::try_from(us).ok());
    lasted.map_or(time, |us| later(time, -SignedDuration::from_micros(us)))
}

fn place(end: &Endpoint) -> Option<Place> {
    Some((end.ip.to_canonical(), end.port?))
}

fn destination(destination: Destination) -> Place {
    (destination.ip.to_canonical(), destination.port)
}
