//! Network Activity of the Open Cybersecurity Schema Framework, one JSON object a line.
//!
//! What the class has no attribute for is in `unmapped`, by the names of our own contract. `start`
//! and `stop` are no activity on a network and are left out; a loss is told, for it is about what is
//! missing between the others.

use jiff::Timestamp;

use super::{
    ends::{
        Ends, Verdict, command_line, entity, left_over, left_over_of_socket, left_over_of_the_run,
        reason, verdict,
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
    executable::base_name,
    format::Format,
    outcome::Outcome,
    record::{
        Connection, Direction, Endpoint, Event, Head, Loss, Owner, Parent, Process, Record, Socket,
        User,
    },
    scope::Scope,
};

/// The version of the schema.
pub(super) const VERSION: &str = "1.8.0";
/// Network Activity, of the category of that name.
pub(super) const CLASS: u32 = 4001;
pub(super) const CATEGORY: u32 = 4;
/// The profiles whose attributes are used.
const PROFILES: [&str; 3] = ["host", "container", "linux/linux_users"];
/// That of events that have met indicators.
pub(super) const OSINT: &str = "osint";

/// Writes events of OCSF 1.8, class 4001.
#[derive(Clone, Debug, Default)]
pub struct Ocsf {
    machine: Machine,
}

impl Format for Ocsf {
    fn write(&mut self, record: &Record, _clock: &Clock, out: &mut Vec<u8>) {
        let event = match record {
            Record::Start(start) => {
                self.machine = Machine::of(start);
                return;
            }
            Record::Stop(_) => return,
            Record::Connection(connection) => self.connection(connection),
            Record::Socket(socket) => self.socket(socket),
            Record::Discovery(finding) => self.discovery(finding),
            Record::Loss(loss) => self.loss(loss, record),
        };
        line(&event, out);
    }
}

impl Ocsf {
    /// What every event has.
    fn base(&self, head: &Head, activity: Activity) -> Object {
        self.enriched(head, activity, Vec::new())
    }

    /// The same, with the indicators that were met.
    fn enriched(&self, head: &Head, activity: Activity, osint: Vec<Object>) -> Object {
        // The schema wants the attribute wherever its profile is named.
        let profiles = PROFILES.into_iter();
        let profiles = profiles.chain((!osint.is_empty()).then_some(OSINT));
        let id = activity.id();
        let product = Object::default()
            .with("name", "conntracer")
            .with("vendor_name", "conntracer")
            .known("version", self.machine.version.clone());
        let metadata = Object::default()
            .with("version", VERSION)
            .list("profiles", profiles)
            .with("sequence", head.seq)
            .with("product", product);
        Object::default()
            .with("category_uid", CATEGORY)
            .with("category_name", "Network Activity")
            .with("class_uid", CLASS)
            .with("class_name", "Network Activity")
            .with("activity_id", id)
            .with("activity_name", activity.name(head.event))
            .with("type_uid", CLASS * 100 + id)
            .known("time", milliseconds(&head.time))
            .with("metadata", metadata)
            .list("osint", osint)
            .with("device", self.device(head))
    }

    fn device(&self, head: &Head) -> Object {
        let machine = &self.machine;
        let os = Object::default()
            .with("name", "Linux")
            .with("type_id", 200)
            .known("kernel_release", machine.kernel.clone());
        Object::default()
            .with("hostname", &*head.host)
            // Whether it is a server, a desktop or a virtual machine is not looked at.
            .with("type_id", 0)
            .known("uid", machine.id.clone())
            .known("boot_uid", machine.boot.clone())
            .with("os", os)
    }

    fn connection(&self, connection: &Connection) -> Object {
        let head = &connection.head;
        let ends = Ends::of(connection);
        let base = self.enriched(head, activity(connection), ends.met().osint());
        let base = informational(with_status(base, connection))
            .with(
                "is_src_dst_assignment_known",
                connection.direction.is_some(),
            )
            .with("connection_info", connection_info(connection))
            .part(
                "src_endpoint",
                endpoint(ends.source, connection, ends.is_reversed),
            )
            .part(
                "dst_endpoint",
                endpoint(ends.destination, connection, !ends.is_reversed),
            )
            .part("traffic", traffic(connection, &ends))
            .with(
                "unmapped",
                with_pod(left_over(connection), connection.owner.as_deref()),
            );
        let has_ends = ends.source.is_some() || ends.destination.is_some();
        // The class wants one of them.
        let base = if has_ends {
            base
        } else {
            base.with("src_endpoint", host(head))
        };
        let base = match &connection.owner {
            Some(owner) => base.with("actor", self.actor(owner, head)),
            None => base,
        };
        match (connection.duration_us, milliseconds(&head.time)) {
            (Some(us), Some(end)) => lasting(base, us, end),
            _ => base,
        }
    }

    fn socket(&self, socket: &Socket) -> Object {
        informational(self.base(&socket.head, Activity::Other))
            .with("src_endpoint", host(&socket.head))
            .with("actor", self.actor(&socket.owner, &socket.head))
            .with(
                "unmapped",
                with_pod(left_over_of_socket(socket), Some(&socket.owner)),
            )
    }

    fn loss(&self, loss: &Loss, record: &Record) -> Object {
        self.base(&loss.head, Activity::Other)
            .with("severity_id", 3)
            .with("severity", "Medium")
            .with("message", format!("records were lost since {}", loss.since))
            .with("src_endpoint", host(&loss.head))
            .with("unmapped", left_over_of_the_run(record))
    }

    /// An event of another class.
    fn discovery(&self, finding: &Finding) -> Object {
        let head = &finding.head;
        let metadata = Object::default().list("profiles", PROFILES);
        let (actor, process) = match &finding.who {
            Who::Seen { owner, .. } => (self.actor(owner, head), self.process(owner, head)),
            Who::Logged { .. } => Default::default(),
        };
        findings::detection(finding, metadata, self.device(head), actor, process)
    }

    fn actor(&self, owner: &Owner, head: &Head) -> Object {
        Object::default()
            .with("process", self.process(owner, head))
            .with("user", user(&owner.user))
    }

    fn process(&self, owner: &Owner, head: &Head) -> Object {
        let process = &*owner.process;
        let Process { pid, name, exe, .. } = process;
        let account = &owner.user;
        let parent = process.parent.as_ref();
        let container = owner.container.as_ref().map(|container| {
            Object::default()
                .with("uid", &*container.id)
                .known("name", container.name.clone())
                .part("image", image(container.image.as_deref()))
                .known("runtime", container.runtime.clone())
                .known("pod_uuid", owner.pod.as_ref().map(|pod| &*pod.uid))
        });
        let group = Object::default().with("uid", account.gid.to_string());
        let file = exe
            .as_deref()
            .map(|path| file(path, process.sha256.as_deref()));
        self.named(*pid, name, file, &process.start_time, head)
            .with("ptid", process.tid)
            .known("namespace_pid", process.ns_pid)
            .known("cmd_line", command_line(process.args.as_ref()))
            .known("euid", account.euid)
            .known("auid", account.auid)
            .with("group", group)
            .with("user", user(account))
            .part("container", container.unwrap_or_default())
            .part(
                "parent_process",
                parent
                    .map(|parent| self.parent(parent, head))
                    .unwrap_or_default(),
            )
    }

    fn parent(&self, parent: &Parent, head: &Head) -> Object {
        let Parent { pid, name, exe, .. } = parent;
        let file = exe.as_deref().map(|path| file(path, None));
        self.named(*pid, name, file, &parent.start_time, head)
            .known("cmd_line", command_line(parent.args.as_ref()))
    }

    /// What a process is found by.
    fn named(
        &self,
        pid: u32,
        name: &str,
        file: Option<Object>,
        start: &str,
        head: &Head,
    ) -> Object {
        let boot = self.machine.boot.as_deref().unwrap_or(&head.host);
        Object::default()
            .with("pid", pid)
            .with("uid", entity(boot, pid, start))
            .known("name", (!name.is_empty()).then_some(name))
            .known("created_time", milliseconds(start))
            .part("file", file.unwrap_or_default())
    }
}

/// An executable.
fn file(path: &str, sha256: Option<&str>) -> Object {
    let hash = sha256.map(|hash| {
        Object::default()
            .with("algorithm", "SHA-256")
            .with("algorithm_id", 3)
            .with("value", hash)
    });
    Object::default()
        .with("name", base_name(path))
        .with("path", path)
        // A regular file.
        .with("type_id", 1)
        .list("hashes", hash)
}

/// What happened, as the class has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    Open,
    Close,
    Reset,
    Fail,
    Refuse,
    Traffic,
    Listen,
    /// Something that the class has no word for.
    Other,
}

