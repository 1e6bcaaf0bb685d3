//! Selection: which connections, and which of their records, were asked for.
//!
//! [`Test`]s on connections combine to all or any of them; tests on records (event, outcome) must
//! hold in any case. What the kernel can decide is compiled to tables for it ([`Compiled`]); user
//! space evaluates the same code over the same tables.

mod compiled;
mod ports;
mod told;

use std::{collections::BTreeMap, fmt};

use ipnet::IpNet;
use tracer_abi::{Predicates, Subject as RawSubject};

pub use self::{
    compiled::Compiled,
    ports::Ports,
    told::{Following, FromLines, Told},
};
use crate::{
    cgroup::Cgroups,
    container::{Container, Pod},
    discovery::Severity,
    outcome::Outcome,
    protocol::Protocol,
    record::{Direction, Event, Filter, Owner},
    scope::Scopes,
    threat::Indicators,
};

/// One test on a connection: holds if one of its values fits.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// `--port`: at either end.
    Port(Ports),
    /// `--local-port`
    LocalPort(Ports),
    /// `--remote-port`
    RemotePort(Ports),
    /// `--remote`
    Remote(Vec<IpNet>),
    /// `--external`
    External,
    /// `--protocol`
    Protocol(Vec<Protocol>),
    /// `--user`, by id.
    User(Vec<u32>),
    /// `--login`, by id.
    Login(Vec<u32>),
    /// `--cgroup`: beginnings of paths.
    Cgroup(Vec<String>),
    /// `--netns`, by inode number.
    Netns(Vec<u32>),
    /// `--pid`
    Pid(Vec<u32>),
    /// `--process`: names.
    Process(Vec<String>),
    /// `--exe`: patterns of paths.
    Exe(Vec<glob::Pattern>),
    /// `--direction`
    Direction(Vec<Direction>),
    /// `--container`: patterns of names, or beginnings of ids.
    Container(Vec<glob::Pattern>),
    /// `--pod`: patterns of names, or beginnings of UIDs.
    Pod(Vec<glob::Pattern>),
    /// `--namespace`: patterns of the names of Kubernetes namespaces.
    Namespace(Vec<glob::Pattern>),
    /// `--threat`: the other end meets an indicator.
    Threat,
}

/// A test or its opposite.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The test.
    pub test: Test,
    /// `--not-…`
    pub is_negated: bool,
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Tests on connections.
    pub terms: Vec<Term>,
    /// One of them is enough.
    pub any: bool,
    /// `--event`; empty: all.
    pub events: Vec<Event>,
    /// `--not-event`
    pub not_events: Vec<Event>,
    /// `--outcome`; empty: all.
    pub outcomes: Vec<Outcome>,
    /// `--not-outcome`
    pub not_outcomes: Vec<Outcome>,
    /// `--severity`: findings of discovery matter at least so much.
    pub severity: Severity,
}

/// What a test looks at.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// What the kernel half looks at.
    pub raw: RawSubject<'a>,
    /// Its owner, where one is known.
    pub owner: Option<Person<'a>>,
    /// Its direction, where it is known.
    pub direction: Option<Direction>,
    /// The other end meets an indicator.
    pub is_threat: bool,
}

/// What a test looks at of an owner.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    /// Process id.
    pub pid: u32,
    /// Name of the process.
    pub name: &'a str,
    /// Path of the executable.
    pub exe: Option<&'a str>,
    /// Its container.
    pub container: Option<&'a Container>,
    /// Its Kubernetes pod.
    pub pod: Option<&'a Pod>,
}

impl<'a> From<&'a Owner> for Person<'a> {
    fn from(owner: &'a Owner) -> Self {
        Self {
            pid: owner.process.pid,
            name: &owner.process.name,
            exe: owner.process.exe.as_deref(),
            container: owner.container.as_ref(),
            pod: owner.pod.as_ref(),
        }
    }
}

impl Test {
    /// The bit of the kernel's predicate; `None` for a test that needs user space.
    #[must_use]
    pub fn predicate(&self) -> Option<u32> {
        match self {
            Self::Port(_) => Some(Predicates::PORT),
            Self::LocalPort(_) => Some(Predicates::LOCAL_PORT),
            Self::RemotePort(_) => Some(Predicates::REMOTE_PORT),
            Self::Remote(_) => Some(Predicates::REMOTE),
            Self::External => Some(Predicates::EXTERNAL),
            Self::Protocol(_) => Some(Predicates::PROTOCOL),
            Self::User(_) => Some(Predicates::USER),
            Self::Login(_) => Some(Predicates::LOGIN),
            Self::Cgroup(_) => Some(Predicates::CGROUP),
            Self::Netns(_) => Some(Predicates::NETNS),
            Self::Pid(_)
            | Self::Process(_)
            | Self::Exe(_)
            | Self::Direction(_)
            | Self::Container(_)
            | Self::Pod(_)
            | Self::Namespace(_)
            // The kernel knows only where one may be.
            | Self::Threat => None,
        }
    }

