//! Which process of a host made a flow that another device has told of.
//!
//! Records of the host are gathered in [`Known`]; [`Attribution`] holds flows against them. A flow has the owner of a
//! connection only if no other connection could be it: to name the wrong process is worse than to name none.

mod coverage;
mod ends;
mod known;
mod skew;
#[cfg(test)]
mod tests;
mod verdict;

use jiff::{SignedDuration, Timestamp};

use self::{
    ends::{Ends, Protocols},
    known::Interval,
};
pub use self::{
    known::{Known, Recorded},
    skew::Skew,
    verdict::{Attributed, Match},
};
use super::{Action, Flow, Format, Stage, flow::Origin};
use crate::scope::Scope;

/// How long after a connection exporters may still tell of it: what began shortly before the end of a log may be told
/// only in the next one.
const TOLD_LATER: SignedDuration = SignedDuration::from_mins(2);

/// Holds flows against what a host has recorded.
#[derive(Debug)]
pub struct Attribution {
    known: Known,
    skew: Option<Skew>,
    tolerance: SignedDuration,
    /// By place among those that are known: whether a flow was told of it.
    told: Vec<bool>,
    /// What the flows were of.
    span: Option<Interval>,
    protocols: Protocols,
}

impl Attribution {
    /// Estimates how far the clocks of host and devices are apart, from all flows. `tolerance`: by how much times may
    /// differ beside that.
    #[must_use]
    pub fn new(mut known: Known, flows: &[Flow], tolerance: SignedDuration) -> Self {
        known.settle();
        let skew = skew::estimate(&known, flows);
        let told = vec![false; known.connections().len()];
        Self {
            known,
            skew,
            tolerance,
            told,
            span: None,
            protocols: Protocols::default(),
        }
    }

    /// How far the clocks are apart, if there were enough flows to tell.
    #[must_use]
    pub fn skew(&self) -> Option<Skew> {
        self.skew
    }

    /// Which connection a flow was, and whose.
    pub fn of(&mut self, flow: &Flow) -> Attributed {
        let interval = self.interval(flow);
        self.span = Some(self.span.map_or(interval, |span| span.with(interval)));
        self.protocols.note(flow);
        let Some(ends) = Ends::of(flow) else {
            let why = "what has no ports is not recorded by connections";
            return Attributed::without(Match::Uncovered, why);
        };
        let then = interval.widened(self.tolerance);
        let found = self.at_the_time(self.known.with_ends(&ends), then);
        if !found.is_empty() {
            self.note_told(&found);
            let all = self.recorded(&found);
            return self.which(&all, &ends, interval);
        }
        self.behind(&ends, then)
            .unwrap_or_else(|| self.without_connection(flow, &ends, interval))
    }

    /// Which it was of those that had its ends: the first, unless it may have been another.
    fn which(&self, all: &[&Recorded], ends: &Ends, interval: Interval) -> Attributed {
        let about = interval.widened(self.tolerance);
        let why = match all {
            [first, ..] if is_of_one(all) => {
                if !self.known.may_have_a_double(first, interval, about) {
                    return Attributed::matched(first, ends.is_destination(first));
                }
                "records were lost about then, and one of another connection with these ends may be among them"
            }
            _ => "several connections of different processes had these ends about then",
        };
        Attributed::ambiguous(all, why)
    }

    /// What it was if this host has translated its address.
    fn behind(&mut self, ends: &Ends, then: Interval) -> Option<Attributed> {
        let behind = self.known.behind(ends, then);
        let same_port = self.at_the_time(behind.same_port, then);
        let all = self.at_the_time(behind.all, then);
        // A translation keeps the port if it can. Who has begun it elsewhere has a port there that no other has.
        let is_inbound = self.recorded(&all).iter().all(|one| one.is_inbound());
        let fits = if is_inbound { &all } else { &same_port };
        if let [first, ..] = fits.as_slice()
            && is_of_one(&self.recorded(fits))
        {
            self.note_told(fits);
            let recorded = self.known.connections().get(*first);
            return recorded.map(|one| Attributed::translated(one, ends.is_destination(one)));
        }
        if all.is_empty() && !behind.is_cut {
            return None;
        }
        self.note_told(&all);
        let why = "this host may have translated the address and the port of one of several connections of other \
                   network namespaces";
        Some(Attributed::ambiguous(&self.recorded(&all), why))
    }

