//! The door to the machine beside its kernel hooks: `/proc`, cgroupfs, the databases in `/etc`, and
//! the clock. Everything is read, nothing is written, and nobody is asked over the network but the API
//! server of Kubernetes, if the user wants that ([`pods`]).

pub mod accounts;
pub mod addresses;
mod below;
pub mod cgroups;
pub mod clock;
mod containers;
pub mod etc;
pub mod hashes;
pub mod holders;
pub mod identity;
pub mod namespaces;
pub mod pods;
pub mod processes;
pub mod sockets;

use std::{collections::HashSet, io, time::Duration};

use tracer_core::fact::{self, Cgroup, Fact, Hosts, Question, Resident};

use self::{
    accounts::Accounts,
    cgroups::Hierarchies,
    containers::Engines,
    hashes::{Asked, Hasher},
    pods::Pods,
};

/// What attribution may ask about the machine.
pub trait Host {
    /// What is known before anything is asked, in the order in which it is to be learned.
    fn begin(&mut self) -> Vec<Fact>;

    /// The answer to a question, if there is one.
    fn answer(&mut self, question: Question) -> Vec<Fact>;

    /// Answers that took their time; waits for the rest, but not for longer than this.
    fn late(&mut self, patience: Duration) -> Vec<Fact>;

    /// What has changed of what may change at any time: the addresses of this host, its accounts.
    fn refresh(&mut self) -> Vec<Fact>;
}

/// How many questions are remembered; an attacker can make processes whose start nobody saw.
const ASKED_MAX: usize = 16_384;

/// The machine that conntracer runs on.
pub struct Machine {
    /// What it is called, where its own name is not meant.
    name: Option<String>,
    hierarchies: Hierarchies,
    engines: Engines,
    /// Network namespace → its addresses.
    addresses: addresses::Known,
    accounts: Accounts,
    /// Hashes executables, if that is wanted.
    hasher: Option<Hasher>,
    /// Questions that were answered or that have no answer.
    asked: HashSet<Question>,
}

impl Machine {
    /// The machine as it is mounted in this process's view. `hashes`: of executables; `pods`: those that an
    /// API server lists.
    pub fn new(hashes: bool, pods: Option<Pods>) -> io::Result<Self> {
        Ok(Self {
            name: None,
            hierarchies: Hierarchies::find(),
            engines: Engines::new(pods),
            addresses: addresses::Known::new(),
            accounts: Accounts::default(),
            hasher: hashes.then(Hasher::start).transpose()?,
            asked: HashSet::new(),
        })
    }

    /// The same, called like this.
    #[must_use]
    pub fn called(mut self, name: Option<&str>) -> Self {
        self.name = name.map(str::to_owned);
        self
    }

    /// Which machine it is.
    fn identity(&self) -> fact::Host {
        let mut identity = identity::read();
        if let Some(name) = &self.name {
            identity.name.clone_from(name);
        }
        identity
    }

