//! Who looks at the connections of this host: what a process does is gathered into one record.

mod run;

use std::collections::BTreeMap;

use jiff::Timestamp;
use tracer_abi::{Identity, Subject as RawSubject};

use self::run::{Deed, Doer, Run, Seen};
use super::Pipeline;
use crate::{
    decode::{Exec, Look},
    discovery::{
        Act, Actor, Analytic, Beside, Elements, Finding, Judgement, Live, Opinion, Parent, Passed,
        Sights, What, Who,
        finding::{Details, name_of},
    },
    logs::Origin,
    process::Key,
    record::{Ancestor, Event, Owner, Record},
    scope::{Scope, to_ip},
    select::{Person, Subject},
};

/// Programs that are there to give privileges.
const ELEVATING: [&str; 6] = ["sudo", "su", "doas", "pkexec", "sudoedit", "run0"];
/// So many processes are followed at once: of what makes room, what was seen is told first.
const RUNS_MAX: usize = 16_384;

/// A program that a process runs: its id and start, and the program.
type Running = (u32, u64, u64);

/// Who looks at connections.
#[derive(Debug)]
pub(super) struct Discovery {
    live: Live,
    runs: BTreeMap<Running, Run>,
    /// What is not told.
    passed: Passed,
}

impl Discovery {
    pub(super) fn new(elements: Elements) -> Self {
        Self {
            live: Live::new(elements),
            runs: BTreeMap::new(),
            passed: Passed::default(),
        }
    }

    /// What is not told.
    pub(super) fn passed(&self) -> Passed {
        self.passed
    }

    fn run(&mut self, actor: &Identity) -> &mut Run {
        let run = self.runs.entry(running(actor)).or_default();
        run.doer.actor = *actor;
        run
    }

    /// Whether a program that was executed is one that lists connections.
    pub(super) fn is_utility(&self, exec: &Exec) -> bool {
        let args = exec.args.as_deref().unwrap_or_default();
        self.live.is_utility(&exec.exe, args)
    }

    /// The runs of which something is due.
    fn due(&self, now_ns: u64) -> Vec<Running> {
        let due = self.runs.iter().filter(|(_, run)| run.is_due(now_ns));
        due.map(|(running, _)| *running).collect()
    }

    /// The runs of a process.
    fn of_process(&self, key: Key) -> Vec<Running> {
        let of_pid = self
            .runs
            .range((key.pid, 0, 0)..=(key.pid, u64::MAX, u64::MAX));
        let of_it = of_pid.filter(|((_, start, _), _)| *start == key.start_ticks);
        of_it.map(|(running, _)| *running).collect()
    }
}

fn running(actor: &Identity) -> Running {
    let key = Key::of(actor);
    (key.pid, key.start_ticks, actor.exec_id)
}

/// What names a session: the login's, where there is one.
fn session_of(actor: &Identity) -> String {
    if actor.audit_session == u32::MAX {
        format!("sid {}", actor.sid)
    } else {
        format!("login {}", actor.audit_session)
    }
}

impl Pipeline {
    /// Tells who looks at the connections of this host, by these elements; `None`: that is not told.
    #[must_use]
    pub fn discovering(mut self, elements: Option<Elements>) -> Self {
        self.discovery = elements.map(Discovery::new);
        self
    }

    /// Judges by these elements from here on who looks at connections, if that is told.
    pub fn judge_by(&mut self, elements: Elements) {
        if let Some(discovery) = &mut self.discovery {
            discovery.live.judge_by(elements);
        }
    }

    /// A process looks at connections.
    pub(super) fn look(&mut self, look: &Look) {
        // It becomes a record with all else that the process does.
        self.totals.processed.delivered += 1;
        self.totals.processed.suppressed += 1;
        let fixed = &look.fixed;
        if let Some(discovery) = &mut self.discovery
            && fixed.header.time_ns >= self.start_ns
        {
            let run = discovery.run(&fixed.actor);
            run.note(fixed.header.time_ns, Deed::glimpse(fixed));
            run.doer.netns = fixed.netns;
            run.doer.cwd = Some(look.cwd.clone());
        }
    }

