//! A row of a connection, and the records that it was made of.

use std::sync::Arc;

use rusqlite::{Row, types::FromSql};
use tracer_core::{
    outcome::Outcome,
    protocol::Protocol,
    record::{Attribution, Bytes, Connection, Direction, Endpoint, Event, Head, Id, Packets, Word},
    scope::Scope,
};

use super::{History, timestamp};
use crate::store::row::{Extra, INFERRED, NOT_ACCEPTED, OLDER, direction_of};

/// The columns, in the order in which they are read.
pub const COLUMNS: &str = "\
c.id, c.run, c.opened_ns, c.cpu, c.first, c.newest, c.closed, c.event, c.last_event, c.protocol,
c.family, c.direction, c.flags, c.state, c.outcome, c.error, c.local, c.local_port, c.remote, c.remote_port,
c.remote_name, c.name_source, c.service, c.netns, c.sent, c.received, c.first_sent, c.first_received,
c.packets_sent, c.packets_received, c.rtt_us, c.retransmits, c.latency_us, c.duration_us, c.attribution, c.owner,
c.tid, c.ancestry, c.extra";

/// A row of a connection.
#[derive(Debug)]
pub struct Kept {
    pub row: i64,
    pub run: i64,
    id: Id,
    pub first: i64,
    pub newest: i64,
    pub closed: Option<i64>,
    event: i64,
    last_event: i64,
    pub protocol: Protocol,
    family: u8,
    direction: Option<Direction>,
    flags: i64,
    state: Option<i64>,
    outcome: Option<i64>,
    error: Option<i64>,
    local: Option<i64>,
    local_port: Option<u16>,
    remote: Option<i64>,
    remote_port: Option<u16>,
    remote_name: Option<i64>,
    name_source: Option<i64>,
    service: Option<i64>,
    netns: u32,
    bytes: Option<Bytes>,
    first_bytes: Option<Bytes>,
    packets: Option<Packets>,
    rtt_us: Option<u32>,
    retransmits: Option<u32>,
    latency_us: Option<u64>,
    duration_us: Option<u64>,
    attribution: i64,
    owner: Option<i64>,
    tid: Option<u32>,
    ancestry: Option<i64>,
    extra: Option<String>,
}

/// Cells of a row, one after the other.
struct Cells<'a, 'b> {
    row: &'a Row<'b>,
    at: usize,
}

impl Cells<'_, '_> {
    fn next<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        let cell = self.row.get(self.at);
        self.at += 1;
        cell
    }

    /// Two counts, where both are known. Larger numbers than the file can have are the largest that it can.
    fn pair(&mut self) -> rusqlite::Result<Option<(u64, u64)>> {
        let (one, other): (Option<i64>, Option<i64>) = (self.next()?, self.next()?);
        Ok(one
            .zip(other)
            .map(|(one, other)| (count(one), count(other))))
    }

    fn bytes(&mut self) -> rusqlite::Result<Option<Bytes>> {
        let pair = self.pair()?;
        Ok(pair.map(|(sent, received)| Bytes { sent, received }))
    }
}

/// A count, which is never negative.
pub fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

impl Kept {
    /// Reads [`COLUMNS`].
    pub fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let mut cells = Cells { row, at: 0 };
        Ok(Self {
            row: cells.next()?,
            run: cells.next()?,
            id: Id {
                opened_ns: count(cells.next()?),
                cpu: cells.next()?,
            },
            first: cells.next()?,
            newest: cells.next()?,
            closed: cells.next()?,
            event: cells.next()?,
            last_event: cells.next()?,
            protocol: Protocol::of_number(cells.next()?).unwrap_or(Protocol::Tcp),
            family: cells.next()?,
            direction: direction_of(cells.next()?),
            flags: cells.next()?,
            state: cells.next()?,
            outcome: cells.next()?,
            error: cells.next()?,
            local: cells.next()?,
            local_port: cells.next()?,
            remote: cells.next()?,
            remote_port: cells.next()?,
            remote_name: cells.next()?,
            name_source: cells.next()?,
            service: cells.next()?,
            netns: cells.next()?,
            bytes: cells.bytes()?,
            first_bytes: cells.bytes()?,
            packets: cells
                .pair()?
                .map(|(sent, received)| Packets { sent, received }),
            rtt_us: cells.next()?,
            retransmits: cells.next()?,
            latency_us: cells.next::<Option<i64>>()?.map(count),
            duration_us: cells.next::<Option<i64>>()?.map(count),
            attribution: cells.next()?,
            owner: cells.next()?,
            tid: cells.next()?,
            ancestry: cells.next()?,
            extra: cells.next()?,
        })
    }

    /// It is older than its run.
    pub fn is_older(&self) -> bool {
        self.flags & OLDER != 0
    }

    /// What had moved when it was told of first; nothing of what began then. `None`: nobody knows.
    pub fn base(&self) -> Option<Bytes> {
        const NOTHING: Bytes = Bytes {
            sent: 0,
            received: 0,
        };
        if self.is_older() {
            self.first_bytes
        } else {
            Some(NOTHING)
        }
    }
}