    /// Notes that a flow was told of these.
    fn note_told(&mut self, found: &[usize]) {
        for at in found {
            if let Some(told) = self.told.get_mut(*at) {
                *told = true;
            }
        }
    }

    fn recorded(&self, found: &[usize]) -> Vec<&Recorded> {
        let connections = self.known.connections();
        found.iter().filter_map(|at| connections.get(*at)).collect()
    }

    /// The connections that no flow was told of, though the log is of the time and of the protocol: those of this host
    /// to external addresses, as flows.
    #[must_use]
    pub fn unlogged(&self) -> Vec<Flow> {
        let Some(span) = self.span else {
            return Vec::new();
        };
        let log = Interval {
            since: later(span.since, self.tolerance),
            until: later(span.until, -TOLD_LATER),
        };
        let recorded = self.known.connections().iter().zip(&self.told);
        let missed = recorded.filter(|(recorded, told)| {
            !**told
                && recorded.is_to_external()
                && self.protocols.has(recorded.protocol)
                && recorded.ran_within(log)
        });
        missed.map(|(recorded, _)| unlogged(recorded)).collect()
    }

    /// When it was, by the clock of the host.
    fn interval(&self, flow: &Flow) -> Interval {
        let skew = self.skew.map(|skew| skew.offset).unwrap_or_default();
        Interval {
            since: later(flow.time, -skew),
            until: later(flow.end.unwrap_or(flow.time).max(flow.time), -skew),
        }
    }

    /// Those that were open then: the one that began next to it first.
    fn at_the_time(&self, mut found: Vec<usize>, interval: Interval) -> Vec<usize> {
        let middle = later(interval.since, self.tolerance);
        let connections = self.known.connections();
        let recorded = |at: &usize| connections.get(*at);
        found.retain(|at| recorded(at).is_some_and(|one| one.interval().overlaps(interval)));
        found.sort_by_key(|at| recorded(at).map(|one| one.began.duration_since(middle).abs()));
        found
    }

    fn without_connection(&self, flow: &Flow, ends: &Ends, interval: Interval) -> Attributed {
        if !self.known.has_address(ends) {
            let why = "neither end is an address that this host was seen with";
            return Attributed::without(Match::Elsewhere, why);
        }
        if let Some(why) = self.known.uncovered(interval.widened(self.tolerance)) {
            return Attributed::without(Match::Uncovered, &why);
        }
        let is_inbound = self.known.is_inbound(ends);
        if is_inbound && flow.action == Some(Action::Denied) {
            let why = "the device did not let it through";
            return Attributed::without(Match::NotArrived, why);
        }
        let why = if is_inbound {
            "this host was watched and no process took it"
        } else {
            "this host was watched and no process made it: forged, forwarded or hidden"
        };
        Attributed::without(Match::Absent, why)
    }
}

/// Whether one process had all of them.
fn is_of_one(all: &[&Recorded]) -> bool {
    all.windows(2).all(|pair| pair[0].has_owner_of(pair[1]))
}

/// A connection, in the form of flows.
fn unlogged(recorded: &Recorded) -> Flow {
    let origin = Origin::Line {
        file: recorded.host.clone(),
        line: 0,
    };
    let mut flow = Flow::new(recorded.began, Format::Conntracer, origin);
    flow.end = Some(recorded.ended.unwrap_or(recorded.seen));
    flow.source = recorded.local.map(ends::end).unwrap_or_default();
    flow.destination = ends::end(recorded.remote);
    flow.destination.scope = Some(Scope::External);
    flow.initiator_known = true;
    flow.protocol = Some(super::ip::IpProtocol(recorded.protocol.number()));
    flow.stage = recorded.ended.map(|_| Stage::End);
    flow.attributed = Some(Box::new(Attributed::unlogged(recorded)));
    flow
}

/// A time that is later by so much.
fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(time)
}
