//! A table: values with commas, semicolons or tabs between them, and headings that say what they are.

use std::borrow::Cow;

use csv::{ReaderBuilder, StringRecord};

use super::{
    super::feed::{Gathering, Place},
    MOST_BYTES_OF_LINE, list, row,
};

const DELIMITERS: [u8; 3] = *b",;\t";
/// How many lines a row may have: a comment in quotes may have several.
const MOST_LINES: usize = 32;
/// What the format is called.
const FORMAT: &str = "csv";

/// The headings.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    columns: Vec<String>,
    delimiter: u8,
    /// How many lines there are before the first row.
    behind: usize,
}

/// The headings of a table, if it is one. They are the first line that is no comment, or, as abuse.ch has
/// it, a comment before it; that one is believed only if it has as many columns as the first row, for a
/// comment may have any word in it.
pub fn header(lines: &[&str]) -> Option<Header> {
    let at = lines.iter().position(|line| !is_comment(line))?;
    let first = lines.get(at)?;
    let found = DELIMITERS.into_iter().find_map(|delimiter| {
        let columns = columns(first, delimiter)?;
        Some(Header {
            columns,
            delimiter,
            behind: at + 1,
        })
    });
    found.or_else(|| commented(lines.get(..at)?, first))
}

fn commented(comments: &[&str], first: &str) -> Option<Header> {
    let widths = DELIMITERS.map(|delimiter| {
        let row = values(first, delimiter);
        (delimiter, row.map_or(0, |row| row.len()))
    });
    let comments = comments.iter().rev();
    comments
        .map(|line| line.trim_start().trim_start_matches('#'))
        .flat_map(|line| widths.map(|(delimiter, width)| (line, delimiter, width)))
        .find_map(|(line, delimiter, width)| {
            let columns = columns(line, delimiter)?;
            let is_alike = columns.len() > 1 && columns.len() == width;
            is_alike.then_some(Header {
                columns,
                delimiter,
                behind: 0,
            })
        })
}

/// The names of columns, if one of them has the values.
fn columns(line: &str, delimiter: u8) -> Option<Vec<String>> {
    let values = values(line, delimiter)?;
    let columns: Vec<String> = values.iter().map(row::folded).collect();
    let has_value = columns.iter().any(|name| row::is_value(name));
    has_value.then_some(columns)
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// Reads the rows below the headings.
pub fn read(lines: &[&str], header: &Header, gathering: &mut Gathering) -> &'static str {
    if header.columns.len() == 1 {
        return list::read(lines, header.behind, gathering);
    }
    let mut at = header.behind;
    while let Some(line) = lines.get(at) {
        let place = Place::Line(at as u64 + 1);
        at += 1;
        if is_comment(line) {
            continue;
        }
        match record(lines.get(at - 1..).unwrap_or_default(), header) {
            Ok((record, more)) => {
                at += more;
                row::take(gathering, place, &|name| cell(&record, header, name));
            }
            Err(why) => gathering.problem(place, || why),
        }
    }
    FORMAT
}

/// What a row has in a column.
fn cell<'a>(record: &'a StringRecord, header: &Header, name: &str) -> Option<Cow<'a, str>> {
    let at = header.columns.iter().position(|column| column == name)?;
    let value = record.get(at)?.trim();
    (!value.is_empty()).then_some(Cow::Borrowed(value))
}

/// The row that begins with the first of some lines, and how many more lines it has. A quote that is not
/// closed spoils one line only: the next one is read for itself.
fn record(lines: &[&str], header: &Header) -> Result<(StringRecord, usize), String> {
    let mut text = String::new();
    for (more, line) in lines.iter().take(MOST_LINES).enumerate() {
        if text.len() + line.len() > MOST_BYTES_OF_LINE {
            let why = format!("longer than {MOST_BYTES_OF_LINE} bytes");
            return Err(if more == 0 { why } else { NOT_CLOSED.into() });
        }
        if more > 0 {
            text.push('\n');
        }
        text.push_str(line);
        if text.bytes().filter(|byte| *byte == b'"').count() % 2 == 0 {
            let record = values(&text, header.delimiter).ok_or("not values of a table")?;
            if more > 0 && record.len() != header.columns.len() {
                break;
            }
            return Ok((record, more));
        }
    }
    Err(NOT_CLOSED.into())
}

const NOT_CLOSED: &str = "a quote is not closed";

fn values(line: &str, delimiter: u8) -> Option<StringRecord> {
    // `ThreatFox` has a blank before each quote, with which it would not be one.
    let tight = line.trim().replace(", \"", ",\"");
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(tight.len().max(1))
        .from_reader(tight.as_bytes());
    let mut record = StringRecord::new();
    let is_read = reader.read_record(&mut record).ok()?;
    is_read.then_some(record)
}
