//! A table for people: one record a line, columns as the width allows.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::{
    clock::Clock,
    format::Format,
    record::{Connection, Direction, Endpoint, Event, Loss, Owner, Record, Start, Stop},
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
    columns: Vec<Column>,
}

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Time,
    Event,
    Process,
    User,
    Arrow,
    Local,
    Remote,
    /// The remote end, or the local one of a listener: where there is no room for both.
    Peer,
    Service,
    Home,
    Scope,
    Login,
    Exe,
    Args,
    Result,
}

use Column::{
    Args, Arrow, Event as EventColumn, Exe, Home, Local, Login, Peer, Process, Remote, Result,
    Scope, Service, Time, User,
};

const NARROW: &[Column] = &[Time, EventColumn, Process, Arrow, Peer, Result];
const MEDIUM: &[Column] = &[
    Time,
    EventColumn,
    Process,
    User,
    Local,
    Arrow,
    Remote,
    Result,
];
const FULL: &[Column] = &[
    Time,
    EventColumn,
    Process,
    User,
    Local,
    Arrow,
    Remote,
    Service,
    Home,
    Result,
];
const WIDE: &[Column] = &[
    Time,
    EventColumn,
    Process,
    User,
    Login,
    Local,
    Arrow,
    Remote,
    Scope,
    Service,
    Home,
    Result,
    Exe,
    Args,
];

impl Column {
    fn title(self) -> &'static str {
        match self {
            Time => "TIME",
            EventColumn => "EVENT",
            Process => "PROCESS(PID)",
            User => "USER",
            Arrow => "",
            Local => "LOCAL",
            Remote => "REMOTE",
            Peer => "ADDRESS",
            Service => "SERVICE",
            Home => "UNIT/CONTAINER",
            Scope => "SCOPE",
            Login => "LOGIN",
            Exe => "EXE",
            Args => "ARGS",
            Result => "RESULT",
        }
    }

    /// Columns of the terminal it takes at least.
    fn width(self) -> usize {
        match self {
            Time | Result => 12,
            EventColumn => 11,
            Process => 17,
            User | Service => 10,
            Arrow => 2,
            Local | Remote | Peer => 21,
            Home => 18,
            Scope => 14,
            Login => 8,
            Exe => 24,
            Args => 30,
        }
    }

    /// Addresses are never cut, nor what stands at the end of the line.
    fn is_cut(self) -> bool {
        !matches!(self, Local | Remote | Peer | Result | Args)
    }
}

fn total(columns: &[Column]) -> usize {
    columns.iter().map(|column| column.width() + 1).sum()
}

impl Table {
    /// A table of a layout.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        let fits = |columns: &[Column]| layout.width.is_none_or(|width| total(columns) <= width);
        let columns = if layout.is_wide {
            WIDE
        } else if fits(FULL) {
            FULL
        } else if fits(MEDIUM) {
            MEDIUM
        } else {
            NARROW
        };
        Self {
            layout,
            columns: columns.to_vec(),
        }
    }

    fn row(&self, cell: impl Fn(Column) -> String) -> String {
        let mut row = String::new();
        for column in &self.columns {
            let text = cell(*column);
            let is_cut = column.is_cut() && self.layout.width.is_some() && !self.layout.is_wide;
            let text = if is_cut {
                cut(&text, column.width())
            } else {
                text
            };
            row.push_str(&text);
            let pad = column.width().saturating_sub(text.width());
            row.extend(std::iter::repeat_n(' ', pad + 1));
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
        self.line(BOLD, &self.row(|column| column.title().to_owned()), out);
    }

    fn connection(&self, connection: &Connection, clock: &Clock, out: &mut Vec<u8>) {
        let row = self.row(|column| printable(&cell(column, connection, clock)));
        self.line(style(connection.head.event), &row, out);
    }

    fn loss(&self, loss: &Loss, clock: &Clock, out: &mut Vec<u8>) {
        let parts: Vec<String> = loss
            .lost
            .iter()
            .map(|(category, count)| format!("{count} {category}"))
            .collect();
        let text = format!(
            "{} LOSS        between {} and now: {}",
            clock.local_time(&loss.head.time),
            clock.local_time(&loss.since),
            parts.join(", ")
        );
        self.line(ALARM, &text, out);
    }

    fn stop(&self, stop: &Stop, out: &mut Vec<u8>) {
        let lost: u64 = stop.kernel.lost.values().sum();
        let text = format!(
            "{} seen, {} selected out in the kernel, {} selected out here, {lost} lost; {} lines",
            stop.kernel.seen, stop.kernel.selected_out, stop.output.suppressed, stop.output.written
        );
        self.line(if lost > 0 { ALARM } else { DIM }, &text, out);
    }
}

impl Format for Table {
    fn write(&mut self, record: &Record, clock: &Clock, out: &mut Vec<u8>) {
        match record {
            Record::Start(start) => self.start(start, clock, out),
            Record::Connection(connection) => self.connection(connection, clock, out),
            Record::Loss(loss) => self.loss(loss, clock, out),
            Record::Stop(stop) => self.stop(stop, out),
        }
    }
}

