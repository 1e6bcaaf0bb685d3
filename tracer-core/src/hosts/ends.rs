//! The two ends of one connection: two sockets that were seen, on one host or on two.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::SignedDuration;

use super::{
    Agent,
    observation::End,
    sighting::{Evidence, Sighting},
};
use crate::{protocol::Protocol, record::Direction};

/// A socket's connection, and who saw it.
type Seen<'a> = (&'a Agent, &'a Sighting);

/// A connection or an unused listener, counted once.
#[derive(Debug)]
pub struct Connection<'a> {
    pub agent: &'a Agent,
    /// The socket that counts: the initiator's if it was seen.
    pub socket: &'a Sighting,
    /// The other end's socket, if it was seen too.
    pub other: Option<&'a Sighting>,
    /// Who initiated; `None`: nobody did, it is a listener.
    pub source: Option<Side>,
    pub destination: Side,
    /// Whether that is how it was.
    pub is_known: bool,
    /// The socket that counts is the source's.
    pub is_outbound: bool,
}

/// One side of a connection, which may have no address yet, and what it is called.
#[derive(Clone, Debug, Default)]
pub struct Side {
    pub end: Option<End>,
    pub name: Option<Arc<str>>,
}

/// How far apart two sockets may be in time and still be ends of one connection: clocks of hosts differ,
/// and what waits to be accepted may have been closed by the other end before.
const APART_MAX: SignedDuration = SignedDuration::from_mins(5);

/// Where the other end's socket may have been.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    /// In the same network namespace.
    Namespace,
    /// In another one of the host.
    Host,
    /// On another host.
    Elsewhere,
}

/// For each socket the one at the other end, where that was seen too.
///
/// Both have the same addresses and ports, in reverse. What is nearest counts: two namespaces may have equal
/// addresses, and so may two hosts.
pub fn pairs(seen: &[Seen<'_>]) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..seen.len()).collect();
    order.sort_by_key(|at| seen.get(*at).map(|(_, one)| one.first()));
    let mut by_ends: HashMap<(Protocol, End, End), Vec<usize>> = HashMap::new();
    for at in &order {
        if let Some(ends) = seen.get(*at).and_then(|(_, one)| ends_of(one)) {
            by_ends.entry(ends).or_default().push(*at);
        }
    }
    let mut pairs = vec![None; seen.len()];
    for place in [Where::Namespace, Where::Host, Where::Elsewhere] {
        for at in &order {
            let Some(one) = seen.get(*at).filter(|_| pairs.get(*at) == Some(&None)) else {
                continue;
            };
            let Some((protocol, local, remote)) = ends_of(one.1) else {
                continue;
            };
            let candidates = by_ends.get(&(protocol, remote, local));
            let found = candidates.into_iter().flatten().copied().find(|other| {
                let is_free = other != at && pairs.get(*other) == Some(&None);
                is_free
                    && seen
                        .get(*other)
                        .is_some_and(|other| fits(place, *one, *other))
            });
            if let Some(other) = found {
                for (this, that) in [(*at, other), (other, *at)] {
                    if let Some(pair) = pairs.get_mut(this) {
                        *pair = Some(that);
                    }
                }
            }
        }
    }
    pairs
}

/// What the packets of a connection have; nothing of what never was one.
fn ends_of(one: &Sighting) -> Option<(Protocol, End, End)> {
    if one.is_listener() || one.failed.is_some() {
        return None;
    }
    let (local, remote) = (one.local()?, one.remote_on_wire()?);
    let is_whole = local.port.is_some() && remote.port.is_some();
    is_whole.then_some((one.protocol(), local, remote))
}

/// Whether the other socket is where it is looked for, and was there then.
fn fits(place: Where, one: Seen<'_>, other: Seen<'_>) -> bool {
    let is_same_host = one.0 == other.0;
    let is_same_namespace = is_same_host && one.1.netns() == other.1.netns();
    let is_there = match place {
        Where::Namespace => is_same_namespace,
        Where::Host => is_same_host && !is_same_namespace,
        Where::Elsewhere => !is_same_host,
    };
    // What is in one namespace cannot be anything else, however long it waited.
    is_there && (is_same_namespace || (leaves_its_namespace(one.1) && are_together(one.1, other.1)))
}

/// What goes to a loopback address stays where it is.
fn leaves_its_namespace(one: &Sighting) -> bool {
    one.remote_on_wire().is_some_and(|to| !to.ip.is_loopback())
}

/// Whether both were open at one time.
fn are_together(one: &Sighting, other: &Sighting) -> bool {
    begins_in_time(one, other) && begins_in_time(other, one)
}

/// Whether the second was there before the first ended.
fn begins_in_time(one: &Sighting, other: &Sighting) -> bool {
    let is_open = !one.is_over || other.open_before;
    is_open || other.first().time.duration_since(one.last().time) <= APART_MAX
}

/// All connections, each once, and the listeners that nobody used.
pub fn connections<'a>(
    seen: &'a [Seen<'a>],
    pairs: &'a [Option<usize>],
) -> impl Iterator<Item = Connection<'a>> {
    let mut used: HashSet<(&Agent, u32, Protocol, End)> = HashSet::new();
    let mut found = Vec::new();
    for (at, (agent, one)) in seen.iter().enumerate() {
        if one.is_listener() {
            continue;
        }
        let pair = pairs.get(at).copied().flatten();
        let other = pair.and_then(|other| seen.get(other));
        // Of a pair the one that comes first speaks for both.
        if pair.is_some_and(|other| other < at) {
            continue;
        }
        let connection = match other {
            Some(other) => of_both((agent, one), *other),
            None => of_one((agent, one)),
        };
        let ends = [Some((*agent, *one)), other.copied()];
        for (agent, one) in ends.into_iter().flatten() {
            let local = one.local();
            used.extend(local.map(|end| (agent, one.netns(), one.protocol(), end)));
        }
        found.push(connection);
    }
    let any: HashSet<_> = used
        .iter()
        .map(|(agent, netns, protocol, end)| {
            (*agent, *netns, *protocol, end.port, end.ip.is_ipv4())
        })
        .collect();
    let is_used = move |agent: &Agent, one: &Sighting| {
        let Some(End { ip, port }) = one.local() else {
            return false;
        };
        let (netns, protocol) = (one.netns(), one.protocol());
        let has = |is_ipv4| any.contains(&(agent, netns, protocol, port, is_ipv4));
        match ip.is_unspecified() {
            // One of IPv6 takes both.
            true if ip.is_ipv6() => has(true) || has(false),
            true => has(true),
            false => used.contains(&(agent, netns, protocol, End { ip, port })),
        }
    };
    let unused = seen
        .iter()
        .filter(move |(agent, one)| one.is_listener() && !is_used(agent, one))
        .map(|(agent, one)| listener(agent, one));
    found.into_iter().chain(unused)
}

