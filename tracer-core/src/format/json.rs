//! One JSON object a line.

use crate::{clock::Clock, format::Format, record::Record};

/// Writes NDJSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl Format for Json {
    fn write(&mut self, record: &Record, _clock: &Clock, out: &mut Vec<u8>) {
        let before = out.len();
        // Text is UTF-8 by now and keys are strings, so there is nothing that JSON cannot say; half
        // a line must not stay in any case.
        if serde_json::to_writer(&mut *out, record).is_err() {
            out.truncate(before);
            return;
        }
        out.push(b'\n');
    }
}