    /// The hash of what a process runs, if it is known by now.
    fn executable(&mut self, question: &Question) -> Vec<Fact> {
        let &Question::Executable {
            pid,
            start_ticks,
            exec_id,
        } = question
        else {
            return Vec::new();
        };
        let asked = self.hasher.as_mut();
        match asked.map(|hasher| hasher.ask(pid, start_ticks, exec_id)) {
            Some(Asked::Taken(facts)) => facts,
            Some(Asked::Busy) => {
                self.asked.remove(question);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// What a user is called in the root of a process, if that is another one than the host's.
    fn resident(&mut self, question: &Question) -> Option<Fact> {
        let &Question::Resident {
            pid,
            start_ticks,
            cgroup,
            is_v1,
            uid,
        } = question
        else {
            return None;
        };
        let resident = self.accounts.resident(pid, start_ticks, uid)?;
        Some(Fact::Resident(Resident {
            pid,
            start_ticks,
            cgroup,
            is_v1,
            uid,
            name: resident.name,
        }))
    }

    /// What there is to know of a network namespace that a process is in.
    fn namespace(&mut self, netns: u32, pid: u32) -> Vec<Fact> {
        if self.addresses.contains_key(&netns) || namespaces::of(pid) != Some(netns) {
            return Vec::new();
        }
        let Some(addresses) = addresses::of_namespace(pid) else {
            return Vec::new();
        };
        self.addresses.insert(netns, addresses);
        let addresses = self.all_addresses();
        [addresses].into_iter().chain(hosts((netns, pid))).collect()
    }

    /// Whether a question has not been answered yet. What is missing of a container may come: the engines
    /// know when to look again.
    fn may_answer(&mut self, question: &Question) -> bool {
        if self.asked.len() >= ASKED_MAX {
            self.asked.clear();
        }
        matches!(question, Question::Container { .. }) || self.asked.insert(question.clone())
    }

    /// A cgroup, and the container in it.
    fn cgroup(&mut self, cgroup: Cgroup) -> Vec<Fact> {
        let container = self.container(&cgroup.path);
        std::iter::once(Fact::Cgroup(cgroup))
            .chain(container)
            .collect()
    }

    fn container(&mut self, cgroup: &str) -> Option<Fact> {
        self.engines.container(cgroup).map(Fact::Container)
    }

    fn all_addresses(&self) -> Fact {
        let all: HashSet<_> = self.addresses.values().flatten().copied().collect();
        let mut all: Vec<_> = all.into_iter().collect();
        all.sort_unstable();
        Fact::Addresses(all)
    }
}

/// The hosts file of a network namespace, as one of its processes sees it.
fn hosts((netns, pid): (u32, u32)) -> Option<Fact> {
    let names = etc::hosts(pid);
    (!names.is_empty()).then_some(Fact::Hosts(Hosts { netns, names }))
}

impl Host for Machine {
    fn begin(&mut self) -> Vec<Fact> {
        let namespaces = namespaces::all();
        self.addresses = addresses::of_all(&namespaces, &self.addresses);
        let mut facts = vec![
            Fact::Host(self.identity()),
            Fact::Users(self.accounts.host().unwrap_or_default()),
            Fact::Services(etc::services()),
            self.all_addresses(),
        ];
        facts.extend(namespaces.into_iter().filter_map(hosts));
        for cgroup in self.hierarchies.walk() {
            facts.extend(self.cgroup(cgroup));
        }
        facts.extend(processes::all().into_iter().map(Fact::Process));
        facts
    }

    fn answer(&mut self, question: Question) -> Vec<Fact> {
        if !self.may_answer(&question) {
            return Vec::new();
        }
        match question {
            Question::Process { pid, start_ticks } => processes::read(pid)
                .filter(|process| process.start_ticks == start_ticks)
                .map(Fact::Process)
                .into_iter()
                .collect(),
            Question::Cgroup { id, is_v1 } => match self.hierarchies.path_of(id, is_v1) {
                Some(path) => self.cgroup(Cgroup { id, is_v1, path }),
                None => Vec::new(),
            },
            Question::Container { cgroup } => self.container(&cgroup).into_iter().collect(),
            Question::Resident { .. } => self.resident(&question).into_iter().collect(),
            Question::Executable { .. } => self.executable(&question),
            Question::Namespace { netns, pid } => self.namespace(netns, pid),
        }
    }

    fn late(&mut self, patience: Duration) -> Vec<Fact> {
        let hasher = self.hasher.as_mut();
        hasher.map_or_else(Vec::new, |hasher| hasher.take(patience))
    }

    fn refresh(&mut self) -> Vec<Fact> {
        let before = self.all_addresses();
        self.addresses = addresses::of_all(&namespaces::all(), &self.addresses);
        let after = self.all_addresses();
        let addresses = (before != after).then_some(after);
        let users = self.accounts.host().map(Fact::Users);
        addresses.into_iter().chain(users).collect()
    }
}
