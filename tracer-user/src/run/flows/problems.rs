//! What cannot be read, by reason.

use std::collections::BTreeMap;

use tracer_core::text::printable;
use tracing::error;

/// So many reasons are told apart.
const REASONS_MAX: usize = 64;
/// What all the others are called.
const OTHERS: &str = "other reasons";

/// The problems of a file, of which the first of each reason is said.
pub struct Problems {
    name: String,
    counts: BTreeMap<String, u64>,
}

impl Problems {
    /// Of a file.
    pub fn new(name: &str) -> Self {
        Self {
            name: printable(name),
            counts: BTreeMap::new(),
        }
    }

    /// Whether they are those of a file.
    pub fn is_of(&self, name: &str) -> bool {
        self.name == printable(name)
    }

    /// Counts one. `place`: where in the file.
    pub fn take(&mut self, place: &str, why: &str) {
        let why = printable(why);
        let reason = reason(&why);
        let is_known = self.counts.contains_key(reason);
        if !is_known && self.counts.len() < REASONS_MAX {
            error!("{}, {place}: {why}; all else counts", self.name);
        }
        let reason = if is_known || self.counts.len() < REASONS_MAX {
            reason
        } else {
            OTHERS
        };
        *self.counts.entry(reason.to_owned()).or_default() += 1;
    }

    /// Says how many there were of what was said once. How many there were in all.
    pub fn end(self) -> u64 {
        for (reason, count) in &self.counts {
            if *count > 1 || reason == OTHERS {
                error!("{}: {count} times: {reason}", self.name);
            }
        }
        self.counts.values().sum()
    }
}

/// What many of one reason have in common: what stands before the first value.
fn reason(why: &str) -> &str {
    let end = why.find([':', '`', '"']).unwrap_or(why.len());
    let reason = why.get(..end).unwrap_or(why).trim_end();
    if reason.is_empty() { why } else { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_counted_by_reason() {
        let mut problems = Problems::new("fw.log");
        for number in 0..200 {
            problems.take("line 1", &format!("no address: `{number}`"));
            problems.take("line 1", &format!("reason {number}"));
        }
        assert_eq!(problems.counts["no address"], 200);
        assert_eq!(problems.counts.len(), REASONS_MAX + 1);
        assert_eq!(problems.counts[OTHERS], 200 + 1 - REASONS_MAX as u64);
        assert_eq!(problems.end(), 400);
    }

    #[test]
    fn a_reason_is_what_stands_before_values() {
        assert_eq!(reason("no port in `x`"), "no port in");
        assert_eq!(reason("not a time: EDT"), "not a time");
        assert_eq!(reason("`x`"), "`x`");
    }
}
