//! Lines in CEF ("Implementing `ArcSight` Common Event Format") and in LEEF (IBM's "Log Event Extended
//! Format"). Order and choice of the keys are the administrator's.

use std::{borrow::Cow, collections::HashMap};

use super::{TRAFFIC, column::Column, kind};

/// Who makes it.
const VENDOR: &str = "Palo Alto Networks";
/// Keys of CEF that mean something only with a label, and the vendor's labels.
const LABELS: [(&str, &str); 7] = [
    ("cs1", "Rule"),
    ("cs4", "Source Zone"),
    ("cs5", "Destination Zone"),
    ("cn1", "SessionID"),
    ("cn2", "Packets"),
    ("cn3", "Elapsed time in seconds"),
    ("flexNumber1", "Total bytes"),
];
/// Where CEF has type and subtype: formats of the firewall and of the cloud have them the other way round.
const CEF_KINDS: [usize; 2] = [4, 5];
/// What syslog makes of a tab.
const WRITTEN_TAB: &str = "#011";

/// A line of keys and values.
#[derive(Debug)]
pub struct Keys<'a> {
    syntax: Syntax,
    header: Vec<&'a str>,
    pairs: HashMap<&'a str, Cow<'a, str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Syntax {
    Cef,
    Leef,
}

impl<'a> Keys<'a> {
    /// Of a line that is in CEF or LEEF and of PAN-OS, behind whatever header syslog has.
    pub fn find(line: &'a str) -> Option<Self> {
        let keys = cef(line).or_else(|| leef(line))?;
        keys.header.get(1).filter(|vendor| **vendor == VENDOR)?;
        Some(keys)
    }

    /// The type of log.
    pub fn kind(&self) -> Option<&'static str> {
        let in_header = || self.cef_kinds().find_map(kind);
        match self.syntax {
            Syntax::Cef => in_header(),
            Syntax::Leef => ["Type", "cat"]
                .into_iter()
                .find_map(|key| kind(self.pairs.get(key)?)),
        }
    }

    /// What is told of the session.
    pub fn subtype(&self) -> &str {
        match self.syntax {
            Syntax::Cef => {
                let mut others = self.cef_kinds().filter(|word| *word != TRAFFIC);
                others.next().unwrap_or_default()
            }
            Syntax::Leef => self.value("Subtype").unwrap_or_default(),
        }
    }

    fn cef_kinds(&self) -> impl Iterator<Item = &'a str> {
        CEF_KINDS
            .into_iter()
            .filter_map(|at| self.header.get(at).copied())
    }

    /// The text of a column.
    pub fn get(&self, column: Column) -> Option<&str> {
        match self.syntax {
            Syntax::Cef => self.labelled(column.cef),
            Syntax::Leef => {
                let mut all = column.leef.iter().filter_map(|key| self.value(key));
                all.find(|text| !text.is_empty())
            }
        }
    }

    /// What the column is called here.
    pub fn name(&self, column: Column) -> &'static str {
        match self.syntax {
            Syntax::Cef => column.cef,
            Syntax::Leef => column.leef.first().copied().unwrap_or_default(),
        }
    }

    /// The name of the device, and its serial number.
    pub fn device(&self) -> (Option<&str>, Option<&str>) {
        let [name, serial] = match self.syntax {
            Syntax::Cef => ["dvchost", "deviceExternalId"],
            Syntax::Leef => ["DeviceName", "SerialNumber"],
        };
        (self.value(name), self.value(serial))
    }

    /// When the device's log had it: as it is shown there, and with its zone.
    pub fn received(&self) -> (Option<&str>, Option<&str>) {
        match self.syntax {
            Syntax::Cef => (None, self.value("rt")),
            Syntax::Leef => (self.value("ReceiveTime"), self.value("devTime")),
        }
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.pairs.get(key).map(AsRef::as_ref)
    }

    /// The value of a key, unless a label says that it is something else than what the vendor has there.
    fn labelled(&self, key: &str) -> Option<&str> {
        let meant = LABELS.iter().find(|(other, _)| *other == key);
        let is_meant = |(_, meant): &(&str, &str)| {
            let label = self.value(&format!("{key}Label"));
            label.is_none_or(|label| label.eq_ignore_ascii_case(meant))
        };
        meant.is_none_or(is_meant).then(|| self.value(key))?
    }
}

