//! Connections that were summed up before they came here: what a history keeps of times long past.

use std::{
    collections::{BTreeMap, HashSet},
    net::IpAddr,
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    Agent, Grouping,
    observation::Who,
    row::{About, Counted, Ends, Far, Initiator, Key, group_named},
};
use crate::{
    outcome::Outcome,
    protocol::Protocol,
    record::{Bytes, Direction},
    scope::Scope,
};

/// Connections of one program between two hosts, to one port; or attempts that failed in one way.
#[derive(Clone, Debug)]
pub struct Sum {
    /// Who opened them.
    pub direction: Option<Direction>,
    /// That was seen of all, not concluded.
    pub is_observed: bool,
    /// Another device tells of them.
    pub is_of_device: bool,
    /// What is spoken.
    pub protocol: Protocol,
    /// This end.
    pub local: Option<IpAddr>,
    /// The other end.
    pub remote: Option<IpAddr>,
    /// The port that was connected to.
    pub port: Option<u16>,
    /// The other one, if it is below 1024.
    pub other_port: Option<u16>,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// How the attempts failed.
    pub failed: Option<Outcome>,
    /// How many there were.
    pub connections: u64,
    /// How many of them were open at the end.
    pub open: u64,
    /// What moved, as this end counts, if that is known.
    pub bytes: Option<Bytes>,
    /// What moved beside that, of which is not known which way.
    pub either_way: u64,
    /// When one of them was seen first.
    pub first: Timestamp,
    /// When one of them was seen last.
    pub last: Timestamp,
    /// One of them is older than the tracing.
    pub open_before: bool,
    /// Whose they are; of no process in particular.
    pub who: Option<Arc<Who>>,
    /// What the other end is called.
    pub remote_name: Option<Arc<str>>,
    /// What kind of address it has.
    pub scope: Option<Scope>,
    /// Registered name of the port.
    pub service: Option<Arc<str>>,
    /// TCP state of the newest.
    pub state: Option<Arc<str>>,
}

impl Sum {
    /// It is of listeners.
    fn is_listener(&self) -> bool {
        self.direction == Some(Direction::Listening)
    }

    /// Who opened them is not known. That a listener was connected to, this host knows.
    pub(super) fn is_doubtful(&self) -> bool {
        let is_of_listener = self.direction == Some(Direction::Inbound) && !self.is_of_device;
        !self.is_observed && !is_of_listener
    }

    pub(super) fn is_outbound(&self) -> bool {
        self.direction != Some(Direction::Inbound)
    }

    fn key(&self, agent: &Agent, grouping: Grouping) -> Key {
        let at = |ip: Option<IpAddr>| ip.map_or(Initiator::ThisHost, Initiator::At);
        let (source, destination) = match self.direction {
            Some(Direction::Listening) => (Initiator::Nobody, self.local),
            Some(Direction::Inbound) => (at(self.remote), self.local),
            Some(Direction::Outbound) | None => (at(self.local), self.remote),
        };
        let who = self.who.as_deref();
        Key {
            ends: Ends {
                agent: agent.clone(),
                source,
                destination,
                port: self.port,
                protocol: self.protocol,
            },
            group: group_named(grouping, self.remote, who),
            netns: self.netns,
        }
    }

    pub(super) fn about(&self) -> About {
        let listens = self.is_listener().then(|| Arc::from("LISTEN"));
        About {
            service: self.service.clone(),
            scope: self.scope,
            state: self.state.clone().or(listens),
            far: Far::of(self.direction),
        }
    }
}

/// Counts sums in rows. What was seen at both ends counts at the initiator's; a listener counts if nobody
/// used it.
pub fn add(rows: &mut BTreeMap<Key, Counted>, sums: &[(Arc<str>, Sum)], grouping: Grouping) {
    let agent = |host: &Arc<str>| Agent {
        host: host.clone(),
        boot: Arc::default(),
    };
    let keys: Vec<(Key, &Sum)> = sums
        .iter()
        .map(|(host, sum)| (sum.key(&agent(host), grouping), sum))
        .collect();
    let outbound: HashSet<&Ends> = keys
        .iter()
        .filter(|(_, sum)| sum.direction == Some(Direction::Outbound))
        .map(|(key, _)| &key.ends)
        .collect();
    let used: HashSet<(u32, Protocol, Option<u16>)> = sums
        .iter()
        .map(|(_, sum)| sum)
        .filter(|sum| sum.direction == Some(Direction::Inbound))
        .map(|sum| (sum.netns, sum.protocol, sum.port))
        .collect();
    // The initiator's ends first: the other ends look for them.
    let (inbound, others): (Vec<_>, Vec<_>) = keys
        .iter()
        .partition(|(_, sum)| sum.direction == Some(Direction::Inbound));
    for (key, sum) in others.into_iter().chain(inbound) {
        if sum.is_listener() && used.contains(&(sum.netns, sum.protocol, sum.port)) {
            continue;
        }
        if sum.direction == Some(Direction::Inbound) && outbound.contains(&key.ends) {
            let initiators = rows.iter_mut().filter(|(known, _)| known.ends == key.ends);
            for (_, counted) in initiators {
                counted.serve(sum);
            }
            continue;
        }
        rows.entry(key.clone()).or_default().add_sum(sum);
    }
}
