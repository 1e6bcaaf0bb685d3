//! Holds acts against the elements of their analytics.
//!
//! Each analytic [looks] at an act by itself; what is done again and again, or beside something else, is
//! seen over all of them, in the order of time and whichever file they are from.
//!
//! [looks]: look::look

mod command;
mod live;
mod look;
mod seen;
#[cfg(test)]
mod tests;
mod together;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

pub use self::live::{Judgement, Live, Opinion};
use self::together::Often;
use super::{Act, Analytic, Beside, Elements, Finding, Severity, What};

/// How many acts are kept to be judged. Those are kept that are discovery, or may be beside it.
const KEPT_MAX: usize = 1 << 20;

/// What is found in logs.
#[derive(Debug)]
pub struct Judge {
    elements: Elements,
    found: Vec<(Act, Signs)>,
    beside: Vec<Act>,
    passed: Passed,
}

/// What was looked at and is not told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// Discovery by those who may.
    pub allowed: u64,
    /// Discovery by users that are out of scope.
    pub out_of_scope: u64,
    /// There was no room for it.
    #[serde(skip)]
    pub left_out: u64,
}

/// What speaks for discovery in an act.
#[derive(Clone, Debug, PartialEq)]
struct Signs {
    behaviours: Vec<super::finding::Behaviour>,
    /// What fits an element.
    matched: String,
    severity: Severity,
    reasons: Vec<String>,
}

impl Signs {
    /// It matters at least so much, for a reason.
    fn matters(&mut self, severity: Severity, reason: String) {
        self.severity = self.severity.max(severity);
        self.reasons.push(reason);
    }

    /// It was done near something that says more of it, by the same session.
    fn pairs(&mut self, what: Beside, window: SignedDuration) {
        self.matters(Severity::High, pairing(what, window));
    }

    /// It matters a step more, for a reason.
    fn raise(&mut self, reason: String) {
        self.severity = self.severity.raised();
        self.reasons.push(reason);
    }
}

impl Judge {
    /// By these elements.
    #[must_use]
    pub fn new(elements: Elements) -> Self {
        Self {
            elements,
            found: Vec::new(),
            beside: Vec::new(),
            passed: Passed::default(),
        }
    }

    /// Looks at an act.
    pub fn take(&mut self, act: Act) {
        if self.found.len() + self.beside.len() >= KEPT_MAX {
            self.passed.left_out += 1;
            return;
        }
        if matches!(act.what, What::Beside(_)) {
            self.beside.push(act);
            return;
        }
        match look::look(&act, &self.elements) {
            look::Verdict::Nothing => {}
            look::Verdict::Allowed => self.passed.allowed += 1,
            look::Verdict::OutOfScope => self.passed.out_of_scope += 1,
            look::Verdict::Found(signs) => self.found.push((act, signs)),
        }
    }

    /// What was found, in the order of time, and what is not told.
    #[must_use]
    pub fn end(mut self) -> (Vec<Finding>, Passed) {
        let by_time = |act: &Act| (act.time, act.origin.clone());
        self.found.sort_by_cached_key(|(act, _)| by_time(act));
        self.beside.sort_by_cached_key(by_time);
        let mut often = Often::default();
        for (act, signs) in &mut self.found {
            often.note(act, signs, &self.elements);
        }
        together::beside(&mut self.found, &self.beside, &self.elements);
        let mut findings = together::fold(self.found);
        for (seq, finding) in (1..).zip(&mut findings) {
            finding.head.seq = seq;
        }
        (findings, self.passed)
    }
}

/// That something was done near something else, in a sentence.
fn pairing(what: Beside, window: SignedDuration) -> String {
    let words = what.words();
    format!("the same session {words} within {window:#} (TimeWindow)")
}

/// What stands for a user in a sentence.
fn user_of(act: &Act) -> String {
    let actor = &act.actor;
    let number = || actor.uid.map(|uid| format!("uid {uid}"));
    let user = actor.user.clone().or_else(number);
    user.unwrap_or_else(|| "a user who is not named".to_owned())
}

/// Whether acts of an analytic have users whose numbers say something.
fn has_numbers(analytic: Analytic) -> bool {
    matches!(analytic, Analytic::Linux | Analytic::Macos)
}
