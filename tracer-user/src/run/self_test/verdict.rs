//! What is said of each kind.

use serde::Serialize;
use tracer_core::{record::Record, totals::Lost};

use super::{
    expect::{check_socket, expected},
    kind::{Deed, Kind},
};

/// What was found of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind.
    pub kind: Kind,
    /// Whether it is seen.
    pub verdict: Verdict,
    /// What came; what was expected in its place; why it was not tested.
    pub why: String,
}

/// Whether a kind is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All of it, as it was done.
    Reported,
    /// Not all of it, or otherwise than it was done.
    Missed,
    /// It could not be made here.
    Untested,
}

impl Verdict {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Missed => "missed",
            Self::Untested => "untested",
        }
    }
}

/// What is said of each kind when nothing more is to be expected.
pub fn findings(deeds: &[(Kind, Deed)], records: &[Record]) -> Vec<Finding> {
    let finding = |kind| {
        let deed = deeds.iter().find(|(made, _)| *made == kind);
        match deed {
            Some((_, deed)) => finding(kind, deed, records),
            None => untested(kind, "the process that makes it ended too early, or hangs"),
        }
    };
    Kind::ALL.map(finding).into()
}

/// What is said where nothing could be made.
pub fn all_untested(why: &str) -> Vec<Finding> {
    Kind::ALL.map(|kind| untested(kind, why)).into()
}

/// Whether there is nothing more to wait for.
pub fn is_reported(kind: Kind, deed: &Deed, records: &[Record]) -> bool {
    finding(kind, deed, records).verdict != Verdict::Missed
}

fn untested(kind: Kind, why: &str) -> Finding {
    Finding {
        kind,
        verdict: Verdict::Untested,
        why: why.to_owned(),
    }
}

fn finding(kind: Kind, deed: &Deed, records: &[Record]) -> Finding {
    let checked = match deed {
        Deed::Impossible(why) => return untested(kind, why),
        Deed::Socket { pid, inode } => check_socket(kind, *pid, *inode, records),
        Deed::Connection(made) => expected(kind, *made)
            .iter()
            .map(|one| one.check(records))
            .collect::<Result<Vec<String>, String>>()
            .map(|came| came.join("; ")),
    };
    let (verdict, why) = match checked {
        Ok(came) => (Verdict::Reported, came),
        Err(wrong) => (Verdict::Missed, wrong + &losses(records)),
    };
    Finding { kind, verdict, why }
}

/// What conntracer itself says that it has lost, which may be what was missed.
fn losses(records: &[Record]) -> String {
    let mut lost = Lost::new();
    let mut detached = Vec::new();
    for record in records {
        if let Record::Loss(loss) = record {
            for (category, count) in &loss.lost {
                *lost.entry(category.clone()).or_default() += count;
            }
            detached.extend(&loss.detached);
        }
    }
    if lost.is_empty() {
        return String::new();
    }
    let counts = lost.iter();
    let mut words: Vec<String> = counts
        .map(|(category, n)| format!("{category} {n}"))
        .collect();
    words.extend(detached.iter().map(|one| format!("taken away: {one}")));
    format!("; told as lost: {}", words.join(", "))
}

#[cfg(test)]
mod tests;