fn cef(line: &str) -> Option<Keys<'_>> {
    let text = behind(line, "CEF:")?;
    let (header, rest) = header(text, 7)?;
    Some(Keys {
        syntax: Syntax::Cef,
        header,
        pairs: extension(rest),
    })
}

fn leef(line: &str) -> Option<Keys<'_>> {
    let text = behind(line, "LEEF:")?;
    let is_second = text.starts_with('2');
    let (header, rest) = header(text, if is_second { 6 } else { 5 })?;
    let told = is_second.then(|| header.get(5).and_then(|told| delimiter(told)));
    let delimiter = told.flatten().unwrap_or_else(|| delimiter_of(rest));
    let pairs = rest.split(&*delimiter);
    let pairs = pairs.filter_map(|pair| pair.split_once('='));
    Some(Keys {
        syntax: Syntax::Leef,
        header,
        pairs: pairs
            .map(|(key, value)| (key.trim(), value.into()))
            .collect(),
    })
}

fn behind<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let (before, text) = line.split_once(word)?;
    let is_begin = before
        .chars()
        .next_back()
        .is_none_or(|c| !c.is_alphanumeric());
    is_begin.then_some(text)
}

/// So many fields of a header, each with a bar behind it, and the rest. A bar that is meant is escaped.
fn header(text: &str, count: usize) -> Option<(Vec<&str>, &str)> {
    let mut fields = Vec::with_capacity(count);
    let (mut from, mut is_escaped) = (0, false);
    for (at, letter) in text.char_indices() {
        if letter == '|' && !is_escaped {
            fields.push(text.get(from..at)?);
            from = at + 1;
            if fields.len() == count {
                return Some((fields, text.get(from..)?));
            }
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    None
}

/// The letter between pairs that the header of LEEF 2 tells: itself, or its number.
fn delimiter(told: &str) -> Option<String> {
    let number = told
        .strip_prefix("0x")
        .or_else(|| told.strip_prefix('x'))
        .filter(|digits| !digits.is_empty());
    let letter = match number {
        Some(digits) => char::from(u8::from_str_radix(digits, 16).ok()?),
        None => told.chars().next()?,
    };
    Some(letter.to_string())
}

/// What is between the pairs of LEEF 1: tabs; the vendor's format for it has bars.
fn delimiter_of(pairs: &str) -> String {
    let known = ["\t", WRITTEN_TAB];
    let found = known.into_iter().find(|known| pairs.contains(known));
    found.unwrap_or("|").to_owned()
}

/// The pairs of CEF. Values may have spaces: one ends where the next key begins.
fn extension(text: &str) -> HashMap<&str, Cow<'_, str>> {
    let keys = keys(text);
    let ends = keys.iter().skip(1).map(|(begin, _)| *begin);
    let ends = ends.chain(std::iter::once(text.len()));
    let pair = |((begin, equals), end): ((usize, usize), usize)| {
        let key = text.get(begin..equals)?;
        let value = text.get(equals + 1..end)?;
        Some((key, plain(value.trim())))
    };
    keys.iter().copied().zip(ends).filter_map(pair).collect()
}

/// Where keys begin, and where their equals signs are.
fn keys(text: &str) -> Vec<(usize, usize)> {
    let mut keys = Vec::new();
    // Where the word begins that may be a key.
    let mut begin = Some(0);
    for (at, letter) in text.char_indices() {
        match letter {
            ' ' => begin = Some(at + 1),
            '=' => keys.extend(
                begin
                    .take()
                    .filter(|begin| *begin < at)
                    .map(|begin| (begin, at)),
            ),
            letter if letter.is_ascii_alphanumeric() || "_.-[]".contains(letter) => {}
            _ => begin = None,
        }
    }
    keys
}

/// A value without its escapes. A backslash before anything else is one: users have them.
fn plain(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return value.into();
    }
    let mut plain = String::with_capacity(value.len());
    let mut letters = value.chars().peekable();
    while let Some(letter) = letters.next() {
        let escaped = (letter == '\\').then(|| letters.next_if(|next| r"\=|".contains(*next)));
        plain.push(escaped.flatten().unwrap_or(letter));
    }
    plain.into()
}
