//! The columns of the table of hosts, and what their cells say.

use std::net::{IpAddr, SocketAddr};

use unicode_width::UnicodeWidthStr as _;

use crate::{
    clock::Clock,
    container,
    executable::Flags,
    format::{cut::cut, place, quantity::size},
    hosts::{Container, Moved, Process, Row},
    text::printable,
    threat::Hit,
};

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Source,
    Arrow,
    Destination,
    Protocol,
    Service,
    Name,
    State,
    Connections,
    Failed,
    Moved,
    Total,
    Process,
    Server,
    User,
    Home,
    Scope,
    Where,
    Threat,
    First,
    Last,
    Login,
    Exe,
    Pod,
    Netns,
    Host,
}

use Column::{
    Arrow, Connections, Destination, Exe, Failed, First, Home, Host, Last, Login, Moved as Bytes,
    Name, Netns, Pod, Process as Processes, Protocol, Scope, Server, Service, Source, State,
    Threat, Total, User, Where,
};

/// All of them, in the order in which they are shown.
pub const SHOWN: [Column; 25] = [
    Source,
    Arrow,
    Destination,
    Protocol,
    Service,
    Name,
    State,
    Connections,
    Failed,
    Bytes,
    Total,
    Processes,
    Server,
    User,
    Home,
    Scope,
    Where,
    Threat,
    First,
    Last,
    Login,
    Exe,
    Pod,
    Netns,
    Host,
];

/// What a table shows besides the ends, what matters most first, as far as there is room. What is not
/// here is shown by a wide one only.
pub const WANTED: [Column; 16] = [
    Threat,
    Processes,
    Protocol,
    Connections,
    Bytes,
    Total,
    Failed,
    Netns,
    Host,
    State,
    User,
    Last,
    Name,
    Where,
    Home,
    Service,
];

impl Column {
    /// What stands above it.
    pub fn title(self) -> &'static str {
        match self {
            Source => "SOURCE",
            Arrow => "",
            Destination => "DESTINATION",
            Protocol => "PROTO",
            Service => "SERVICE",
            Name => "NAME",
            State => "STATE",
            Connections => "OPEN/ALL",
            Failed => "FAILED",
            Bytes => "BYTES ->/<-",
            Total => "TOTAL ->/<-",
            Processes => "PROCESS(PID)",
            Server => "SERVED BY",
            User => "USER",
            Home => "UNIT/CONTAINER",
            Scope => "SCOPE",
            Where => "WHERE",
            Threat => "THREAT",
            First => "FIRST SEEN",
            Last => "LAST SEEN",
            Login => "LOGIN",
            Exe => "EXE",
            Pod => "POD",
            Netns => "NETNS",
            Host => "SEEN BY",
        }
    }

    /// How wide it may be where room is short. Addresses and numbers are never cut.
    pub fn most(self) -> usize {
        match self {
            Processes | Server => 24,
            Name | Home | Failed | Threat | Where => 32,
            Service | User | Login => 12,
            Host => 20,
            _ => usize::MAX,
        }
    }

    /// What it says of a row, where there is so much room.
    pub fn cell(self, row: &Row, clock: &Clock, room: usize) -> String {
        match self {
            Source => source(row),
            Arrow => arrow(row).to_owned(),
            Destination => destination(row),
            Protocol => row.protocol.word().to_owned(),
            Service => row.service.as_deref().map(printable).unwrap_or_default(),
            Name => name(row),
            State => row.state.as_deref().map(printable).unwrap_or_default(),
            Connections => connections(row),
            Failed => failed(row),
            Bytes => moved(row.bytes),
            Total => moved(row.bytes_total),
            Processes => processes(&row.processes, room),
            Server => processes(&row.served_by, room),
            User => users(row),
            Home => home(row),
            Scope => row.scope.map_or("", |scope| scope.word()).to_owned(),
            Where => place::words(row.geo.as_deref(), row.network.as_deref()),
            Threat => Hit::texts(&row.threat),
            First => clock.local_second(&row.first_seen),
            Last => clock.local_second(&row.last_seen),
            Login => printable(&row.logins.join(",")),
            Exe => exes(row),
            Pod => pods(row),
            Netns => row.netns.map(|netns| netns.to_string()).unwrap_or_default(),
            Host => printable(&row.host),
        }
    }
}

