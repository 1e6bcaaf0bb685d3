//! Tables of a page: rows that a script sorts, searches and shows in pages, and of which the first are there without
//! one.

use std::{collections::HashMap, fmt::Write as _};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::html;
use crate::{discovery::Severity, format::quantity::size, text::printable};

/// Rows that are there without a script.
const ROWS_WITHOUT_SCRIPT: usize = 50;

/// Characters of a text that stand in one line; longer ones get room for several.
const WIDE: usize = 36;

/// Columns that there is no room for on paper.
const NOT_ON_PAPER: [&str; 7] = [
    "State",
    "Since opened",
    "Login",
    "Executable",
    "Served by",
    "Namespace",
    "Initiator",
];

/// What is in a column, which says how it is shown and sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Words, sorted as such.
    Text,
    /// Addresses, with ports, sorted by their numbers.
    Address,
    /// A number that counts nothing, such as a port.
    Number,
    /// A count.
    Count,
    /// Bytes.
    Bytes,
    /// A time.
    Time,
    /// How much something matters: `info`, `low`, `medium`, `high`.
    Level,
}

/// What is in a row of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cell {
    /// It is not known, or there is nothing.
    #[default]
    Nothing,
    /// A text, by its place among all texts.
    Text(usize),
    /// A number, or a count, or bytes.
    Number(u64),
    /// Milliseconds since 1970.
    Time(i64),
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_unit(),
            Self::Text(place) => serializer.serialize_u64(*place as u64),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Time(time) => serializer.serialize_i64(*time),
        }
    }
}

/// All texts, each once: a hundred thousand rows have few.
#[derive(Debug, Default)]
pub struct Texts {
    all: Vec<String>,
    places: HashMap<String, usize>,
}

impl Texts {
    /// The cell of a text, which cannot pose as something else.
    pub fn cell(&mut self, text: &str) -> Cell {
        let text = printable(text);
        if text.is_empty() {
            return Cell::Nothing;
        }
        if let Some(place) = self.places.get(&text) {
            return Cell::Text(*place);
        }
        let place = self.all.len();
        self.all.push(text.clone());
        self.places.insert(text, place);
        Cell::Text(place)
    }

    /// All of them, in their places.
    pub fn all(&self) -> &[String] {
        &self.all
    }

    fn at(&self, place: usize) -> &str {
        self.all.get(place).map(String::as_str).unwrap_or_default()
    }
}

/// The cell of a time as records have it.
pub fn time(text: &str) -> Cell {
    let time: Option<Timestamp> = text.parse().ok();
    time.map_or(Cell::Nothing, |time| Cell::Time(time.as_millisecond()))
}

/// A count that says nothing where it is none.
pub fn count(count: u64) -> Cell {
    if count == 0 {
        Cell::Nothing
    } else {
        Cell::Number(count)
    }
}

/// A column.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Column {
    /// What stands above it.
    pub title: &'static str,
    /// What is in it.
    pub kind: Kind,
    /// There is no room for it on paper.
    pub aside: bool,
}

impl Column {
    /// The class of what is in it.
    fn class(self) -> String {
        let aside = if self.aside { " aside" } else { "" };
        format!("{}{aside}", self.kind.class())
    }

    /// A cell as the script makes it, too.
    fn html(self, cell: Cell, texts: &Texts, out: &mut String) {
        let shown = html::text(&self.kind.shown(cell, texts));
        let level = Severity::ALL.into_iter().find(|one| one.word() == shown);
        let more = match (self.kind, level) {
            (Kind::Text, _) if shown.chars().count() > WIDE => " wide".to_owned(),
            (Kind::Level, Some(level)) => format!(" {}", level.word()),
            _ => String::new(),
        };
        let class = self.class();
        let _ = write!(out, "<td class=\"{class}{more}\">{shown}</td>");
    }
}

/// A table, sorted already.
#[derive(Debug, Serialize)]
pub struct Table {
    /// What the script finds it by.
    pub id: &'static str,
    /// What it shows, which readers who do not see are told.
    #[serde(skip)]
    pub caption: &'static str,
    /// Its columns.
    pub columns: Vec<Column>,
    /// A cell for each column.
    pub rows: Vec<Vec<Cell>>,
    /// By which column the rows are sorted.
    pub sorted: usize,
    /// The most comes first.
    pub descending: bool,
}

