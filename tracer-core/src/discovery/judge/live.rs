//! Holds acts against the elements of Linux as they happen.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::{Signs, command, look, pairing, seen, together::Often};
use crate::discovery::{Act, Beside, Elements, Finding, Severity, What, finding::Behaviour};

/// Of so many sessions it is known what they did beside.
const SESSIONS_MAX: usize = 16_384;
/// So much of what was told is kept for what may come after it.
const TOLD_MAX: usize = 1024;
/// Of what one session did, so much.
const DEEDS_MAX: usize = 16;

/// Judges what happens on this host.
#[derive(Debug)]
pub struct Live {
    elements: Elements,
    often: Often,
    deeds: HashMap<(String, Beside), VecDeque<(Timestamp, u32)>>,
    told: Vec<Told>,
}

/// What was told, and could matter more by what comes after it.
#[derive(Debug)]
struct Told {
    session: String,
    time: Timestamp,
    is_administrator: bool,
    finding: Finding,
}

/// What is said of an act.
#[derive(Clone, Debug, PartialEq)]
pub enum Opinion {
    /// It is by somebody who may.
    Allowed,
    /// It is by somebody whose acts are not asked for.
    OutOfScope,
    /// It is told.
    Told(Judgement),
}

/// What is said of an act that is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What fits an element.
    pub matched: String,
    /// What was done.
    pub behaviours: Vec<Behaviour>,
    /// How much it matters.
    pub severity: Severity,
    /// Why.
    pub reasons: Vec<String>,
    /// It is the first time.
    pub is_first: bool,
}

impl Live {
    /// By these elements.
    #[must_use]
    pub fn new(elements: Elements) -> Self {
        Self {
            elements,
            often: Often::default(),
            deeds: HashMap::new(),
            told: Vec::new(),
        }
    }

    /// By these elements from here on.
    pub fn judge_by(&mut self, elements: Elements) {
        self.elements = elements;
    }

    /// Whether a command is one of the list.
    #[must_use]
    pub fn is_utility(&self, exe: &str, args: &[String]) -> bool {
        let linux = &self.elements.linux;
        let mut names = command::names(exe, args).into_iter();
        names.any(|name| linux.utility_name_list.fit(&name))
            || look::pattern(args, &linux.command_pattern_list).is_some()
    }

    /// Takes what a session did beside discovery, by this process. Gives what was told of it before and matters
    /// more now.
    pub fn note(&mut self, session: &str, what: Beside, time: Timestamp, pid: u32) -> Vec<Finding> {
        if self.deeds.len() >= SESSIONS_MAX {
            self.deeds.clear();
        }
        let deeds = self.deeds.entry((session.to_owned(), what)).or_default();
        if deeds.len() == DEEDS_MAX {
            deeds.pop_front();
        }
        deeds.push_back((time, pid));
        let window = self.elements.linux.time_window;
        self.told
            .retain(|told| time.duration_since(told.time) <= window);
        let is_of_it = |told: &mut Told| told.session == session && told.is_paired_by(what);
        let of_it = self.told.extract_if(.., is_of_it);
        of_it.map(|told| told.raised(what, window)).collect()
    }

    /// Judges what a process did.
    pub fn judge(&mut self, act: &Act) -> Opinion {
        let mut signs = match look::look(act, &self.elements) {
            look::Verdict::Allowed => return Opinion::Allowed,
            look::Verdict::Nothing | look::Verdict::OutOfScope => return Opinion::OutOfScope,
            look::Verdict::Found(signs) => signs,
        };
        let is_first = self.often.note(act, &mut signs, &self.elements);
        self.pair(act, &mut signs);
        if let What::Seen(sights) = &act.what {
            seen::raise(sights, &mut signs);
        }
        Opinion::Told(Judgement {
            matched: signs.matched,
            behaviours: signs.behaviours,
            severity: signs.severity,
            reasons: signs.reasons,
            is_first,
        })
    }

    /// Keeps what was told, for what the session may do after it.
    pub fn remember(&mut self, act: &Act, finding: &Finding) {
        let What::Seen(sights) = &act.what else {
            return;
        };
        let Some(session) = &act.actor.session else {
            return;
        };
        if finding.severity < Severity::High && !seen::is_weak(sights) {
            if self.told.len() == TOLD_MAX {
                self.told.remove(0);
            }
            self.told.push(Told {
                session: session.clone(),
                time: act.time,
                is_administrator: self.is_administrator(act),
                finding: finding.clone(),
            });
        }
    }

    fn is_administrator(&self, act: &Act) -> bool {
        look::is_administrator(act, &self.elements.linux.user_context_scope)
    }

    /// What the session did shortly before, other than what led to the process itself: `sudo` is not beside
    /// what it starts. An administrator gains nothing by it.
    fn pair(&self, act: &Act, signs: &mut Signs) {
        let window = self.elements.linux.time_window;
        let What::Seen(sights) = &act.what else {
            return;
        };
        let Some(session) = &act.actor.session else {
            return;
        };
        if seen::is_weak(sights) {
            return;
        }
        let may_gain = !self.is_administrator(act);
        for what in Beside::ALL {
            let deeds = self.deeds.get(&(session.clone(), what));
            let is_near = |(time, pid): &(Timestamp, u32)| {
                let is_own = sights.ancestors.iter().any(|(ancestor, _)| ancestor == pid);
                let led_to_it = is_own || act.actor.pid == Some(*pid);
                let age = act.time.duration_since(*time);
                age <= window && (what != Beside::Privilege || (may_gain && !led_to_it))
            };
            if deeds.is_some_and(|deeds| deeds.iter().any(is_near)) {
                signs.pairs(what, window);
            }
        }
    }
}

impl Told {
    fn is_paired_by(&self, what: Beside) -> bool {
        what != Beside::Privilege || !self.is_administrator
    }

    /// What is told of it now.
    fn raised(self, what: Beside, window: SignedDuration) -> Finding {
        let mut finding = self.finding;
        finding.severity = Severity::High;
        finding.repeat = 0;
        finding.reasons.push(pairing(what, window));
        finding
    }
}
