//! Which flows were asked for, by the flags that select connections.

use std::net::IpAddr;

use glob::Pattern;

use super::{End, Flow};
use crate::{
    protocol::Protocol,
    scope::Scope,
    select::{Person, Selection, Term, Test},
};

/// A selection that flows can answer. A device knows neither processes nor which end is this host, so what asks for
/// them is refused: that nothing is found would be taken for an answer. Of flows that are [attributed](Flow::attributed)
/// the process is known.
#[derive(Debug)]
pub struct Selected {
    terms: Vec<Term>,
    any: bool,
    accounts: Vec<Accounts>,
}

/// `--user`, of accounts as devices name them, and of processes where those are known.
#[derive(Clone, Debug)]
pub struct Accounts {
    /// Patterns of names; a domain may be left out. The id of a process's user counts as a name.
    pub names: Vec<Pattern>,
    /// `--not-user`
    pub is_negated: bool,
}

/// A flag that flows cannot answer: its name, without dashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOfFlows(pub &'static str);

impl Selected {
    /// From what was asked for. `attributed`: it is asked about flows whose processes are looked for.
    ///
    /// # Errors
    /// If flows cannot answer it.
    pub fn new(
        selection: &Selection,
        accounts: Vec<Accounts>,
        attributed: bool,
    ) -> Result<Self, NotOfFlows> {
        let can_answer = |test: &Test| is_told(test) || (attributed && test.is_about_owners());
        if let Some(term) = selection.terms.iter().find(|term| !can_answer(&term.test)) {
            return Err(NotOfFlows(term.test.flag()));
        }
        let events = selection.events.len() + selection.not_events.len();
        let outcomes = selection.outcomes.len() + selection.not_outcomes.len();
        match (events, outcomes) {
            (0, 0) => Ok(Self {
                terms: selection.terms.clone(),
                any: selection.any,
                accounts,
            }),
            (0, _) => Err(NotOfFlows("outcome")),
            _ => Err(NotOfFlows("event")),
        }
    }

    /// Whether it asks whose flows are.
    #[must_use]
    pub fn is_about_users(&self) -> bool {
        !self.accounts.is_empty()
    }

    /// Whether a flow is one of them.
    #[must_use]
    pub fn keeps(&self, flow: &Flow) -> bool {
        let terms = self.terms.iter();
        let terms = terms.map(|term| holds(&term.test, flow) != term.is_negated);
        let accounts = self.accounts.iter();
        let accounts = accounts.map(|asked| asked.has(flow) != asked.is_negated);
        let mut all = terms.chain(accounts);
        if self.any {
            let is_all = self.terms.is_empty() && self.accounts.is_empty();
            is_all || all.any(|holds| holds)
        } else {
            all.all(|holds| holds)
        }
    }
}

impl Accounts {
    fn has(&self, flow: &Flow) -> bool {
        let is_one = |user: &str| {
            let mut names = self.names.iter();
            names.any(|name| name.matches(user) || name.matches(without_domain(user)))
        };
        let owner = flow.owner().map(|owner| &owner.user);
        let is_of_owner = owner.is_some_and(|user| {
            is_one(&user.uid.to_string()) || user.name.as_deref().is_some_and(is_one)
        });
        is_of_owner || flow.users().any(is_one)
    }
}

/// `alice`, of `DOMAIN\alice` and of `alice@domain`.
fn without_domain(user: &str) -> &str {
    let name = user.rsplit_once('\\').map_or(user, |(_, name)| name);
    name.split_once('@').map_or(name, |(name, _)| name)
}

/// Whether a device tells what a test looks at.
fn is_told(test: &Test) -> bool {
    matches!(
        test,
        Test::Port(_) | Test::Remote(_) | Test::External | Test::Protocol(_)
    )
}

