//! Readers of logs that tell who looked at connections.

mod auditd;
mod azure;
mod cloudtrail;
mod device;
mod esxi;
mod gcp;
mod kind;
mod operations;
mod osquery;
mod powershell;
mod shell;
mod sysmon;
mod windows;

pub use self::kind::Kind;
use crate::logs::{MONTHS, Reader, Unreadable, json, recent};

/// The words of a line that was typed, where nothing says which belong together.
fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}
