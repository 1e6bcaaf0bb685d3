//! One row: what a source, a destination, a port and a protocol have in common.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use jiff::Timestamp;
use serde::Serialize;

use super::container::{Container, pod_of};
use super::{
    Agent, Grouping,
    ends::{Connection, Side},
    observation::{Moment, Who},
    sighting::Sighting,
    sum::Sum,
};
use crate::{
    container::Pod,
    executable::Flags,
    geo::{As, Geo},
    outcome::Outcome,
    people::Profile,
    protocol::Protocol,
    record::{Bytes, Direction, NameFrom, is_false},
    scope::Scope,
    threat::Hit,
};

/// Hosts that communicate on a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What it is grouped by, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// Who initiated; absent for a listener that nobody used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Who was connected to.
    pub destination: Destination,
    /// Whether it is known who initiated, of each connection.
    pub initiator_known: bool,
    /// What is spoken.
    pub protocol: Protocol,
    /// Registered name of the port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Arc<str>>,
    /// systemd unit, where all are of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// systemd units, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<String>,
    /// What kind of address the other host has, as the socket that counts sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Where the other host is, by databases that were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo: Option<Arc<Geo>>,
    /// The autonomous system that it belongs to.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub network: Option<Arc<As>>,
    /// An account that uses it is not expected to speak with the other host.
    #[serde(skip_serializing_if = "is_false")]
    pub unexpected: bool,
    /// The indicators that the other host meets, of feeds that were asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub threat: Vec<Hit>,
    /// Which end is the other host; nobody is that of a listener.
    #[serde(skip)]
    pub far: Option<Far>,
    /// State of the newest connection; `LISTEN` for a listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Arc<str>>,
    /// How many connections are open now.
    pub open: u64,
    /// How many there were, without attempts that failed.
    pub connections: u64,
    /// Attempts that failed: outcome → count.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<&'static str, u64>,
    /// Payload that moved in the window, of the connections of which that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Moved>,
    /// Payload that moved since they opened, of the connections of which that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_total: Option<Moved>,
    /// When the first of them was seen first: RFC 3339, UTC, nanoseconds.
    pub first_seen: String,
    /// When the last of them was seen last.
    pub last_seen: String,
    /// One of them is older than the tracing.
    #[serde(skip_serializing_if = "is_false")]
    pub open_before: bool,
    /// Who used the sockets that count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<Process>,
    /// Who used those at the destination, where both ends were seen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub served_by: Vec<Process>,
    /// Users of the processes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<User>,
    /// Accounts that logged in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logins: Vec<String>,
    /// Containers of the processes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
    /// Pods of the processes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<Pod>,
    /// The host that saw it.
    pub host: Arc<str>,
    /// Inode number of the network namespace, where several have the same addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<u32>,
}

/// Which end of a row is not the host that tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Far {
    /// Who was connected to.
    Destination,
    /// Who initiated.
    Source,
}

impl Far {
    /// That of a connection.
    pub(super) fn of(direction: Option<Direction>) -> Option<Self> {
        match direction {
            Some(Direction::Listening) => None,
            Some(Direction::Inbound) => Some(Self::Source),
            Some(Direction::Outbound) | None => Some(Self::Destination),
        }
    }
}

/// What a row is grouped by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Group {
    /// `external`, `user`, `process` or `container`.
    pub by: &'static str,
    /// Which of them.
    pub name: String,
}

/// Who initiated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Address; absent: this host, before an address was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
}

/// Who was connected to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Destination {
    /// Address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// Port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// Payload each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// From the source.
    pub to_destination: u64,
    /// From the destination.
    pub to_source: u64,
    /// One way or the other: some devices tell of both together.
    #[serde(skip_serializing_if = "is_zero")]
    pub either_way: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Moved {
    /// Both ways.
    #[must_use]
    pub fn both(self) -> u128 {
        let ways = [self.to_destination, self.to_source, self.either_way];
        ways.into_iter().map(u128::from).sum()
    }
}

/// Processes of one executable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Process {
    /// Name; empty: they gave themselves none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Path of the executable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    /// What is odd about it, of any of them.
    #[serde(flatten)]
    pub flags: Flags,
    /// SHA-256 of each file that was there, hexadecimal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sha256: Vec<String>,
    /// Their process ids.
    pub pids: Vec<u32>,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct User {
    /// Its id; another device does not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whose accounts say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_from: Option<NameFrom>,
    /// Whose account that is, by a table that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Arc<Profile>>,
}