fn listener<'a>(agent: &'a Agent, one: &'a Sighting) -> Connection<'a> {
    Connection {
        agent,
        socket: one,
        other: None,
        source: None,
        destination: local_side(one),
        is_known: true,
        is_outbound: false,
    }
}

/// What was seen at one end.
fn of_one((agent, one): Seen<'_>) -> Connection<'_> {
    let is_outbound = one.direction() != Some(Direction::Inbound);
    let (local, remote) = (local_side(one), remote_side(one));
    let (source, destination) = if is_outbound {
        (local, remote)
    } else {
        (remote, local)
    };
    Connection {
        agent,
        socket: one,
        other: None,
        source: Some(source),
        destination,
        is_known: one.evidence() > Evidence::None,
        is_outbound,
    }
}

/// What was seen at both ends: by the initiator's socket. Where the two do not agree who that is, by what
/// is known better, and else by the ports: of servers they are lower.
fn of_both<'a>(one: Seen<'a>, other: Seen<'a>) -> Connection<'a> {
    let initiates = |seen: &Sighting| seen.direction() == Some(Direction::Outbound);
    let better = one.1.evidence().max(other.1.evidence());
    let (is_first, is_known) = match (initiates(one.1), initiates(other.1)) {
        (true, false) => (true, better > Evidence::None),
        (false, true) => (false, better > Evidence::None),
        (both_initiate, _) if one.1.evidence() != other.1.evidence() => {
            let is_one = one.1.evidence() > other.1.evidence();
            (is_one == both_initiate, true)
        }
        _ => {
            let place = |seen: &Sighting| seen.local().map(|end| (end.port, end.ip));
            (place(one.1) >= place(other.1), false)
        }
    };
    let (initiator, acceptor) = if is_first { (one, other) } else { (other, one) };
    let mut source = local_side(initiator.1);
    source.name = acceptor.1.remote_name().cloned();
    Connection {
        agent: initiator.0,
        socket: initiator.1,
        other: Some(acceptor.1),
        source: Some(source),
        destination: remote_side(initiator.1),
        is_known,
        is_outbound: true,
    }
}

/// This end, which no record names.
fn local_side(one: &Sighting) -> Side {
    Side {
        end: one.local(),
        name: None,
    }
}

fn remote_side(one: &Sighting) -> Side {
    Side {
        end: one.remote(),
        name: one.remote_name().cloned(),
    }
}
