//! Which records something of a kind must have, and whether they came.

use tracer_core::{
    outcome::Outcome,
    protocol::Protocol,
    record::{self, Connection, Direction, Event, Record, Socket},
};

use super::{
    judge::PATIENCE,
    kind::{Kind, Made},
};

/// What must be told of one socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    kind: Kind,
    direction: Direction,
    /// In this order, and nothing else.
    events: &'static [Event],
    made: Made,
}

/// What must be told of a connection, or a listener, of a kind: of each of its sockets.
pub fn expected(kind: Kind, made: Made) -> Vec<Expected> {
    use Direction::{Inbound, Listening, Outbound};
    use Event::{Accept, Close, Connect, Established, Existing, Failed, Listen, Unlisten};

    let sockets: &[(Direction, &'static [Event])] = match kind {
        Kind::TcpIpv4 | Kind::TcpIpv6 | Kind::HandedOver | Kind::FastOpen | Kind::IoUring => &[
            (Outbound, &[Connect, Established, Close]),
            (Inbound, &[Accept, Close]),
        ],
        Kind::Refused => &[(Outbound, &[Connect, Failed])],
        Kind::NotAccepted => &[
            (Outbound, &[Connect, Established, Close]),
            (Inbound, &[Close]),
        ],
        Kind::Existing => &[
            (Listening, &[Existing, Unlisten]),
            (Outbound, &[Existing, Close]),
            (Inbound, &[Existing, Close]),
        ],
        Kind::Listener => &[(Listening, &[Listen, Unlisten])],
        Kind::UdpIpv4 | Kind::UdpIpv6 => &[
            (Listening, &[Listen, Unlisten]),
            (Outbound, &[Connect, Close]),
            (Inbound, &[Accept, Close]),
        ],
        Kind::RawSocket | Kind::PacketSocket => &[],
    };
    let socket = |(direction, events): &(Direction, &'static [Event])| Expected {
        kind,
        direction: *direction,
        events,
        made,
    };
    sockets.iter().map(socket).collect()
}

impl Expected {
    /// What came, in words; or what is wrong with it.
    pub fn check(&self, records: &[Record]) -> Result<String, String> {
        let direction = self.direction.word();
        let came: Vec<&Connection> = self.of(records).collect();
        let events: Vec<Event> = came.iter().map(|record| record.head.event).collect();
        if events != self.events {
            return Err(format!("{direction}: {}", self.difference(&events)));
        }
        for record in came {
            self.check_record(record)
                .map_err(|wrong| format!("{direction} {}: {wrong}", record.head.event.word()))?;
        }
        Ok(words(&events))
    }

    /// Whether anything was told of it.
    pub fn has_begun(&self, records: &[Record]) -> bool {
        self.of(records).next().is_some()
    }

    /// The records of the socket.
    fn of<'a>(&'a self, records: &'a [Record]) -> impl Iterator<Item = &'a Connection> {
        records.iter().filter_map(|record| match record {
            Record::Connection(connection) if self.is_of(connection) => Some(&**connection),
            _ => None,
        })
    }

    /// Whether a record is about the socket: by what is spoken, and by its ports.
    fn is_of(&self, record: &Connection) -> bool {
        let port = |end: &Option<record::Endpoint>| end.as_ref().and_then(|end| end.port);
        let (local, remote) = (port(&record.local), port(&record.remote));
        let (listener, from) = (Some(self.kind.port()), self.made.from);
        let is_from = |port: Option<u16>| from == 0 || port == Some(from);
        record.protocol == self.kind.protocol()
            && record.family == self.kind.family()
            && record.direction == Some(self.direction)
            && match self.direction {
                Direction::Outbound => remote == listener && is_from(local),
                Direction::Inbound => local == listener && is_from(remote),
                Direction::Listening => local == listener,
            }
    }

    /// What is wrong about events that are not those that are expected.
    fn difference(&self, came: &[Event]) -> String {
        let missing = self.events.iter().find(|event| !came.contains(event));
        let wrong = match missing {
            Some(event) => format!("no {} came within {} s", event.word(), PATIENCE.as_secs()),
            None => "not these and in this order".to_owned(),
        };
        let came = if came.is_empty() {
            "nothing".to_owned()
        } else {
            words(came)
        };
        format!("{wrong}; expected {}, came {came}", words(self.events))
    }

    /// Whether a record says what was done.
    fn check_record(&self, record: &Connection) -> Result<(), String> {
        let is_last = record.head.event.is_last();
        self.check_owner(record, is_last)?;
        if record.head.event == Event::Failed && record.outcome != Some(Outcome::Refused) {
            return Err("is not said to be refused".to_owned());
        }
        let is_close = record.head.event == Event::Close;
        let is_taken = self.kind != Kind::NotAccepted || self.direction == Direction::Outbound;
        if is_close && !is_taken && record.accepted != Some(false) {
            return Err("is not said to be taken by nobody".to_owned());
        }
        if is_close {
            self.check_moved(record)?;
        }
        Ok(())
    }

    /// Who is named is who it was: who closed the outbound end, and in all else who opened it.
    fn check_owner(&self, record: &Connection, is_last: bool) -> Result<(), String> {
        let is_of_heir = is_last && self.direction == Direction::Outbound;
        let user = if is_of_heir {
            self.made.user
        } else {
            self.made.pid
        };
        let named = record.owner.as_ref().map(|owner| owner.process.pid);
        same("process", user, named)?;
        let opener = (user != self.made.pid).then_some(self.made.pid);
        let named = record.opened_by.as_ref().map(|process| process.pid);
        if named == opener {
            return Ok(());
        }
        match opener {
            Some(opener) => same("opened by", opener, named),
            None => Err("is said to be opened by another process".to_owned()),
        }
    }

    /// What moved is what was sent.
    fn check_moved(&self, record: &Connection) -> Result<(), String> {
        let (sent, received) = match self.direction {
            Direction::Outbound => (self.made.there, self.made.back),
            Direction::Inbound | Direction::Listening => (self.made.back, self.made.there),
        };
        let bytes = record.bytes;
        same("bytes sent", sent.bytes, bytes.map(|bytes| bytes.sent))?;
        same(
            "bytes received",
            received.bytes,
            bytes.map(|bytes| bytes.received),
        )?;
        if record.protocol == Protocol::Udp {
            let packets = record.packets;
            let (out, in_) = (packets.map(|p| p.sent), packets.map(|p| p.received));
            same("packets sent", sent.packets, out)?;
            same("packets received", received.packets, in_)?;
        }
        Ok(())
    }
}

/// Whether the record of a socket that is not followed came.
pub fn check_socket(
    kind: Kind,
    pid: u32,
    inode: u64,
    records: &[Record],
) -> Result<String, String> {
    let of_socket = |record: &&Socket| record.inode == inode;
    let sockets = records.iter().filter_map(|record| match record {
        Record::Socket(socket) => Some(&**socket),
        _ => None,
    });
    let came: Vec<&Socket> = sockets.filter(of_socket).collect();
    let [record] = came.as_slice() else {
        let count = came.len();
        return Err(format!("{count} socket records came, expected one"));
    };
    same("process", pid, Some(record.owner.process.pid))?;
    let (is, says) = (kind.socket_kind().word(), record.kind.word());
    if is != says {
        return Err(format!("is said to be {says}"));
    }
    Ok(Event::Socket.word().to_owned())
}

/// Whether a number is what was done.
fn same<T: Copy + PartialEq + std::fmt::Display>(
    what: &str,
    done: T,
    said: Option<T>,
) -> Result<(), String> {
    match said {
        Some(said) if said == done => Ok(()),
        Some(said) => Err(format!("{what} {said}, expected {done}")),
        None => Err(format!("{what} not said, expected {done}")),
    }
}

fn words(events: &[Event]) -> String {
    let words: Vec<&str> = events.iter().copied().map(Event::word).collect();
    words.join(", ")
}
