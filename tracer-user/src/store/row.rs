//! From a record of a connection to its row.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection as Database, ToSql, named_params};
use serde::{Deserialize, Serialize};
use tracer_core::{
    names::NameSource,
    outcome::Outcome,
    protocol::Protocol,
    record::{
        Ancestor, Connection, Destination, Direction, Event, Holder, Id, Process, is_over_state,
    },
};

use super::dictionary::{Dictionary, json};

/// The direction was concluded, not seen.
pub const INFERRED: i64 = 1;
/// It is older than the run.
pub const OLDER: i64 = 2;
/// No process took it.
pub const NOT_ACCEPTED: i64 = 4;

/// What records say of a connection: a row without its number.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: Id,
    pub first: i64,
    pub newest: i64,
    pub established: Option<i64>,
    pub closed: Option<i64>,
    event: i64,
    last_event: i64,
    pub protocol: i64,
    family: i64,
    pub direction: i64,
    pub flags: i64,
    pub state: Option<i64>,
    outcome: Option<i64>,
    error: Option<i64>,
    pub local: Option<i64>,
    local_port: Option<u16>,
    pub remote: Option<i64>,
    remote_port: Option<u16>,
    pub remote_name: Option<i64>,
    name_source: Option<i64>,
    pub port: Option<u16>,
    pub other_port: Option<u16>,
    pub service: Option<i64>,
    pub netns: u32,
    pub sent: Option<i64>,
    pub received: Option<i64>,
    first_sent: Option<i64>,
    first_received: Option<i64>,
    packets_sent: Option<i64>,
    packets_received: Option<i64>,
    rtt_us: Option<u32>,
    retransmits: Option<u32>,
    latency_us: Option<i64>,
    duration_us: Option<i64>,
    attribution: i64,
    owner: Option<i64>,
    tid: Option<u32>,
    ancestry: Option<i64>,
    extra: Option<String>,
    /// What remains of its owner without the process; 0: none is known.
    pub party: i64,
}

/// What few connections have.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Extra {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested: Option<Destination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub translated: Option<Destination>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<Holder>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_by: Option<Arc<Process>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Arc<str>>,
}

/// A time of a record, in nanoseconds since 1970.
pub fn nanoseconds(time: &str) -> i64 {
    // What conntracer wrote itself can be read, and is not centuries away.
    let time: Timestamp = time.parse().unwrap_or_default();
    i64::try_from(time.as_nanosecond()).unwrap_or_default()
}