fn cell(column: Column, connection: &Connection, clock: &Clock) -> String {
    let owner = connection.owner.as_deref();
    match column {
        Time => clock.local_time(&connection.head.time),
        EventColumn => connection.head.event.word().to_owned(),
        Process => owner.map_or_else(|| "-".to_owned(), process),
        User => owner.map_or_else(String::new, user),
        Arrow => arrow(connection.direction).to_owned(),
        Local => endpoint(connection.local.as_ref()),
        Remote => endpoint(connection.remote.as_ref()),
        Peer => endpoint(connection.remote.as_ref().or(connection.local.as_ref())),
        Service => connection.service.as_deref().unwrap_or_default().to_owned(),
        Home => owner.map_or_else(String::new, home),
        Scope => connection
            .remote
            .as_ref()
            .and_then(|remote| remote.scope)
            .map_or_else(String::new, |scope| scope.word().to_owned()),
        Login => owner
            .and_then(|owner| owner.user.login.clone())
            .unwrap_or_default(),
        Exe => owner
            .and_then(|owner| owner.process.exe.clone())
            .unwrap_or_default(),
        Args => owner
            .and_then(|owner| owner.process.args.as_ref())
            .map_or_else(String::new, |args| args.join(" ")),
        Result => result(connection),
    }
}

fn process(owner: &Owner) -> String {
    let process = &owner.process;
    let pid = format!("({})", process.pid);
    let room = Process.width().saturating_sub(pid.len());
    format!("{}{pid}", cut(&process.name, room))
}

fn user(owner: &Owner) -> String {
    let user = &owner.user;
    user.name.clone().unwrap_or_else(|| user.uid.to_string())
}

/// Where the process lives: its container or its unit.
fn home(owner: &Owner) -> String {
    match (&owner.container, &owner.unit) {
        (Some(container), _) => container.id.chars().take(12).collect(),
        (None, Some(unit)) => unit.clone(),
        (None, None) => String::new(),
    }
}

fn arrow(direction: Option<Direction>) -> &'static str {
    match direction {
        Some(Direction::Outbound) => "->",
        Some(Direction::Inbound) => "<-",
        Some(Direction::Listening) => "",
        None => "--",
    }
}

fn endpoint(endpoint: Option<&Endpoint>) -> String {
    let Some(endpoint) = endpoint else {
        return "-".to_owned();
    };
    match endpoint.port {
        Some(port) => std::net::SocketAddr::new(endpoint.ip, port).to_string(),
        None => endpoint.ip.to_string(),
    }
}

/// What came of it: outcome, bytes and times.
fn result(connection: &Connection) -> String {
    let mut parts = Vec::new();
    if let Some(outcome) = connection.outcome {
        parts.push(outcome.word().to_owned());
    }
    if connection.outcome.is_some()
        && let Some(error) = &connection.error
    {
        parts.push(error.clone());
    }
    if connection.accepted == Some(false) {
        parts.push("never accepted".to_owned());
    }
    if let Some(bytes) = connection.bytes {
        parts.push(format!(
            "sent {} received {}",
            size(bytes.sent),
            size(bytes.received)
        ));
    }
    if let Some(us) = connection.duration_us.or(connection.latency_us) {
        parts.push(time(us));
    }
    parts.join(" ")
}

/// Bytes, to three digits.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut thousandths = u128::from(bytes);
    for unit in UNITS {
        if thousandths < 1_000_000 {
            return format!("{} {unit}", three_digits(thousandths));
        }
        thousandths /= 1000;
    }
    format!("{} EB", three_digits(thousandths))
}

/// Microseconds, to three digits.
fn time(us: u64) -> String {
    match us {
        0..1000 => format!("{us} us"),
        1000..1_000_000 => format!("{} ms", three_digits(u128::from(us))),
        1_000_000..60_000_000 => format!("{} s", three_digits(u128::from(us / 1000))),
        _ => {
            let seconds = us / 1_000_000;
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            format!("{hours}:{minutes:02}:{:02}", seconds % 60)
        }
    }
}

/// A number given in thousandths, with as many decimals as make three digits.
fn three_digits(thousandths: u128) -> String {
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    match whole {
        0..10 => format!("{whole}.{:02}", rest / 10),
        10..100 => format!("{whole}.{}", rest / 100),
        _ => whole.to_string(),
    }
}

/// Cuts text to a width, at its end.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut used = 0;
    for c in text.chars() {
        let next = c.width().unwrap_or(0);
        if used + next + 1 > width {
            break;
        }
        used += next;
        short.push(c);
    }
    short.push('~');
    short
}

const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const ALARM: &str = "\x1b[1;31m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const CYAN: &str = "\x1b[36m";
const BLUE: &str = "\x1b[34m";

fn style(event: Event) -> &'static str {
    match event {
        Event::Established => GREEN,
        Event::Accept => CYAN,
        Event::Failed => RED,
        Event::Listen | Event::Unlisten => BLUE,
        Event::Close => DIM,
        Event::Loss => ALARM,
        Event::Connect | Event::Start | Event::Stop => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_three_digits() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1000), "1.00 KB");
        assert_eq!(size(12_345), "12.3 KB");
        assert_eq!(size(999_999), "999 KB");
        assert_eq!(size(5_000_000_000), "5.00 GB");
        assert_eq!(size(u64::MAX), "18.4 EB");
        assert_eq!(time(999), "999 us");
        assert_eq!(time(1500), "1.50 ms");
        assert_eq!(time(59_999_999), "59.9 s");
        assert_eq!(time(3_723_000_000), "1:02:03");
    }

    #[test]
    fn layouts_fit_their_width() {
        for (width, columns) in [(80, NARROW), (120, MEDIUM), (200, FULL)] {
            let table = Table::new(Layout {
                width: Some(width),
                is_coloured: false,
                is_wide: false,
            });
            assert_eq!(table.columns, columns);
            assert!(total(columns) <= width + 1);
        }
    }

    #[test]
    fn long_names_are_cut_by_what_they_take_on_the_screen() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde~");
        assert_eq!(cut("日本語日本語", 6), "日本~");
    }
}