impl User {
    /// Its name, with whose accounts say so if those are not the host's; its id where it has none.
    #[must_use]
    pub fn label(&self) -> String {
        match (&self.name, self.name_from) {
            (Some(name), Some(NameFrom::Container)) => format!("{name}@container"),
            (Some(name), _) => name.clone(),
            (None, _) => self.uid.map_or_else(String::new, |uid| uid.to_string()),
        }
    }
}

/// What makes a row another row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub ends: Ends,
    pub group: Option<Group>,
    pub netns: u32,
}

/// What a reader tells rows apart by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ends {
    pub agent: Agent,
    pub source: Initiator,
    pub destination: Option<IpAddr>,
    pub port: Option<u16>,
    pub protocol: Protocol,
}

/// Who initiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Initiator {
    /// Nobody: it is a listener.
    Nobody,
    /// This host, before an address was chosen.
    ThisHost,
    At(IpAddr),
}

impl Key {
    /// That of a connection.
    pub fn of(connection: &Connection<'_>, grouping: Grouping) -> Self {
        let ip = |side: &Side| side.end.map(|end| end.ip);
        let destination = &connection.destination;
        Self {
            ends: Ends {
                agent: connection.agent.clone(),
                source: match connection.source.as_ref().map(ip) {
                    None => Initiator::Nobody,
                    Some(None) => Initiator::ThisHost,
                    Some(Some(ip)) => Initiator::At(ip),
                },
                destination: ip(destination),
                port: destination.end.and_then(|end| end.port),
                protocol: connection.socket.protocol(),
            },
            group: group_of(connection, grouping),
            netns: connection.socket.netns(),
        }
    }
}

/// What is said in place of what is not there, or not known.
const NOTHING: &str = "-";

fn group_of(connection: &Connection<'_>, grouping: Grouping) -> Option<Group> {
    let socket = connection.socket;
    let far = socket.remote().map(|far| far.ip);
    group_named(grouping, far, socket.user().map(|user| &**user))
}

/// The group of what is between this host and another one, of somebody.
pub fn group_named(grouping: Grouping, far: Option<IpAddr>, user: Option<&Who>) -> Option<Group> {
    let name = match grouping {
        Grouping::None => return None,
        Grouping::External => far.map(|far| far.to_string()),
        Grouping::User => user.and_then(|who| {
            let uid = who.uid.map(|uid| uid.to_string());
            who.user.clone().or(uid)
        }),
        Grouping::Process => user.map(|who| who.name.clone()),
        Grouping::Container => user
            .and_then(Container::of)
            .map(|container| container.label()),
    };
    Some(Group {
        by: grouping.word(),
        name: name.unwrap_or_else(|| NOTHING.to_owned()),
    })
}

/// What the newest connection of a row says of all.
#[derive(Clone, Debug, Default)]
pub struct About {
    pub service: Option<Arc<str>>,
    pub scope: Option<Scope>,
    pub state: Option<Arc<str>>,
    pub far: Option<Far>,
}

impl From<&Sighting> for About {
    fn from(newest: &Sighting) -> Self {
        Self {
            service: newest.service().cloned(),
            scope: newest.scope(),
            state: state_of(newest),
            far: Far::of(newest.direction()),
        }
    }
}

/// A row that is being counted.
#[derive(Debug, Default)]
pub struct Counted {
    /// When the newest connection was opened, and what is said of all by it.
    newest: Option<(Moment, About)>,
    source_name: Option<Arc<str>>,
    destination_name: Option<Arc<str>>,
    is_doubtful: bool,
    open: u64,
    connections: u64,
    failed: BTreeMap<&'static str, u64>,
    bytes: Option<Moved>,
    bytes_total: Option<Moved>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    open_before: bool,
    people: BTreeSet<Arc<Who>>,
    servers: BTreeSet<Arc<Who>>,
}

