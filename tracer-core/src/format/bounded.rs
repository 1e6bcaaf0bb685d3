//! JSON of which no line is longer than those who pass it on take in one piece.

use serde_json::{Map, Value};

use super::{Format, json::line};
use crate::{clock::Clock, record::Record, text::is_unsafe};

/// What is cut first: texts that are longer than this, as they are written.
const TEXT_MAX: usize = 1024;
/// What names something is never longer.
const TEXT_MIN: usize = 64;
/// Of a list, one element stays for so many bytes that a text may have.
const BYTES_PER_ELEMENT: usize = 16;
/// Stands where something is left out.
const MARK: char = '…';

/// Writes NDJSON, in lines of a bounded length.
#[derive(Clone, Copy, Debug)]
pub struct Bounded {
    /// How many bytes a line may have, with its end.
    pub line_max: usize,
}

impl Format for Bounded {
    fn write(&mut self, record: &Record, _clock: &Clock, out: &mut Vec<u8>) {
        let before = out.len();
        line(record, out);
        if out.len() - before <= self.line_max {
            return;
        }
        if let Ok(Value::Object(fields)) = serde_json::to_value(record) {
            out.truncate(before);
            self.cut(fields, out);
        }
    }
}

impl Bounded {
    /// Appends a record of which texts and lists are as short as they have to be, and says so in it.
    fn cut(self, mut fields: Map<String, Value>, out: &mut Vec<u8>) {
        let before = out.len();
        fields.insert("truncated".to_owned(), Value::Bool(true));
        let mut text_max = TEXT_MAX;
        loop {
            shorten_all(fields.values_mut(), text_max);
            line(&fields, out);
            if out.len() - before <= self.line_max || text_max <= TEXT_MIN {
                return;
            }
            out.truncate(before);
            text_max /= 2;
        }
    }
}

/// Cuts all texts and lists of a value.
fn shorten(value: &mut Value, text_max: usize) {
    match value {
        Value::String(text) => shorten_text(text, text_max),
        Value::Array(values) => {
            values.truncate(text_max / BYTES_PER_ELEMENT);
            shorten_all(values.iter_mut(), text_max);
        }
        Value::Object(fields) => shorten_all(fields.values_mut(), text_max),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn shorten_all<'a>(values: impl Iterator<Item = &'a mut Value>, text_max: usize) {
    for value in values {
        shorten(value, text_max);
    }
}

fn shorten_text(text: &mut String, max: usize) {
    if text.chars().map(written_len).sum::<usize>() <= max {
        return;
    }
    let room = max - MARK.len_utf8();
    let ends = text.char_indices().scan(0, |used, (at, c)| {
        *used += written_len(c);
        Some((at + c.len_utf8(), *used))
    });
    let fitting = ends.take_while(|(_, used)| *used <= room);
    let end = fitting.last().map_or(0, |(end, _)| end);
    text.truncate(end);
    text.push(MARK);
}

/// How many bytes a character takes in a line.
fn written_len(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        _ if is_unsafe(c) || c.is_control() => 6 * c.len_utf16(),
        _ => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LINE_MAX: usize = 4096;

    fn written(fields: Value) -> (usize, Value) {
        let Value::Object(fields) = fields else {
            panic!("no object");
        };
        let mut out = b"before\n".to_vec();
        Bounded { line_max: LINE_MAX }.cut(fields, &mut out);
        let written = out.strip_prefix(b"before\n").unwrap();
        (written.len(), serde_json::from_slice(written).unwrap())
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let args: Vec<String> = (0..500).map(|n| format!("--flag-{n}={n}")).collect();
        let (len, value) = written(json!({
            "event": "connect", "time": "2026-11-21T00:00:00.000000000Z", "netns": 4_026_531_840_u32,
            "process": {"pid": 7, "name": "sh", "exe": "/x".repeat(2000), "args": args},
            "ancestry": [{"pid": 1, "name": "\u{1b}".repeat(4000)}],
        }));
        assert!(len <= LINE_MAX, "{len}");
        assert_eq!(value["truncated"], true);
        assert_eq!(value["event"], "connect");
        assert_eq!(value["time"], "2026-11-21T00:00:00.000000000Z");
        assert_eq!(value["process"]["pid"], 7);
        assert_eq!(value["process"]["args"][0], "--flag-0=0");
        let exe = value["process"]["exe"].as_str().unwrap();
        assert!(exe.starts_with("/x/x") && exe.ends_with(MARK), "{exe}");
        let name = value["ancestry"][0]["name"].as_str().unwrap();
        assert!(name.starts_with('\u{1b}') && name.ends_with(MARK));
    }

    #[test]
    fn no_more_is_cut_than_has_to_be() {
        let exe = "/e".repeat(512);
        let (_, value) = written(json!({"exe": exe, "args": ["x".repeat(9000)]}));
        assert_eq!(value["exe"], exe);
        let argument = value["args"][0].as_str().unwrap();
        assert_eq!(argument.len(), TEXT_MAX);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        for (text, max, cut) in [
            ("abcdef", 6, "abcdef"),
            ("abcdefg", 6, "abc…"),
            ("日本語日本語", 9, "日本…"),
            ("\u{7}\u{7}\u{7}", 12, "\u{7}…"),
            ("\u{7}\u{7}", 8, "…"),
        ] {
            let mut text = text.to_owned();
            shorten_text(&mut text, max);
            assert_eq!(text, cut);
        }
    }
}
