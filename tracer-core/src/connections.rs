//! The connections that are open, as user space knows them: who opened them, whether they were
//! selected.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use tracer_abi::Identity;

use crate::record::{Attribution, Direction, Id, Owner};

/// An owner and what the kernel said of it.
#[derive(Clone, Debug)]
pub struct Known {
    /// As the kernel said.
    pub identity: Identity,
    /// As it is written.
    pub owner: Arc<Owner>,
    /// How it is known.
    pub attribution: Attribution,
}

/// An open connection or listener.
#[derive(Clone, Debug)]
pub struct Open {
    /// Who opened it.
    pub opener: Option<Known>,
    /// Who used it last.
    pub user: Option<Known>,
    /// Who began it.
    pub direction: Option<Direction>,
    /// Network namespace and local port, of a listener.
    pub listens_on: Option<Place>,
    /// A process took it.
    pub is_accepted: bool,
    /// A record of it was kept, so all that follow are.
    pub is_selected: bool,
}

/// How many are remembered at most: twice what the kernel half follows. More can pile up only when
/// the records of their ends are lost; then the oldest is forgotten.
const OPEN_MAX: usize = 131_072;

/// All open connections and listeners.
#[derive(Debug, Default)]
pub struct Connections {
    open: BTreeMap<Id, Open>,
    listeners: HashMap<Place, Vec<Id>>,
    /// Owners of listeners that ended last, newest last: what they never accepted ends after them.
    ended: VecDeque<(Place, Known)>,
}

/// Network namespace and port of a listener.
type Place = (u32, u16);

/// How many ended listeners are remembered.
const ENDED_MAX: usize = 256;

impl Connections {
    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// What is known of a connection.
    #[must_use]
    pub fn get(&self, id: Id) -> Option<&Open> {
        self.open.get(&id)
    }

    /// Remembers a connection.
    pub fn insert(&mut self, id: Id, open: Open) {
        if let Some(place) = open.listens_on {
            let listeners = self.listeners.entry(place).or_default();
            if !listeners.contains(&id) {
                listeners.push(id);
            }
        }
        self.open.insert(id, open);
        if self.open.len() > OPEN_MAX
            && let Some((oldest, _)) = self.open.first_key_value()
        {
            self.remove(*oldest);
        }
    }

    /// Forgets a connection that has ended.
    pub fn remove(&mut self, id: Id) {
        let Some(open) = self.open.remove(&id) else {
            return;
        };
        let Some(place) = open.listens_on else {
            return;
        };
        if let Some(owner) = open.user {
            if self.ended.len() == ENDED_MAX {
                self.ended.pop_front();
            }
            self.ended.push_back((place, owner));
        }
        if let Some(listeners) = self.listeners.get_mut(&place) {
            listeners.retain(|listener| *listener != id);
            if listeners.is_empty() {
                self.listeners.remove(&place);
            }
        }
    }

    /// The owner of the listeners on a port, if all of them have the same one; of one that has just
    /// ended if there is none.
    #[must_use]
    pub fn listener(&self, netns: u32, port: u16) -> Option<&Known> {
        let place = (netns, port);
        let Some(listeners) = self.listeners.get(&place) else {
            let ended = self.ended.iter().rev().find(|(at, _)| *at == place);
            return ended.map(|(_, owner)| owner);
        };
        let mut owners = listeners
            .iter()
            .filter_map(|id| self.open.get(id)?.user.as_ref());
        let first = owners.next()?;
        let key = first.owner.process.key;
        owners
            .all(|other| other.owner.process.key == key)
            .then_some(first)
    }
}
