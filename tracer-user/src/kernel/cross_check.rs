//! Asking all who list sockets, round after round, until it is known what is hidden from whom
//! ([`tracer_core::cross_check`] says why that is known then).

mod iterator;
mod proc_net;
mod sock_diag;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use tracer_core::{
    cross_check::{Comparison, Hidden, List, Source},
    fact,
    protocol::Protocol,
};

use self::iterator::Lister;
use super::load::Attached;
use crate::host::{clock, holders, namespaces::Namespace};

/// One protocol of one network namespace.
type Place = (u32, Protocol);

const PROTOCOLS: [Protocol; 2] = [Protocol::Tcp, Protocol::Udp];

/// Who can be asked on this kernel.
pub struct Checker {
    has_iterators: bool,
    /// The protocols that `sock_diag` lists.
    sock_diag: Vec<Protocol>,
}

impl Checker {
    /// Who can be asked, and in sentences who cannot.
    pub fn new(attached: &Attached) -> (Self, Vec<String>) {
        let has_iterators = iterator::is_granted(attached);
        let (sock_diag, refused) = sock_diag::available();
        let mut sentences = refused;
        if !has_iterators {
            sentences.push(
                "cross-check: this kernel does not grant the iterators, so that sock_diag and \
                 /proc/net are compared with each other only"
                    .to_owned(),
            );
        }
        let checker = Self {
            has_iterators,
            sock_diag,
        };
        (checker, sentences)
    }

    /// Compares what they list. Nothing is left behind in the kernel.
    pub fn run(&self, namespaces: &[Namespace]) -> fact::CrossCheck {
        // A thread of its own, because it visits network namespaces.
        std::thread::scope(|scope| {
            let checking = scope.spawn(|| Check::new(self).run(namespaces));
            checking.join().unwrap_or_else(|_| fact::CrossCheck {
                not_compared: vec!["it ended early".to_owned()],
                ..fact::CrossCheck::default()
            })
        })
    }
}

/// A cross-check under way.
struct Check<'a> {
    checker: &'a Checker,
    comparisons: BTreeMap<Place, Comparison>,
    /// What could not be compared, each sentence once.
    not_compared: BTreeSet<String>,
}

impl<'a> Check<'a> {
    fn new(checker: &'a Checker) -> Self {
        Self {
            checker,
            comparisons: BTreeMap::new(),
            not_compared: BTreeSet::new(),
        }
    }

    fn run(mut self, namespaces: &[Namespace]) -> fact::CrossCheck {
        self.round(namespaces, |_| true);
        loop {
            let open: BTreeSet<Place> = self
                .comparisons
                .iter()
                .filter(|(_, comparison)| comparison.is_open())
                .map(|(place, _)| *place)
                .collect();
            if open.is_empty() {
                return self.finish();
            }
            self.round(namespaces, |place| open.contains(&place));
        }
    }

    /// Asks everybody once, in the same order in every round.
    fn round(&mut self, namespaces: &[Namespace], is_wanted: impl Fn(Place) -> bool) {
        let mut lister = self.lister();
        for namespace in namespaces {
            let wanted = |protocol: &Protocol| is_wanted((namespace.inode, *protocol));
            let protocols: Vec<Protocol> = PROTOCOLS.into_iter().filter(wanted).collect();
            if protocols.is_empty() {
                continue;
            }
            if let Err(error) = namespace.enter() {
                self.miss(format!(
                    "the network namespace {} cannot be entered: {error}",
                    namespace.inode
                ));
                continue;
            }
            for protocol in protocols {
                let lists = self.lists(namespace.inode, protocol, lister.as_mut());
                let place = (namespace.inode, protocol);
                self.comparisons.entry(place).or_default().add(lists);
            }
        }
    }

    /// One that knows no socket yet: an iterator tells of those only that it does not know.
    fn lister(&mut self) -> Option<Lister> {
        if !self.checker.has_iterators {
            return None;
        }
        let lister = Lister::load().context("the iterators cannot be loaded again");
        lister.map_err(|error| self.miss(format!("{error:#}"))).ok()
    }

    /// The lists of the namespace that this thread is in.
    fn lists(&mut self, netns: u32, protocol: Protocol, lister: Option<&mut Lister>) -> Vec<List> {
        let mut asked = vec![(Source::ProcNet, proc_net::list(netns, protocol))];
        if self.checker.sock_diag.contains(&protocol) {
            asked.push((Source::SockDiag, sock_diag::list(netns, protocol)));
        }
        if let Some(lister) = lister {
            asked.push((Source::Iterator, lister.list(protocol)));
        }
        let mut lists = Vec::new();
        for (source, entries) in asked {
            match entries {
                Ok(entries) => lists.push(List { source, entries }),
                Err(error) => self.miss(format!(
                    "{} of {} in the network namespace {netns} is not compared: {error:#}",
                    protocol.word(),
                    source.name()
                )),
            }
        }
        lists
    }

    fn miss(&mut self, sentence: String) {
        self.not_compared.insert(sentence);
    }

    fn finish(self) -> fact::CrossCheck {
        let places = self.comparisons.keys();
        let namespaces: BTreeSet<u32> = places.map(|(netns, _)| *netns).collect();
        let hidden = self.comparisons.values().flat_map(Comparison::hidden);
        fact::CrossCheck {
            time_ns: clock::boot_ns(),
            namespaces: namespaces.len() as u64,
            sockets: self.comparisons.values().map(Comparison::sockets).sum(),
            hidden: with_holders(hidden.collect()),
            not_compared: self.not_compared.into_iter().collect(),
        }
    }
}

/// Adds who has descriptors of what is hidden.
fn with_holders(hidden: Vec<Hidden>) -> Vec<Hidden> {
    let sockets = hidden.iter().flat_map(|one| &one.sockets);
    let inodes: BTreeSet<u64> = sockets.filter_map(|socket| socket.inode).collect();
    let holders = holders::of_sockets(&inodes);
    let with_holders = hidden.into_iter().map(|mut hidden| {
        for socket in &mut hidden.sockets {
            let found = socket.inode.and_then(|inode| holders.get(&inode));
            socket.holders = found.cloned().unwrap_or_default();
        }
        hidden
    });
    with_holders.filter_map(without_tunnels).collect()
}

/// The UDP iterator leaves out what the kernel opened for itself: the ends of its tunnels, which no
/// process has a descriptor of.
fn without_tunnels(mut hidden: Hidden) -> Option<Hidden> {
    let is_held = hidden
        .sockets
        .iter()
        .any(|socket| !socket.holders.is_empty());
    if hidden.ends.protocol == Protocol::Udp && !is_held {
        hidden.from.retain(|source| *source != Source::Iterator);
    }
    (!hidden.from.is_empty()).then_some(hidden)
}
