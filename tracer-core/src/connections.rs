//! The connections that are open, as user space knows them: who opened them, whether they were
//! selected.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use tracer_abi::{Connection as RawConnection, Identity};

use crate::{
    fact::{Listed, Source},
    fields::protocol_of,
    protocol::Protocol,
    record::{Attribution, Destination, Direction, Holder, Id, Owner, Process},
};

/// Where a listener is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Inode number of the network namespace.
    pub netns: u32,
    /// What is spoken.
    pub protocol: Protocol,
    /// Port.
    pub port: u16,
}

impl Place {
    /// Where this end of a connection is.
    #[must_use]
    pub fn of(connection: &RawConnection) -> Self {
        Self {
            netns: connection.netns,
            protocol: protocol_of(connection),
            port: connection.local_port,
        }
    }
}

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
    /// The processes that held it when it was found, if they were several.
    pub holders: Vec<Holder>,
    /// Who began it.
    pub direction: Option<Direction>,
    /// Nobody saw who began it: the direction is what the listeners suggest.
    pub is_inferred: bool,
    /// Where it is, of a listener.
    pub listens_on: Option<Place>,
    /// A process took it.
    pub is_accepted: bool,
    /// A record of it was kept, so all that follow are.
    pub is_selected: bool,
    /// Who does not list it.
    pub hidden_from: Vec<Source>,
    /// What is known of it is what others list, and they say this of it.
    pub listed: Option<Listed>,
    /// What else is known of where it goes.
    pub elsewhere: Elsewhere,
}

/// Destinations of a connection that its socket does not have.
#[derive(Clone, Copy, Debug, Default)]
pub struct Elsewhere {
    /// What the program asked for.
    pub requested: Option<Destination>,
    /// Where the packets went.
    pub translated: Option<Destination>,
}

impl Open {
    /// The process that opened the socket, where another one used it last.
    #[must_use]
    pub fn opened_by(&self) -> Option<Arc<Process>> {
        let (user, opener) = (self.user.as_ref()?, self.opener.as_ref()?);
        (user.owner.process.key != opener.owner.process.key).then(|| opener.owner.process.clone())
    }
}

/// How many are remembered at most: twice what the kernel half follows at most. More can pile up only
/// when the records of their ends are lost; then the oldest is forgotten.
const OPEN_MAX: usize = 1 << 20;

/// All open connections and listeners.
#[derive(Debug, Default)]
pub struct Connections {
    open: BTreeMap<Id, Open>,
    listeners: HashMap<Place, Vec<Id>>,
    /// Owners of listeners that ended last, newest last: what they never accepted ends after them.
    ended: VecDeque<(Place, Known)>,
    /// Destinations of connections of which nothing else was told yet.
    elsewhere: BTreeMap<Id, Elsewhere>,
}

/// How many connections may have been told where they go, and nothing else, yet: that comes right before,
/// so there can be more only when the frames behind are lost.
const ELSEWHERE_MAX: usize = 1024;

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

    /// Where to note destinations of a connection, whether it is known already or not.
    pub fn elsewhere(&mut self, id: Id) -> &mut Elsewhere {
        if let Some(open) = self.open.get_mut(&id) {
            return &mut open.elsewhere;
        }
        if self.elsewhere.len() == ELSEWHERE_MAX && !self.elsewhere.contains_key(&id) {
            self.elsewhere.pop_first();
        }
        self.elsewhere.entry(id).or_default()
    }

    /// Takes what was noted of a connection that is not known yet.
    pub fn take_elsewhere(&mut self, id: Id) -> Elsewhere {
        self.elsewhere.remove(&id).unwrap_or_default()
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

    /// Whether there is a listener.
    #[must_use]
    pub fn listens(&self, place: Place) -> bool {
        self.listeners.contains_key(&place)
    }

    /// The owner of the listeners on a port, if all of them have the same one; of one that has just
    /// ended if there is none.
    #[must_use]
    pub fn listener(&self, place: Place) -> Option<&Known> {
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
