//! Comparing the lists of sockets that several sources give of one network namespace.
//!
//! A list is made while sockets come and go, so that one socket may be in one list and not in the next
//! without anybody hiding it. What tells the two apart is that the socket was there all the time: lists
//! are made in rounds, always in the same order, so that between two lists of one source there is one of
//! each other. A socket that a source lists, by its name (cookie, inode number), in three rounds one
//! after the other was there while each other source made two lists. That both of them pass over it by
//! chance is what a source would have to do that resumes its list at a place from which a neighbour has
//! just been removed, twice at the same socket.
//!
//! Some lists have no names: those of the iterator, and of what no process holds in `/proc/net`. There
//! the ends have to do, which a program that opens, closes and opens again gives to socket after socket.
//! For that to look as if something were hidden, it must be there whenever one list is made, and not
//! whenever another is: at worst one time in four, so over eight rounds once in 65,536 runs on a machine
//! where somebody does nothing else, and not at all where a named list shows that the sockets are others.
//!
//! Sockets of the same ends (`SO_REUSEPORT`) are counted: how many were there in all rounds, and how many
//! a source lists at most.

use std::collections::{BTreeMap, BTreeSet};

use tracer_abi::{Connection, ConnectionFrame, Direction, tcp};

pub use crate::fact::{Ends, Hidden, Listed, Source};
use crate::{fields::protocol_of, scope::to_ip};

/// Rounds after which a list with names proves something.
const ROUNDS_NAMED: u32 = 3;
/// Rounds after which a list without does.
const ROUNDS_NAMELESS: u32 = 8;

/// A socket in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where its ends are.
    pub ends: Ends,
    /// What no other socket of this boot is called by this source.
    pub name: Option<u64>,
    /// What else is said of it.
    pub listed: Listed,
}

impl Entry {
    /// What an iterator's frame says; `None`: others list no such thing as sockets.
    #[must_use]
    pub fn of_frame(frame: &ConnectionFrame) -> Option<Self> {
        let connection = &frame.connection;
        let state = frame.detail.new_state;
        let is_listener = connection.direction == Direction::LISTENING;
        (is_listener || is_compared(state)).then(|| Self {
            ends: ends_of(connection),
            name: None,
            listed: Listed {
                state,
                ..Listed::default()
            },
        })
    }
}

/// Where the ends of a connection or listener are.
#[must_use]
pub fn ends_of(connection: &Connection) -> Ends {
    let remote = (to_ip(connection.remote), connection.remote_port);
    let is_listener = connection.direction == Direction::LISTENING;
    Ends::new(
        connection.netns,
        protocol_of(connection),
        (to_ip(connection.local), connection.local_port).into(),
        (!is_listener).then(|| remote.into()),
    )
}

/// Whether TCP sockets of a state are in every list. A handshake that is not complete is a request, which
/// is no socket, and looks like one in `SYN_RECV`; what is closed is in no list.
#[must_use]
pub fn is_compared(state: u8) -> bool {
    !matches!(state, tcp::SYN_RECV | tcp::CLOSE | tcp::NEW_SYN_RECV)
}

/// What a source lists of one protocol of one network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Who.
    pub source: Source,
    /// What.
    pub entries: Vec<Entry>,
}

/// The lists of one protocol of one network namespace, round after round.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    rounds: u32,
    /// Those of whom there is a list in each round.
    sources: BTreeSet<Source>,
    sockets: u64,
    /// What may be hidden.
    doubts: BTreeMap<Ends, Doubt>,
}

/// Sockets of the same ends, by source.
type Doubt = BTreeMap<Source, Tally>;

/// What a source lists of sockets of the same ends.
#[derive(Clone, Debug, Default)]
struct Tally {
    /// The names that are in each round; `None`: not all of them have one.
    names: Option<BTreeSet<u64>>,
    fewest: u64,
    most: u64,
    last: Vec<Entry>,
}

impl Tally {
    fn new(entries: Vec<Entry>) -> Self {
        Self {
            names: names(&entries),
            fewest: entries.len() as u64,
            most: entries.len() as u64,
            last: entries,
        }
    }

    fn add(&mut self, entries: Vec<Entry>) {
        let now = Self::new(entries);
        self.names = match (&self.names, &now.names) {
            (Some(before), Some(now)) => Some(before & now),
            _ => None,
        };
        self.fewest = self.fewest.min(now.fewest);
        self.most = self.most.max(now.most);
        self.last = now.last;
    }

    /// How many were there in all rounds, as far as this source tells.
    fn steady(&self) -> u64 {
        let named = self.names.as_ref().map(|names| names.len() as u64);
        named.unwrap_or(self.fewest)
    }

