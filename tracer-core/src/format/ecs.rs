//! Documents of the Elastic Common Schema, one JSON object a line.
//!
//! What the schema has no field for is under `conntracer`, by the names of our own contract.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use super::{
    ends::{
        Ends, Verdict, addresses, command_line, entity, left_over, left_over_of_socket,
        left_over_of_the_run, reason, verdict,
    },
    findings,
    json::line,
    machine::Machine,
    object::Object,
    place,
};
use crate::{
    clock::Clock,
    discovery::{Finding, Who},
    format::Format,
    outcome::Outcome,
    record::{
        Ancestor, Connection, Destination, Direction, Endpoint, Event, Head, Owner, Parent,
        Process, Record, Socket, User,
    },
};

/// The version of the schema.
pub(super) const VERSION: &str = "9.4.0";

/// Writes documents of the Elastic Common Schema 9.4.
#[derive(Clone, Debug, Default)]
pub struct Ecs {
    machine: Machine,
}

impl Format for Ecs {
    fn write(&mut self, record: &Record, _clock: &Clock, out: &mut Vec<u8>) {
        if let Record::Start(start) = record {
            self.machine = Machine::of(start);
        }
        let base = self.base(record.head());
        let document = match record {
            Record::Connection(connection) => self.connection(base, connection),
            Record::Socket(socket) => self.socket(base, socket),
            Record::Discovery(finding) => self.discovery(base, finding),
            Record::Start(start) => of_the_run(base, &start.head, record),
            Record::Loss(loss) => of_the_run(base, &loss.head, record),
            Record::Stop(stop) => of_the_run(base, &stop.head, record),
        };
        line(&document, out);
    }
}

impl Ecs {
    /// What every document has.
    fn base(&self, head: &Head) -> Object {
        let machine = &self.machine;
        let os = Object::default()
            .with("type", "linux")
            .known("kernel", machine.kernel.clone());
        let boot = Object::default().known("id", machine.boot.clone());
        let host = Object::default()
            .with("hostname", &*head.host)
            .with("name", &*head.host)
            .known("id", machine.id.clone())
            .part("boot", boot)
            .with("os", os);
        let agent = Object::default()
            .with("type", "conntracer")
            .known("version", machine.version.clone());
        Object::default()
            .with("@timestamp", &*head.time)
            .with("ecs", Object::default().with("version", VERSION))
            .with("agent", agent)
            .with("host", host)
    }

    fn connection(&self, base: Object, connection: &Connection) -> Object {
        let ends = Ends::of(connection);
        let owner = connection.owner.as_deref();
        let process =
            owner.map(|owner| self.process(owner, &connection.head, &connection.ancestry));
        let error = Object::default().known("code", connection.error.clone());
        let (is_source_remote, is_known) = (ends.is_reversed, connection.direction.is_some());
        let source = end(ends.source, connection, is_source_remote);
        let destination = end(ends.destination, connection, !is_source_remote);
        // Who opened it is the client, if that is known.
        let (client, server) = if is_known {
            (source.clone(), destination.clone())
        } else {
            Default::default()
        };
        with_owner(base, owner)
            .with("event", event_of(connection))
            .part("error", error)
            .with("network", network(connection))
            .part("source", source)
            .part("destination", destination)
            .part("client", client)
            .part("server", server)
            .part("threat", ends.met().ecs())
            .part("process", process.unwrap_or_default())
            .part(
                "related",
                related(&connection.head, Some((connection, &ends)), owner),
            )
            .with("conntracer", left_over(connection))
    }

    fn socket(&self, base: Object, socket: &Socket) -> Object {
        let owner = &*socket.owner;
        let network = Object::default().known("type", socket.family.as_deref());
        with_owner(base, Some(owner))
            .with(
                "event",
                event(&socket.head, "kernel").list("category", ["network"]),
            )
            .part("network", network)
            .part(
                "process",
                self.process(owner, &socket.head, &socket.ancestry),
            )
            .part("related", related(&socket.head, None, Some(owner)))
            .with("conntracer", left_over_of_socket(socket))
    }

    fn discovery(&self, base: Object, finding: &Finding) -> Object {
        let base = match &finding.who {
            Who::Seen { owner, ancestry } => with_owner(base, Some(owner))
                .part("process", self.process(owner, &finding.head, ancestry))
                .part("related", related(&finding.head, None, Some(owner))),
            Who::Logged { .. } => base,
        };
        findings::alert(base, finding)
    }

    /// Names a process on this boot, or on this host where that is not told.
    fn entity(&self, head: &Head, pid: u32, start_time: &str) -> String {
        let boot = self.machine.boot.as_deref().unwrap_or(&head.host);
        entity(boot, pid, start_time)
    }