/// `SQLite` has no larger numbers.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Row {
    /// What a record says.
    pub fn of(
        record: &Connection,
        db: &Database,
        known: &mut Dictionary,
    ) -> rusqlite::Result<Self> {
        let time = nanoseconds(&record.head.time);
        let event = record.head.event;
        let (local, remote) = (record.local.as_ref(), record.remote.as_ref());
        let owner = record
            .owner
            .as_ref()
            .map(|owner| known.owner(db, owner))
            .transpose()?;
        let local_port = local.and_then(|end| end.port);
        let remote_port = remote.and_then(|end| end.port);
        let (port, other_port) = match record.direction {
            Some(Direction::Inbound | Direction::Listening) => (local_port, remote_port),
            Some(Direction::Outbound) | None => (remote_port, local_port),
        };
        let is_over = event.is_last() || record.state.as_deref().is_some_and(is_over_state);
        let bytes = record.bytes;
        let sent = bytes.map(|bytes| number(bytes.sent));
        let received = bytes.map(|bytes| number(bytes.received));
        // What a UDP socket has moved before nobody has counted.
        let has_base = record.open_before && record.protocol == Protocol::Tcp;
        let word = event.word();
        Ok(Self {
            id: record.id,
            first: time,
            newest: time,
            established: (event == Event::Established).then_some(time),
            closed: is_over.then_some(time),
            event: known.text(db, word)?,
            last_event: known.text(db, word)?,
            protocol: i64::from(record.protocol.number()),
            family: if record.family == "ipv4" { 4 } else { 6 },
            direction: direction(record.direction),
            flags: flags(record),
            state: known.text_of(db, record.state.as_deref())?,
            outcome: known.text_of(db, record.outcome.map(Outcome::word))?,
            error: known.text_of(db, record.error.as_deref())?,
            local: local.map(|end| known.address(db, end)).transpose()?,
            local_port,
            remote: remote.map(|end| known.address(db, end)).transpose()?,
            remote_port,
            remote_name: known.text_of(db, remote.and_then(|end| end.name.as_deref()))?,
            name_source: known.text_of(
                db,
                remote.and_then(|end| end.name_source).map(NameSource::word),
            )?,
            port,
            other_port,
            service: known.text_of(db, record.service.as_deref())?,
            netns: record.netns,
            sent,
            received,
            first_sent: sent.filter(|_| has_base),
            first_received: received.filter(|_| has_base),
            packets_sent: record.packets.map(|packets| number(packets.sent)),
            packets_received: record.packets.map(|packets| number(packets.received)),
            rtt_us: record.rtt_us,
            retransmits: record.retransmits,
            latency_us: record.latency_us.map(number),
            duration_us: record.duration_us.map(number),
            attribution: known.text(db, record.attribution.word())?,
            owner: owner.map(|id| id.owner),
            tid: record.owner.as_ref().map(|owner| owner.process.tid),
            ancestry: ancestry(&record.ancestry, db, known)?,
            extra: extra(record, known),
            party: owner.map_or(0, |id| id.party),
        })
    }

    /// Takes what the next record of the same connection says.
    pub fn go_on_as(&mut self, next: Self) {
        let is_owned = next.owner.is_some();
        *self = Self {
            first: self.first,
            event: self.event,
            first_sent: self.first_sent.or(next.first_sent),
            first_received: self.first_received.or(next.first_received),
            ancestry: self.ancestry.or(next.ancestry),
            established: next.established.or(self.established),
            closed: next.closed.or(self.closed),
            flags: self.flags | next.flags,
            state: next.state.or(self.state),
            outcome: next.outcome.or(self.outcome),
            error: next.error.or(self.error),
            local: next.local.or(self.local),
            local_port: next.local_port.or(self.local_port),
            remote: next.remote.or(self.remote),
            remote_port: next.remote_port.or(self.remote_port),
            remote_name: next.remote_name.or(self.remote_name),
            name_source: next.name_source.or(self.name_source),
            port: next.port.or(self.port),
            other_port: next.other_port.or(self.other_port),
            service: next.service.or(self.service),
            sent: next.sent.or(self.sent),
            received: next.received.or(self.received),
            packets_sent: next.packets_sent.or(self.packets_sent),
            packets_received: next.packets_received.or(self.packets_received),
            rtt_us: next.rtt_us.or(self.rtt_us),
            retransmits: next.retransmits.or(self.retransmits),
            latency_us: next.latency_us.or(self.latency_us),
            duration_us: next.duration_us.or(self.duration_us),
            owner: next.owner.or(self.owner),
            tid: if is_owned { next.tid } else { self.tid },
            party: if is_owned { next.party } else { self.party },
            ..next
        };
    }

    /// Writes it as a new row. Its number.
    pub fn insert(&self, db: &Database, run: i64) -> rusqlite::Result<i64> {
        let opened_ns = number(self.id.opened_ns);
        let mut values = self.changing();
        values.extend_from_slice(named_params! {
            ":run": run,
            ":opened_ns": opened_ns,
            ":cpu": self.id.cpu,
            ":first": self.first,
            ":event": self.event,
            ":protocol": self.protocol,
            ":family": self.family,
            ":netns": self.netns,
            ":ancestry": self.ancestry,
        });
        db.prepare_cached(INSERT)?.insert(values.as_slice())
    }

    /// Writes what is new of it. What it does not say stays.
    pub fn update(&self, db: &Database, row: i64) -> rusqlite::Result<()> {
        let mut values = self.changing();
        values.push((":id", &row));
        db.prepare_cached(UPDATE)?.execute(values.as_slice())?;
        Ok(())
    }

    /// What a later record may say otherwise.
    fn changing(&self) -> Vec<(&'static str, &dyn ToSql)> {
        named_params! {
            ":newest": self.newest,
            ":established": self.established,
            ":closed": self.closed,
            ":last_event": self.last_event,
            ":direction": self.direction,
            ":flags": self.flags,
            ":state": self.state,
            ":outcome": self.outcome,
            ":error": self.error,
            ":local": self.local,
            ":local_port": self.local_port,
            ":remote": self.remote,
            ":remote_port": self.remote_port,
            ":remote_name": self.remote_name,
            ":name_source": self.name_source,
            ":port": self.port,
            ":other_port": self.other_port,
            ":service": self.service,
            ":sent": self.sent,
            ":received": self.received,
            ":first_sent": self.first_sent,
            ":first_received": self.first_received,
            ":packets_sent": self.packets_sent,
            ":packets_received": self.packets_received,
            ":rtt_us": self.rtt_us,
            ":retransmits": self.retransmits,
            ":latency_us": self.latency_us,
            ":duration_us": self.duration_us,
            ":attribution": self.attribution,
            ":owner": self.owner,
            ":tid": self.tid,
            ":extra": self.extra,
        }
        .to_vec()
    }
}

