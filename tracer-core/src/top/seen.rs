//! What is known of one connection, from all records of it.

use crate::{
    format::{place, table},
    record::{Connection, Direction, Endpoint, Event, Id, Word},
    scope::Scope,
    text::printable,
    threat::Hit,
};

/// Steps that are kept of a connection; a path of states is shorter.
const STEPS_MAX: usize = 16;

/// A connection or listener.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The newest record, and what older ones say besides.
    pub newest: Connection,
    /// What happened, oldest first, without what only tells how it is.
    pub steps: Vec<Step>,
    /// Steps that were not kept.
    pub steps_left_out: usize,
    /// When it ended, nanoseconds since boot.
    pub ended_ns: Option<u64>,
}

/// Something that happened to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When: RFC 3339, UTC.
    pub time: String,
    /// What.
    pub event: Event,
    /// What came of it: an outcome, or a state.
    pub result: Option<Word>,
}

impl Seen {
    /// One that was not known.
    pub fn new(connection: &Connection, now_ns: u64) -> Self {
        let mut seen = Self {
            newest: connection.clone(),
            steps: Vec::new(),
            steps_left_out: 0,
            ended_ns: None,
        };
        seen.note(connection, now_ns);
        seen
    }

    /// Takes another record of it.
    pub fn add(&mut self, connection: &Connection, now_ns: u64) {
        let older = std::mem::replace(&mut self.newest, connection.clone());
        self.newest.keep(older);
        self.note(connection, now_ns);
    }

    fn note(&mut self, connection: &Connection, now_ns: u64) {
        let event = connection.head.event;
        if is_over(connection) {
            self.ended_ns = Some(now_ns);
        }
        if event == Event::Update {
            return;
        }
        if self.steps.len() >= STEPS_MAX {
            self.steps.remove(STEPS_MAX / 2);
            self.steps_left_out += 1;
        }
        self.steps.push(Step {
            time: connection.head.time.clone(),
            event,
            result: match connection.outcome {
                Some(outcome) => Some(outcome.word().into()),
                None => connection.state.clone(),
            },
        });
    }

    /// What names it.
    pub fn id(&self) -> Id {
        self.newest.id
    }

    /// It waits for others.
    pub fn is_listener(&self) -> bool {
        self.newest.direction == Some(Direction::Listening)
    }

    /// The other host is external.
    pub fn is_external(&self) -> bool {
        let remote = self.newest.remote.as_ref();
        remote.and_then(|remote| remote.scope) == Some(Scope::External)
    }

    /// The other host meets an indicator.
    pub fn is_threat(&self) -> bool {
        let remote = self.newest.remote.as_ref();
        remote.is_some_and(Endpoint::is_threat)
    }

    /// The indicators that it meets, for people.
    pub fn threat(&self) -> String {
        let remote = self.newest.remote.as_ref();
        remote.map_or_else(String::new, |remote| Hit::texts(&remote.threat))
    }

    /// Country and autonomous system of the other host.
    pub fn place(&self) -> String {
        let remote = self.newest.remote.as_ref();
        remote.map_or_else(String::new, |remote| {
            place::words(remote.geo.as_deref(), remote.network.as_deref())
        })
    }

    /// Its state, how it ended, or what is spoken where there is neither.
    pub fn state(&self) -> &str {
        let newest = &self.newest;
        match (newest.outcome, self.ended_ns, &newest.state) {
            (Some(outcome), _, _) => outcome.word(),
            (None, _, Some(state)) => state,
            (None, Some(_), None) => "closed",
            (None, None, None) => newest.protocol.word(),
        }
    }

    /// How old it is, or was when it ended, nanoseconds; of one that is older than the tracing the part that
    /// was seen.
    pub fn age_ns(&self, now_ns: u64) -> u64 {
        let until = self.ended_ns.unwrap_or(now_ns);
        until.saturating_sub(self.id().opened_ns)
    }

    /// Name of its process; of several holders the first.
    pub fn process(&self) -> &str {
        let first = self.newest.holders.first();
        let first = first.map(|holder| holder.name.as_str());
        let owner = self.newest.owner.as_ref();
        let owner = owner.map(|owner| owner.process.name.as_str());
        owner.or(first).unwrap_or_default()
    }

    /// What a filter is looked for in: every word that a row of it can show, in lower case.
    pub fn words(&self) -> String {
        let newest = &self.newest;
        let owner = newest.owner.as_deref();
        let remote = newest.remote.as_ref();
        let texts = [
            table::holder(newest, None),
            owner.map(table::user).unwrap_or_default(),
            table::endpoint(newest.local.as_ref()),
            table::endpoint(remote),
            table::home(owner, true),
            printable(remote.and_then(table::told_name).unwrap_or_default()),
            newest.service.as_deref().unwrap_or_default().to_owned(),
            self.state().to_owned(),
            newest.protocol.word().to_owned(),
            newest.direction.map_or("", Direction::word).to_owned(),
            self.threat(),
            self.place(),
        ];
        texts.join(" ").to_lowercase()
    }
}

/// Nothing follows: it has ended, or was over when it was found.
pub fn is_over(connection: &Connection) -> bool {
    let event = connection.head.event;
    let was_over = event == Event::Existing && connection.state.as_deref() == Some("TIME_WAIT");
    event.is_last() || was_over
}

impl Connection {
    /// Keeps what an older record of the same connection says and this one does not.
    fn keep(&mut self, older: Self) {
        if self.ancestry.is_empty() {
            self.ancestry = older.ancestry;
        }
        if self.owner.is_none() && self.holders.is_empty() {
            self.holders = older.holders;
            self.owner = older.owner;
        }
        self.opened_by = self.opened_by.take().or(older.opened_by);
        self.bytes = self.bytes.or(older.bytes);
        self.packets = self.packets.or(older.packets);
        self.rtt_us = self.rtt_us.or(older.rtt_us);
        self.retransmits = self.retransmits.or(older.retransmits);
        self.latency_us = self.latency_us.or(older.latency_us);
        self.requested = self.requested.or(older.requested);
        self.translated = self.translated.or(older.translated);
        if let (Some(remote), Some(known)) = (&mut self.remote, older.remote)
            && remote.ip == known.ip
            && remote.name.is_none()
        {
            remote.name = known.name;
            remote.name_source = known.name_source;
            remote.names = known.names;
            // It was met by a name, too.
            if remote.threat.is_empty() {
                remote.threat = known.threat;
            }
        }
    }
}
