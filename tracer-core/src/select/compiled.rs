//! A selection as tables: what the loader writes into the kernel's maps, and what user space
//! evaluates itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv6Addr,
};

use ipnet::{IpNet, Ipv6Net};
use tracer_abi::{
    Address, Identity, Predicates, Selection, Sets, Subject, identity_flag, net_bit, satisfied,
};

use super::{Ports, Term, Test};
use crate::{
    cgroup::Cgroups,
    scope::{Scopes, longest, mapped},
    threat::Indicators,
};

/// The tests that the kernel can decide, as tables.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// Which predicates are in force.
    pub selection: Selection,
    /// Bit of [`Predicates`] → ports.
    pub ports: BTreeMap<u32, Ports>,
    /// Network → bits of [`net_bit`] for `--remote` and its negated form.
    pub remotes: Vec<(Ipv6Net, u32)>,
    /// Those of `--remote` are the networks of indicators, which change with their feeds.
    pub is_of_feeds: bool,
    /// Network → bits of [`net_bit`] for `--external`.
    pub scopes: Vec<(Ipv6Net, u32)>,
    /// (bit of [`Predicates`], value)
    pub numbers: BTreeSet<(u32, u32)>,
    /// Beginning of a cgroup path → bits of [`Predicates`].
    pub cgroups: Vec<(String, u32)>,
}

impl Compiled {
    /// Compiles the tests that the kernel can decide.
    #[must_use]
    pub fn new(terms: &[Term], any: bool, scopes: &Scopes) -> Self {
        let mut compiled = Self {
            selection: Selection {
                used: 0,
                any: u32::from(any),
            },
            ..Self::default()
        };
        let mut remotes = Vec::new();
        for term in terms {
            let Some(predicate) = term.test.predicate() else {
                continue;
            };
            let bit = if term.is_negated {
                predicate << Predicates::NEGATED_SHIFT
            } else {
                predicate
            };
            compiled.selection.used |= bit;
            compiled.add(&term.test, bit);
            if let Test::Remote(networks) = &term.test {
                remotes.extend(networks.iter().map(|n| (mapped(*n), remote_bit(bit))));
            }
        }
        compiled.remotes = with_covering_bits(remotes);
        compiled.cgroups = merged(&compiled.cgroups);
        compiled.scopes = scopes.for_kernel();
        compiled
    }

    /// Keeps only what is in a network that indicators are in, by the test of `--remote`, unless that is taken: what is in
    /// none of them cannot meet one, unless by a name, which the kernel does not know.
    pub(super) fn near(&mut self, indicators: &Indicators) {
        if self.selection.used & Predicates::REMOTE != 0 {
            return;
        }
        let everywhere = indicators.has_names().then(Ipv6Net::default);
        let networks = indicators.networks().flat_map(forms).chain(everywhere);
        let networks = networks.map(|network| (network, net_bit::REMOTE));
        self.selection.used |= Predicates::REMOTE;
        self.is_of_feeds = true;
        let remotes = std::mem::take(&mut self.remotes).into_iter();
        self.remotes = with_covering_bits(remotes.chain(networks).collect());
    }

    fn add(&mut self, test: &Test, bit: u32) {
        match test {
            Test::Port(ports) | Test::LocalPort(ports) | Test::RemotePort(ports) => {
                let known = self.ports.entry(bit).or_default();
                known.0.extend(ports.0.iter().cloned());
            }
            Test::Protocol(protocols) => self.numbers.extend(
                protocols
                    .iter()
                    .map(|protocol| (bit, u32::from(protocol.number()))),
            ),
            Test::User(numbers) | Test::Login(numbers) | Test::Netns(numbers) => self
                .numbers
                .extend(numbers.iter().map(|number| (bit, *number))),
            Test::Cgroup(prefixes) => self
                .cgroups
                .extend(prefixes.iter().map(|prefix| (prefix.clone(), bit))),
            Test::Remote(_)
            | Test::External
            | Test::Pid(_)
            | Test::Process(_)
            | Test::Exe(_)
            | Test::Direction(_)
            | Test::Container(_)
            | Test::Pod(_)
            | Test::Namespace(_)
            | Test::Threat => {}
        }
    }

