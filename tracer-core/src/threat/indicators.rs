//! All feeds and allow-lists together.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ipnet::IpNet;
use jiff::Timestamp;

use super::{
    feed::Feed,
    index::{Entry, Table, number},
    indicator::{Hit, Indicator, What},
    names::Names,
    value::folded,
};
use crate::scope::{Scope, mapped, to_address};

/// A name is not longer; what is asked about and is longer is no name.
const LONGEST_NAME: usize = 255;

/// How indicators are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Addresses of all scopes are matched. Otherwise only external ones are: published lists have private
    /// and unassigned networks in them, too, with which each internal connection would be a hit.
    pub every_scope: bool,
}

/// All feeds and allow-lists, ready to be asked.
#[derive(Debug, Default)]
pub struct Indicators {
    bad: Lists,
    allowed: Lists,
    options: Options,
    silenced: AtomicU64,
}

impl Indicators {
    /// From feeds, and from lists of what is harmless.
    #[must_use]
    pub fn new(feeds: &[Arc<Feed>], allowed: &[Arc<Feed>], options: Options) -> Self {
        Self {
            bad: Lists::new(feeds),
            allowed: Lists::new(allowed),
            options,
            silenced: AtomicU64::new(0),
        }
    }

    /// What is said of an address: of each feed the most specific indicator that holds at the time, in the
    /// order of the feeds. One that asks for the port is more specific than one that does not.
    ///
    /// `port` is the one at that address. Where none is known, indicators that ask for one are met, and the
    /// hit says which port they ask for; an allow-list then silences nothing by such an entry.
    pub fn of_address(
        &self,
        ip: IpAddr,
        port: Option<u16>,
        scope: Scope,
        at: Timestamp,
    ) -> Vec<Hit> {
        if scope != Scope::External && !self.options.every_scope {
            return Vec::new();
        }
        let hits = self.bad.of_address(ip, port, at);
        self.unless(hits, || self.allowed.allows_address(ip, port, at))
    }

    /// What is said of a name: of each feed the most specific indicator that holds at the time, in the order
    /// of the feeds.
    pub fn of_name(&self, name: &str, at: Timestamp) -> Vec<Hit> {
        if name.len() > LONGEST_NAME {
            return Vec::new();
        }
        let name = folded(name);
        let hits = self.bad.of_name(&name, at);
        self.unless(hits, || self.allowed.allows_name(&name, at))
    }

    /// The networks of all feeds, each once, so that a look-up elsewhere can say that an address is in none.
    /// There, too, an IPv6 address with an IPv4 address in it has to be asked for as both.
    pub fn networks(&self) -> impl Iterator<Item = IpNet> {
        self.bad.table.networks().map(unmapped)
    }

    /// Whether there are names among what feeds say is bad.
    pub fn has_names(&self) -> bool {
        !self.bad.names.is_empty()
    }

    /// How often an allow-list silenced what a feed said.
    pub fn silenced(&self) -> u64 {
        self.silenced.load(Ordering::Relaxed)
    }

    fn unless(&self, hits: Vec<Hit>, is_allowed: impl FnOnce() -> bool) -> Vec<Hit> {
        if hits.is_empty() || !is_allowed() {
            return hits;
        }
        self.silenced.fetch_add(1, Ordering::Relaxed);
        Vec::new()
    }
}

/// Some lists and their indexes.
#[derive(Debug, Default)]
struct Lists {
    feeds: Vec<Arc<Feed>>,
    table: Table,
    names: Names,
}

/// How much an indicator says, the more the greater: it asks for the port that is asked about, its length,
/// and it does not ask for one that is not known.
type Weight = (bool, u32, bool);

impl Lists {
    fn new(feeds: &[Arc<Feed>]) -> Self {
        let (mut networks, mut names) = (Vec::new(), Vec::new());
        for (feed, list) in feeds.iter().enumerate() {
            for (at, indicator) in list.indicators.iter().enumerate() {
                let entry = Entry {
                    feed: number(feed),
                    at: number(at),
                };
                match &indicator.what {
                    What::Network(network) => networks.push((mapped(*network), entry)),
                    What::Domain { name, .. } => names.push((name.clone(), entry)),
                }
            }
        }
        Self {
            feeds: feeds.to_vec(),
            table: Table::new(networks),
            names: Names::new(names),
        }
    }