const INSERT: &str = "\
INSERT INTO connection (
    run, opened_ns, cpu, first, newest, established, closed, event, last_event, protocol, family, direction,
    flags, state, outcome, error, local, local_port, remote, remote_port, remote_name, name_source, port,
    other_port, service, netns, sent, received, first_sent, first_received, packets_sent, packets_received,
    rtt_us, retransmits, latency_us, duration_us, attribution, owner, tid, ancestry, extra
) VALUES (
    :run, :opened_ns, :cpu, :first, :newest, :established, :closed, :event, :last_event, :protocol, :family,
    :direction, :flags, :state, :outcome, :error, :local, :local_port, :remote, :remote_port, :remote_name,
    :name_source, :port, :other_port, :service, :netns, :sent, :received, :first_sent, :first_received,
    :packets_sent, :packets_received, :rtt_us, :retransmits, :latency_us, :duration_us, :attribution, :owner,
    :tid, :ancestry, :extra
)";

const UPDATE: &str = "\
UPDATE connection SET
    newest = :newest,
    established = COALESCE(:established, established),
    closed = COALESCE(:closed, closed),
    last_event = :last_event,
    direction = :direction,
    flags = flags | :flags,
    state = COALESCE(:state, state),
    outcome = COALESCE(:outcome, outcome),
    error = COALESCE(:error, error),
    local = COALESCE(:local, local),
    local_port = COALESCE(:local_port, local_port),
    remote = COALESCE(:remote, remote),
    remote_port = COALESCE(:remote_port, remote_port),
    remote_name = COALESCE(:remote_name, remote_name),
    name_source = COALESCE(:name_source, name_source),
    port = COALESCE(:port, port),
    other_port = COALESCE(:other_port, other_port),
    service = COALESCE(:service, service),
    sent = COALESCE(:sent, sent),
    received = COALESCE(:received, received),
    first_sent = COALESCE(first_sent, :first_sent),
    first_received = COALESCE(first_received, :first_received),
    packets_sent = COALESCE(:packets_sent, packets_sent),
    packets_received = COALESCE(:packets_received, packets_received),
    rtt_us = COALESCE(:rtt_us, rtt_us),
    retransmits = COALESCE(:retransmits, retransmits),
    latency_us = COALESCE(:latency_us, latency_us),
    duration_us = COALESCE(:duration_us, duration_us),
    attribution = :attribution,
    owner = COALESCE(:owner, owner),
    tid = COALESCE(:tid, tid),
    extra = :extra
WHERE id = :id";

/// The direction that a number of the file means.
pub fn direction_of(number: i64) -> Option<Direction> {
    match number {
        1 => Some(Direction::Outbound),
        2 => Some(Direction::Inbound),
        3 => Some(Direction::Listening),
        _ => None,
    }
}

fn direction(direction: Option<Direction>) -> i64 {
    match direction {
        None => 0,
        Some(Direction::Outbound) => 1,
        Some(Direction::Inbound) => 2,
        Some(Direction::Listening) => 3,
    }
}

fn flags(record: &Connection) -> i64 {
    let is_inferred = record.direction_source.as_deref() == Some("inferred");
    [
        (is_inferred, INFERRED),
        (record.open_before, OLDER),
        (record.accepted == Some(false), NOT_ACCEPTED),
    ]
    .into_iter()
    .filter_map(|(is_so, flag)| is_so.then_some(flag))
    .sum()
}

fn ancestry(
    ancestry: &[Ancestor],
    db: &Database,
    known: &mut Dictionary,
) -> rusqlite::Result<Option<i64>> {
    let text = (!ancestry.is_empty()).then(|| json(&ancestry));
    known.text_of(db, text.as_deref())
}

fn extra(record: &Connection, known: &Dictionary) -> Option<String> {
    let remote = record.remote.as_ref();
    let mut opened_by = record.opened_by.clone();
    if let Some(process) = &mut opened_by {
        known.arguments().process(process);
    }
    let extra = json(&Extra {
        requested: record.requested,
        translated: record.translated,
        holders: record.holders.clone(),
        opened_by,
        names: remote.map_or_else(Vec::new, |end| end.names.clone()),
    });
    (extra != "{}").then_some(extra)
}