impl History {
    /// The record that told of it first.
    pub(super) fn first(&self, kept: &Kept) -> anyhow::Result<Connection> {
        let event = self.word_of(kept.event)?;
        let mut record = self.record(kept, event, kept.first)?;
        if event.is_last() {
            self.end(kept, &mut record)?;
        }
        record.state = self.state_after(kept, event)?;
        record.bytes = match event {
            Event::Existing => kept.first_bytes,
            _ => record.bytes,
        };
        if let Some(ancestry) = kept.ancestry {
            record.ancestry = self
                .names
                .borrow_mut()
                .ancestry(&self.db, ancestry)?
                .to_vec();
        }
        Ok(record)
    }

    /// The record that told that it was established.
    pub(super) fn established(&self, kept: &Kept, time: i64) -> anyhow::Result<Connection> {
        let mut record = self.record(kept, Event::Established, time)?;
        record.state = self.state_after(kept, Event::Established)?;
        record.latency_us = kept.latency_us;
        Ok(record)
    }

    /// A record that told what had moved by then.
    pub(super) fn update(
        &self,
        kept: &Kept,
        time: i64,
        bytes: Option<Bytes>,
    ) -> anyhow::Result<Connection> {
        let mut record = self.record(kept, Event::Update, time)?;
        record.bytes = bytes;
        // What else the newest record said was so then.
        if time >= kept.newest {
            record.state = self.state(kept)?;
            record.packets = kept.packets;
            record.rtt_us = kept.rtt_us;
            record.retransmits = kept.retransmits;
        }
        Ok(record)
    }

    /// The record that told that it was over; `None`: none did.
    pub(super) fn last(&self, kept: &Kept) -> anyhow::Result<Option<Connection>> {
        let event = self.word_of(kept.last_event)?;
        let Some(closed) = kept.closed.filter(|_| event.is_last()) else {
            return Ok(None);
        };
        let mut record = self.record(kept, event, closed)?;
        self.end(kept, &mut record)?;
        record.state = self.state_after(kept, event)?;
        Ok(Some(record))
    }

    /// As the one that was open at that time was found.
    pub(super) fn found(
        &self,
        kept: &Kept,
        time: i64,
        bytes: Option<Bytes>,
    ) -> anyhow::Result<Connection> {
        let mut record = self.record(kept, Event::Existing, time)?;
        record.open_before = true;
        let is_listener = kept.direction == Some(Direction::Listening);
        record.bytes = bytes.filter(|_| !is_listener);
        if is_listener {
            record.state = self.state_after(kept, Event::Listen)?;
        } else if time >= kept.newest {
            record.state = self.state(kept)?;
        }
        if let Some(ancestry) = kept.ancestry {
            record.ancestry = self
                .names
                .borrow_mut()
                .ancestry(&self.db, ancestry)?
                .to_vec();
        }
        Ok(record)
    }

