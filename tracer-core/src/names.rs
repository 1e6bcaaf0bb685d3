//! Names of hosts, as this host was told them. Nobody is ever asked.

pub mod answers;
pub mod hosts;

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use self::answers::Answer;
use crate::fact::Named;

/// How many names of an address are kept that answers gave.
const OF_ADDRESS_MAX: usize = 8;
/// How many addresses are known by answers; then those that were named first are forgotten.
const ADDRESSES_MAX: usize = 16_384;

/// Who says what an address is called, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameSource {
    /// An answer of DNS that this host received.
    Dns,
    /// The configuration.
    Config,
    /// The hosts file of the network namespace.
    HostsFile,
}

impl NameSource {
    /// The word of the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Config => "config",
            Self::HostsFile => "hosts_file",
        }
    }
}

/// What an address is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its best name.
    pub name: Arc<str>,
    /// Who says so.
    pub source: NameSource,
    /// Its other names, best first.
    pub others: Vec<Arc<str>>,
}

/// What addresses are called.
#[derive(Debug, Default)]
pub struct Names {
    answers: Answers,
    declared: Table,
    /// Network namespace → what its hosts file says.
    hosts: HashMap<u32, Table>,
}

/// Address → its names, best first.
type Table = HashMap<IpAddr, Vec<Arc<str>>>;

impl Names {
    /// Takes an answer that a process of a namespace received; zero: which one is not known.
    pub fn learn(&mut self, netns: u32, pid: u32, answer: &Answer) {
        self.answers.learn(netns, pid, answer);
    }

    /// Takes the names that the user declared, in place of those before.
    pub fn declare(&mut self, names: &[Named]) {
        self.declared = table(names);
    }

    /// Takes the hosts file of a network namespace.
    pub fn learn_hosts(&mut self, netns: u32, names: &[Named]) {
        self.hosts.insert(netns, table(names));
    }

    /// What an address is called, for a process of a namespace.
    #[must_use]
    pub fn find(&self, netns: u32, pid: u32, address: IpAddr) -> Option<Found> {
        let of = |table: Option<&Table>, source| {
            let names = table.and_then(|table| table.get(&address));
            let names = names.into_iter().flatten().cloned();
            names.map(move |name| (name, source)).collect::<Vec<_>>()
        };
        let all = self
            .answers
            .find(netns, pid, address)
            .map(|name| (name, NameSource::Dns))
            .chain(of(Some(&self.declared), NameSource::Config))
            .chain(of(self.hosts.get(&netns), NameSource::HostsFile));
        let mut found: Option<Found> = None;
        for (name, source) in all {
            match &mut found {
                None => {
                    found = Some(Found {
                        name,
                        source,
                        others: Vec::new(),
                    });
                }
                Some(found) if found.name != name && !found.others.contains(&name) => {
                    found.others.push(name);
                }
                Some(_) => {}
            }
        }
        found
    }
}

fn table(names: &[Named]) -> Table {
    let mut table = Table::new();
    for named in names {
        let names = table.entry(named.address).or_default();
        names.push(Arc::from(named.name.as_str()));
    }
    table
}

/// What answers of DNS said, bounded.
#[derive(Debug, Default)]
struct Answers {
    /// Network namespace and address → its names, newest first.
    of: HashMap<(u32, IpAddr), Vec<Told>>,
    /// In the order in which they were first named.
    order: VecDeque<(u32, IpAddr)>,
}

/// A name that a process was told.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    name: Arc<str>,
    /// Zero: not known.
    pid: u32,
}

impl Answers {
    fn learn(&mut self, netns: u32, pid: u32, answer: &Answer) {
        let place = (netns, answer.address);
        let names = self.of.entry(place).or_insert_with(|| {
            self.order.push_back(place);
            Vec::new()
        });
        // What was asked for last of all, so that it is the newest.
        for name in answer.aliases.iter().rev().chain([&answer.name]) {
            let newest = Told {
                name: Arc::from(name.as_str()),
                pid,
            };
            names.retain(|known| *known != newest);
            names.insert(0, newest);
        }
        names.truncate(OF_ADDRESS_MAX);
        if self.order.len() > ADDRESSES_MAX
            && let Some(first) = self.order.pop_front()
        {
            self.of.remove(&first);
        }
    }

    /// The newest that the process was told, then the newest of the namespace.
    fn find(&self, netns: u32, pid: u32, address: IpAddr) -> impl Iterator<Item = Arc<str>> {
        let names = self
            .of
            .get(&(netns, address))
            .map_or(&[][..], Vec::as_slice);
        let is_own = move |told: &&Told| told.pid == pid;
        let own = names.iter().filter(is_own);
        let all = own.chain(names.iter().filter(move |told| !is_own(told)));
        all.map(|told| told.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn answer(name: &str, aliases: &[&str]) -> Answer {
        Answer {
            address: ADDRESS,
            name: name.to_owned(),
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        }
    }

    fn named(name: &str) -> Named {
        Named {
            address: ADDRESS,
            name: name.to_owned(),
        }
    }

    fn others(found: &Found) -> Vec<&str> {
        found.others.iter().map(AsRef::as_ref).collect()
    }

    #[test]
    fn a_process_s_own_answers_come_first() {
        let mut names = Names::default();
        names.learn(1, 100, &answer("mine.example", &[]));
        names.learn(1, 200, &answer("yours.example", &[]));
        let found = |netns, pid| names.find(netns, pid, ADDRESS);
        let own = found(1, 100).unwrap();
        assert_eq!(&*own.name, "mine.example");
        assert_eq!(own.source, NameSource::Dns);
        assert_eq!(others(&own), ["yours.example"]);
        assert_eq!(&*found(1, 300).unwrap().name, "yours.example");
        assert_eq!(found(2, 100), None);
    }

    #[test]
    fn answers_come_before_the_configuration_and_that_before_the_hosts_file() {
        let mut names = Names::default();
        names.learn_hosts(1, &[named("hosts.example"), named("second.example")]);
        let first = |names: &Names, netns| names.find(netns, 1, ADDRESS).unwrap();
        assert_eq!(first(&names, 1).source, NameSource::HostsFile);
        assert_eq!(others(&first(&names, 1)), ["second.example"]);
        names.declare(&[named("declared.example"), named("second.example")]);
        assert_eq!(&*first(&names, 1).name, "declared.example");
        assert_eq!(first(&names, 2).source, NameSource::Config);
        names.learn(
            1,
            1,
            &answer("www.example", &["edge.example", "a1.example"]),
        );
        let found = first(&names, 1);
        assert_eq!(&*found.name, "www.example");
        assert_eq!(found.source, NameSource::Dns);
        assert_eq!(
            others(&found),
            [
                "edge.example",
                "a1.example",
                "declared.example",
                "second.example",
                "hosts.example"
            ]
        );
    }

    #[test]
    fn what_is_known_is_bounded() {
        let mut names = Names::default();
        for pid in 0..20 {
            names.learn(1, pid, &answer("a.example", &[]));
        }
        let of = &names.answers.of;
        assert_eq!(of.values().next().unwrap().len(), OF_ADDRESS_MAX);
        for netns in 0..20_000 {
            names.learn(netns, 1, &answer("a.example", &[]));
        }
        assert_eq!(names.answers.of.len(), ADDRESSES_MAX);
    }
}
