//! One JSON object a line.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Serializer, ser::Formatter};

use crate::{clock::Clock, format::Format, record::Record, text::is_unsafe};

/// Writes NDJSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl Format for Json {
    fn write(&mut self, record: &Record, _clock: &Clock, out: &mut Vec<u8>) {
        line(record, out);
    }
}

/// Appends a line of JSON.
pub fn line(value: &impl Serialize, out: &mut Vec<u8>) {
    let before = out.len();
    let mut serializer = Serializer::with_formatter(&mut *out, ForTerminals);
    // Text is UTF-8 by now and keys are strings, so there is nothing that JSON cannot say; half a
    // line must not stay in any case.
    if value.serialize(&mut serializer).is_err() {
        out.truncate(before);
        return;
    }
    out.push(b'\n');
}

/// Escapes what JSON may leave as it is and a terminal would obey: a stream is looked at, too.
struct ForTerminals;

impl Formatter for ForTerminals {
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_unsafe(*c)) {
            let (before, after) = rest.split_at(at);
            writer.write_all(before.as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = after.get(c.len_utf8()..).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_the_same_and_no_terminal_obeys_it() {
        for text in [
            "a\u{9b}31mb",
            "\u{1b}[2J\u{7f}",
            "\u{202e}x",
            "\u{e0041}",
            "größe 日本\"\\",
        ] {
            let mut out = Vec::new();
            let mut serializer = Serializer::with_formatter(&mut out, ForTerminals);
            text.serialize(&mut serializer).unwrap();
            let written = String::from_utf8(out).unwrap();
            assert!(!written.chars().any(is_unsafe), "{written:?}");
            assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }
}
