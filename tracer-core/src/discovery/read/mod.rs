//! Readers of logs.
//!
//! A reader is given one line after the other and says what was done. What it cannot read it says why; a
//! line that it can read and that is about something else gives nothing.

mod auditd;
mod azure;
mod cloudtrail;
mod device;
mod esxi;
mod gcp;
mod json;
mod kind;
mod log;
mod osquery;
mod powershell;
mod recent;
mod shell;
mod sysmon;
mod windows;

pub use self::{
    kind::Kind,
    log::{Log, NoKind, Problem, Readers, Taken},
};
use super::{Act, Origin};

/// Reads a kind of log.
pub trait Reader {
    /// Takes a line, without its end. Appends the acts that are complete now.
    ///
    /// # Errors
    /// If the line is not of this kind, or broken: says why.
    fn line(&mut self, line: &str, origin: &Origin, acts: &mut Vec<Act>) -> Result<(), Unreadable>;

    /// There are no more lines. Appends the acts that waited for one.
    ///
    /// # Errors
    /// If the last lines are not all of something.
    fn end(&mut self, _acts: &mut Vec<Act>) -> Result<(), Unreadable> {
        Ok(())
    }
}

/// The months, as syslog and its like write them.
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The words of a line that was typed, where nothing says which belong together.
fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

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