impl Activity {
    fn id(self) -> u32 {
        match self {
            Self::Open => 1,
            Self::Close => 2,
            Self::Reset => 3,
            Self::Fail => 4,
            Self::Refuse => 5,
            Self::Traffic => 6,
            Self::Listen => 7,
            Self::Other => 99,
        }
    }

    /// Its caption; of another one the word of our own contract.
    fn name(self, event: Event) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Close => "Close",
            Self::Reset => "Reset",
            Self::Fail => "Fail",
            Self::Refuse => "Refuse",
            Self::Traffic => "Traffic",
            Self::Listen => "Listen",
            Self::Other => event.word(),
        }
    }
}

/// A connection is open when it is established: an attempt is none yet, unless it is the first
/// datagram of a flow, which nothing establishes.
fn activity(connection: &Connection) -> Activity {
    use crate::protocol::Protocol::{Tcp, Udp};
    match (connection.head.event, connection.protocol) {
        (Event::Established | Event::Accept, _) | (Event::Connect, Udp) => Activity::Open,
        (Event::Listen, _) => Activity::Listen,
        (Event::Update, _) => Activity::Traffic,
        (Event::Failed | Event::Close, _) => ending(connection),
        (Event::Connect, Tcp)
        | (
            Event::Existing
            | Event::Unlisten
            | Event::State
            | Event::Socket
            | Event::Discovery
            | Event::Start
            | Event::Loss
            | Event::Stop,
            _,
        ) => Activity::Other,
    }
}

