//! The door to the machine beside its kernel hooks: `/proc`, cgroupfs, the databases in `/etc`, and
//! the clock. Everything is read, nothing is written, nobody is asked over the network.

pub mod addresses;
pub mod cgroups;
pub mod clock;
pub mod etc;
pub mod identity;
pub mod namespaces;
pub mod processes;

use std::collections::{BTreeMap, HashSet};

use tracer_core::fact::{Cgroup, Fact, Question};

use self::cgroups::Hierarchies;

/// What attribution may ask about the machine.
pub trait Host {
    /// What is known before anything is asked, in the order in which it is to be learned.
    fn begin(&mut self) -> Vec<Fact>;

    /// The answer to a question, if there is one.
    fn answer(&mut self, question: Question) -> Option<Fact>;

    /// What has changed of what may change at any time: the addresses of this host.
    fn refresh(&mut self) -> Option<Fact>;
}

/// How many questions are remembered; an attacker can make processes whose start nobody saw.
const ASKED_MAX: usize = 16_384;

/// The machine that conntracer runs on.
pub struct Machine {
    hierarchies: Hierarchies,
    /// Network namespace → its addresses.
    addresses: BTreeMap<u32, Vec<std::net::IpAddr>>,
    /// Questions that were answered or that have no answer.
    asked: HashSet<Question>,
}

impl Machine {
    /// The machine as it is mounted in this process's view.
    pub fn new() -> Self {
        Self {
            hierarchies: Hierarchies::find(),
            addresses: BTreeMap::new(),
            asked: HashSet::new(),
        }
    }

    fn all_addresses(&self) -> Fact {
        let all: HashSet<_> = self.addresses.values().flatten().copied().collect();
        let mut all: Vec<_> = all.into_iter().collect();
        all.sort_unstable();
        Fact::Addresses(all)
    }
}

impl Host for Machine {
    fn begin(&mut self) -> Vec<Fact> {
        self.addresses = namespaces::all()
            .into_iter()
            .map(|(netns, pid)| (netns, addresses::of_namespace(pid)))
            .collect();
        let mut facts = vec![
            Fact::Host(identity::read()),
            Fact::Users(etc::users()),
            Fact::Services(etc::services()),
            self.all_addresses(),
        ];
        facts.extend(self.hierarchies.walk().into_iter().map(Fact::Cgroup));
        facts.extend(processes::all().into_iter().map(Fact::Process));
        facts
    }

    fn answer(&mut self, question: Question) -> Option<Fact> {
        if self.asked.len() >= ASKED_MAX {
            self.asked.clear();
        }
        if !self.asked.insert(question) {
            return None;
        }
        match question {
            Question::Process { pid, start_ticks } => processes::read(pid)
                .filter(|process| process.start_ticks == start_ticks)
                .map(Fact::Process),
            Question::Cgroup { id, is_v1 } => self
                .hierarchies
                .path_of(id, is_v1)
                .map(|path| Fact::Cgroup(Cgroup { id, is_v1, path })),
            Question::Namespace { netns, pid } => {
                if self.addresses.contains_key(&netns) || namespaces::of(pid) != Some(netns) {
                    return None;
                }
                self.addresses.insert(netns, addresses::of_namespace(pid));
                Some(self.all_addresses())
            }
        }
    }

    fn refresh(&mut self) -> Option<Fact> {
        let before = self.all_addresses();
        let own = std::process::id();
        self.addresses
            .insert(namespaces::of(own)?, addresses::of_namespace(own));
        let after = self.all_addresses();
        (before != after).then_some(after)
    }
}
