//! What acts say together that none says alone.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::{Signs, user_of};
use crate::discovery::{
    Act, Analytic, Elements, Finding, Origin, Severity, What, act::Beside, elements::Threshold,
    finding::name_of,
};

/// How long after another one the same is still one run of somebody.
const RUN: SignedDuration = SignedDuration::from_mins(1);

/// How often who did what, lately.
#[derive(Debug, Default)]
pub struct Often(HashMap<(Analytic, String), VecDeque<Timestamp>>);

/// Of so many doers it is known how often they did it.
const DOERS_MAX: usize = 65_536;

impl Often {
    /// Takes what was done next, in the order of time; says so where that is more often than is usual.
    /// Whether this one was never seen to do so.
    pub fn note(&mut self, act: &Act, signs: &mut Signs, elements: &Elements) -> bool {
        let Some((threshold, name)) = threshold_of(act, elements) else {
            return false;
        };
        if self.0.len() >= DOERS_MAX {
            self.0.clear();
        }
        let times = self.0.entry((act.analytic, doer(act))).or_default();
        let is_first = times.is_empty();
        times.push_back(act.time);
        let is_old = |time: &Timestamp| act.time.duration_since(*time) > threshold.within;
        // The last one stays: who has done so once is not seen first again.
        while times.len() > 1 && times.front().is_some_and(is_old) {
            times.pop_front();
        }
        if times.len() >= threshold.count.max(1) {
            let (count, within) = (threshold.count, threshold.within);
            let who = user_of(act);
            let reason = format!("{who} did so {count} times or more within {within:#} ({name})");
            signs.matters(Severity::Medium, reason);
        }
        is_first
    }
}

fn threshold_of(act: &Act, elements: &Elements) -> Option<(Threshold, &'static str)> {
    match act.analytic {
        Analytic::Linux => Some((
            elements.linux.execution_frequency_threshold,
            "ExecutionFrequencyThreshold",
        )),
        Analytic::Iaas => Some((elements.iaas.burst_query_threshold, "BurstQueryThreshold")),
        _ => None,
    }
}

/// Who does what, for the purpose of counting: of a cloud the principal, whatever it calls; else the
/// account that logged in, or the user, with the program and its container.
fn doer(act: &Act) -> String {
    let actor = &act.actor;
    let user = user_of(act);
    if act.analytic == Analytic::Iaas {
        return user;
    }
    let login = actor.auid.map_or(user, |auid| auid.to_string());
    let container = actor.container.as_deref().unwrap_or_default();
    [&act.host, &login, container, &program_of(act)]
        .map(|part| part.replace('\0', ""))
        .join("\0")
}

/// What was run or called. Where commands are those of one program, all of the command.
fn program_of(act: &Act) -> String {
    let exe = act.actor.exe.as_deref();
    match &act.what {
        What::Command(args) if matches!(act.analytic, Analytic::Esxi | Analytic::NetworkDevice) => {
            args.join(" ")
        }
        What::Command(args) => {
            let path = exe.or_else(|| args.first().map(String::as_str));
            path.map_or_else(String::new, |path| name_of(path).to_lowercase())
        }
        What::Call(operation) => operation.clone(),
        What::Script(_) | What::Seen(_) | What::Beside(_) => exe.unwrap_or_default().to_owned(),
    }
}

/// What was done near something that says more of it, by the same session. Both are in the order of time.
pub fn beside(found: &mut [(Act, Signs)], beside: &[Act], elements: &Elements) {
    let sessions = Sessions::of(beside);
    for (act, signs) in found {
        let Some(window) = window_of(act.analytic, elements) else {
            continue;
        };
        for what in Beside::ALL {
            if sessions.has(act, what, window) {
                signs.pairs(what, window);
            }
        }
    }
}

