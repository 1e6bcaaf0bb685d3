//! What is known of one socket's connection, from all records of it. In whatever order they come, it is
//! the same.

use std::sync::Arc;

use jiff::Timestamp;

use super::observation::{End, Moment, Observation, Who};
use crate::{
    outcome::Outcome,
    protocol::Protocol,
    record::{Bytes, Direction, Event, is_over_state},
    scope::Scope,
};

/// A socket's connection, or a listener.
#[derive(Clone, Debug, Default)]
pub struct Sighting {
    /// What the newest record says.
    newest: Option<Newest>,
    /// When it was seen first.
    first: Moment,
    pub open_before: bool,
    /// It was over before the last record, or with it.
    pub is_over: bool,
    /// How the attempt failed, if it did.
    pub failed: Option<Outcome>,
    /// What had moved when it was found, of what is older than the tracing.
    found: Option<(Moment, Bytes)>,
    /// What has moved, by the newest count.
    latest: Option<(Moment, Bytes)>,
    /// What had moved at times between, if that is kept; in the order in which records came.
    between: Vec<Count>,
    /// What the other end is called, by the newest record that says so.
    name: Option<(Moment, Arc<str>)>,
    /// Who used it last.
    user: Option<(Moment, Arc<Who>)>,
    /// Who used it, each once, in their order.
    pub people: Vec<Arc<Who>>,
}

/// What had moved at a time.
pub type Count = (Timestamp, Bytes);

/// What stays the same, or counts as the newest record says it.
#[derive(Clone, Debug)]
struct Newest {
    at: Moment,
    protocol: Protocol,
    direction: Option<Direction>,
    is_observed: bool,
    state: Option<Arc<str>>,
    local: Option<End>,
    remote: Option<End>,
    scope: Option<Scope>,
    translated: Option<End>,
    service: Option<Arc<str>>,
    netns: u32,
}

impl Sighting {
    /// Takes a record of it.
    pub fn add(&mut self, seen: &Observation, people: Vec<Arc<Who>>) {
        let at = seen.at;
        let is_first = self.newest.is_none();
        if is_first || at < self.first {
            self.first = at;
        }
        self.open_before |= seen.open_before;
        self.is_over |= seen.event.is_last() || seen.state.as_deref().is_some_and(is_over_state);
        if seen.event == Event::Failed {
            self.failed = seen.outcome.or(Some(Outcome::Aborted));
        }
        if let Some(bytes) = seen.bytes {
            let is_older = |known: &(Moment, Bytes)| at < known.0;
            if self.found.as_ref().is_none_or(is_older) {
                self.found = Some((at, bytes));
            }
            if !self.latest.as_ref().is_some_and(is_older) {
                self.latest = Some((at, bytes));
            }
        }
        if let Some(name) = &seen.remote_name
            && self.name.as_ref().is_none_or(|(known, _)| *known <= at)
        {
            self.name = Some((at, name.clone()));
        }
        if let Some(user) = people.first()
            && self.user.as_ref().is_none_or(|(known, _)| *known <= at)
        {
            self.user = Some((at, user.clone()));
        }
        self.people.extend(people);
        self.people.sort_unstable();
        self.people.dedup();
        if self.newest.as_ref().is_none_or(|newest| newest.at <= at) {
            self.newest = Some(Newest::from(seen));
        }
    }

    /// Keeps what a record says has moved by its time. Whether that says more than what is kept.
    pub fn count(&mut self, seen: &Observation) -> bool {
        let Some(bytes) = seen.bytes else {
            return false;
        };
        let last = self.between.last().map(|(_, known)| *known);
        let says_more = last.or(self.latest.map(|(_, known)| known)) != Some(bytes);
        if says_more {
            self.between.push((seen.at.time, bytes));
        }
        says_more
    }

    /// It was over when the other one was seen first.
    pub fn ended_before(&self, other: &Self) -> bool {
        self.is_over && self.last() <= other.first()
    }

    /// A later run has found it open: what that says of it counts too. How it began, whoever saw that
    /// knows better.
    pub fn go_on_as(&mut self, later: &Self) {
        let is_known = self.evidence() > later.evidence();
        let began = self.newest.take().filter(|_| is_known);
        self.newest.clone_from(&later.newest);
        if let (Some(newest), Some(began)) = (&mut self.newest, began) {
            newest.direction = began.direction;
            newest.is_observed = began.is_observed;
        }
        self.is_over = later.is_over;
        self.found = self.found.or(later.found);
        self.between
            .extend(self.latest.map(|(at, bytes)| (at.time, bytes)));
        self.between.extend(&later.between);
        self.latest = later.latest.or(self.latest);
        self.name = later.name.clone().or(self.name.take());
        self.user = later.user.clone().or(self.user.take());
        self.people.extend(later.people.iter().cloned());
        self.people.sort_unstable();
        self.people.dedup();
    }

    pub fn first(&self) -> Moment {
        self.first
    }

    pub fn last(&self) -> Moment {
        self.newest
            .as_ref()
            .map(|newest| newest.at)
            .unwrap_or_default()
    }