    fn of_address(&self, ip: IpAddr, port: Option<u16>, at: Timestamp) -> Vec<Hit> {
        let mut best = Best::default();
        for (len, entry) in self.around(ip) {
            let Some(indicator) = self.held(entry, at) else {
                continue;
            };
            if port.is_none() || indicator.port.is_none() || indicator.port == port {
                best.offer(entry, weight(indicator, u32::from(len), port));
            }
        }
        self.hits(best)
    }

    fn of_name(&self, name: &str, at: Timestamp) -> Vec<Hit> {
        let mut best = Best::default();
        for (found, entry) in self.names.around(name) {
            let Some(indicator) = self.held(entry, at) else {
                continue;
            };
            if is_meant(indicator, found, name) {
                best.offer(entry, weight(indicator, number(found.len()), None));
            }
        }
        self.hits(best)
    }

    fn allows_address(&self, ip: IpAddr, port: Option<u16>, at: Timestamp) -> bool {
        self.around(ip).any(|(_, entry)| {
            self.held(entry, at)
                .is_some_and(|indicator| indicator.port.is_none() || indicator.port == port)
        })
    }

    fn allows_name(&self, name: &str, at: Timestamp) -> bool {
        self.names.around(name).any(|(found, entry)| {
            self.held(entry, at).is_some_and(|indicator| {
                indicator.port.is_none() && is_meant(indicator, found, name)
            })
        })
    }

    /// Entries of the networks around an address, with the networks' lengths; of an IPv6 address with an
    /// IPv4 address in it, those of both, as it is that host which is reached.
    fn around(&self, ip: IpAddr) -> impl Iterator<Item = (u8, Entry)> {
        let address = to_address(ip);
        let inner = Some(address.canonical()).filter(|inner| *inner != address);
        std::iter::once(address)
            .chain(inner)
            .flat_map(|address| {
                // A network of IPv6 that has the place in it where IPv4 is mapped does not mean IPv4.
                let shortest = if address.is_mapped_v4() { 96 } else { 0 };
                self.table
                    .around(Ipv6Addr::from(address.0))
                    .filter(move |(network, _)| network.prefix_len() >= shortest)
            })
            .flat_map(|(network, entries)| {
                let len = network.prefix_len();
                entries.iter().map(move |entry| (len, *entry))
            })
    }

    /// The indicator of an entry, if it holds.
    fn held(&self, entry: Entry, at: Timestamp) -> Option<&Indicator> {
        self.indicator(entry).filter(|one| one.holds(at))
    }

    fn indicator(&self, entry: Entry) -> Option<&Indicator> {
        let feed = self.feeds.get(entry.feed as usize)?;
        feed.indicators.get(entry.at as usize)
    }

    fn hits(&self, mut best: Best) -> Vec<Hit> {
        best.of_feeds.sort_unstable();
        let entries = best.of_feeds.into_iter().map(|(entry, _)| entry);
        entries
            .filter_map(|entry| {
                let feed = self.feeds.get(entry.feed as usize)?;
                Some(Hit::on(&feed.name, self.indicator(entry)?))
            })
            .collect()
    }
}

fn weight(indicator: &Indicator, len: u32, port: Option<u16>) -> Weight {
    let is_of_port = indicator.port.is_some() && indicator.port == port;
    (is_of_port, len, indicator.port.is_none())
}

/// Whether the name that was found in the table means the one that is asked about.
fn is_meant(indicator: &Indicator, found: &str, asked: &str) -> bool {
    found.len() == asked.len() || matches!(indicator.what, What::Domain { below: true, .. })
}

/// The most specific entry of each feed.
#[derive(Default)]
struct Best {
    of_feeds: Vec<(Entry, Weight)>,
}

impl Best {
    fn offer(&mut self, entry: Entry, weight: Weight) {
        let same = |known: &&mut (Entry, Weight)| known.0.feed == entry.feed;
        match self.of_feeds.iter_mut().find(same) {
            Some(known) if known.1 < weight => *known = (entry, weight),
            Some(_) => {}
            None => self.of_feeds.push((entry, weight)),
        }
    }
}

/// A network of the table as it was before.
fn unmapped(network: ipnet::Ipv6Net) -> IpNet {
    let v4 = network.network().to_ipv4_mapped();
    let len = network.prefix_len().checked_sub(96);
    match v4.zip(len) {
        Some((v4, len)) => ipnet::Ipv4Net::new(v4, len).map_or(network.into(), IpNet::V4),
        None => network.into(),
    }
}