    /// A process executed a program.
    pub(super) fn executed(&mut self, exec: &Exec, out: &mut Vec<Record>) {
        let identity = &exec.fixed.identity;
        let time_ns = exec.fixed.header.time_ns;
        if time_ns < self.start_ns {
            return;
        }
        self.note_privilege(exec, out);
        if let Some(discovery) = &mut self.discovery
            && discovery.is_utility(exec)
        {
            let run = discovery.run(identity);
            run.note(time_ns, (Deed::Executed, false, 0));
            run.doer.netns = exec.netns.unwrap_or(run.doer.netns);
        }
    }

    /// A process that has more privileges than who started it, or is there to give them.
    fn note_privilege(&mut self, exec: &Exec, out: &mut Vec<Record>) {
        let identity = &exec.fixed.identity;
        let is_set_user_id = identity.euid == 0 && identity.uid != 0;
        if is_set_user_id || ELEVATING.contains(&name_of(&exec.exe)) {
            self.note_beside(identity, Beside::Privilege, exec.fixed.header.time_ns, out);
        }
    }

    /// A process opened a connection to another host.
    pub(super) fn note_connection(
        &mut self,
        connection: &tracer_abi::Connection,
        out: &mut Vec<Record>,
    ) {
        let is_external = || self.scopes.of(to_ip(connection.remote)) == Scope::External;
        if self.discovery.is_some() && connection.owner.tgid != 0 && is_external() {
            let (owner, time_ns) = (&connection.owner, connection.opened_ns);
            self.note_beside(owner, Beside::Connection, time_ns, out);
        }
    }

    /// A session did something that says more of who looks, before it or after it.
    fn note_beside(&mut self, actor: &Identity, what: Beside, time_ns: u64, out: &mut Vec<Record>) {
        let time = self.timestamp(time_ns);
        let Some(discovery) = &mut self.discovery else {
            return;
        };
        let session = session_of(actor);
        let raised = discovery.live.note(&session, what, time, actor.tgid);
        for finding in raised {
            self.totals.processed.derived += 1;
            // What was not selected was not remembered.
            self.keep(Record::Discovery(Box::new(finding)), true, out);
        }
    }

    fn timestamp(&self, time_ns: u64) -> Timestamp {
        // What the clock writes can be read.
        self.clock.utc(time_ns).parse().unwrap_or_default()
    }

    /// A process ended, or executed another program: what it did is told.
    pub(super) fn gone(&mut self, key: Key, out: &mut Vec<Record>) {
        let Some(discovery) = &self.discovery else {
            return;
        };
        for running in discovery.of_process(key) {
            self.tell_run(running, u64::MAX, true, out);
        }
    }

    /// Tells what is due.
    pub(super) fn pass(&mut self, now_ns: u64, out: &mut Vec<Record>) {
        let Some(discovery) = &self.discovery else {
            return;
        };
        let is_full = discovery.runs.len() > RUNS_MAX;
        let due = if is_full {
            discovery.runs.keys().copied().collect()
        } else {
            discovery.due(now_ns)
        };
        for running in due {
            self.tell_run(running, now_ns, is_full, out);
        }
    }

    /// Tells all that is not told yet.
    pub(super) fn tell_rest(&mut self, out: &mut Vec<Record>) {
        let runs = self.discovery.as_ref().map(|discovery| &discovery.runs);
        let all: Vec<Running> = runs.into_iter().flatten().map(|(one, _)| *one).collect();
        for running in all {
            self.tell_run(running, u64::MAX, true, out);
        }
    }

    /// Tells what a process did, if there is anything that was not told. `is_last`: it does nothing more.
    fn tell_run(&mut self, running: Running, now_ns: u64, is_last: bool, out: &mut Vec<Record>) {
        let Some(discovery) = &mut self.discovery else {
            return;
        };
        let Some(run) = discovery.runs.get_mut(&running) else {
            return;
        };
        let seen = run.take(now_ns);
        let doer = run.doer.clone();
        if is_last {
            discovery.runs.remove(&running);
        }
        if let Some(seen) = seen {
            self.tell_seen(doer, seen, out);
        }
    }