/// What sessions did beside discovery: when, and which line says so, in the order of time.
struct Sessions<'a>(HashMap<(SessionOf<'a>, Beside), Vec<(Timestamp, &'a Origin)>>);

impl<'a> Sessions<'a> {
    fn of(acts: &'a [Act]) -> Self {
        let mut sessions = Self(HashMap::new());
        for act in acts {
            let What::Beside(what) = act.what else {
                continue;
            };
            for session in sessions_of(act) {
                let all = sessions.0.entry((session, what)).or_default();
                all.push((act.time, &act.origin));
            }
        }
        sessions
    }

    /// Whether the session of an act did something so near to it. What the same line says is the act
    /// itself: `sudo ss` is one.
    fn has(&self, act: &Act, what: Beside, window: SignedDuration) -> bool {
        sessions_of(act).any(|session| {
            let all = self.0.get(&(session, what)).map_or(&[][..], Vec::as_slice);
            let first = all.partition_point(|(time, _)| act.time.duration_since(*time) > window);
            let behind = all.iter().skip(first);
            let mut near = behind.take_while(|(time, _)| time.duration_since(act.time) <= window);
            near.any(|(_, origin)| **origin != act.origin)
        })
    }
}

fn window_of(analytic: Analytic, elements: &Elements) -> Option<SignedDuration> {
    match analytic {
        Analytic::Windows => Some(elements.windows.time_window),
        Analytic::Linux => Some(elements.linux.time_window),
        _ => None,
    }
}

/// A session of a host.
type SessionOf<'a> = (Analytic, &'a str, Session<'a>);

/// What says that two acts are of one session: its name, or the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Session<'a> {
    Named(&'a str),
    Process(u32),
}

fn sessions_of(act: &Act) -> impl Iterator<Item = SessionOf<'_>> {
    let named = act.actor.session.as_deref().map(Session::Named);
    let process = act.actor.pid.map(Session::Process);
    let sessions = named.into_iter().chain(process);
    sessions.map(|session| (act.analytic, act.host.as_str(), session))
}

/// Makes one finding of what one does again and again, and of what a command starts.
pub fn fold(found: Vec<(Act, Signs)>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let mut runs = Runs::default();
    for (act, signs) in found {
        let by_parent = runs.of_parent(&act);
        let earlier = by_parent.or_else(|| runs.of_same(&act));
        let at = earlier.unwrap_or(findings.len());
        runs.note(&act, at);
        if let Some(finding) = findings.get_mut(at) {
            finding.repeat += u64::from(by_parent.is_none());
            merge(finding, signs);
        } else {
            let mut finding = Finding::of_log(&act, &signs.matched);
            merge(&mut finding, signs);
            findings.push(finding);
        }
    }
    findings
}

/// Which finding acts belong to, and when the last of it was done.
#[derive(Default)]
struct Runs {
    /// By who did what.
    same: HashMap<Doing, (usize, Timestamp)>,
    /// By process.
    processes: HashMap<(Analytic, String, u32), (usize, Timestamp)>,
}

/// Who does what, in which session.
type Doing = (Analytic, String, Option<String>);

impl Runs {
    /// The finding of the process that started this one: a shell, `sudo`.
    fn of_parent(&self, act: &Act) -> Option<usize> {
        let pid = act.actor.parent.as_ref()?.pid?;
        let run = self.processes.get(&(act.analytic, act.host.clone(), pid))?;
        is_one_run(run, act)
    }

    /// The finding of the same by the same.
    fn of_same(&self, act: &Act) -> Option<usize> {
        is_one_run(self.same.get(&doing(act))?, act)
    }

    fn note(&mut self, act: &Act, at: usize) {
        let run = (at, act.time);
        self.same.insert(doing(act), run);
        if let Some(pid) = act.actor.pid {
            let process = (act.analytic, act.host.clone(), pid);
            self.processes.insert(process, run);
        }
    }
}

fn is_one_run((at, last): &(usize, Timestamp), act: &Act) -> Option<usize> {
    (act.time.duration_since(*last) <= RUN).then_some(*at)
}

fn doing(act: &Act) -> Doing {
    (act.analytic, doer(act), act.actor.session.clone())
}

fn merge(finding: &mut Finding, signs: Signs) {
    finding.severity = finding.severity.max(signs.severity);
    for behaviour in signs.behaviours {
        if !finding.behaviours.contains(&behaviour) {
            finding.behaviours.push(behaviour);
        }
    }
    for reason in signs.reasons {
        if !finding.reasons.contains(&reason) {
            finding.reasons.push(reason);
        }
    }
}
