//! What a record says that rows are made of. A record that was written as JSON says the same.

use std::{net::IpAddr, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    container::{Container, Pod},
    executable::Flags,
    outcome::Outcome,
    protocol::Protocol,
    record::{Bytes, Connection, Direction, Endpoint, Event, Holder, NameFrom, Owner},
    scope::Scope,
};

/// What a record says of a connection or listener.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// When.
    pub at: Moment,
    /// What happened.
    pub event: Event,
    /// Name of the host.
    pub host: Arc<str>,
    /// What names the connection on its host and boot.
    pub id: Arc<str>,
    /// What is spoken.
    pub protocol: Protocol,
    /// Who opened it.
    pub direction: Option<Direction>,
    /// That was seen, not concluded.
    pub is_observed: bool,
    /// It is older than the tracing.
    pub open_before: bool,
    /// TCP state after the record.
    pub state: Option<Arc<str>>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// This end.
    pub local: Option<End>,
    /// The other end.
    pub remote: Option<End>,
    /// What the other end is called.
    pub remote_name: Option<Arc<str>>,
    /// What kind of address it has.
    pub scope: Option<Scope>,
    /// Where the packets went, where their addresses are translated.
    pub translated: Option<End>,
    /// Registered name of the port that was connected to.
    pub service: Option<Arc<str>>,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Payload moved since it was opened.
    pub bytes: Option<Bytes>,
    /// Its owner, or those who hold it.
    pub people: Vec<Who>,
    /// The arguments of its owner.
    pub args: Option<Vec<String>>,
}

/// When: by the clock, and what was told at one time by its place in the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// By the clock.
    pub time: Timestamp,
    /// Place in the output.
    pub seq: u64,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub struct End {
    /// Address.
    pub ip: IpAddr,
    /// Port; `None`: none was chosen.
    pub port: Option<u16>,
}

/// Somebody who used a socket or holds it. As JSON: the program, its user and its container, whatever
/// process it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Who {
    /// Name of the process.
    pub name: String,
    /// Path of the executable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    /// What is odd about the executable.
    #[serde(flatten)]
    pub flags: Flags,
    /// SHA-256 of the executable, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Process id.
    #[serde(skip)]
    pub pid: u32,
    /// Real user id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whose accounts say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_from: Option<NameFrom>,
    /// The account that logged in: its name, or its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// systemd unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// The Kubernetes pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<Pod>,
}

impl Who {
    /// Another device names an account; it knows no process.
    pub(super) fn is_of_device(&self) -> bool {
        self.user_from == Some(NameFrom::Device)
    }
}

impl From<&Owner> for Who {
    fn from(owner: &Owner) -> Self {
        let user = &owner.user;
        let auid = || user.auid.map(|auid| auid.to_string());
        Self {
            name: owner.process.name.clone(),
            exe: owner.process.exe.clone(),
            flags: owner.process.flags,
            sha256: owner.process.sha256.clone(),
            pid: owner.process.pid,
            uid: Some(user.uid),
            user: user.name.clone(),
            user_from: user.name_from,
            login: user.login.clone().or_else(auid),
            unit: owner.unit.clone(),
            container: owner.container.clone(),
            pod: owner.pod.clone(),
        }
    }
}

impl From<&Endpoint> for End {
    fn from(endpoint: &Endpoint) -> Self {
        Self {
            ip: endpoint.ip,
            port: endpoint.port,
        }
    }
}