    /// What the last record says beside what all do.
    fn end(&self, kept: &Kept, record: &mut Connection) -> anyhow::Result<()> {
        record.outcome = self
            .names
            .borrow_mut()
            .word::<Outcome>(&self.db, kept.outcome)?;
        record.error = self
            .names
            .borrow_mut()
            .text_of(&self.db, kept.error)?
            .map(|error| error.to_string());
        record.accepted = (kept.flags & NOT_ACCEPTED != 0).then_some(false);
        record.bytes = kept.bytes;
        record.packets = kept.packets;
        record.rtt_us = kept.rtt_us;
        record.retransmits = kept.retransmits;
        record.duration_us = kept.duration_us;
        Ok(())
    }

    fn word_of(&self, text: i64) -> anyhow::Result<Event> {
        let word = self.names.borrow_mut().word(&self.db, Some(text))?;
        Ok(word.unwrap_or(Event::Update))
    }

    fn state(&self, kept: &Kept) -> anyhow::Result<Option<Word>> {
        let state = self.names.borrow_mut().text_of(&self.db, kept.state)?;
        Ok(state.map(|state| Word::Owned(state.to_string())))
    }

    /// The TCP state after a record that tells of a change; of what was found, the newest that is known.
    fn state_after(&self, kept: &Kept, event: Event) -> anyhow::Result<Option<Word>> {
        if kept.protocol != Protocol::Tcp {
            return Ok(None);
        }
        Ok(Some(Word::Borrowed(match event {
            Event::Connect => "SYN_SENT",
            Event::Established | Event::Accept => "ESTABLISHED",
            Event::Listen => "LISTEN",
            Event::Failed | Event::Close | Event::Unlisten => "CLOSED",
            _ => return self.state(kept),
        })))
    }

    /// What all records of it say.
    fn record(&self, kept: &Kept, event: Event, time: i64) -> anyhow::Result<Connection> {
        let extra: Extra = match &kept.extra {
            Some(extra) => serde_json::from_str(extra)?,
            None => Extra::default(),
        };
        let (db, mut names) = (&self.db, self.names.borrow_mut());
        let owner = kept.owner.map(|owner| names.owner(db, owner)).transpose()?;
        let owner = owner.map(|mut owner| {
            if let Some(tid) = kept.tid.filter(|tid| *tid != owner.process.tid) {
                let process = &mut Arc::make_mut(&mut owner).process;
                Arc::make_mut(process).tid = tid;
            }
            owner
        });
        let mut remote = end(names.address_of(db, kept.remote)?, kept.remote_port);
        if let Some(remote) = &mut remote {
            remote.name = names.text_of(db, kept.remote_name)?;
            remote.name_source = names.word(db, kept.name_source)?;
            remote.names = extra.names;
        }
        let attribution = names.word(db, Some(kept.attribution))?;
        let is_inferred = kept.flags & INFERRED != 0;
        let record = Connection {
            head: Head {
                time: format!("{:.9}", timestamp(time)),
                event,
                seq: 0,
                host: self.host.clone(),
            },
            id: kept.id,
            protocol: kept.protocol,
            family: if kept.family == 4 { "ipv4" } else { "ipv6" }.into(),
            direction: kept.direction,
            direction_source: kept
                .direction
                .map(|_| if is_inferred { "inferred" } else { "observed" }.into()),
            open_before: kept.is_older(),
            hidden_from: Vec::new(),
            old_state: None,
            state: None,
            outcome: None,
            error: None,
            accepted: None,
            local: end(names.address_of(db, kept.local)?, kept.local_port),
            remote,
            requested: extra.requested,
            translated: extra.translated,
            service: names.text_of(db, kept.service)?,
            netns: kept.netns,
            socket: None,
            bytes: None,
            packets: None,
            rtt_us: None,
            retransmits: None,
            latency_us: None,
            duration_us: None,
            community_id: None,
            attribution: attribution.unwrap_or(Attribution::None),
            owner,
            holders: extra.holders,
            ancestry: Vec::new(),
            opened_by: extra.opened_by,
            profile: None,
            unexpected: false,
        };
        Ok(record.with_community_id())
    }
}

/// An end, where there is an address.
fn end(address: Option<(std::net::IpAddr, Option<Scope>)>, port: Option<u16>) -> Option<Endpoint> {
    let (ip, scope) = address?;
    Some(Endpoint {
        scope,
        ..Endpoint::at(ip, port)
    })
}
