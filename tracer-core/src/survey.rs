//! What was there before tracing began, while it is being found.
//!
//! The kernel half finds sockets first and the processes that hold them afterwards, and tells which
//! port has a listener in any order. So what is found waits here until all of it is known, or until
//! something happens to it.

use std::collections::{BTreeMap, HashSet};

use tracer_abi::{Address, Attribution, Connection, ConnectionFrame, Direction, Identity, tcp};

use crate::{connections::Place, fact::Listed, fields::id_of, record::Id};

/// A connection or listener that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// As it was found.
    pub frame: ConnectionFrame,
    /// Who holds it, each process once.
    pub holders: Vec<Identity>,
    /// It was found in the list of others, which says this of it.
    pub listed: Option<Listed>,
}

/// All that was found and not told yet.
#[derive(Debug, Default)]
pub struct Survey {
    found: BTreeMap<Id, Found>,
    /// How many listeners are among them, by place.
    listeners: BTreeMap<Place, usize>,
    /// Connections whose end was told meanwhile: what is left of them in `TIME_WAIT` is told already.
    ended: HashSet<Ends>,
    is_over: bool,
}

/// Network namespace, addresses and ports of a connection.
type Ends = (u32, Address, u16, Address, u16);

fn ends_of(connection: &Connection) -> Ends {
    (
        connection.netns,
        connection.local,
        connection.local_port,
        connection.remote,
        connection.remote_port,
    )
}

impl Survey {
    /// Enters what was found; what was said of it before is returned.
    pub fn add(&mut self, frame: &ConnectionFrame) -> Option<Found> {
        let before = self.take(id_of(&frame.connection));
        if frame.connection.direction == Direction::LISTENING {
            *self
                .listeners
                .entry(Place::of(&frame.connection))
                .or_default() += 1;
        }
        let mut found = Found {
            frame: *frame,
            holders: Vec::new(),
            listed: None,
        };
        if frame.connection.attribution == Attribution::EXISTING {
            // One of its holders, each of which is told apart.
            found.frame.connection.owner = Identity::NOBODY;
        }
        self.found.insert(id_of(&frame.connection), found);
        before
    }

    /// Enters who holds it. What has been told meanwhile has been told without.
    pub fn hold(&mut self, frame: &ConnectionFrame) {
        let holder = &frame.connection.owner;
        if let Some(found) = self.found.get_mut(&id_of(&frame.connection))
            && !found.holders.iter().any(|known| known.tgid == holder.tgid)
        {
            found.holders.push(*holder);
        }
    }

    /// Takes one of them.
    pub fn take(&mut self, id: Id) -> Option<Found> {
        let found = self.found.remove(&id)?;
        if found.frame.connection.direction == Direction::LISTENING {
            let place = Place::of(&found.frame.connection);
            if let Some(count) = self.listeners.get_mut(&place) {
                *count -= 1;
                if *count == 0 {
                    self.listeners.remove(&place);
                }
            }
        }
        Some(found)
    }

    /// Notes that the end of a connection was told.
    pub fn end(&mut self, connection: &Connection) {
        if !self.is_over {
            self.ended.insert(ends_of(connection));
        }
    }

    /// All is found. Takes it. And how many are left out, because they are what is left of a connection
    /// whose end was told.
    pub fn take_all(&mut self) -> (Vec<Found>, usize) {
        self.is_over = true;
        self.listeners.clear();
        let ended = std::mem::take(&mut self.ended);
        let mut found = std::mem::take(&mut self.found);
        let count = found.len();
        found.retain(|_, found| {
            let is_left = found.frame.detail.new_state == tcp::TIME_WAIT;
            !(is_left && ended.contains(&ends_of(&found.frame.connection)))
        });
        let left_out = count - found.len();
        (found.into_values().collect(), left_out)
    }

    /// Whether a listener at this place is among them.
    #[must_use]
    pub fn listens(&self, place: Place) -> bool {
        self.listeners.contains_key(&place)
    }
}
