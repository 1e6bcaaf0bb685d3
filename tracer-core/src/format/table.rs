//! A table for people: one record a line, columns as the width allows.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::columns::Column::{
    Args, Arrow, Event as EventColumn, Exe, Home, Local, Login, Peer, Process, Remote, Result,
    Scope, Second, Service, Time, User,
};
use crate::{
    clock::Clock,
    format::{
        Format,
        columns::{Column, FULL, MEDIUM, NARROW, WIDE, spread, total},
    },
    outcome::Outcome,
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
    /// What is shown, and how wide.
    columns: Vec<(Column, usize)>,
}

/// How wide a table is that is not on a terminal.
const PIPED_WIDTH: usize = 200;
/// How wide all columns are.
const WIDE_WIDTH: usize = 280;

impl Table {
    /// A table of a layout.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        let width = layout.width.unwrap_or(PIPED_WIDTH);
        let fits = |columns: &&[Column]| total(columns) <= width;
        let columns = if layout.is_wide {
            spread(WIDE, WIDE_WIDTH)
        } else {
            let columns = [FULL, MEDIUM].into_iter().find(fits);
            spread(columns.unwrap_or(NARROW), width)
        };
        Self { layout, columns }
    }

    /// A row of cells; `cell` is told how much room it has, unless it may have as much as it likes.
    fn row(&self, cell: impl Fn(Column, Option<usize>) -> String) -> String {
        let limit = self.layout.width.filter(|_| !self.layout.is_wide);
        let mut row = String::new();
        let (mut used, mut end) = (0, 0);
        for (column, width) in &self.columns {
            let room = limit.map(|limit| match column {
                Result => limit.saturating_sub(used),
                _ => *width,
            });
            let text = match room {
                Some(room) if column.is_cut() => cut(&cell(*column, Some(room)), room),
                room => cell(*column, room),
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
        self.line(BOLD, &self.row(|column, _| column.title().to_owned()), out);
    }

    fn connection(&self, connection: &Connection, clock: &Clock, out: &mut Vec<u8>) {
        let row = self.row(|column, room| match column {
            Result => result(connection, room),
            Process => process(connection.owner.as_deref(), room),
            Home => home(connection.owner.as_deref(), self.layout.is_wide),
            other => printable(&cell(other, connection, clock)),
        });
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

/// What a cell says, of those that say the same however much room there is.
fn cell(column: Column, connection: &Connection, clock: &Clock) -> String {
    let owner = connection.owner.as_deref();
    let time = || clock.local_time(&connection.head.time);
    match column {
        Time => time(),
        Second => time().chars().take(Second.least()).collect(),
        EventColumn => connection.head.event.word().to_owned(),
        User => owner.map_or_else(String::new, user),
        Arrow => arrow(connection.direction).to_owned(),
        Local => endpoint(connection.local.as_ref()),
        Remote => endpoint(connection.remote.as_ref()),
        Peer => endpoint(connection.remote.as_ref().or(connection.local.as_ref())),
        Service => connection.service.as_deref().unwrap_or_default().to_owned(),
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
        Process | Home | Result => String::new(),
    }
}

/// Name and process id. A name is cut as it is shown, so that none can push its id out of sight.
fn process(owner: Option<&Owner>, room: Option<usize>) -> String {
    let Some(owner) = owner else {
        return "-".to_owned();
    };
    let pid = format!("({})", owner.process.pid);
    let name = printable(&owner.process.name);
    let name = match room {
        Some(room) => cut(&name, room.saturating_sub(pid.len())),
        None => name,
    };
    name + &pid
}

fn user(owner: &Owner) -> String {
    let user = &owner.user;
    user.name.clone().unwrap_or_else(|| user.uid.to_string())
}

/// Where the process lives: its container or its unit.
fn home(owner: Option<&Owner>, is_wide: bool) -> String {
    const SHORT_ID: usize = 12;
    let Some(owner) = owner else {
        return String::new();
    };
    match (&owner.container, &owner.unit) {
        (Some(container), _) if is_wide => printable(&container.id),
        (Some(container), _) => printable(&container.id).chars().take(SHORT_ID).collect(),
        (None, Some(unit)) => printable(unit),
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

/// What came of it: outcome, errno, bytes and times, as far as there is room. The first of them is
/// said in any case.
fn result(connection: &Connection, room: Option<usize>) -> String {
    // With how much they matter: bytes and times more than an end as it should be, or than an errno
    // that says again what the outcome says.
    let mut parts = Vec::new();
    if let Some(outcome) = connection.outcome {
        let is_ordinary = outcome == Outcome::Finished;
        parts.push((if is_ordinary { 3 } else { 0 }, outcome.word().to_owned()));
        parts.extend(connection.error.clone().map(|error| (4, error)));
    }
    if connection.accepted == Some(false) {
        parts.push((1, "never accepted".to_owned()));
    }
    if let Some(bytes) = connection.bytes {
        let text = format!("{}/{}", size(bytes.sent), size(bytes.received));
        parts.push((1, text));
    }
    let us = connection.duration_us.or(connection.latency_us);
    parts.extend(us.map(|us| (2, time(us))));
    while parts.len() > 1
        && let Some(room) = room
        && parts
            .iter()
            .map(|(_, text)| text.width() + 1)
            .sum::<usize>()
            > room + 1
        && let Some((least, _)) = parts.iter().enumerate().max_by_key(|(_, part)| part.0)
    {
        parts.remove(least);
    }
    let texts: Vec<String> = parts.into_iter().map(|(_, text)| text).collect();
    texts.join(" ")
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
            let shown: Vec<Column> = table.columns.iter().map(|(column, _)| *column).collect();
            assert_eq!(shown, columns);
            let used: usize = table.columns.iter().map(|(_, width)| width + 1).sum();
            assert!(used <= width + 1, "{used}");
        }
    }

    #[test]
    fn long_names_are_cut_by_what_they_take_on_the_screen() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde~");
        assert_eq!(cut("日本語日本語", 6), "日本~");
    }
}