    fn process(&self, owner: &Owner, head: &Head, ancestry: &[Ancestor]) -> Object {
        let Process { pid, name, exe, .. } = &*owner.process;
        let process = &*owner.process;
        let args = process.args.as_ref();
        let whole = args.filter(|_| !process.args_truncated);
        let thread = Object::default().with("id", process.tid);
        let parent = process.parent.as_ref();
        named(*pid, name, exe.as_deref())
            .with("entity_id", self.entity(head, *pid, &process.start_time))
            .part(
                "hash",
                Object::default().known("sha256", process.sha256.clone()),
            )
            .known("vpid", process.ns_pid)
            .known("command_line", command_line(args))
            .known("args", args.cloned())
            .known("args_count", whole.map(Vec::len))
            .with("start", &*process.start_time)
            .with("interactive", process.tty.is_some())
            .with("thread", thread)
            .part(
                "parent",
                parent
                    .map(|parent| self.parent(parent, head))
                    .unwrap_or_default(),
            )
            .part("session_leader", session_leader(ancestry))
            .part("entry_leader", entry_leader(&owner.user))
            .with("user", effective(&owner.user))
            .with("real_user", real(&owner.user))
            .with(
                "real_group",
                Object::default().with("id", owner.user.gid.to_string()),
            )
    }

    fn parent(&self, parent: &Parent, head: &Head) -> Object {
        let args = parent.args.as_ref();
        named(parent.pid, &parent.name, parent.exe.as_deref())
            .with(
                "entity_id",
                self.entity(head, parent.pid, &parent.start_time),
            )
            .known("command_line", command_line(args))
            .known("args", args.cloned())
            .with("start", &*parent.start_time)
    }
}

/// A record of the run itself: there is no category for it, and it has no ends.
fn of_the_run(base: Object, head: &Head, record: &Record) -> Object {
    base.with("event", event(head, "conntracer"))
        .with("conntracer", left_over_of_the_run(record))
}

/// What every event says of itself.
fn event(head: &Head, provider: &str) -> Object {
    let is_of_a_connection = !matches!(head.event, Event::Start | Event::Loss | Event::Stop);
    Object::default()
        .with("kind", "event")
        .with("action", action(head.event))
        .list(
            "type",
            if is_of_a_connection {
                types(head.event)
            } else {
                &[]
            }
            .iter()
            .copied(),
        )
        .with("module", "conntracer")
        .with("dataset", "conntracer.flow")
        .with("provider", provider)
        .with("sequence", head.seq)
}

/// The action names that Elastic's own rules look for, and more of their kind.
fn action(event: Event) -> &'static str {
    match event {
        Event::Start => "tracing_started",
        Event::Existing => "connection_existing",
        Event::Listen => "listen_started",
        Event::Unlisten => "listen_stopped",
        Event::Connect => "connection_attempted",
        Event::Established => "connection_established",
        Event::Failed => "connection_failed",
        Event::Accept => "connection_accepted",
        Event::State => "connection_state_changed",
        Event::Update => "connection_updated",
        Event::Close => "disconnect_received",
        Event::Socket => "socket_opened",
        Event::Discovery => "discovery",
        Event::Loss => "records_lost",
        Event::Stop => "tracing_stopped",
    }
}

/// The types of an event. Each connection starts once: with its attempt, or when it is accepted.
fn types(event: Event) -> &'static [&'static str] {
    match event {
        Event::Connect | Event::Accept => &["connection", "start"],
        Event::Failed | Event::Close => &["connection", "end"],
        Event::Existing | Event::Established | Event::State | Event::Update => {
            &["connection", "info"]
        }
        Event::Start
        | Event::Listen
        | Event::Unlisten
        | Event::Socket
        | Event::Discovery
        | Event::Loss
        | Event::Stop => &["info"],
    }
}

fn event_of(connection: &Connection) -> Object {
    let head = &connection.head;
    let outcome = verdict(head.event).map(|verdict| match verdict {
        Verdict::Success => "success",
        Verdict::Failure => "failure",
        Verdict::Unknown => "unknown",
    });
    let is_denied = connection.outcome == Some(Outcome::Denied);
    let is_listener = connection.direction == Some(Direction::Listening);
    let mut types = types(head.event).to_vec();
    types.retain(|word| !(is_listener && *word == "connection"));
    types.extend(is_denied.then_some("denied"));
    let event = event(head, "kernel")
        .list("category", ["network"])
        .list("type", types)
        .known("outcome", outcome)
        .known("reason", reason(connection));
    let event = if is_listener && head.event == Event::Existing {
        event.with("action", "listener_existing")
    } else {
        event
    };
    match connection.duration_us {
        Some(us) => lasting(event, head, us),
        None => event,
    }
}

/// With when it began and ended, and how many nanoseconds lay between.
fn lasting(event: Object, head: &Head, us: u64) -> Object {
    let nanoseconds = us.checked_mul(1_000).and_then(|ns| i64::try_from(ns).ok());
    let began = head.time.parse::<Timestamp>().ok().and_then(|end| {
        end.checked_sub(SignedDuration::from_nanos(nanoseconds?))
            .ok()
    });
    event
        .known("duration", nanoseconds)
        .known("start", began.map(|began| format!("{began:.9}")))
        .with("end", &*head.time)
}