    /// The name of its flag, without dashes.
    #[must_use]
    pub fn flag(&self) -> &'static str {
        match self {
            Self::Port(_) => "port",
            Self::LocalPort(_) => "local-port",
            Self::RemotePort(_) => "remote-port",
            Self::Remote(_) => "remote",
            Self::External => "external",
            Self::Protocol(_) => "protocol",
            Self::User(_) => "user",
            Self::Login(_) => "login",
            Self::Cgroup(_) => "cgroup",
            Self::Netns(_) => "netns",
            Self::Pid(_) => "pid",
            Self::Process(_) => "process",
            Self::Exe(_) => "exe",
            Self::Direction(_) => "direction",
            Self::Container(_) => "container",
            Self::Pod(_) => "pod",
            Self::Namespace(_) => "namespace",
            Self::Threat => "threat",
        }
    }

    fn values(&self) -> Vec<String> {
        match self {
            Self::Port(ports) | Self::LocalPort(ports) | Self::RemotePort(ports) => {
                vec![ports.to_string()]
            }
            Self::Remote(networks) => strings(networks),
            Self::External | Self::Threat => Vec::new(),
            Self::Protocol(protocols) => protocols.iter().map(|p| p.word().to_owned()).collect(),
            Self::User(numbers)
            | Self::Login(numbers)
            | Self::Netns(numbers)
            | Self::Pid(numbers) => strings(numbers),
            Self::Cgroup(texts) | Self::Process(texts) => texts.clone(),
            Self::Exe(patterns)
            | Self::Container(patterns)
            | Self::Pod(patterns)
            | Self::Namespace(patterns) => strings(patterns),
            Self::Direction(directions) => directions.iter().map(|d| d.word().to_owned()).collect(),
        }
    }

    /// Whether a test that needs user space holds.
    fn holds(&self, subject: Subject<'_>) -> bool {
        match self {
            Self::Direction(directions) => subject
                .direction
                .is_some_and(|direction| directions.contains(&direction)),
            Self::Threat => subject.is_threat,
            _ => self.is_of(subject.owner),
        }
    }

    /// Whether a test looks at an owner, and at nothing that only the kernel's tables know of one.
    pub(crate) fn is_about_owners(&self) -> bool {
        matches!(
            self,
            Self::Pid(_)
                | Self::Process(_)
                | Self::Exe(_)
                | Self::Container(_)
                | Self::Pod(_)
                | Self::Namespace(_)
        )
    }

    /// Whether such a test holds for an owner.
    pub(crate) fn is_of(&self, owner: Option<Person<'_>>) -> bool {
        let Some(owner) = owner else {
            return false;
        };
        let pod = owner.pod;
        match self {
            Self::Pid(pids) => pids.contains(&owner.pid),
            Self::Process(names) => {
                let mut names = names.iter().map(String::as_str);
                names.any(|name| name == owner.name || Some(name) == owner.file_name())
            }
            Self::Exe(patterns) => is_called(patterns, owner.exe),
            Self::Container(patterns) => owner.container.is_some_and(|container| {
                begins(patterns, &container.id) || is_called(patterns, container.name.as_deref())
            }),
            Self::Pod(patterns) => pod.is_some_and(|pod| {
                begins(patterns, &pod.uid) || is_called(patterns, pod.name.as_deref())
            }),
            Self::Namespace(patterns) => {
                is_called(patterns, pod.and_then(|pod| pod.namespace.as_deref()))
            }
            _ => false,
        }
    }
}

/// Whether a name is known, and one of those that are asked for.
fn is_called(patterns: &[glob::Pattern], name: Option<&str>) -> bool {
    name.is_some_and(|name| patterns.iter().any(|pattern| pattern.matches(name)))
}

/// Whether an id begins with one of those that are asked for.
fn begins(patterns: &[glob::Pattern], id: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| id.starts_with(pattern.as_str()))
}

impl Person<'_> {
    fn file_name(&self) -> Option<&str> {
        self.exe?.rsplit('/').next()
    }
}

