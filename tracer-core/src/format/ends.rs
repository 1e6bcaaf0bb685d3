//! What the schemas of others ask of a connection: who is its source, whether it went well, and
//! what is left that they have no field for.

use std::net::IpAddr;

use super::{
    indicators::{At, Met},
    object::Object,
};
use crate::{
    outcome::Outcome,
    record::{Connection, Direction, Endpoint, Event, Owner, Process, Record, Socket},
};

/// The two ends, as schemas have them that know no near and far end.
#[derive(Clone, Copy, Debug)]
pub struct Ends<'a> {
    /// Who opened it; this host where nobody knows who did.
    pub source: Option<&'a Endpoint>,
    /// Who was asked. A listener waits to be.
    pub destination: Option<&'a Endpoint>,
    /// The source is the remote end.
    pub is_reversed: bool,
}

impl<'a> Ends<'a> {
    /// That of a connection or listener.
    pub fn of(connection: &'a Connection) -> Self {
        let (local, remote) = (connection.local.as_ref(), connection.remote.as_ref());
        let is_reversed = matches!(
            connection.direction,
            Some(Direction::Inbound | Direction::Listening)
        );
        let (source, destination) = if is_reversed {
            (remote, local)
        } else {
            (local, remote)
        };
        Self {
            source,
            destination,
            is_reversed,
        }
    }

    /// The indicators that they have met.
    pub fn met(&self) -> Met<'a> {
        let at = |end: Option<&'a Endpoint>| {
            end.map_or_else(At::default, |end| At {
                ip: Some(end.ip),
                hits: &end.threat,
            })
        };
        Met {
            source: at(self.source),
            destination: at(self.destination),
        }
    }

    /// What was sent and received, as what the source and the destination sent.
    pub fn turned<T>(&self, sent: T, received: T) -> (T, T) {
        if self.is_reversed {
            (received, sent)
        } else {
            (sent, received)
        }
    }
}

/// Whether it went well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It did.
    Success,
    /// It did not.
    Failure,
    /// That will only be known later.
    Unknown,
}

/// Whether what the record tells went well; `None`: nothing that could.
///
/// A connection that is reset was one, so a `close` has none: its reason says how it ended.
pub fn verdict(event: Event) -> Option<Verdict> {
    match event {
        Event::Connect => Some(Verdict::Unknown),
        Event::Established | Event::Accept => Some(Verdict::Success),
        Event::Failed => Some(Verdict::Failure),
        _ => None,
    }
}

/// How it ended.
pub fn reason(connection: &Connection) -> Option<&'static str> {
    connection.outcome.map(Outcome::word)
}

/// The arguments as one text, as they would be shown.
pub fn command_line(args: Option<&Vec<String>>) -> Option<String> {
    args.map(|args| args.join(" "))
}

/// Names a process among those of a boot.
pub fn entity(boot: &str, pid: u32, start_time: &str) -> String {
    format!("{boot}-{pid}-{start_time}")
}

/// Each address once, in the order of source and destination.
pub fn addresses(ends: &Ends<'_>) -> Vec<IpAddr> {
    let ends = [ends.source, ends.destination].into_iter().flatten();
    let mut addresses: Vec<IpAddr> = ends.map(|end| end.ip).collect();
    addresses.dedup();
    addresses
}

/// What of a connection the schemas have no field for, by the names of the contract.
pub fn left_over(connection: &Connection) -> Object {
    let remote = connection.remote.as_ref();
    let object = Object::default()
        .with("event", connection.head.event.word())
        .with("id", connection.id.to_string())
        .with("netns", connection.netns)
        .own("attribution", &connection.attribution)
        .own("direction", &connection.direction)
        .own("direction_source", &connection.direction_source)
        .own("open_before", &connection.open_before)
        .own("hidden_from", &connection.hidden_from)
        .own("socket", &connection.socket)
        .own("old_state", &connection.old_state)
        .own("state", &connection.state)
        .known("accepted", connection.accepted)
        .own("requested", &connection.requested)
        .own("translated", &connection.translated)
        .own("scope", &remote.map(|remote| remote.scope))
        .own("profile", &connection.profile)
        .own("unexpected", &connection.unexpected)
        .own("name_source", &remote.map(|remote| remote.name_source))
        .own("names", &remote.map_or(&[][..], |remote| &remote.names))
        .own("rtt_us", &connection.rtt_us)
        .own("retransmits", &connection.retransmits)
        .own("latency_us", &connection.latency_us)
        .own("holders", &connection.holders)
        .own("ancestry", &connection.ancestry)
        .own("opened_by", &connection.opened_by);
    of_owner(object, connection.owner.as_deref())
}

/// A record of the run itself, under its own word: what is called `kernel` or `names` in one is
/// something else in another, and an index takes only one type for a field.
pub fn left_over_of_the_run(record: &Record) -> Object {
    let word = record.head().event.word();
    Object::default().with("event", word).own(word, record)
}

/// What of a socket they have none for.
pub fn left_over_of_socket(socket: &Socket) -> Object {
    let object = Object::default()
        .with("event", socket.head.event.word())
        .with("kind", socket.kind.word())
        .known("type", socket.socket_type.as_deref())
        .known("protocol", socket.protocol.clone())
        .with("inode", socket.inode)
        .with("netns", socket.netns)
        .own("attribution", &socket.attribution)
        .own("ancestry", &socket.ancestry);
    of_owner(object, Some(&socket.owner))
}

/// What of an owner they have none for.
pub fn of_owner(object: Object, owner: Option<&Owner>) -> Object {
    let Some(owner) = owner else {
        return object;
    };
    of_process(object, &owner.process)
        .known("session", owner.user.session)
        .own("name_from", &owner.user.name_from)
        .own("cgroup", &owner.cgroup)
        .known("unit", owner.unit.clone())
}

fn of_process(object: Object, process: &Process) -> Object {
    object
        .known("tty", process.tty.clone())
        .own("args_truncated", &process.args_truncated)
        .own("exe_deleted", &process.flags.is_deleted)
        .own("exe_memfd", &process.flags.is_memfd)
        .own("exe_unpackaged", &process.flags.is_unpackaged)
        .known("not_hashed", process.not_hashed.as_deref())
}