fn ending(connection: &Connection) -> Activity {
    match connection.outcome {
        Some(Outcome::Refused) => Activity::Refuse,
        Some(Outcome::Reset | Outcome::ResetLocal | Outcome::ResetRemote) => Activity::Reset,
        Some(
            Outcome::Timeout
            | Outcome::Unreachable
            | Outcome::Denied
            | Outcome::Aborted
            | Outcome::LocalError,
        ) => Activity::Fail,
        None if connection.head.event == Event::Failed => Activity::Fail,
        Some(Outcome::Finished | Outcome::Idle) | None => Activity::Close,
    }
}

/// An image; its name is all that identifies it here, and the schema wants an id.
fn image(name: Option<&str>) -> Object {
    name.map_or_else(Object::default, |name| {
        Object::default().with("uid", name).with("name", name)
    })
}

/// With what the pod is called, for a container of this schema knows only its UID.
fn with_pod(object: Object, owner: Option<&Owner>) -> Object {
    let pod = owner.and_then(|owner| owner.pod.as_ref());
    object.own("pod", &pod.filter(|pod| pod.name.is_some()))
}

fn informational(event: Object) -> Object {
    event
        .with("severity_id", 1)
        .with("severity", "Informational")
}

fn with_status(event: Object, connection: &Connection) -> Object {
    let status = verdict(connection.head.event).map(|verdict| match verdict {
        Verdict::Unknown => (0, "Unknown"),
        Verdict::Success => (1, "Success"),
        Verdict::Failure => (2, "Failure"),
    });
    event
        .known("status_id", status.map(|(id, _)| id))
        .known("status", status.map(|(_, caption)| caption))
        .known("status_code", connection.error.clone())
        .known("status_detail", reason(connection))
}

