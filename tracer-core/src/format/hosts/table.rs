//! The table of hosts: all rows are known when it is written, so columns are as wide as what is in them.

use unicode_width::UnicodeWidthStr as _;

use super::{
    cells::{Column, SHOWN, WANTED},
    group,
};
use crate::{
    clock::Clock,
    format::{
        Layout,
        cut::cut,
        quantity::counted,
        table::{ALARM, BOLD, DIM, RESET},
    },
    hosts::{Row, Rule, Run},
    scope::SPECIAL_PURPOSE as SPECIAL,
    text::printable,
};

/// How wide a table is that is not on a terminal.
const PIPED_WIDTH: usize = 200;
/// Columns of the terminal that names of processes take at least.
const NAMES_LEAST: usize = 12;

/// A column of this table.
struct Shown {
    column: Column,
    width: usize,
}

/// Writes everything.
pub fn write(runs: &[Run], rows: &[Row], layout: Layout, clock: &Clock, out: &mut Vec<u8>) {
    let mut table = Table { layout, out };
    for run in runs {
        table.head(run, clock);
    }
    table.rows(rows, clock);
    table.foot(runs, rows, clock);
}

struct Table<'a> {
    layout: Layout,
    out: &'a mut Vec<u8>,
}

impl Table<'_> {
    fn line(&mut self, style: &str, text: &str) {
        let is_styled = self.layout.is_coloured && !style.is_empty();
        if is_styled {
            self.out.extend_from_slice(style.as_bytes());
        }
        self.out.extend_from_slice(text.as_bytes());
        if is_styled {
            self.out.extend_from_slice(RESET.as_bytes());
        }
        self.out.push(b'\n');
    }

    /// A sentence, in as many lines as it takes.
    fn sentence(&mut self, style: &str, text: &str) {
        let width = self.layout.width.unwrap_or(usize::MAX);
        let mut line = String::new();
        for word in text.split(' ') {
            if !line.is_empty() && line.width() + 1 + word.width() > width {
                self.line(style, &line);
                line.clear();
                line.push_str("  ");
            } else if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(style, &line);
    }

    /// Whose it is, of when, and what was asked for.
    fn head(&mut self, run: &Run, clock: &Clock) {
        let text = |name| printable(run.text(name));
        let head = format!(
            "conntracer {} on {}, kernel {}; times are {}",
            text("version"),
            text("host"),
            text("kernel"),
            printable(&clock.zone())
        );
        self.sentence(DIM, &head);
        let window = run.window();
        let (since, until) = (&window.since, &window.until);
        let mut text = format!("{} to {}", clock.local_day(since), clock.local_day(until));
        let filter = run.filter();
        if !filter.is_empty() {
            text.push_str("; ");
            text.push_str(&printable(&filter.join(" ")));
        }
        self.sentence(DIM, &text);
    }

    fn rows(&mut self, rows: &[Row], clock: &Clock) {
        let columns = self.columns(rows, clock);
        let title = |shown: &Shown| shown.column.title().to_owned();
        self.row(BOLD, &columns, title);
        for group in rows.chunk_by(|one, other| one.group == other.group) {
            if group.first().is_some_and(|row| row.group.is_some()) {
                self.line(BOLD, &group::heading(group, clock));
            }
            self.group(group, &columns, clock);
        }
    }

    fn group(&mut self, rows: &[Row], columns: &[Shown], clock: &Clock) {
        for row in rows {
            let style = match () {
                () if !row.threat.is_empty() => ALARM,
                () if row.failed.is_empty() || row.connections > 0 => "",
                () => DIM,
            };
            self.row(style, columns, |shown| {
                shown.column.cell(row, clock, shown.width)
            });
        }
    }

    fn row(&mut self, style: &str, columns: &[Shown], text: impl Fn(&Shown) -> String) {
        let mut line = String::new();
        for shown in columns {
            let cell = cut(&text(shown), shown.width);
            let pad = shown.width.saturating_sub(cell.width()) + 1;
            line.push_str(&cell);
            line.extend(std::iter::repeat_n(' ', pad));
        }
        let line = line.trim_end().to_owned();
        self.line(style, &line);
    }

    /// The columns there is room for. One that says nothing, or of all rows the same host, takes none.
    fn columns(&self, rows: &[Row], clock: &Clock) -> Vec<Shown> {
        let is_wide = self.layout.is_wide;
        let mut all: Vec<Shown> = SHOWN
            .into_iter()
            .filter(|column| *column != Column::Host || is_wide || has_several_hosts(rows))
            .map(|column| shown(column, rows, clock))
            .filter(|shown| shown.width > 0)
            .collect();
        if is_wide {
            return all;
        }
        for shown in &mut all {
            shown.width = shown.width.min(shown.column.most());
        }
        let width = self.layout.width.unwrap_or(PIPED_WIDTH);
        let ends = [Column::Source, Column::Arrow, Column::Destination];
        let taken = |shown: &&Shown| ends.contains(&shown.column);
        let used: usize = all.iter().filter(taken).map(|shown| shown.width + 1).sum();
        // The end of the line needs no blank.
        let mut left = (width + 1).saturating_sub(used);
        // Names get what the numbers beside them leave.
        let has_moved = all.iter().any(|shown| shown.column == Column::Moved);
        let bytes = if has_moved {
            Column::Moved
        } else {
            Column::Total
        };
        let numbers = [Column::Protocol, Column::Connections, bytes];
        let beside = all.iter().filter(|shown| numbers.contains(&shown.column));
        let reserved: usize = beside.map(|shown| shown.width + 1).sum();
        let room = left.saturating_sub(reserved + 1).max(NAMES_LEAST);
        for shown in &mut all {
            if shown.column == Column::Process {
                shown.width = shown.width.min(room);
            }
        }
        let mut kept = ends.to_vec();
        for wanted in WANTED {
            let found = all.iter().find(|shown| shown.column == wanted);
            if let Some(found) = found.filter(|found| found.width < left) {
                left -= found.width + 1;
                kept.push(wanted);
            }
        }
        let has_home = all.iter().any(|shown| shown.column == Column::Home);
        if has_home && !kept.contains(&Column::Home) {
            // What a port is registered for says nothing of who uses it: not without that.
            kept.retain(|column| *column != Column::Service);
        }
        all.retain(|shown| kept.contains(&shown.column));
        all
    }

    /// What it comes to, what was lost and what is not covered.
    fn foot(&mut self, runs: &[Run], rows: &[Row], clock: &Clock) {
        let connections: u64 = rows.iter().map(|row| row.connections).sum();
        let failed: u64 = rows.iter().flat_map(|row| row.failed.values()).sum();
        let open: u64 = rows.iter().map(|row| row.open).sum();
        let text = format!(
            "{}, {}, {open} open, {}",
            counted(rows.len() as u64, "row"),
            counted(connections, "connection"),
            counted(failed, "failed attempt")
        );
        self.sentence(DIM, &text);
        if rows.iter().any(|row| !row.initiator_known) {
            let text = "?> who initiated is not known: it is older than the tracing, and nothing listens at its port now; or the device does not say";
            self.sentence(DIM, text);
        }
        for run in runs {
            self.uncovered(run, clock);
            self.losses(run);
            self.limits(run);
        }
    }

    /// When of the time that was asked for nothing was recorded, or not all.
    fn uncovered(&mut self, run: &Run, clock: &Clock) {
        for one in run.uncovered() {
            self.sentence(ALARM, &one.sentence(clock));
        }
    }

    fn losses(&mut self, run: &Run) {
        let host = printable(run.text("host"));
        match run.lost() {
            None if run.is_under_way() => {
                self.sentence(
                    DIM,
                    &format!("{host}: under way; what was lost is said at the end"),
                );
            }
            None => self.sentence(
                ALARM,
                &format!("{host}: cut off, what was lost is not known"),
            ),
            Some(lost) if lost.is_empty() => self.sentence(DIM, &format!("{host}: nothing lost")),
            Some(lost) => {
                let parts = lost.iter();
                let parts: Vec<String> = parts
                    .map(|(category, count)| format!("{count} {}", printable(category)))
                    .collect();
                self.sentence(ALARM, &format!("{host}: lost: {}", parts.join(", ")));
            }
        }
        if run.left_out() > 0 {
            let records = counted(run.left_out(), "record");
            let text = format!(
                "{host}: there was no room for {records} of more connections; select fewer, or a shorter time"
            );
            self.sentence(ALARM, &text);
        }
    }

    /// By which rules an address is external, and what is not seen.
    fn limits(&mut self, run: &Run) {
        let rules = run.rules();
        let (special, named): (Vec<&Rule>, Vec<&Rule>) = rules
            .iter()
            .partition(|rule| rule.from == SPECIAL && !self.layout.is_wide);
        let text = |rule: &&Rule| {
            let networks = rule.networks.join(", ");
            printable(&format!("{}: {networks} ({})", rule.scope, rule.from))
        };
        let mut parts: Vec<String> = named.iter().map(text).collect();
        if !special.is_empty() {
            parts.push(format!("then the {SPECIAL}, which `-o wide` lists"));
        }
        if !parts.is_empty() {
            self.sentence(DIM, &format!("addresses: {}", parts.join("; ")));
        }
        for name in ["degraded", "not_covered"] {
            for sentence in run.sentences(name) {
                self.sentence(DIM, &format!("not covered: {}", printable(sentence)));
            }
        }
    }
}

fn has_several_hosts(rows: &[Row]) -> bool {
    let first = rows.first().map(|row| &row.host);
    rows.iter().any(|row| Some(&row.host) != first)
}

/// A column as wide as what is in it; without width, if there is nothing.
fn shown(column: Column, rows: &[Row], clock: &Clock) -> Shown {
    let cells = rows.iter().map(|row| column.cell(row, clock, usize::MAX));
    let most = cells.map(|cell| cell.width()).max().unwrap_or(0);
    let is_end = matches!(column, Column::Source | Column::Destination);
    let width = if most > 0 || is_end {
        most.max(column.title().width())
    } else {
        0
    };
    Shown { column, width }
}
