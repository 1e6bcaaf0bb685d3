//! A table for people: one record a line, columns as the width allows.

mod result;

use unicode_width::UnicodeWidthStr as _;

pub(crate) use self::result::told_name;

use super::columns::Column::{
    Args, Arrow, Bytes, Duration, Event as EventColumn, Exe, Home, Id, Local, Login, Name, Netns,
    Outcome, Peer, Process, Protocol as ProtocolColumn, Remote, Result, Scope, Second, Service,
    Time, User, Where,
};
use crate::{
    clock::Clock,
    container::label,
    format::{
        Format,
        columns::{Choice, Column, FULL, LARGE, MEDIUM, NARROW, WIDE, spread, total},
        cut::cut,
        findings, place,
        quantity::counted,
    },
    protocol::Protocol,
    record::{
        Connection, CrossCheck, Direction, Endpoint, Event, Head, Loss, NameFrom, Owner, Record,
        Socket, Start, Stop,
    },
    text::printable,
};

/// How the table is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Columns of the terminal; `None`: nothing is cut (a pipe or a file).
    pub width: Option<usize>,
    /// With colours.
    pub is_coloured: bool,
    /// Everything there is to know, without regard to the width.
    pub is_wide: bool,
}

/// Writes the table.
#[derive(Debug)]
pub struct Table {
    layout: Layout,
    /// What is shown, and how wide.
    columns: Vec<(Column, usize)>,
    /// The day of the last record, where the host is; empty: there was none.
    day: String,
}

/// How wide a table is that is not on a terminal.
const PIPED_WIDTH: usize = 200;
/// How wide all columns are.
const WIDE_WIDTH: usize = 321;

