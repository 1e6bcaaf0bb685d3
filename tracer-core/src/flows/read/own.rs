//! What conntracer wrote with `-o json`: one flow for each connection.
//!
//! A connection has several records. It is told with the last of them: where it ends or, of one that is open
//! when there are no more lines, then. The processes have no place in a flow: only their user has.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Around;
use crate::{
    flows::{Action, Amount, End, Flow, Format, Nat, Stage, ip::IpProtocol},
    logs::{Origin, Reader, Unreadable, json, recent::Recent},
    outcome::Outcome,
    record::{Connection, Direction, Endpoint, Event, Id, Owner, Record},
};

/// How many connections may be open at once before the oldest is told as it stands. A test need not make that many.
const OPEN_MAX: usize = if cfg!(test) { 1 << 12 } else { 1 << 16 };

/// Reads records.
#[derive(Debug)]
pub struct Own {
    /// The connections that are open, by host. What is too much is told as it stands.
    open: Recent<(String, Id), Flow>,
}

impl Own {
    /// Records say everything themselves.
    #[must_use]
    pub fn new(_around: &Around) -> Self {
        Self {
            open: Recent::keeping(OPEN_MAX),
        }
    }

    fn take(
        &mut self,
        connection: &Connection,
        origin: &Origin,
    ) -> Result<Option<Flow>, Unreadable> {
        let Some(mut flow) = flow(connection, origin)? else {
            return Ok(None);
        };
        let key = (connection.head.host.to_string(), connection.id);
        if let Some(before) = self.open.remove(&key) {
            follow(&mut flow, before);
        }
        if flow.stage == Some(Stage::End) {
            return Ok(Some(flow));
        }
        Ok(self.open.insert(key, flow))
    }
}

/// Whether a line is such a record.
#[must_use]
pub fn recognises(line: &str) -> bool {
    let value = || serde_json::from_str::<Value>(line);
    line.starts_with('{') && value().is_ok_and(|value| recognises_event(&value))
}

/// Whether a value is such a record.
#[must_use]
pub fn recognises_event(value: &Value) -> bool {
    let event = value.get("event");
    let is_known = |event: &Value| serde_json::from_value::<Event>(event.clone()).is_ok();
    event.is_some_and(is_known)
        && json::at(value, "seq").is_some_and(Value::is_u64)
        && json::text(value, "time").is_some()
}

impl Reader<Flow> for Own {
    fn line(
        &mut self,
        line: &str,
        origin: &Origin,
        told: &mut Vec<Flow>,
    ) -> Result<(), Unreadable> {
        if line.trim().is_empty() {
            return Ok(());
        }
        // The others tell of the run, of sockets that have no other end, and of who looked at connections.
        if let Record::Connection(connection) = Record::read(line)? {
            told.extend(self.take(&connection, origin)?);
        }
        Ok(())
    }

    fn end(&mut self, told: &mut Vec<Flow>) -> Result<(), Unreadable> {
        told.extend(std::iter::from_fn(|| self.open.oldest()));
        Ok(())
    }
}

/// What a record tells by itself; nothing of a listener, or of a socket that has no other end.
fn flow(connection: &Connection, origin: &Origin) -> Result<Option<Flow>, Unreadable> {
    if connection.direction == Some(Direction::Listening) || connection.remote.is_none() {
        return Ok(None);
    }
    let told = json::time(&connection.head.time)?;
    let (source, destination) = ends(connection);
    let stage = stage(connection.head.event);
    let is_forward = is_forward(connection);
    let amount = |moved: Option<(u64, u64)>| {
        moved.map_or_else(Amount::default, |(sent, received)| {
            let (forward, reverse) = if is_forward {
                (sent, received)
            } else {
                (received, sent)
            };
            Amount::both(forward, reverse)
        })
    };
    Ok(Some(Flow {
        // Of what goes on: until then, at least.
        end: (stage != Stage::Start).then_some(told),
        source,
        destination,
        initiator_known: connection.direction.is_some(),
        protocol: Some(IpProtocol(connection.protocol.number())),
        bytes: amount(connection.bytes.map(|bytes| (bytes.sent, bytes.received))),
        packets: amount(
            connection
                .packets
                .map(|packets| (packets.sent, packets.received)),
        ),
        action: (connection.outcome == Some(Outcome::Denied)).then_some(Action::Denied),
        stage: Some(stage),
        reason: connection.outcome.map(|outcome| outcome.word().to_owned()),
        session: Some(connection.id.to_string()),
        service: connection.service.as_deref().map(str::to_owned),
        device: Some(connection.head.host.clone()).filter(|host| !host.is_empty()),
        ..Flow::new(begin(connection, told)?, Format::Conntracer, origin.into())
    }))
}

/// A connection whose direction is not known is written as if this host had opened it.
fn is_forward(connection: &Connection) -> bool {
    connection.direction != Some(Direction::Inbound)
}

fn stage(event: Event) -> Stage {
    match event {
        Event::Close | Event::Failed => Stage::End,
        Event::Connect | Event::Accept => Stage::Start,
        _ => Stage::Update,
    }
}

/// When it began, as far as one record says.
fn begin(connection: &Connection, told: Timestamp) -> Result<Timestamp, Unreadable> {
    let Some(duration) = connection.duration_us else {
        return Ok(told);
    };
    let wrong = || Unreadable::new("`duration_us` is out of range");
    let duration = i64::try_from(duration).map_err(|_| wrong())?;
    let begin = told.checked_sub(SignedDuration::from_micros(duration));
    begin.map_err(|_| wrong())
}

/// Who opened it, and the other end.
fn ends(connection: &Connection) -> (End, End) {
    let mut local = end(connection.local.as_ref());
    local.user = connection.owner.as_deref().map(user);
    let mut remote = end(connection.remote.as_ref());
    if let Some(translated) = connection.translated {
        remote.translate(Some(translated.ip), Some(translated.port));
    }
    if is_forward(connection) {
        (local, remote)
    } else {
        (remote, local)
    }
}

fn end(endpoint: Option<&Endpoint>) -> End {
    let Some(endpoint) = endpoint else {
        return End::default();
    };
    End {
        name: endpoint.name.as_deref().map(str::to_owned),
        ..End::at(endpoint.ip, endpoint.port)
    }
}

/// The name of a user, or the number of one without.
fn user(owner: &Owner) -> String {
    let name = owner.user.name.clone();
    name.unwrap_or_else(|| owner.user.uid.to_string())
}

/// A record follows another of its connection: what only that said is still so.
fn follow(flow: &mut Flow, before: Flow) {
    flow.time = flow.time.min(before.time);
    let (source, destination) = if is_turned(flow, &before) {
        (before.destination, before.source)
    } else {
        (before.source, before.destination)
    };
    remember(&mut flow.source, source);
    remember(&mut flow.destination, destination);
    flow.service = flow.service.take().or(before.service);
}

/// Whether the direction became known only now, and is the other one.
fn is_turned(flow: &Flow, before: &Flow) -> bool {
    let at = |end: &End| (end.ip, end.port);
    at(&flow.source) == at(&before.destination) && at(&flow.source) != at(&before.source)
}

fn remember(end: &mut End, before: End) {
    end.ip = end.ip.or(before.ip);
    end.port = end.port.or(before.port);
    end.user = end.user.take().or(before.user);
    end.name = end.name.take().or(before.name);
    if end.nat == Nat::default() {
        end.nat = before.nat;
    }
}

#[cfg(test)]
mod tests;
