//! What a file holds, whatever its format: that is told from what is in it.

mod json;
mod kinds;
mod list;
mod misp;
mod pattern;
mod row;
mod stix;
mod table;
mod token;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use super::feed::{Feed, Gathering, Role, cut};
use crate::logs::Unreadable;

/// How much a file may hold. The largest feeds that are published are some ten MiB.
const MOST_BYTES: usize = 256 << 20;
/// How much one line may hold.
const MOST_BYTES_OF_LINE: usize = 64 << 10;

/// Reads a feed.
///
/// # Errors
/// If it is none, or holds no indicator at all: a download that went wrong must not pass for a feed that
/// knows nothing bad.
pub fn read(name: &str, bytes: &[u8]) -> Result<Feed, Unreadable> {
    as_role(name, bytes, Role::Bad)
}

/// Reads a list of what is known and harmless. It may be a warninglist of MISP, too, which as a feed would
/// be an error: it names what is not to be told.
///
/// # Errors
/// If it is none, or holds nothing.
pub fn read_allowed(name: &str, bytes: &[u8]) -> Result<Feed, Unreadable> {
    as_role(name, bytes, Role::Allowed)
}

fn as_role(name: &str, bytes: &[u8], role: Role) -> Result<Feed, Unreadable> {
    if let Some(why) = no_text(bytes) {
        return Err(Unreadable(why));
    }
    // A comment in another encoding is no reason to refuse the addresses.
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let begin = text.trim_start();
    if begin.is_empty() {
        return Err(Unreadable::new("the file is empty"));
    }
    if begin.starts_with('<') {
        let line = begin.lines().next().unwrap_or(begin);
        let why = "HTML or XML in place of a feed, perhaps the answer of a proxy or a login page";
        return Err(Unreadable(format!("{why}; it begins with `{}`", cut(line))));
    }
    let mut gathering = Gathering::new(role);
    let format = if json::is_json(begin) {
        json::read(text, &mut gathering)?
    } else {
        lines(text, &mut gathering)
    };
    gathering.finish(name, format)
}

/// Why it is no text that can be read.
fn no_text(bytes: &[u8]) -> Option<String> {
    let why = match bytes {
        [0x1f, 0x8b, ..] => "it is compressed with gzip",
        [b'P', b'K', 3, 4, ..] => "it is a ZIP archive",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it is UTF-16; UTF-8 is read",
        _ if bytes.contains(&0) => "it is binary",
        _ if bytes.len() > MOST_BYTES => "it is larger than 256 MiB",
        _ => return None,
    };
    Some(why.into())
}

/// Values a line, or a table with headings.
fn lines(text: &str, gathering: &mut Gathering) -> &'static str {
    let lines: Vec<&str> = text.lines().collect();
    match table::header(&lines) {
        Some(header) => table::read(&lines, &header, gathering),
        None => list::read(&lines, 0, gathering),
    }
}
