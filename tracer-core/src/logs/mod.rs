//! Logs: lines that tell of something, of kinds that are named or that they look like.
//!
//! A reader is given one line after the other and says what it tells. What it cannot read it says why; a
//! line that it can read and that is about something else gives nothing.

mod frames;
pub(crate) mod json;
mod log;
pub(crate) mod recent;
mod senders;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::{
    frames::{Frame, Frames, MESSAGE_MAX},
    log::{Log, NoKind, Problem, Readers, Taken},
    senders::Senders,
};

/// A line of a log; of what no log has told, none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// Name of the file.
    pub file: Arc<str>,
    /// Number of the line, from 1; of something of several lines, the first.
    pub line: u64,
}

/// A kind of log, of those that tell of one sort of thing.
pub trait Kind: Copy + Eq + 'static {
    /// What its lines tell of.
    type Item;
    /// What readers are told that lines do not say.
    type Around;

    /// Reads it.
    fn reader(self, around: &Self::Around) -> Box<dyn Reader<Self::Item>>;

    /// All of them, in the order in which a log is held against them.
    fn all() -> &'static [Self];

    /// What it is called.
    fn word(self) -> &'static str;

    /// Whether a line looks like it.
    fn recognises(self, line: &str) -> bool;

    /// Whether an event in JSON looks like it.
    fn recognises_event(self, event: &Value) -> bool;
}

/// The words of all kinds.
#[must_use]
pub fn words<K: Kind>() -> String {
    let words: Vec<&str> = K::all().iter().map(|kind| kind.word()).collect();
    words.join(", ")
}

/// The kind that is called so.
///
/// # Errors
/// If none is.
pub fn named<K: Kind>(word: &str) -> Result<K, String> {
    let found = K::all().iter().find(|kind| kind.word() == word);
    found
        .copied()
        .ok_or_else(|| format!("`{word}` is none of {}", words::<K>()))
}

/// Reads a kind of log.
pub trait Reader<T> {
    /// Takes a line, without its end. Appends what is complete now.
    ///
    /// # Errors
    /// If the line is not of this kind, or broken: says why.
    fn line(&mut self, line: &str, origin: &Origin, told: &mut Vec<T>) -> Result<(), Unreadable>;

    /// There are no more lines. Appends what waited for one.
    ///
    /// # Errors
    /// If the last lines are not all of something.
    fn end(&mut self, _told: &mut Vec<T>) -> Result<(), Unreadable> {
        Ok(())
    }
}

/// The months, as syslog and its like write them.
pub(crate) const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Why a line cannot be read, in a few words that follow a colon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(pub String);

impl Unreadable {
    /// For a reason.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self(format!("not the JSON that is expected: {error}"))
    }
}
