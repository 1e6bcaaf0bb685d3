//! Drawing the rows of connections and of hosts.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
};
use unicode_width::UnicodeWidthStr as _;

use super::{
    column,
    draw::{Look, Pen},
    hosts,
    model::Model,
    seen::Seen,
    view::{Tab, View},
};
use crate::{clock::Clock, hosts::Row, record::Event};

/// What is seen of a table.
struct Table {
    titles: Vec<String>,
    rows: Vec<(Vec<String>, Style)>,
    /// Place of the selected one among them.
    selected: usize,
}

impl View {
    /// Draws the table. Only rows that are seen are formatted.
    pub(super) fn table(
        &mut self,
        buffer: &mut Buffer,
        at: Rect,
        model: &Model,
        now_ns: u64,
        look: Look,
    ) {
        self.height = usize::from(at.height).saturating_sub(1);
        let table = match (self.tab, model.clock()) {
            (Tab::Connections, _) => self.of_connections(now_ns, look),
            (Tab::Hosts, Some(clock)) => self.of_hosts(clock, look),
            // Nothing has come yet.
            (Tab::Hosts, None) => return,
        };
        let mut lines = at.rows();
        if let Some(at) = lines.next() {
            let titles = format!(" {}", table.titles.join(" "));
            Pen { buffer, at }.write(&titles, look.bold());
        }
        for (nth, ((cells, style), at)) in table.rows.iter().zip(&mut lines).enumerate() {
            let is_selected = nth == table.selected;
            row(&mut Pen { buffer, at }, cells, *style, is_selected, look);
        }
        if let (0, all) = self.counts()
            && let Some(at) = lines.next()
        {
            Pen { buffer, at }.write(nothing(all), look.dim());
        }
    }

    fn of_connections(&mut self, now_ns: u64, look: Look) -> Table {
        let columns = column::columns(self.known, self.width);
        let cursor = &mut self.at_connection;
        cursor.scroll(self.connections.len(), self.height);
        let title = |(column, width): &(column::Column, usize)| {
            let mark = if *column == self.sort { "*" } else { "" };
            let title = format!("{}{mark}", column.title());
            pad(&title, *width, column.is_number())
        };
        let cells = |seen: &Seen| {
            let cell = |(column, width): &(column::Column, usize)| {
                let text = column.cell(seen, now_ns, *width);
                pad(&text, *width, column.is_number())
            };
            columns.iter().map(cell).collect()
        };
        let seen = self.connections.iter().skip(cursor.first());
        Table {
            titles: columns.iter().map(title).collect(),
            rows: seen
                .take(self.height)
                .map(|seen| (cells(seen), of_seen(seen, look)))
                .collect(),
            selected: cursor.at() - cursor.first(),
        }
    }

    fn of_hosts(&mut self, clock: &Clock, look: Look) -> Table {
        let columns = hosts::columns(self.known, self.width);
        let cursor = &mut self.at_host;
        cursor.scroll(self.hosts.len(), self.height);
        let cells = |row: &Row| {
            let cell = |(column, width): &(_, usize)| {
                let text = hosts::cell(*column, row, clock, *width);
                pad(&text, *width, false)
            };
            columns.iter().map(cell).collect()
        };
        let seen = self.hosts.iter().skip(cursor.first());
        Table {
            titles: columns
                .iter()
                .map(|(column, width)| pad(column.title(), *width, false))
                .collect(),
            rows: seen
                .take(self.height)
                .map(|row| (cells(row), of_row(row, look)))
                .collect(),
            selected: cursor.at() - cursor.first(),
        }
    }
}

/// A row. The selected one is marked where nothing can be reversed, too.
fn row(pen: &mut Pen<'_>, cells: &[String], style: Style, is_selected: bool, look: Look) {
    if is_selected {
        let style = look.selected(style);
        pen.write(&format!(">{}", cells.join(" ")), style);
        let rest = " ".repeat(usize::from(pen.at.width));
        pen.write(&rest, style);
    } else {
        pen.write(&format!(" {}", cells.join(" ")), style);
    }
}

/// Why there is no row, though there are so many.
fn nothing(all: usize) -> &'static str {
    if all == 0 {
        "  nothing yet"
    } else {
        "  nothing of what is there: Esc drops the filter, x shows all addresses"
    }
}

/// How a connection looks: what ended is faded.
fn of_seen(seen: &Seen, look: Look) -> Style {
    if seen.is_threat() {
        look.threat()
    } else if seen.newest.head.event == Event::Failed {
        look.style(Some(Color::Red), Modifier::DIM)
    } else if seen.ended_ns.is_some() {
        look.dim()
    } else {
        of_open(seen.is_listener(), seen.is_external(), look)
    }
}

fn of_row(row: &Row, look: Look) -> Style {
    let is_listener = row.source.is_none();
    if !row.threat.is_empty() {
        look.threat()
    } else if row.open == 0 && !is_listener {
        let colour = (row.connections == 0).then_some(Color::Red);
        look.style(colour, Modifier::DIM)
    } else {
        of_open(is_listener, hosts::is_external(row), look)
    }
}

fn of_open(is_listener: bool, is_external: bool, look: Look) -> Style {
    let colour = match (is_listener, is_external) {
        (true, _) => Some(Color::Blue),
        (false, true) => Some(Color::Cyan),
        (false, false) => None,
    };
    look.style(colour, Modifier::empty())
}

/// Fills a cell up to its width.
fn pad(text: &str, width: usize, is_number: bool) -> String {
    let blanks = " ".repeat(width.saturating_sub(text.width()));
    if is_number {
        blanks + text
    } else {
        text.to_owned() + &blanks
    }
}