/// With when it began and ended, and how many milliseconds lay between.
fn lasting(event: Object, us: u64, end: i64) -> Object {
    let duration = us / 1_000;
    let start = i64::try_from(duration)
        .ok()
        .map(|ms| end.saturating_sub(ms));
    event
        .with("duration", duration)
        .known("start_time", start)
        .with("end_time", end)
}

fn connection_info(connection: &Connection) -> Object {
    let (direction, caption) = match connection.direction {
        Some(Direction::Inbound) => (1, "Inbound"),
        Some(Direction::Outbound) => (2, "Outbound"),
        Some(Direction::Listening) | None => (0, "Unknown"),
    };
    let boundary = connection
        .remote
        .as_ref()
        .and_then(|remote| boundary(remote.scope?));
    let version = if connection.family == "ipv4" { 4 } else { 6 };
    Object::default()
        .with("uid", connection.id.to_string())
        .with("direction_id", direction)
        .with("direction", caption)
        .known("boundary_id", boundary.map(|(id, _)| id))
        .known("boundary", boundary.map(|(_, caption)| caption))
        .with("protocol_num", connection.protocol.number())
        .with("protocol_name", connection.protocol.word())
        .with("protocol_ver_id", version)
        .known("community_uid", connection.community_id.clone())
}

/// Which border lies between the ends, of those the schema knows.
fn boundary(scope: Scope) -> Option<(u32, &'static str)> {
    match scope {
        Scope::Own | Scope::Loopback => Some((1, "Localhost")),
        Scope::Internal | Scope::Private | Scope::LinkLocal => Some((2, "Internal")),
        Scope::External => Some((3, "External")),
        _ => None,
    }
}

/// The near end has the host's name, and the end that was connected to that of its service.
fn endpoint(end: Option<&Endpoint>, connection: &Connection, is_remote: bool) -> Object {
    let Some(end) = end else {
        return Object::default();
    };
    let host = (!is_remote).then(|| connection.head.host.to_string());
    let name = end.name.as_deref().map(str::to_owned);
    let is_asked = match connection.direction {
        Some(Direction::Outbound) => is_remote,
        Some(Direction::Inbound | Direction::Listening) => !is_remote,
        None => false,
    };
    let service = connection.service.as_deref().filter(|_| is_asked);
    Object::default()
        .with("ip", end.ip.to_string())
        .known("port", end.port)
        .known("hostname", host.or(name))
        .known("svc_name", service)
        .part("location", place::location(end.geo.as_deref()))
        .part(
            "autonomous_system",
            place::autonomous_system(end.network.as_deref()),
        )
}

/// This host, of what has no address.
fn host(head: &Head) -> Object {
    Object::default().with("hostname", &*head.host)
}

/// What moved since the connection was opened: `out` is what the source sent.
fn traffic(connection: &Connection, ends: &Ends<'_>) -> Object {
    let object = Object::default();
    let object = match connection.bytes {
        Some(bytes) => counted(object, "bytes", ends.turned(bytes.sent, bytes.received)),
        None => object,
    };
    match connection.packets {
        Some(packets) => counted(
            object,
            "packets",
            ends.turned(packets.sent, packets.received),
        ),
        None => object,
    }
}

fn counted(object: Object, of: &str, (out, into): (u64, u64)) -> Object {
    object
        .with(of, out.saturating_add(into))
        .with(&format!("{of}_out"), out)
        .with(&format!("{of}_in"), into)
}

fn user(user: &User) -> Object {
    Object::default()
        .with("uid", user.uid.to_string())
        .known("name", user.name.clone())
}

/// Milliseconds since 1970 of a time as the records have it, rounded down.
pub(super) fn milliseconds(utc: &str) -> Option<i64> {
    let time: Timestamp = utc.parse().ok()?;
    i64::try_from(time.as_nanosecond().div_euclid(1_000_000)).ok()
}