    pub fn protocol(&self) -> Protocol {
        let protocol = self.newest.as_ref().map(|newest| newest.protocol);
        protocol.unwrap_or(Protocol::Tcp)
    }

    pub fn netns(&self) -> u32 {
        self.newest.as_ref().map_or(0, |newest| newest.netns)
    }

    pub fn direction(&self) -> Option<Direction> {
        self.newest.as_ref()?.direction
    }

    pub fn is_listener(&self) -> bool {
        self.direction() == Some(Direction::Listening)
    }

    pub fn state(&self) -> Option<&Arc<str>> {
        self.newest.as_ref()?.state.as_ref()
    }

    pub fn local(&self) -> Option<End> {
        self.newest.as_ref()?.local
    }

    pub fn remote(&self) -> Option<End> {
        self.newest.as_ref()?.remote
    }

    /// The other end as the packets have it.
    pub fn remote_on_wire(&self) -> Option<End> {
        let newest = self.newest.as_ref()?;
        newest.translated.or(newest.remote)
    }

    pub fn remote_name(&self) -> Option<&Arc<str>> {
        self.name.as_ref().map(|(_, name)| name)
    }

    pub fn scope(&self) -> Option<Scope> {
        self.newest.as_ref()?.scope
    }

    pub fn service(&self) -> Option<&Arc<str>> {
        self.newest.as_ref()?.service.as_ref()
    }

    /// Who used it last.
    pub fn user(&self) -> Option<&Arc<Who>> {
        self.user.as_ref().map(|(_, user)| user)
    }

    /// How well it is known who opened it.
    pub fn evidence(&self) -> Evidence {
        let Some(newest) = &self.newest else {
            return Evidence::None;
        };
        match (newest.direction, newest.is_observed) {
            (Some(_), true) => Evidence::Observed,
            (Some(Direction::Inbound), false) => Evidence::Listener,
            _ => Evidence::None,
        }
    }

    /// What has moved since it was opened, as this end counts. What a UDP socket moved before the tracing
    /// nobody has counted.
    pub fn total(&self) -> Option<Bytes> {
        let is_uncounted = self.open_before && self.protocol() == Protocol::Udp;
        let (_, bytes) = self.latest.filter(|_| !is_uncounted)?;
        Some(bytes)
    }

    /// What has moved in the window. Of what is older than that, it takes two counts to know.
    pub fn moved(&self) -> Option<Bytes> {
        let (until, latest) = self.latest?;
        if !self.open_before || self.protocol() == Protocol::Udp {
            return Some(latest);
        }
        let (since, found) = self.found?;
        (since != until).then(|| Bytes {
            sent: latest.sent.saturating_sub(found.sent),
            received: latest.received.saturating_sub(found.received),
        })
    }
}

impl Sighting {
    /// What had moved when, from nothing in the window to all that moved in it: none less than the one
    /// before. Empty: that is not known.
    pub fn course(&self) -> Vec<Count> {
        let Some(moved) = self.moved() else {
            return Vec::new();
        };
        let nothing = Bytes {
            sent: 0,
            received: 0,
        };
        let is_older = self.open_before && self.protocol() == Protocol::Tcp;
        let found = self.found.filter(|_| is_older);
        let (since, before) =
            found.map_or((self.first.time, nothing), |(at, bytes)| (at.time, bytes));
        let until = self.latest.map_or(since, |(at, _)| at.time).max(since);
        let mut between: Vec<Count> = self.between.clone();
        between.retain(|(at, _)| *at > since && *at < until);
        between.sort_unstable_by_key(|(at, _)| *at);
        let mut course = vec![(since, nothing)];
        let mut known = nothing;
        for (at, bytes) in between
            .into_iter()
            .chain([(until, latest_of(before, moved))])
        {
            let grown = |now: u64, before: u64, known: u64, all: u64| {
                now.saturating_sub(before).clamp(known, all.max(known))
            };
            known = Bytes {
                sent: grown(bytes.sent, before.sent, known.sent, moved.sent),
                received: grown(
                    bytes.received,
                    before.received,
                    known.received,
                    moved.received,
                ),
            };
            course.push((at, known));
        }
        course
    }
}

/// What had moved in the end.
fn latest_of(before: Bytes, moved: Bytes) -> Bytes {
    Bytes {
        sent: before.sent.saturating_add(moved.sent),
        received: before.received.saturating_add(moved.received),
    }
}

impl From<&Observation> for Newest {
    fn from(seen: &Observation) -> Self {
        Self {
            at: seen.at,
            protocol: seen.protocol,
            direction: seen.direction,
            is_observed: seen.is_observed,
            state: seen.state.clone(),
            local: seen.local,
            remote: seen.remote,
            scope: seen.scope,
            translated: seen.translated,
            service: seen.service.clone(),
            netns: seen.netns,
        }
    }
}

/// How it is known who opened a connection, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// It is not: nothing listens at its port now, which says little of then.
    None,
    /// Its port belongs to a listener.
    Listener,
    /// It was seen.
    Observed,
}
