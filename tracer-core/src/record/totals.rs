//! The totals of the last record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Word, is_zero};

/// `seen` = `selected_out` + the sum of `lost` + `undecodable` + `delivered`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelTotals {
    /// Facts that were to be reported.
    pub seen: u64,
    /// Dropped in the kernel because the selection did not match.
    pub selected_out: u64,
    /// Category → count.
    pub lost: BTreeMap<Word, u64>,
    /// Frames that made no sense.
    pub undecodable: u64,
    /// Frames that became records.
    pub delivered: u64,
}

/// `delivered` + `derived` = `suppressed` + `written` + `lost`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputTotals {
    /// Records from the kernel.
    pub delivered: u64,
    /// Records made in user space.
    pub derived: u64,
    /// Selected out in user space.
    pub suppressed: u64,
    /// Written, this one included.
    pub written: u64,
    /// Not written, of a stream beside a history: whoever read it was too slow.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u64,
}

/// `seen` = `lost` + `undecodable` + `delivered`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessTotals {
    /// Process and cgroup events.
    pub seen: u64,
    /// Of these, lost: a process may be known by name only.
    pub lost: u64,
    /// Of these, frames that made no sense.
    pub undecodable: u64,
    /// Of these, received.
    pub delivered: u64,
}

/// What names came of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameTotals {
    /// What came from where answers of DNS come from.
    pub answers: u64,
    /// Of these, what made no sense.
    pub malformed: u64,
}