impl Table {
    /// A table of a layout.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self::with_columns(layout, &Choice::default())
    }

    /// A table with the columns that were chosen.
    #[must_use]
    pub fn with_columns(layout: Layout, choice: &Choice) -> Self {
        let (columns, width) = if layout.is_wide {
            (WIDE, WIDE_WIDTH)
        } else {
            let width = layout.width.unwrap_or(PIPED_WIDTH);
            let fits = |columns: &&[Column]| total(columns) <= width;
            let columns = [LARGE, FULL, MEDIUM].into_iter().find(fits);
            (columns.unwrap_or(NARROW), width)
        };
        let columns = spread(&choice.of(columns), width);
        Self {
            layout,
            columns,
            day: String::new(),
        }
    }

    fn has(&self, wanted: Column) -> bool {
        self.columns.iter().any(|(column, _)| *column == wanted)
    }

    /// A row of cells; `cell` is told how much room it has, unless it may have as much as it likes.
    fn row(&self, cell: impl Fn(Column, Option<usize>) -> String) -> String {
        let limit = self.layout.width.filter(|_| !self.layout.is_wide);
        let mut row = String::new();
        let (mut used, mut end) = (0, 0);
        let last = self.columns.last().map(|(column, _)| *column);
        for (column, width) in &self.columns {
            let room = limit.map(|limit| match last {
                Some(last) if last == *column => limit.saturating_sub(used),
                _ => *width,
            });
            let text = cell(*column, room);
            let text = match (column.cut(), room) {
                (Some(cut), Some(room)) => cut.apply(&text, room),
                _ => text,
            };
            row.push_str(&text);
            used += text.width();
            // After a cell that is too long, those that follow get back into line when they can.
            end += width + 1;
            let pad = end.saturating_sub(used).max(1);
            row.extend(std::iter::repeat_n(' ', pad));
            used += pad;
        }
        row.truncate(row.trim_end().len());
        row
    }

    fn line(&self, style: &str, text: &str, out: &mut Vec<u8>) {
        if self.layout.is_coloured && !style.is_empty() {
            out.extend_from_slice(style.as_bytes());
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(RESET.as_bytes());
        } else {
            out.extend_from_slice(text.as_bytes());
        }
        out.push(b'\n');
    }

    fn start(&self, start: &Start, clock: &Clock, out: &mut Vec<u8>) {
        let head = format!(
            "conntracer {} on {}, kernel {}; times are {}",
            printable(&start.version),
            printable(&start.head.host),
            printable(&start.kernel),
            printable(&clock.zone())
        );
        self.line(DIM, &head, out);
        // Findings have no columns.
        let events = start.filter.records.get("event");
        if events.is_none_or(|events| *events != [Event::Discovery.word()]) {
            self.line(BOLD, &self.row(|column, _| column.title().to_owned()), out);
        }
    }

    fn connection(&self, connection: &Connection, clock: &Clock, out: &mut Vec<u8>) {
        let row = self.row(|column, room| match column {
            Result => result::result(connection, room, !self.has(Name)),
            Local | Peer | Remote => self.end(column, connection),
            Process => holder(connection, room),
            Home => home(connection.owner.as_deref(), self.layout.is_wide),
            other => printable(&cell(other, connection, clock)),
        });
        let remote = connection.remote.as_ref();
        let is_threat = remote.is_some_and(Endpoint::is_threat);
        let style = if connection.hidden_from.is_empty() && !is_threat {
            style(connection.head.event)
        } else {
            ALARM
        };
        self.line(style, &row, out);
    }

    /// An end; and at the far one, or at that of a listener, what is spoken there if that is not TCP and no other
    /// column says so.
    fn end(&self, column: Column, connection: &Connection) -> String {
        let (local, remote) = (connection.local.as_ref(), connection.remote.as_ref());
        let (end, is_marked) = match column {
            Local => (local, remote.is_none()),
            Remote => (remote, remote.is_some()),
            _ => (remote.or(local), true),
        };
        let is_said = self.has(Service) || self.has(ProtocolColumn);
        match connection.protocol {
            Protocol::Udp if is_marked && !is_said => endpoint(end) + "/udp",
            _ => endpoint(end),
        }
    }

    fn socket(&self, socket: &Socket, clock: &Clock, out: &mut Vec<u8>) {
        let owner = Some(&*socket.owner);
        let row = self.row(|column, room| match column {
            Process => owner_process(&socket.owner, room),
            Home => home(owner, self.layout.is_wide),
            Local | Peer => description(socket),
            Time | Second | EventColumn => printable(&moment(column, &socket.head, clock)),
            Netns => socket.netns.to_string(),
            other => printable(&of_owner(other, owner)),
        });
        self.line(style(socket.head.event), &row, out);
    }

    fn loss(&self, loss: &Loss, clock: &Clock, out: &mut Vec<u8>) {
        let categories = loss.lost.iter();
        let mut parts: Vec<String> = categories
            .map(|(category, count)| format!("{count} {category}"))
            .collect();
        let detached = loss.detached.iter();
        parts.extend(detached.map(|one| format!("taken away: {}", printable(&one.to_string()))));
        let text = format!(
            "{} LOSS        between {} and now: {}",
            clock.local_time(&loss.head.time),
            clock.local_time(&loss.since),
            parts.join(", ")
        );
        self.line(ALARM, &text, out);
    }

    fn stop(&self, stop: &Stop, out: &mut Vec<u8>) {
        let lost = stop
            .kernel
            .lost
            .values()
            .copied()
            .fold(0, u64::saturating_add);
        let text = format!(
            "{} seen, {} selected out in the kernel, {} selected out here, {lost} lost; {}",
            stop.kernel.seen,
            stop.kernel.selected_out,
            stop.output.suppressed,
            counted(stop.output.written, "line")
        );
        self.line(if lost > 0 { ALARM } else { DIM }, &text, out);
        if let Some(check) = &stop.cross_check {
            self.cross_check(check, out);
        }
    }

    fn cross_check(&self, check: &CrossCheck, out: &mut Vec<u8>) {
        let text = format!(
            "cross-check: {} in {}, {} hidden",
            counted(check.sockets, "socket"),
            counted(check.namespaces, "network namespace"),
            check.hidden
        );
        self.line(if check.hidden > 0 { ALARM } else { DIM }, &text, out);
        for sentence in &check.not_compared {
            self.line(
                ALARM,
                &format!("not compared: {}", printable(sentence)),
                out,
            );
        }
    }
}