fn strings(values: &[impl ToString]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

impl Selection {
    /// The tables for the tests that the kernel can decide, and by `indicators` for what it can tell of those.
    #[must_use]
    pub fn compile(&self, scopes: &Scopes, indicators: Option<&Indicators>) -> Compiled {
        let mut compiled = Compiled::new(&self.terms, self.any, scopes);
        if let Some(indicators) = indicators.filter(|_| self.needs_threat()) {
            compiled.near(indicators);
        }
        compiled
    }

    /// Nothing is kept but what meets an indicator.
    fn needs_threat(&self) -> bool {
        let is_it = |term: &Term| term.test == Test::Threat && !term.is_negated;
        !self.any && self.terms.iter().any(is_it)
    }

    /// Whether the kernel may drop what its own tests do not keep: not if a test that needs user
    /// space could keep it all the same.
    #[must_use]
    pub fn may_drop_in_kernel(&self) -> bool {
        !self.any
            || self
                .terms
                .iter()
                .all(|term| term.test.predicate().is_some())
    }

    /// Whether sums say all that it looks at. They do not say which process it was, in which cgroup, whose
    /// login, whether the other end meets an indicator, nor what became of each; of the port that was not connected to, only one below 1024.
    #[must_use]
    pub fn is_of_sums(&self) -> bool {
        let is_told = |term: &Term| {
            !matches!(
                term.test,
                Test::Pid(_) | Test::Cgroup(_) | Test::Login(_) | Test::Threat
            )
        };
        self.terms.iter().all(is_told)
            && self.events.is_empty()
            && self.not_events.is_empty()
            && self.outcomes.is_empty()
            && self.not_outcomes.is_empty()
    }

    /// The networks in one of which the other end of all that it keeps is; `None`: anywhere.
    #[must_use]
    pub fn networks(&self) -> Option<&[IpNet]> {
        let is_needed = |term: &&Term| !term.is_negated && (!self.any || self.terms.len() == 1);
        let mut needed = self.terms.iter().filter(is_needed);
        needed.find_map(|term| match &term.test {
            Test::Remote(networks) => Some(networks.as_slice()),
            _ => None,
        })
    }

    /// Whether the tests on connections keep it.
    #[must_use]
    pub fn keeps_connection(
        &self,
        compiled: &Compiled,
        cgroups: &Cgroups,
        subject: Subject<'_>,
    ) -> bool {
        let kernel_keeps = compiled.keeps(subject.raw, cgroups);
        let mut of_user_space = self
            .terms
            .iter()
            .filter(|term| term.test.predicate().is_none());
        let holds = |term: &Term| term.test.holds(subject) != term.is_negated;
        if self.any && !self.terms.is_empty() {
            (compiled.is_used() && kernel_keeps) || of_user_space.any(holds)
        } else {
            kernel_keeps && of_user_space.all(holds)
        }
    }

    /// Whether the tests on records keep it. A record without an outcome has none that was asked
    /// for.
    #[must_use]
    pub fn keeps_record(&self, event: Event, outcome: Option<Outcome>) -> bool {
        (self.events.is_empty() || self.events.contains(&event))
            && !self.not_events.contains(&event)
            && (self.outcomes.is_empty()
                || outcome.is_some_and(|outcome| self.outcomes.contains(&outcome)))
            && !outcome.is_some_and(|outcome| self.not_outcomes.contains(&outcome))
    }

    /// How much findings matter at least, if not all are asked for.
    fn least_severity(&self) -> Vec<String> {
        let least = Some(self.severity).filter(|least| *least > Severity::Info);
        least.iter().map(|least| least.word().to_owned()).collect()
    }

    /// The selection as the `start` record tells it. `in_kernel`: the kernel drops what its tests do
    /// not keep.
    #[must_use]
    pub fn describe(&self, in_kernel: bool) -> Filter {
        let mut connections: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for term in &self.terms {
            connections
                .entry(term.to_string())
                .or_default()
                .extend(term.test.values());
        }
        let words = |events: &[Event]| events.iter().map(|e| e.word().to_owned()).collect();
        let outcomes = |list: &[Outcome]| list.iter().map(|o| o.word().to_owned()).collect();
        let records = [
            ("event", words(&self.events)),
            ("not-event", words(&self.not_events)),
            ("outcome", outcomes(&self.outcomes)),
            ("not-outcome", outcomes(&self.not_outcomes)),
            ("severity", self.least_severity()),
        ];
        // Of threats the kernel drops what is in no network of an indicator, unless it is to test other networks.
        let is_remote = |term: &Term| matches!(term.test, Test::Remote(_)) && !term.is_negated;
        let is_near = self.needs_threat() && !self.terms.iter().any(is_remote);
        let is_decided = |term: &&Term| {
            term.test.predicate().is_some() || (term.test == Test::Threat && is_near)
        };
        let decided = self.terms.iter().filter(is_decided).filter(|_| in_kernel);
        Filter {
            combination: if self.any { "any" } else { "all" }.into(),
            connections,
            records: records
                .into_iter()
                .filter(|(_, values): &(_, Vec<String>)| !values.is_empty())
                .map(|(flag, values)| (flag.to_owned(), values))
                .collect(),
            in_kernel: decided.map(ToString::to_string).collect(),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = if self.is_negated { "not-" } else { "" };
        write!(f, "{not}{}", self.test.flag())
    }
}