impl From<&Connection> for Observation {
    fn from(record: &Connection) -> Self {
        let remote = record.remote.as_ref();
        let people = match &record.owner {
            Some(owner) => vec![Who::from(&**owner)],
            None => record.holders.iter().map(held_by).collect(),
        };
        Self {
            at: Moment {
                // What conntracer wrote itself can be read.
                time: record.head.time.parse().unwrap_or_default(),
                seq: record.head.seq,
            },
            event: record.head.event,
            host: record.head.host.clone(),
            id: Arc::from(record.id.to_string()),
            protocol: record.protocol,
            direction: record.direction,
            is_observed: record.direction_source.as_deref() == Some("observed"),
            open_before: record.open_before,
            state: record.state.as_deref().map(Arc::from),
            outcome: record.outcome,
            local: record.local.as_ref().map(End::from),
            remote: remote.map(End::from),
            remote_name: remote.and_then(|remote| remote.name.clone()),
            scope: remote.and_then(|remote| remote.scope),
            translated: record.translated.map(|to| End {
                ip: to.ip,
                port: Some(to.port),
            }),
            service: record.service.clone(),
            netns: record.netns,
            bytes: record.bytes,
            people,
            args: record
                .owner
                .as_ref()
                .and_then(|owner| owner.process.args.clone()),
        }
    }
}

fn held_by(holder: &Holder) -> Who {
    Who {
        name: holder.name.clone(),
        pid: holder.pid,
        ..Who::default()
    }
}

/// The fields of a line of `-o json`, as far as they matter here.
#[derive(Deserialize)]
struct Line {
    time: Timestamp,
    #[serde(default)]
    seq: u64,
    event: Event,
    host: Arc<str>,
    id: Arc<str>,
    protocol: Protocol,
    direction: Option<Direction>,
    direction_source: Option<String>,
    #[serde(default)]
    open_before: bool,
    state: Option<Arc<str>>,
    outcome: Option<Outcome>,
    local: Option<End>,
    remote: Option<Remote>,
    translated: Option<End>,
    service: Option<Arc<str>>,
    netns: u32,
    bytes: Option<Bytes>,
    process: Option<LineProcess>,
    user: Option<LineUser>,
    unit: Option<String>,
    container: Option<Container>,
    pod: Option<Pod>,
    #[serde(default)]
    holders: Vec<LineProcess>,
}

#[derive(Deserialize)]
struct Remote {
    #[serde(flatten)]
    end: End,
    name: Option<Arc<str>>,
    scope: Option<Scope>,
}

#[derive(Deserialize)]
struct LineProcess {
    pid: u32,
    #[serde(default)]
    name: String,
    exe: Option<String>,
    #[serde(flatten)]
    flags: Flags,
    sha256: Option<String>,
    args: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct LineUser {
    uid: u32,
    name: Option<String>,
    name_from: Option<NameFrom>,
    auid: Option<u32>,
    login: Option<String>,
}

impl<'de> Deserialize<'de> for Observation {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Line::deserialize(from).map(Self::from)
    }
}

impl From<Line> for Observation {
    fn from(line: Line) -> Self {
        let user = line.user;
        let login = user.as_ref().and_then(|user| {
            let auid = || user.auid.map(|auid| auid.to_string());
            user.login.clone().or_else(auid)
        });
        let who = |process: LineProcess| Who {
            name: process.name,
            exe: process.exe,
            flags: process.flags,
            sha256: process.sha256,
            pid: process.pid,
            ..Who::default()
        };
        let args = line.process.as_ref().and_then(|one| one.args.clone());
        let people = match line.process {
            Some(process) => vec![Who {
                uid: user.as_ref().map(|user| user.uid),
                user_from: user.as_ref().and_then(|user| user.name_from),
                user: user.and_then(|user| user.name),
                login,
                unit: line.unit,
                container: line.container,
                pod: line.pod,
                ..who(process)
            }],
            None => line.holders.into_iter().map(who).collect(),
        };
        let (remote, remote_name, scope) = match line.remote {
            Some(remote) => (Some(remote.end), remote.name, remote.scope),
            None => (None, None, None),
        };
        Self {
            at: Moment {
                time: line.time,
                seq: line.seq,
            },
            event: line.event,
            host: line.host,
            id: line.id,
            protocol: line.protocol,
            direction: line.direction,
            is_observed: line.direction_source.as_deref() == Some("observed"),
            open_before: line.open_before,
            state: line.state,
            outcome: line.outcome,
            local: line.local,
            remote,
            remote_name,
            scope,
            translated: line.translated,
            service: line.service,
            netns: line.netns,
            bytes: line.bytes,
            people,
            args,
        }
    }
}