impl Table {
    /// A line between two days, and before all of what a history says; times have none.
    fn day(&mut self, record: &Record, clock: &Clock, out: &mut Vec<u8>) {
        let day = clock.local_date(&record.head().time);
        match record {
            Record::Start(start) if start.window.is_none() => self.day = day,
            Record::Start(_) | Record::Stop(_) => {}
            _ if day == self.day => {}
            _ => {
                self.line(DIM, &day, out);
                self.day = day;
            }
        }
    }
}

impl Format for Table {
    fn write(&mut self, record: &Record, clock: &Clock, out: &mut Vec<u8>) {
        self.day(record, clock, out);
        match record {
            Record::Start(start) => self.start(start, clock, out),
            Record::Connection(connection) => self.connection(connection, clock, out),
            Record::Socket(socket) => self.socket(socket, clock, out),
            Record::Discovery(finding) => {
                let time = clock.local_time(&finding.head.time);
                findings::table(finding, &time, self.layout, out);
            }
            Record::Loss(loss) => self.loss(loss, clock, out),
            Record::Stop(stop) => self.stop(stop, out),
        }
    }
}

/// What a cell says, of those that say the same however much room there is.
fn cell(column: Column, connection: &Connection, clock: &Clock) -> String {
    let remote = connection.remote.as_ref();
    match column {
        Time | Second | EventColumn => moment(column, &connection.head, clock),
        Arrow => arrow(connection.direction).to_owned(),
        Name => result::name(connection).unwrap_or_default(),
        ProtocolColumn => connection.protocol.word().to_owned(),
        Outcome => result::outcome(connection),
        Bytes => result::moved(connection).unwrap_or_default(),
        Duration => result::lasted(connection).unwrap_or_default(),
        Netns => connection.netns.to_string(),
        Id => connection.id.to_string(),
        Service => service(connection),
        Scope => remote
            .and_then(|remote| remote.scope)
            .map_or_else(String::new, |scope| scope.word().to_owned()),
        Where => remote.map_or_else(String::new, |remote| {
            place::words(remote.geo.as_deref(), remote.network.as_deref())
        }),
        other => of_owner(other, connection.owner.as_deref()),
    }
}

/// What a cell says of when it happened and what that was.
fn moment(column: Column, head: &Head, clock: &Clock) -> String {
    match column {
        Time => clock.local_time(&head.time),
        Second => {
            let time = clock.local_time(&head.time);
            time.chars().take(Second.least()).collect()
        }
        _ => head.event.word().to_owned(),
    }
}

/// What a cell says of the owner, of those that say the same however much room there is.
fn of_owner(column: Column, owner: Option<&Owner>) -> String {
    let Some(owner) = owner else {
        return String::new();
    };
    let process = &owner.process;
    match column {
        User => user(owner),
        Login => owner.user.login.clone().unwrap_or_default(),
        Exe => process.exe.clone().unwrap_or_default(),
        Args => process
            .args
            .as_ref()
            .map_or_else(String::new, |args| args.join(" ")),
        _ => String::new(),
    }
}

/// What socket it is, in the place of an address: its kind, and what is spoken over what.
fn description(socket: &Socket) -> String {
    let kind = socket.kind.word();
    // Not again what the kind says.
    let protocol = socket.protocol.as_deref().filter(|name| *name != kind);
    let words = [Some(kind), socket.family.as_deref(), protocol];
    let words: Vec<&str> = words.into_iter().flatten().collect();
    words.join(" ")
}

/// What the port is for, and what is spoken where that is not TCP.
fn service(connection: &Connection) -> String {
    let name = connection.service.as_deref().unwrap_or_default();
    match connection.protocol {
        Protocol::Tcp => name.to_owned(),
        Protocol::Udp if name.is_empty() => "udp".to_owned(),
        Protocol::Udp => format!("{name}/udp"),
    }
}

/// Who holds the connection; of several who hold the socket the first, and how many more there are.
pub(crate) fn holder(connection: &Connection, room: Option<usize>) -> String {
    match (&connection.owner, connection.holders.as_slice()) {
        (Some(owner), _) => owner_process(owner, room),
        (None, [first, others @ ..]) => {
            let pid = format!("({})+{}", first.pid, others.len());
            process(&first.name, &pid, room)
        }
        (None, []) => "-".to_owned(),
    }
}

