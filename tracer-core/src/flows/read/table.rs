//! Values with commas between them (RFC 4180): a value in quotes may have commas, quotes that are doubled,
//! and ends of lines.

use std::cell::RefCell;

use csv::StringRecord;
use csv_core::{ReadRecordResult, Reader};

use crate::logs::{Origin, Unreadable};

/// How much one row may take: more than any command line and path together.
const MOST_BYTES: usize = 4 << 20;

/// The values of a row that is complete.
///
/// # Errors
/// If a quote in it is not closed.
pub fn row(text: &str) -> Result<StringRecord, Unreadable> {
    let mut quotes = Quotes::default();
    quotes.follow(text);
    if quotes.is_open() {
        return Err(Unreadable::new("a quote is not closed"));
    }
    values(text)
}

thread_local! {
    /// To make its tables takes longer than to read a row, and a copy of it has none.
    static READER: RefCell<Reader> = RefCell::new(Reader::new());
}

fn values(text: &str) -> Result<StringRecord, Unreadable> {
    // No value grows, and there is one more of them than there are commas; nothing is ever full.
    let mut fields = vec![0; text.len() + 1];
    let mut ends = vec![0; 2 + text.bytes().filter(|byte| *byte == b',').count()];
    let (written, count) = READER.with_borrow_mut(|reader| {
        reader.reset();
        let (result, _, written, count) =
            reader.read_record(text.as_bytes(), &mut fields, &mut ends);
        if result != ReadRecordResult::InputEmpty {
            return (written, count);
        }
        // Nothing more comes.
        let (rest, more) = (&mut fields[written..], &mut ends[count..]);
        let (_, _, wrote, ended) = reader.read_record(&[], rest, more);
        (written + wrote, count + ended)
    });
    let mut row = StringRecord::with_capacity(written, count);
    let mut begin = 0;
    for end in ends.into_iter().take(count) {
        let field = fields.get(begin..end).unwrap_or_default();
        let field = str::from_utf8(field)
            .map_err(|error| Unreadable(format!("not values with commas: {error}")))?;
        row.push_field(field);
        begin = end;
    }
    Ok(row)
}

/// Puts the lines of rows together.
#[derive(Debug, Default)]
pub struct Rows {
    text: String,
    begin: Option<Origin>,
    quotes: Quotes,
}

impl Rows {
    /// Takes a line. The row that is complete now, and where it begins; none of an empty line.
    ///
    /// # Errors
    /// If a row has no end.
    pub fn line(
        &mut self,
        line: &str,
        origin: &Origin,
    ) -> Result<Option<(Origin, StringRecord)>, Unreadable> {
        if self.begin.is_none() && line.trim().is_empty() {
            return Ok(None);
        }
        let begin = self.begin.get_or_insert_with(|| origin.clone()).clone();
        self.text.push_str(line);
        self.quotes.follow(line);
        if self.quotes.is_open() {
            self.text.push('\n');
            let is_too_long = self.text.len() > MOST_BYTES;
            return is_too_long.then(|| self.broken_off()).map_or(Ok(None), Err);
        }
        let text = std::mem::take(self).text;
        Ok(Some((begin, values(&text)?)))
    }

    /// There are no more lines: what broke off.
    pub fn end(&mut self) -> Option<Unreadable> {
        self.is_open().then(|| self.broken_off())
    }

    /// Whether a row began and did not end.
    pub fn is_open(&self) -> bool {
        self.begin.is_some()
    }

    fn broken_off(&mut self) -> Unreadable {
        let line = std::mem::take(self).begin.map_or(0, |begin| begin.line);
        Unreadable(format!("the quote that opens in line {line} is not closed"))
    }
}

/// Whether quotes are open, by the rule that `csv` reads by: a quote opens only where a value begins.
#[derive(Clone, Copy, Debug, Default)]
enum Quotes {
    #[default]
    Begin,
    Plain,
    Open,
    /// Behind a quote, which is an end or the first of two.
    MaybeClosed,
}

impl Quotes {
    fn follow(&mut self, text: &str) {
        for byte in text.bytes() {
            *self = match (*self, byte) {
                (Self::Open, b'"') => Self::MaybeClosed,
                (Self::Open, _) | (Self::Begin | Self::MaybeClosed, b'"') => Self::Open,
                (_, b',') => Self::Begin,
                _ => Self::Plain,
            };
        }
    }

    fn is_open(self) -> bool {
        matches!(self, Self::Open)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn origin(line: usize) -> Origin {
        Origin {
            file: "x".into(),
            line: line as u64,
        }
    }

    /// A row, as RFC 4180 (2.) writes it.
    pub(crate) fn written<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
        let quoted = |value: &str| format!("\"{}\"", value.replace('"', "\"\""));
        values.into_iter().map(quoted).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn quotes_open_where_values_begin() {
        let values = row("a\"b,\"c,\"\"d\"\"\",,e").unwrap();
        assert_eq!(values, vec!["a\"b", "c,\"d\"", "", "e"]);
        assert_eq!(row("").unwrap().len(), 0);
        assert!(row("a,\"b,c").is_err());
    }

    #[test]
    fn what_is_not_closed() {
        let mut rows = Rows::default();
        assert_eq!(rows.line("a,\"b", &origin(3)), Ok(None));
        let broken = rows.end().unwrap();
        assert_eq!(broken.0, "the quote that opens in line 3 is not closed");
        assert_eq!(rows.end(), None);
        assert!(rows.line("\"a", &origin(4)).is_ok());
        assert!(rows.line(&"x".repeat(MOST_BYTES), &origin(5)).is_err());
        assert!(!rows.is_open());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec("[a,\"\n é]{0,8}", 2..6)) {
            let text = written(values.iter().map(String::as_str));
            let mut rows = Rows::default();
            let mut found = Vec::new();
            for (at, line) in text.split('\n').enumerate() {
                found.extend(rows.line(line, &origin(at + 1)).unwrap());
            }
            prop_assert_eq!(found.len(), 1);
            let (begin, row) = &found[0];
            prop_assert_eq!(begin.line, 1);
            prop_assert_eq!(row, values.as_slice());
        }

        #[test]
        fn a_row_is_read_as_csv_reads_it(text in "[aé,\"\\\\ \u{0}-\u{1f}]{0,40}") {
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(text.as_bytes());
            let mut expected = StringRecord::new();
            reader.read_record(&mut expected).unwrap();
            if let Ok(row) = row(&text) {
                prop_assert_eq!(row, expected);
            }
        }
    }
}