fn network(connection: &Connection) -> Object {
    let direction = match connection.direction {
        Some(Direction::Outbound) => Some("egress"),
        Some(Direction::Inbound) => Some("ingress"),
        Some(Direction::Listening) => None,
        None => Some("unknown"),
    };
    let bytes = connection.bytes;
    let packets = connection.packets;
    Object::default()
        .with("type", &*connection.family)
        .with("iana_number", connection.protocol.number().to_string())
        .with("transport", connection.protocol.word())
        .known("direction", direction)
        .known("application", connection.service.as_deref())
        .known("community_id", connection.community_id.clone())
        .known("bytes", bytes.map(|of| of.sent.saturating_add(of.received)))
        .known(
            "packets",
            packets.map(|of| of.sent.saturating_add(of.received)),
        )
}

/// One end, with what it sent.
fn end(endpoint: Option<&Endpoint>, connection: &Connection, is_remote: bool) -> Object {
    let Some(endpoint) = endpoint else {
        return Object::default();
    };
    let of = |sent, received| if is_remote { received } else { sent };
    let bytes = connection.bytes.map(|both| of(both.sent, both.received));
    let packets = connection.packets.map(|both| of(both.sent, both.received));
    let translated = connection.translated.filter(|_| is_remote);
    Object::default()
        .with("address", endpoint.ip.to_string())
        .with("ip", endpoint.ip.to_string())
        .known("port", endpoint.port)
        .known("domain", endpoint.name.as_deref())
        .known("bytes", bytes)
        .known("packets", packets)
        .part("nat", translated.map(nat).unwrap_or_default())
        .part("geo", place::geo(endpoint.geo.as_deref()))
        .part("as", place::network(endpoint.network.as_deref()))
}

fn nat(translated: Destination) -> Object {
    Object::default()
        .with("ip", translated.ip.to_string())
        .with("port", translated.port)
}

/// What a process is found by.
pub(super) fn named(pid: u32, name: &str, exe: Option<&str>) -> Object {
    Object::default()
        .with("pid", pid)
        .known("name", (!name.is_empty()).then_some(name))
        .known("executable", exe)
}

/// The last of the ancestors.
fn session_leader(ancestry: &[Ancestor]) -> Object {
    ancestry.last().map_or_else(Object::default, |leader| {
        named(leader.pid, &leader.name, leader.exe.as_deref())
    })
}

/// The account that logged in.
fn entry_leader(user: &User) -> Object {
    let account = Object::default()
        .known("id", user.auid.map(|auid| auid.to_string()))
        .known("name", user.login.clone());
    Object::default().part("user", account)
}

fn real(user: &User) -> Object {
    Object::default()
        .with("id", user.uid.to_string())
        .known("name", user.name.clone())
}

/// Whose rights it has. Of an effective user that is another, only the id is known.
fn effective(user: &User) -> Object {
    user.euid.map_or_else(
        || real(user),
        |euid| Object::default().with("id", euid.to_string()),
    )
}

/// With where the process lives, and whose it is.
pub(super) fn with_owner(base: Object, owner: Option<&Owner>) -> Object {
    let Some(owner) = owner else {
        return base;
    };
    let container = owner.container.as_ref().map(|container| {
        Object::default()
            .with("id", &*container.id)
            .known("name", container.name.clone())
            .known("runtime", container.runtime.clone())
            .part(
                "image",
                Object::default().known("name", container.image.clone()),
            )
    });
    let pod = owner.pod.as_ref().map(|pod| {
        let resource = Object::default()
            .with("type", "pod")
            .with("id", &*pod.uid)
            .known("name", pod.name.clone());
        Object::default()
            .with("type", "kubernetes")
            .known("namespace", pod.namespace.clone())
            .with("resource", resource)
    });
    base.with("user", effective(&owner.user))
        .part("container", container.unwrap_or_default())
        .part("orchestrator", pod.unwrap_or_default())
}

/// What the document can be found by, wherever it stands in it.
fn related(
    head: &Head,
    connection: Option<(&Connection, &Ends<'_>)>,
    owner: Option<&Owner>,
) -> Object {
    let mut ips: Vec<IpAddr> = connection.map_or_else(Vec::new, |(_, ends)| addresses(ends));
    let mut hosts = vec![head.host.to_string()];
    if let Some((connection, _)) = connection {
        ips.extend(connection.requested.map(|requested| requested.ip));
        ips.extend(connection.translated.map(|translated| translated.ip));
        let remote = connection.remote.iter();
        hosts.extend(
            remote
                .flat_map(|end| end.name.iter().chain(&end.names))
                .map(ToString::to_string),
        );
    }
    let users = owner.map(|owner| [&owner.user.name, &owner.user.login]);
    let users = users.into_iter().flatten().flatten().cloned();
    Object::default()
        .list("ip", once_each(ips.iter().map(ToString::to_string)))
        .list("hosts", once_each(hosts.into_iter()))
        .list("user", once_each(users))
        .list("hash", owner.and_then(|owner| owner.process.sha256.clone()))
}

/// Without those that were there already.
fn once_each(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut each = Vec::new();
    for text in texts {
        if !each.contains(&text) {
            each.push(text);
        }
    }
    each
}