    /// Judges what a process did, and tells it.
    fn tell_seen(&mut self, doer: Doer, seen: Seen, out: &mut Vec<Record>) {
        let owner = self.knowledge.owner(&doer.actor, &self.clock);
        let ancestry = self.knowledge.ancestry(&doer.actor);
        let act = self.act(&doer.actor, &seen, &owner, &ancestry);
        self.totals.processed.derived += 1;
        let Some(judgement) = self.judge(&act) else {
            self.totals.processed.suppressed += 1;
            return;
        };
        let is_selected = self.keeps_finding(&doer, &owner);
        let head = self.head(seen.first_ns.unwrap_or_default(), Event::Discovery);
        let details = Details {
            matched: judgement.matched,
            first_seen: judgement.is_first,
            ..seen.details
        };
        let who = Who::Seen { owner, ancestry };
        let finding = Finding {
            behaviours: judgement.behaviours,
            severity: judgement.severity,
            reasons: judgement.reasons,
            netns: (doer.netns != 0).then_some(doer.netns),
            cwd: doer.cwd,
            repeat: seen.repeat,
            ..Finding::new(head, Analytic::Linux, details, who)
        };
        if let Some(discovery) = self.discovery.as_mut().filter(|_| is_selected) {
            discovery.live.remember(&act, &finding);
        }
        let is_kept = is_selected && finding.severity >= self.selection.severity;
        self.keep(Record::Discovery(Box::new(finding)), is_kept, out);
    }

    /// What is said of an act; `None`: it is not told, and counted.
    fn judge(&mut self, act: &Act) -> Option<Judgement> {
        let discovery = self.discovery.as_mut()?;
        match discovery.live.judge(act) {
            Opinion::Told(judgement) => return Some(judgement),
            Opinion::Allowed => discovery.passed.allowed += 1,
            Opinion::OutOfScope => discovery.passed.out_of_scope += 1,
        }
        None
    }

    /// A finding has neither address nor port; its network namespace is the one of who looks.
    fn keeps_finding(&self, doer: &Doer, owner: &Owner) -> bool {
        const NOT_IP: u16 = 0;
        let subject = Subject {
            raw: RawSubject::of_socket(&doer.actor, doer.netns, NOT_IP, 0),
            owner: Some(Person::from(owner)),
            direction: None,
            is_threat: false,
        };
        let cgroups = &self.knowledge.cgroups;
        self.selection.keeps_record(Event::Discovery, None)
            && self
                .selection
                .keeps_connection(&self.compiled, cgroups, subject)
    }

    /// What is judged.
    fn act(&self, actor: &Identity, seen: &Seen, owner: &Owner, ancestry: &[Ancestor]) -> Act {
        let process = &owner.process;
        let parent = process.parent.as_ref();
        let user = &owner.user;
        let ancestors = ancestry.iter().map(|one| (one.pid, one.exe.clone()));
        let sights = Sights {
            args: process.args.clone().unwrap_or_default(),
            behaviours: seen.behaviours.clone(),
            details: seen.details.clone(),
            flags: process.flags,
            image: owner.container.as_ref().and_then(|one| one.image.clone()),
            ancestors: ancestors.collect(),
        };
        Act {
            analytic: Analytic::Linux,
            time: self.timestamp(seen.first_ns.unwrap_or_default()),
            host: self.host.name.clone(),
            what: What::Seen(Box::new(sights)),
            actor: Actor {
                pid: Some(process.pid),
                exe: process.exe.clone(),
                parent: parent.map(|parent| Parent {
                    pid: Some(parent.pid),
                    exe: parent.exe.clone(),
                    command: None,
                }),
                user: user.name.clone(),
                uid: Some(user.uid),
                auid: user.auid,
                session: Some(session_of(actor)),
                tty: process.tty.clone(),
                container: owner.container.as_ref().map(|one| one.id.clone()),
                ..Actor::default()
            },
            origin: Origin::default(),
        }
    }

    /// Whether more has to be known of a process that executed a program, for it will be told of.
    pub(super) fn tells_of(&self, exec: &Exec) -> bool {
        let discovery = self.discovery.as_ref();
        discovery.is_some_and(|discovery| discovery.is_utility(exec))
    }
}