impl Table {
    /// One with these columns, by one of which its rows are sorted.
    pub fn new(
        id: &'static str,
        caption: &'static str,
        columns: &[(&'static str, Kind)],
        sorted: (&str, bool),
    ) -> Self {
        let place = columns.iter().position(|(title, _)| *title == sorted.0);
        let column = |(title, kind): &(&'static str, Kind)| Column {
            title,
            kind: *kind,
            aside: NOT_ON_PAPER.contains(title),
        };
        Self {
            id,
            caption,
            columns: columns.iter().map(column).collect(),
            rows: Vec::new(),
            sorted: place.unwrap_or_default(),
            descending: sorted.1,
        }
    }

    /// Columns that say nothing take no room.
    pub fn tidy(mut self) -> Self {
        let says = |at: usize| {
            let mut cells = self.rows.iter().filter_map(|row| row.get(at));
            at == self.sorted || cells.any(|cell| *cell != Cell::Nothing)
        };
        let kept: Vec<bool> = (0..self.columns.len()).map(says).collect();
        let before = kept.iter().take(self.sorted).filter(|kept| **kept).count();
        self.sorted = before;
        let mut of_columns = kept.iter().copied();
        self.columns.retain(|_| of_columns.next().unwrap_or(true));
        for row in &mut self.rows {
            let mut of_cells = kept.iter().copied();
            row.retain(|_| of_cells.next().unwrap_or(true));
        }
        self
    }

    /// Its first rows, and what is to be said to whoever sees no more of them.
    pub fn html(&self, texts: &Texts, out: &mut String) {
        let count = self.rows.len();
        let _ = write!(
            out,
            "<div class=\"table\" id=\"{}\"><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">\
             <table><thead><tr>",
            self.id, self.caption
        );
        for (at, column) in self.columns.iter().enumerate() {
            let sorted = match (at == self.sorted, self.descending) {
                (true, true) => " aria-sort=\"descending\"",
                (true, false) => " aria-sort=\"ascending\"",
                (false, _) => "",
            };
            let _ = write!(
                out,
                "<th scope=\"col\" class=\"{}\"{sorted}>{}</th>",
                column.class(),
                column.title
            );
        }
        out.push_str("</tr></thead><tbody>");
        for row in self.rows.iter().take(ROWS_WITHOUT_SCRIPT) {
            out.push_str("<tr>");
            for (column, cell) in self.columns.iter().zip(row) {
                column.html(*cell, texts, out);
            }
            out.push_str("</tr>");
        }
        out.push_str("</tbody></table></div>");
        let aside = self.columns.iter().filter(|column| column.aside);
        let aside: Vec<&str> = aside.map(|column| column.title).collect();
        if !aside.is_empty() {
            let _ = write!(
                out,
                "<p class=\"paper\">On paper without: {}.</p>",
                aside.join(", ")
            );
        }
        if count > ROWS_WITHOUT_SCRIPT {
            let _ = write!(
                out,
                "<noscript><p>The first {ROWS_WITHOUT_SCRIPT} of {} rows; the others are shown by a script of this page.</p></noscript>",
                html::number(count as u64)
            );
        }
        out.push_str("</div>");
    }
}

impl Kind {
    /// The class of its cells.
    fn class(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Address => "address",
            Self::Number | Self::Count | Self::Bytes => "number",
            Self::Time => "time",
            Self::Level => "level",
        }
    }

    /// What a cell shows. The script says the same.
    fn shown(self, cell: Cell, texts: &Texts) -> String {
        match cell {
            Cell::Nothing => String::new(),
            Cell::Text(place) => texts.at(place).to_owned(),
            Cell::Number(number) => match self {
                Self::Bytes => size(number),
                Self::Count => html::number(number),
                _ => number.to_string(),
            },
            Cell::Time(ms) => {
                let time = Timestamp::from_millisecond(ms).unwrap_or_default();
                time.strftime("%Y-%m-%d %H:%M:%S").to_string()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_say_nothing_are_not_there() {
        let mut texts = Texts::default();
        let columns = [
            ("Name", Kind::Text),
            ("Nothing", Kind::Count),
            ("Port", Kind::Number),
        ];
        let mut table = Table::new("t", "Ports", &columns, ("Port", true));
        table.rows = vec![vec![texts.cell("<b>"), Cell::Nothing, Cell::Number(4444)]];
        let table = table.tidy();
        assert_eq!((table.columns.len(), table.sorted), (2, 1));
        let mut html = String::new();
        table.html(&texts, &mut html);
        assert!(
            html.contains("<td class=\"text\">&lt;b&gt;</td><td class=\"number\">4444</td>"),
            "{html}"
        );
        assert!(html.contains("aria-sort=\"descending\">Port"), "{html}");
        let json = html::data(&table);
        assert!(
            json.contains("\"rows\":[[0,4444]],\"sorted\":1,\"descending\":true"),
            "{json}"
        );
    }
}