fn source(row: &Row) -> String {
    let ip = row.source.as_ref().map(|source| source.ip);
    match ip {
        Some(Some(ip)) => ip.to_string(),
        Some(None) => "this host".to_owned(),
        None => "-".to_owned(),
    }
}

/// It has a question mark where it is not known that this is the way.
fn arrow(row: &Row) -> &'static str {
    match (&row.source, row.initiator_known) {
        (None, _) => "",
        (_, true) => "->",
        (_, false) => "?>",
    }
}

fn destination(row: &Row) -> String {
    match (row.destination.ip, row.destination.port) {
        (Some(ip), Some(port)) => SocketAddr::new(ip, port).to_string(),
        (Some(ip), None) => ip.to_string(),
        (None, Some(port)) => format!("?:{port}"),
        (None, None) => "?".to_owned(),
    }
}

/// What the hosts are called; not that loopback is `localhost`.
fn name(row: &Row) -> String {
    let is_told = |ip: Option<IpAddr>| ip.is_none_or(|ip| !ip.is_loopback());
    let source = row.source.as_ref();
    let source = source
        .filter(|source| is_told(source.ip))
        .and_then(|one| one.name.as_deref());
    let destination = row
        .destination
        .name
        .as_deref()
        .filter(|_| is_told(row.destination.ip));
    match (source, destination) {
        (None, None) => String::new(),
        (None, Some(name)) => printable(name),
        (Some(name), None) => format!("from {}", printable(name)),
        (Some(from), Some(to)) => format!("{} from {}", printable(to), printable(from)),
    }
}

fn connections(row: &Row) -> String {
    if row.connections == 0 {
        return String::new();
    }
    format!("{}/{}", row.open, row.connections)
}

fn failed(row: &Row) -> String {
    let outcomes = row.failed.iter();
    let parts: Vec<String> = outcomes
        .map(|(outcome, count)| format!("{count} {outcome}"))
        .collect();
    parts.join(", ")
}

fn moved(bytes: Option<Moved>) -> String {
    bytes.map_or_else(String::new, |bytes| {
        let ways = || format!("{}/{}", size(bytes.to_destination), size(bytes.to_source));
        match (bytes.either_way, bytes.to_destination, bytes.to_source) {
            (0, ..) => ways(),
            (either, 0, 0) => format!("{} both", size(either)),
            (either, ..) => format!("{} +{}", ways(), size(either)),
        }
    })
}

/// The first and its id, and how many more there are. A name is cut as it is shown, so that none can push
/// its id out of sight.
fn processes(all: &[Process], room: usize) -> String {
    let Some(first) = all.first() else {
        return String::new();
    };
    let count: usize = all.iter().map(|process| process.pids.len()).sum();
    let pid = first.pids.first();
    let id = pid.map(|pid| format!("({pid})")).unwrap_or_default();
    let id = match count {
        0 | 1 => id,
        _ => format!("{id}+{}", count - 1),
    };
    let name = printable(&first.name);
    // What is odd about any of them is said.
    let odd = all
        .iter()
        .fold(Flags::default(), |odd, one| odd.or(one.flags));
    let needed = name.width() + id.len();
    let id = id + &odd.label(room.saturating_sub(needed));
    cut(&name, room.saturating_sub(id.len())) + &id
}

fn users(row: &Row) -> String {
    let names: Vec<String> = row.users.iter().map(crate::hosts::User::label).collect();
    printable(&names.join(","))
}

fn home(row: &Row) -> String {
    const SHORT_ID: usize = 12;
    let shown = |one: &Container| match &one.name {
        Some(name) => printable(name),
        None => printable(&one.id).chars().take(SHORT_ID).collect(),
    };
    let containers = row.containers.iter().map(shown);
    let units = row.unit.iter().chain(&row.units);
    let homes: Vec<String> = containers
        .chain(units.map(|unit| printable(unit)))
        .collect();
    homes.join(",")
}

fn pods(row: &Row) -> String {
    let labels: Vec<String> = row.pods.iter().map(container::Pod::label).collect();
    printable(&labels.join(","))
}

fn exes(row: &Row) -> String {
    let exes: Vec<&str> = row
        .processes
        .iter()
        .filter_map(|one| one.exe.as_deref())
        .collect();
    printable(&exes.join(","))
}