fn owner_process(owner: &Owner, room: Option<usize>) -> String {
    let one = &*owner.process;
    let pid = format!("({})", one.pid);
    let needed = printable(&one.name).width() + pid.len();
    let room_left = room.map_or(usize::MAX, |room| room.saturating_sub(needed));
    process(&one.name, &(pid + &one.flags.label(room_left)), room)
}

/// Name, process id and what belongs to it. A name is cut as it is shown, so that none can push what
/// follows it out of sight.
fn process(name: &str, pid: &str, room: Option<usize>) -> String {
    let name = printable(name);
    let name = match room {
        Some(room) => cut(&name, room.saturating_sub(pid.len())),
        None => name,
    };
    name + pid
}

/// Its name, whose accounts say so if those are not the host's, and who logged in if that is another.
pub(crate) fn user(owner: &Owner) -> String {
    let user = &owner.user;
    let mut text = user.name.clone().unwrap_or_else(|| user.uid.to_string());
    if user.name_from == Some(NameFrom::Container) {
        text.push_str("@container");
    }
    if let Some(auid) = user.auid.filter(|auid| *auid != user.uid) {
        let login = user.login.clone().unwrap_or_else(|| auid.to_string());
        text = format!("{text} ({login})");
    }
    text
}

/// Where the process lives: its container or its unit.
pub(crate) fn home(owner: Option<&Owner>, is_wide: bool) -> String {
    const SHORT_ID: usize = 12;
    let Some(owner) = owner else {
        return String::new();
    };
    let Some(container) = &owner.container else {
        return owner.unit.as_deref().map(printable).unwrap_or_default();
    };
    let id = printable(&container.id);
    match label(container, owner.pod.as_ref()) {
        Some(name) if is_wide && name != container.id => format!("{}({id})", printable(&name)),
        Some(name) => printable(&name),
        None if is_wide => id,
        None => id.chars().take(SHORT_ID).collect(),
    }
}

pub(crate) fn arrow(direction: Option<Direction>) -> &'static str {
    match direction {
        Some(Direction::Outbound) => "->",
        Some(Direction::Inbound) => "<-",
        Some(Direction::Listening) => "",
        None => "--",
    }
}

pub(crate) fn endpoint(endpoint: Option<&Endpoint>) -> String {
    let Some(endpoint) = endpoint else {
        return "-".to_owned();
    };
    match endpoint.port {
        Some(port) => std::net::SocketAddr::new(endpoint.ip, port).to_string(),
        None => endpoint.ip.to_string(),
    }
}

pub(super) const RESET: &str = "\x1b[0m";
pub(super) const BOLD: &str = "\x1b[1m";
pub(super) const DIM: &str = "\x1b[2m";
pub(super) const ALARM: &str = "\x1b[1;31m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const CYAN: &str = "\x1b[36m";
const BLUE: &str = "\x1b[34m";

fn style(event: Event) -> &'static str {
    match event {
        Event::Established => GREEN,
        Event::Accept => CYAN,
        Event::Failed => RED,
        Event::Listen | Event::Unlisten => BLUE,
        Event::Socket => YELLOW,
        Event::Close | Event::State => DIM,
        Event::Loss => ALARM,
        Event::Existing
        | Event::Connect
        | Event::Update
        | Event::Discovery
        | Event::Start
        | Event::Stop => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_fit_their_width() {
        for (width, columns) in [(80, NARROW), (120, MEDIUM), (150, FULL), (200, LARGE)] {
            let table = Table::new(Layout {
                width: Some(width),
                is_coloured: false,
                is_wide: false,
            });
            let shown: Vec<Column> = table.columns.iter().map(|(column, _)| *column).collect();
            assert_eq!(shown, columns);
            let used: usize = table.columns.iter().map(|(_, width)| width + 1).sum();
            assert!(used <= width + 1, "{used}");
        }
    }
}
