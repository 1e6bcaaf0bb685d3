//! Which networks of a table an address lies in.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

/// Where an indicator is: the feed's number, and the indicator's in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub feed: u32,
    pub at: u32,
}

/// A network of which something is said.
#[derive(Clone, Copy, Debug)]
struct Node {
    network: Ipv6Net,
    /// The smallest network around it.
    parent: Option<u32>,
    /// Where its entries begin; they end where the next one's begin.
    begin: u32,
}

/// Networks and what is said of them.
///
/// Two networks have either nothing in common or one is within the other, so that all networks an address
/// lies in are around the last one that begins before it: one search finds them, however many there are.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Ascending: a network comes before those within it.
    nodes: Vec<Node>,
    entries: Vec<Entry>,
}

impl Table {
    /// From networks in any order.
    pub fn new(mut all: Vec<(Ipv6Net, Entry)>) -> Self {
        all.sort_unstable();
        let mut nodes: Vec<Node> = Vec::new();
        let mut entries = Vec::with_capacity(all.len());
        let mut around: Vec<(u32, Ipv6Net)> = Vec::new();
        for (network, entry) in all {
            if nodes.last().is_none_or(|node| node.network != network) {
                while around.pop_if(|(_, one)| !one.contains(&network)).is_some() {}
                let parent = around.last().map(|(at, _)| *at);
                around.push((number(nodes.len()), network));
                nodes.push(Node {
                    network,
                    parent,
                    begin: number(entries.len()),
                });
            }
            entries.push(entry);
        }
        Self { nodes, entries }
    }

    /// What is said of the networks that an address lies in, the smallest first.
    pub fn around(&self, address: Ipv6Addr) -> impl Iterator<Item = (Ipv6Net, &[Entry])> {
        let before = self
            .nodes
            .partition_point(|node| node.network.network() <= address);
        let last = before.checked_sub(1).map(number);
        std::iter::successors(last, |at| self.node(*at)?.parent)
            .filter_map(|at| Some((self.node(at)?.network, self.entries_of(at)?)))
            .filter(move |(network, _)| network.contains(&address))
    }

    /// All networks, ascending.
    pub fn networks(&self) -> impl Iterator<Item = Ipv6Net> {
        self.nodes.iter().map(|node| node.network)
    }

    fn node(&self, at: u32) -> Option<&Node> {
        self.nodes.get(usize::try_from(at).ok()?)
    }

    fn entries_of(&self, at: u32) -> Option<&[Entry]> {
        let begin = self.node(at)?.begin;
        let next = at.checked_add(1).and_then(|next| self.node(next));
        let end = next.map_or(self.entries.len(), |next| next.begin as usize);
        self.entries.get(begin as usize..end)
    }
}

/// A number of the table. There are never so many that it does not fit: a feed has at most four million, and
/// a thousand such feeds do not fit in memory.
pub fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