    /// Whether any test is for the kernel.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.selection.used != 0
    }

    /// Whether the kernel's tests keep it, by the code that the kernel runs.
    #[must_use]
    pub fn keeps(&self, subject: Subject<'_>, cgroups: &Cgroups) -> bool {
        let sets = Tables {
            compiled: self,
            cgroups,
        };
        let satisfied = satisfied(self.selection.used, subject, &sets);
        self.selection.matches(satisfied)
    }

    /// The bits of [`Predicates`] that being in the cgroup of this path satisfies.
    #[must_use]
    pub fn cgroup_bits(&self, path: &str) -> u32 {
        self.cgroups
            .iter()
            .filter(|(prefix, _)| path.starts_with(prefix.as_str()))
            .fold(0, |bits, (_, bit)| bits | bit)
    }
}

/// All forms in which an address of a network may stand in an address of IPv6: as it is, and one of IPv4 behind the
/// prefixes of NAT64 (RFC 6052) and of 6to4 (RFC 3056) as well.
fn forms(network: IpNet) -> impl Iterator<Item = Ipv6Net> {
    let inner = match network {
        IpNet::V4(v4) => Some((u128::from(v4.network().to_bits()), v4.prefix_len())),
        IpNet::V6(_) => None,
    };
    let behind = inner.into_iter().flat_map(|(bits, len)| {
        let nat64 = (0x0064_ff9b_u128 << 96) | bits;
        let six_to_four = (0x2002_u128 << 112) | (bits << 80);
        [(nat64, 96 + len), (six_to_four, 16 + len)]
    });
    let behind = behind.filter_map(|(bits, len)| Ipv6Net::new(bits.into(), len).ok());
    std::iter::once(mapped(network)).chain(behind)
}

fn remote_bit(bit: u32) -> u32 {
    if bit == Predicates::REMOTE {
        net_bit::REMOTE
    } else {
        net_bit::NOT_REMOTE
    }
}

/// Gives each network the bits of all that cover it, for a look-up finds the longest one only.
fn with_covering_bits(mut networks: Vec<(Ipv6Net, u32)>) -> Vec<(Ipv6Net, u32)> {
    // A network sorts before all it contains, so those around one are known when it comes.
    networks.sort_unstable();
    let mut table: Vec<(Ipv6Net, u32)> = Vec::with_capacity(networks.len());
    let mut around: Vec<(Ipv6Net, u32)> = Vec::new();
    for (network, bits) in networks {
        while around.pop_if(|(one, _)| !one.contains(&network)).is_some() {}
        let bits = bits | around.last().map_or(0, |(_, bits)| *bits);
        around.push((network, bits));
        match table.last_mut() {
            Some((last, known)) if *last == network => *known = bits,
            _ => table.push((network, bits)),
        }
    }
    table
}

/// The same for the beginnings of paths.
fn merged(prefixes: &[(String, u32)]) -> Vec<(String, u32)> {
    let mut table: Vec<(String, u32)> = prefixes
        .iter()
        .map(|(prefix, _)| {
            let covering = prefixes
                .iter()
                .filter(|(other, _)| prefix.starts_with(other.as_str()));
            (
                prefix.clone(),
                covering.fold(0, |bits, (_, bit)| bits | bit),
            )
        })
        .collect();
    table.sort_unstable();
    table.dedup();
    table
}

/// The tables in user space, as the sets that the shared code asks.
struct Tables<'a> {
    compiled: &'a Compiled,
    cgroups: &'a Cgroups,
}

impl Sets for Tables<'_> {
    fn has_port(&self, bit: u32, port: u16) -> u32 {
        let ports = self.compiled.ports.get(&bit);
        u32::from(ports.is_some_and(|ports| ports.contains(port)))
    }

    fn remote_bits(&self, address: Address) -> u32 {
        bits_of(&self.compiled.remotes, address)
    }

    fn scope_bits(&self, address: Address) -> u32 {
        bits_of(&self.compiled.scopes, address)
    }

    fn has_number(&self, bit: u32, value: u32) -> u32 {
        u32::from(self.compiled.numbers.contains(&(bit, value)))
    }

    fn cgroup_bits(&self, owner: &Identity) -> u32 {
        let is_v1 = owner.flags & identity_flag::CGROUP_V1 != 0;
        self.cgroups
            .path(owner.cgroup_id, is_v1)
            .map_or(0, |path| self.compiled.cgroup_bits(path))
    }
}