impl Counted {
    /// Counts a connection.
    pub fn add(&mut self, connection: &Connection<'_>) {
        let socket = connection.socket;
        self.is_doubtful |= !connection.is_known;
        match socket.failed.map(Outcome::word) {
            Some(outcome) => *self.failed.entry(outcome).or_default() += 1,
            None if socket.is_listener() => {}
            None => {
                self.connections += 1;
                self.open += u64::from(!socket.is_over);
            }
        }
        let is_outbound = connection.is_outbound;
        add(&mut self.bytes, socket.moved(), is_outbound);
        add(&mut self.bytes_total, socket.total(), is_outbound);
        let (first, last) = (socket.first().time, socket.last().time);
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
        self.last = Some(self.last.map_or(last, |known| known.max(last)));
        self.open_before |= socket.open_before;
        let source = connection
            .source
            .as_ref()
            .and_then(|side| side.name.clone());
        let destination = connection.destination.name.clone();
        if self.is_newer(socket.first()) {
            self.newest = Some((socket.first(), About::from(socket)));
            self.source_name = source.or(self.source_name.take());
            self.destination_name = destination.or(self.destination_name.take());
        } else {
            self.source_name = self.source_name.take().or(source);
            self.destination_name = self.destination_name.take().or(destination);
        }
        self.people.extend(socket.people.iter().cloned());
        let servers = connection.other.into_iter().flat_map(|other| &other.people);
        self.servers.extend(servers.cloned());
    }

    /// Whether nothing that was opened later was counted.
    fn is_newer(&self, opened: Moment) -> bool {
        self.newest
            .as_ref()
            .is_none_or(|(known, _)| *known <= opened)
    }

    /// Counts what was summed up before.
    pub fn add_sum(&mut self, sum: &Sum) {
        self.is_doubtful |= sum.is_doubtful();
        match sum.failed.map(Outcome::word) {
            Some(outcome) => *self.failed.entry(outcome).or_default() += sum.connections,
            None if sum.direction == Some(Direction::Listening) => {}
            None => {
                self.connections += sum.connections;
                self.open += sum.open;
            }
        }
        let bytes = sum.bytes.filter(|_| sum.failed.is_none());
        add(&mut self.bytes, bytes, sum.is_outbound());
        if let Some(moved) = &mut self.bytes {
            moved.either_way = moved.either_way.saturating_add(sum.either_way);
        }
        self.first = Some(self.first.map_or(sum.first, |known| known.min(sum.first)));
        self.last = Some(self.last.map_or(sum.last, |known| known.max(sum.last)));
        self.open_before |= sum.open_before;
        let last = Moment {
            time: sum.last,
            seq: 0,
        };
        let is_newer = self.is_newer(last);
        let name = if sum.is_outbound() {
            &mut self.destination_name
        } else {
            &mut self.source_name
        };
        if is_newer {
            *name = sum.remote_name.clone().or(name.take());
            self.newest = Some((last, sum.about()));
        } else {
            *name = name.take().or(sum.remote_name.clone());
        }
        self.people.extend(sum.who.clone());
    }

    /// The other end of what is counted was seen too.
    pub fn serve(&mut self, sum: &Sum) {
        self.servers.extend(sum.who.clone());
    }
}

/// Adds what an end has counted.
fn add(to: &mut Option<Moved>, bytes: Option<Bytes>, is_outbound: bool) {
    let Some(bytes) = bytes else {
        return;
    };
    let (forth, back) = if is_outbound {
        (bytes.sent, bytes.received)
    } else {
        (bytes.received, bytes.sent)
    };
    let sum = to.get_or_insert_default();
    sum.to_destination = sum.to_destination.saturating_add(forth);
    sum.to_source = sum.to_source.saturating_add(back);
}

/// The rows of what was counted.
pub fn finish(rows: BTreeMap<Key, Counted>) -> Vec<Row> {
    let mut namespaces: BTreeMap<Ends, BTreeSet<u32>> = BTreeMap::new();
    for key in rows.keys() {
        let of_ends = namespaces.entry(key.ends.clone()).or_default();
        of_ends.insert(key.netns);
    }
    let is_ambiguous = |key: &Key| namespaces.get(&key.ends).is_some_and(|all| all.len() > 1);
    rows.into_iter()
        .map(|(key, counted)| {
            let netns = is_ambiguous(&key).then_some(key.netns);
            row(key, counted, netns)
        })
        .collect()
}