    fn is_proof(&self, rounds: u32) -> bool {
        let needed = if self.names.is_some() {
            ROUNDS_NAMED
        } else {
            ROUNDS_NAMELESS
        };
        rounds >= needed
    }

    /// Those that were there in all rounds.
    fn sockets(&self) -> Vec<Listed> {
        let is_steady = |entry: &&Entry| match (&self.names, entry.name) {
            (Some(names), Some(name)) => names.contains(&name),
            _ => true,
        };
        let steady = self.last.iter().filter(is_steady);
        let count = usize::try_from(self.steady()).unwrap_or(usize::MAX);
        steady
            .take(count)
            .map(|entry| entry.listed.clone())
            .collect()
    }
}

fn names(entries: &[Entry]) -> Option<BTreeSet<u64>> {
    entries.iter().map(|entry| entry.name).collect()
}

impl Comparison {
    /// Takes the lists of a round. Of a source that is missing in one nothing is said.
    pub fn add(&mut self, lists: Vec<List>) {
        let sources: BTreeSet<Source> = lists.iter().map(|list| list.source).collect();
        self.rounds += 1;
        if self.rounds == 1 {
            self.sources = sources;
            self.begin(lists);
        } else {
            self.sources = &self.sources & &sources;
            self.go_on(lists);
        }
        let sources = &self.sources;
        self.doubts.retain(|_, doubt| {
            doubt.retain(|source, _| sources.contains(source));
            !lacking(doubt, |_| true).is_empty()
        });
    }

    fn begin(&mut self, lists: Vec<List>) {
        for list in lists {
            for (ends, entries) in by_ends(list.entries) {
                let doubt = self.doubts.entry(ends).or_insert_with(|| {
                    let none = |source: &Source| (*source, Tally::new(Vec::new()));
                    self.sources.iter().map(none).collect()
                });
                doubt.insert(list.source, Tally::new(entries));
            }
        }
        let most = |doubt: &Doubt| doubt.values().map(|tally| tally.most).max();
        self.sockets = self.doubts.values().filter_map(most).sum();
    }

    fn go_on(&mut self, lists: Vec<List>) {
        for list in lists {
            let mut now = by_ends(list.entries);
            for (ends, doubt) in &mut self.doubts {
                if let Some(tally) = doubt.get_mut(&list.source) {
                    tally.add(now.remove(ends).unwrap_or_default());
                }
            }
        }
    }

    /// How many sockets there were in the first round.
    #[must_use]
    pub fn sockets(&self) -> u64 {
        self.sockets
    }

    /// Whether another round would tell more.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let is_open = |doubt: &Doubt| lacking(doubt, |_| true) != self.proven(doubt);
        self.doubts.values().any(is_open)
    }

    fn proven(&self, doubt: &Doubt) -> BTreeSet<Source> {
        lacking(doubt, |tally| tally.is_proof(self.rounds))
    }

    /// What is hidden for certain.
    #[must_use]
    pub fn hidden(&self) -> Vec<Hidden> {
        let doubts = self.doubts.iter();
        doubts
            .filter_map(|(ends, doubt)| self.finding(*ends, doubt))
            .collect()
    }

    fn finding(&self, ends: Ends, doubt: &Doubt) -> Option<Hidden> {
        let from = self.proven(doubt);
        let witnesses = doubt.values().filter(|tally| tally.is_proof(self.rounds));
        // Of several who list as many, one that says more of them.
        let witness = witnesses.max_by_key(|tally| (tally.steady(), tally.names.is_some()))?;
        let least = from
            .iter()
            .filter_map(|source| Some(doubt.get(source)?.most));
        let missing = witness.steady() - least.min()?;
        Some(Hidden {
            ends,
            from: from.into_iter().collect(),
            missing,
            sockets: witness.sockets(),
        })
    }
}

fn by_ends(entries: Vec<Entry>) -> BTreeMap<Ends, Vec<Entry>> {
    let mut all: BTreeMap<Ends, Vec<Entry>> = BTreeMap::new();
    for entry in entries {
        all.entry(entry.ends).or_default().push(entry);
    }
    all
}

/// The sources that list fewer than were there all the time, going by those whose word counts.
fn lacking(doubt: &Doubt, counts: impl Fn(&Tally) -> bool) -> BTreeSet<Source> {
    let witnesses = doubt.values().filter(|tally| counts(tally));
    let there = witnesses.map(Tally::steady).max().unwrap_or_default();
    let lacking = doubt.iter().filter(|(_, tally)| tally.most < there);
    lacking.map(|(source, _)| *source).collect()
}