fn bits_of(table: &[(Ipv6Net, u32)], address: Address) -> u32 {
    longest(table, Ipv6Addr::from(address.0)).map_or(0, |(_, bits)| *bits)
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, sync::Arc};

    use proptest::prelude::*;
    use tracer_abi::Connection;

    use super::*;
    use crate::{fact::Networks, protocol::Protocol, threat};

    fn term(test: Test, is_negated: bool) -> Term {
        Term { test, is_negated }
    }

    fn connection(remote: IpAddr, local_port: u16, remote_port: u16, uid: u32) -> Connection {
        let mut connection = Connection::UNKNOWN;
        connection.remote = crate::scope::to_address(remote);
        connection.local_port = local_port;
        connection.remote_port = remote_port;
        connection.netns = 7;
        connection.owner.tgid = 1;
        connection.owner.uid = uid;
        connection.owner.auid = u32::MAX;
        connection.owner.cgroup_id = u64::from(uid);
        connection
    }

    fn cgroups() -> Cgroups {
        let mut cgroups = Cgroups::default();
        cgroups.learn(0, false, "/");
        cgroups.learn(1, false, "/system.slice/nginx.service");
        cgroups.learn(2, false, "/system.slice/sshd.service");
        cgroups
    }

    /// What the flags say in words, with nothing of the tables.
    fn by_the_book(term: &Term, connection: &Connection, scopes: &Scopes) -> bool {
        let ip = crate::scope::to_ip(connection.remote);
        let contains =
            |network: &IpNet| mapped(*network).contains(&Ipv6Addr::from(connection.remote.0));
        let holds = match &term.test {
            Test::Port(ports) => {
                ports.contains(connection.local_port) || ports.contains(connection.remote_port)
            }
            Test::LocalPort(ports) => ports.contains(connection.local_port),
            Test::RemotePort(ports) => ports.contains(connection.remote_port),
            Test::Remote(networks) => networks.iter().any(contains),
            Test::External => scopes.of(ip) == crate::scope::Scope::External,
            Test::Protocol(protocols) => protocols
                .iter()
                .any(|protocol| protocol.number() == connection.protocol),
            Test::User(users) => users.contains(&connection.owner.uid),
            Test::Login(users) => users.contains(&connection.owner.auid),
            Test::Cgroup(prefixes) => cgroups()
                .path(connection.owner.cgroup_id, false)
                .is_some_and(|path| {
                    prefixes
                        .iter()
                        .any(|prefix| path.starts_with(prefix.as_str()))
                }),
            Test::Netns(inodes) => inodes.contains(&connection.netns),
            other => panic!("{other:?} is not for the kernel"),
        };
        holds != term.is_negated
    }

    fn ports() -> impl Strategy<Value = Ports> {
        prop::collection::vec((0_u16..12, 0_u16..4), 1..3).prop_map(|ranges| {
            Ports(
                ranges
                    .into_iter()
                    .map(|(from, more)| from..=from + more)
                    .collect(),
            )
        })
    }

    fn small_network() -> impl Strategy<Value = IpNet> {
        (
            0_u8..4,
            0_u8..4,
            prop::sample::select(vec![0_u8, 8, 16, 32]),
        )
            .prop_map(|(a, b, len)| {
                IpNet::V4(ipnet::Ipv4Net::new_assert([a, b, 0, 1].into(), len)).trunc()
            })
    }

    fn test() -> impl Strategy<Value = Test> {
        prop_oneof![
            ports().prop_map(Test::Port),
            ports().prop_map(Test::LocalPort),
            ports().prop_map(Test::RemotePort),
            prop::collection::vec(small_network(), 1..3).prop_map(Test::Remote),
            Just(Test::External),
            prop::sample::select(vec![Protocol::Tcp, Protocol::Udp])
                .prop_map(|protocol| Test::Protocol(vec![protocol])),
            prop::collection::vec(0_u32..4, 1..3).prop_map(Test::User),
            Just(Test::Login(vec![u32::MAX])),
            prop::sample::select(vec!["/", "/system.slice", "/system.slice/nginx"])
                .prop_map(|prefix| Test::Cgroup(vec![prefix.to_owned()])),
            (6_u32..9).prop_map(|inode| Test::Netns(vec![inode])),
        ]
    }

    /// Networks of both kinds, and IPv4 in IPv6 as 6to4 has it.
    fn any_network() -> impl Strategy<Value = IpNet> {
        let six_to_four = (0_u8..4, 0_u8..4, 32_u8..=48).prop_map(|(a, b, len)| {
            let address = [0x20, 0x02, a, b, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            IpNet::V6(Ipv6Net::new_assert(address.into(), len)).trunc()
        });
        // No feed may say that every address is bad.
        let small = small_network().prop_filter("all", |network| network.prefix_len() > 0);
        prop_oneof![small, six_to_four]
    }

    proptest! {
        #[test]
        fn the_kernel_keeps_all_that_may_meet_an_indicator(
            networks in prop::collection::vec(any_network(), 1..12),
            remotes in prop::collection::vec(any_network(), 0..3),
            asked in prop::collection::vec(any_network(), 1..20),
        ) {
            let list: Vec<String> = networks.iter().map(ToString::to_string).collect();
            let feed = threat::read("feed", list.join("\n").as_bytes()).unwrap();
            let options = threat::Options { every_scope: true };
            let indicators = Indicators::new(&[Arc::new(feed)], &[], options);
            let mut selection = super::super::Selection {
                terms: vec![term(Test::Threat, false)],
                ..Default::default()
            };
            if !remotes.is_empty() {
                selection.terms.push(term(Test::Remote(remotes.clone()), false));
            }
            let scopes = Scopes::new(&[], &Networks::default());
            let compiled = selection.compile(&scopes, Some(&indicators));
            let begin_or_end = |network: IpNet| [network.network(), network.broadcast()];
            for ip in asked.into_iter().chain(networks).flat_map(begin_or_end) {
                let at = jiff::Timestamp::UNIX_EPOCH;
                let hits = indicators.of_address(ip, None, crate::scope::Scope::External, at);
                let is_near = Ipv6Addr::from(crate::scope::to_address(ip).0);
                let is_remote = remotes.is_empty()
                    || remotes.iter().any(|one| mapped(*one).contains(&is_near));
                let connection = connection(ip, 1, 1, 0);
                let keeps = compiled.keeps(Subject::from(&connection), &cgroups());
                // Of both only `--remote` is the kernel's.
                let is_kept = is_remote && (!hits.is_empty() || !remotes.is_empty());
                prop_assert_eq!(keeps, is_kept, "{}", ip);
            }
        }

        #[test]
        fn the_tables_say_what_the_flags_say(
            tests in prop::collection::vec((test(), any::<bool>()), 0..5),
            any in any::<bool>(),
            remote in (0_u8..4, 0_u8..4),
            ports in (0_u16..14, 0_u16..14),
            uid in 0_u32..4,
        ) {
            let mut terms: Vec<Term> = Vec::new();
            for (test, is_negated) in tests {
                // Given twice, the values of a flag are alternatives; the parser joins them.
                if !terms.iter().any(|term| {
                    term.test.predicate() == test.predicate() && term.is_negated == is_negated
                }) {
                    terms.push(term(test, is_negated));
                }
            }
            let scopes = Scopes::new(&[], &Networks::default());
            let remote = IpAddr::from([remote.0, remote.1, 0, 1]);
            let connection = connection(remote, ports.0, ports.1, uid);
            let compiled = Compiled::new(&terms, any, &scopes);
            let mut verdicts = terms.iter().map(|term| by_the_book(term, &connection, &scopes));
            let expected = if any && !terms.is_empty() {
                verdicts.any(|holds| holds)
            } else {
                verdicts.all(|holds| holds)
            };
            prop_assert_eq!(compiled.keeps(Subject::from(&connection), &cgroups()), expected);
        }
    }
}