fn row(key: Key, counted: Counted, netns: Option<u32>) -> Row {
    let newest = counted.newest.map(|(_, newest)| newest).unwrap_or_default();
    let people = &counted.people;
    let source = |ip| Source {
        ip,
        name: counted.source_name.clone(),
    };
    Row {
        group: key.group,
        source: match key.ends.source {
            Initiator::Nobody => None,
            Initiator::ThisHost => Some(source(None)),
            Initiator::At(ip) => Some(source(Some(ip))),
        },
        destination: Destination {
            ip: key.ends.destination,
            name: counted.destination_name,
            port: key.ends.port,
        },
        initiator_known: !counted.is_doubtful,
        protocol: key.ends.protocol,
        service: newest.service,
        unit: unit_of(people),
        units: units_of(people),
        scope: newest.scope,
        geo: None,
        network: None,
        unexpected: false,
        threat: Vec::new(),
        far: newest.far,
        state: newest.state,
        open: counted.open,
        connections: counted.connections,
        failed: counted.failed,
        bytes: counted.bytes,
        bytes_total: counted.bytes_total,
        first_seen: format!("{:.9}", counted.first.unwrap_or_default()),
        last_seen: format!("{:.9}", counted.last.unwrap_or_default()),
        open_before: counted.open_before,
        processes: processes_of(people),
        served_by: processes_of(&counted.servers),
        users: users_of(people),
        logins: each(people, |who| who.login.clone()),
        containers: each(people, Container::of),
        pods: each(people, pod_of),
        host: key.ends.agent.host,
        netns,
    }
}

/// A UDP socket that waits for datagrams has no state of its own, but listens too.
fn state_of(newest: &Sighting) -> Option<Arc<str>> {
    let listens = newest.is_listener() && !newest.is_over;
    let state = newest.state().cloned();
    state.or_else(|| listens.then(|| Arc::from("LISTEN")))
}

fn unit_of(people: &BTreeSet<Arc<Who>>) -> Option<String> {
    let mut units = people.iter().map(|who| who.unit.as_ref());
    let first = units.next()??;
    units.all(|unit| unit == Some(first)).then(|| first.clone())
}

/// All of them, where they are not of one.
fn units_of(people: &BTreeSet<Arc<Who>>) -> Vec<String> {
    if unit_of(people).is_some() {
        return Vec::new();
    }
    each(people, |who| who.unit.clone())
}

fn processes_of(people: &BTreeSet<Arc<Who>>) -> Vec<Process> {
    let mut all: BTreeMap<(&String, &Option<String>), Vec<&Who>> = BTreeMap::new();
    for who in people.iter().filter(|who| !who.is_of_device()) {
        all.entry((&who.name, &who.exe)).or_default().push(who);
    }
    all.into_iter()
        .map(|((name, exe), all)| Process {
            name: name.clone(),
            exe: exe.clone(),
            flags: all
                .iter()
                .fold(Flags::default(), |flags, who| flags.or(who.flags)),
            sha256: distinct(all.iter().filter_map(|who| who.sha256.clone())),
            // What was summed up is of no process in particular.
            pids: distinct(all.iter().map(|who| who.pid).filter(|pid| *pid > 0)),
        })
        .collect()
}

fn distinct<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    all.collect::<BTreeSet<T>>().into_iter().collect()
}

fn users_of(people: &BTreeSet<Arc<Who>>) -> Vec<User> {
    let user = |who: &Arc<Who>| {
        let is_known = who.uid.is_some() || who.is_of_device();
        is_known.then(|| User {
            uid: who.uid,
            name: who.user.clone(),
            name_from: who.user_from,
            profile: None,
        })
    };
    let users: BTreeSet<User> = people.iter().filter_map(user).collect();
    users.into_iter().collect()
}

/// What they have of something, each once.
fn each<T: Ord>(people: &BTreeSet<Arc<Who>>, what: impl Fn(&Who) -> Option<T>) -> Vec<T> {
    let all: BTreeSet<T> = people.iter().filter_map(|who| what(who)).collect();
    all.into_iter().collect()
}

impl Row {
    /// By what rows that are otherwise equal come one after the other.
    pub(super) fn place(&self) -> impl Ord + use<> {
        let source = self.source.as_ref().map(|source| source.ip);
        let destination = &self.destination;
        (
            destination.ip,
            destination.port,
            source,
            self.protocol,
            self.host.clone(),
            self.netns,
        )
    }
}