/// Either end is looked at: which one is the other host is not known.
fn holds(test: &Test, flow: &Flow) -> bool {
    let ends = [&flow.source, &flow.destination];
    let mut ends = ends.into_iter();
    match test {
        Test::Port(ports) => ends.any(|end| end.port.is_some_and(|port| ports.contains(port))),
        Test::Remote(networks) => ends.any(|end| {
            let mut addresses = addresses(end);
            addresses.any(|ip| networks.iter().any(|network| network.contains(&ip)))
        }),
        Test::External => ends.any(|end| end.scope == Some(Scope::External)),
        Test::Protocol(protocols) => {
            let protocol = flow.protocol.and_then(|one| Protocol::of_number(one.0));
            protocol.is_some_and(|one| protocols.contains(&one))
        }
        _ => test.is_of(flow.owner().map(Person::from)),
    }
}

/// Those that an end had on either side of the device.
fn addresses(end: &End) -> impl Iterator<Item = IpAddr> {
    let both = [end.ip, end.nat.ip].into_iter().flatten();
    both.map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::flows::{Format, Origin, Packet, ip::IpProtocol};

    fn flow() -> Flow {
        let origin = Origin::Packet(Packet::default());
        let mut flow = Flow::new(Timestamp::UNIX_EPOCH, Format::PanosTraffic, origin);
        flow.source = End::at([10, 0, 0, 5].into(), 52344);
        flow.source.user = Some("CORP\\alice".to_owned());
        flow.source.translate(Some([192, 0, 2, 1].into()), None);
        flow.destination = End::at([9, 9, 9, 9].into(), 443);
        flow.destination.scope = Some(Scope::External);
        flow.protocol = Some(IpProtocol::TCP);
        flow
    }

    fn keeps(test: Test, is_negated: bool) -> bool {
        let selection = Selection {
            terms: vec![Term { test, is_negated }],
            ..Selection::default()
        };
        Selected::new(&selection, Vec::new(), false)
            .unwrap()
            .keeps(&flow())
    }

    #[test]
    fn either_end_is_looked_at() {
        let network = |text: &str| Test::Remote(vec![text.parse().unwrap()]);
        for (holds, does_not) in [
            (
                Test::Port("443".parse().unwrap()),
                Test::Port("80".parse().unwrap()),
            ),
            (network("192.0.2.0/24"), network("192.0.3.0/24")),
            (network("10.0.0.5/32"), network("10.0.0.6/32")),
            (
                Test::Protocol(vec![Protocol::Tcp]),
                Test::Protocol(vec![Protocol::Udp]),
            ),
        ] {
            assert!(keeps(holds.clone(), false), "{holds:?}");
            assert!(!keeps(holds.clone(), true), "not {holds:?}");
            assert!(!keeps(does_not.clone(), false), "{does_not:?}");
        }
        assert!(keeps(Test::External, false));
    }

    #[test]
    fn accounts_are_those_that_devices_name() {
        let keeps = |name: &str, is_negated| {
            let names = vec![Pattern::new(name).unwrap()];
            let accounts = vec![Accounts { names, is_negated }];
            let selected = Selected::new(&Selection::default(), accounts, false).unwrap();
            selected.keeps(&flow())
        };
        assert!(keeps("alice", false) && keeps("CORP\\*", false));
        assert!(!keeps("bob", false) && keeps("bob", true));
        assert_eq!(without_domain("alice@corp.example.com"), "alice");
    }

    #[test]
    fn what_flows_cannot_answer_is_refused() {
        let of = |test: Test| {
            let selection = Selection {
                terms: vec![Term {
                    test,
                    is_negated: false,
                }],
                ..Selection::default()
            };
            Selected::new(&selection, Vec::new(), false).err()
        };
        assert_eq!(of(Test::Pid(vec![1])), Some(NotOfFlows("pid")));
        let any = Selection {
            any: true,
            ..Selection::default()
        };
        assert!(
            Selected::new(&any, Vec::new(), false)
                .unwrap()
                .keeps(&flow())
        );
    }
}
