//! Which processes speak with which hosts: what moved most is drawn, and how much is not is said.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::external::{far, is_external, is_outbound};
use crate::{hosts::Row, text::printable};

/// Edges that are drawn at most: more of them nobody can follow.
const EDGES_MAX: usize = 40;

/// Processes and hosts, and what is between them.
#[derive(Debug, Default)]
pub struct Graph {
    /// What is drawn, what weighs most first.
    pub edges: Vec<Edge>,
    /// How many there are beside these.
    pub left_out: usize,
    /// What moved along those, bytes.
    pub left_out_bytes: u128,
}

/// What there is between a process and a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Who it is.
    pub ends: Ends,
    /// What the host is called.
    pub name: Option<String>,
    /// Its ports, or those that it came to, the most used first.
    pub ports: Vec<u16>,
    /// Whether the host is external.
    pub is_external: bool,
    /// Connections.
    pub connections: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Bytes that moved, both ways.
    pub bytes: u128,
}

/// Both ends of an edge, and its direction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ends {
    /// The process was connected to; it did not connect.
    pub is_inbound: bool,
    /// Name of the process, and of its host where there are several.
    pub process: String,
    /// Address of the other host.
    pub host: IpAddr,
}

#[derive(Default)]
struct Sum {
    name: Option<String>,
    ports: BTreeMap<u16, u64>,
    is_external: bool,
    connections: u64,
    failed: u64,
    bytes: u128,
}

impl Graph {
    /// That of rows.
    pub fn of(rows: &[Row]) -> Self {
        let first = rows.first().map(|row| &row.host);
        let has_several_hosts = rows.iter().any(|row| Some(&row.host) != first);
        let mut sums: BTreeMap<Ends, Sum> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.source.is_some()) {
            let Some(host) = far(row) else {
                continue;
            };
            let ends = Ends {
                is_inbound: !is_outbound(row),
                process: process_of(row, has_several_hosts),
                host,
            };
            sums.entry(ends).or_default().add(row);
        }
        let mut edges: Vec<Edge> = sums.into_iter().map(|(ends, sum)| sum.edge(ends)).collect();
        edges.sort_by_key(|edge| std::cmp::Reverse(edge.weight()));
        let rest = edges.split_off(edges.len().min(EDGES_MAX));
        Self {
            left_out: rest.len(),
            left_out_bytes: rest.iter().map(|edge| edge.bytes).sum(),
            edges,
        }
    }
}

impl Edge {
    /// What comes first: that along which most moved.
    fn weight(&self) -> (u128, u64) {
        (self.bytes, self.connections + self.failed)
    }
}

impl Sum {
    fn add(&mut self, row: &Row) {
        let name = if is_outbound(row) {
            row.destination.name.as_deref()
        } else {
            row.source
                .as_ref()
                .and_then(|source| source.name.as_deref())
        };
        if let Some(name) = name {
            self.name = Some(name.to_owned());
        }
        let failed: u64 = row.failed.values().sum();
        if let Some(port) = row.destination.port {
            *self.ports.entry(port).or_default() += row.connections + failed;
        }
        self.is_external |= is_external(row.scope);
        self.connections += row.connections;
        self.failed += failed;
        self.bytes += row.bytes.map_or(0, crate::hosts::Moved::both);
    }

    fn edge(self, ends: Ends) -> Edge {
        let mut ports: Vec<(u16, u64)> = self.ports.into_iter().collect();
        ports.sort_by_key(|(port, count)| (std::cmp::Reverse(*count), *port));
        Edge {
            ends,
            name: self.name,
            ports: ports.into_iter().map(|(port, _)| port).collect(),
            is_external: self.is_external,
            connections: self.connections,
            failed: self.failed,
            bytes: self.bytes,
        }
    }
}

/// Who it is on this side: the first names of processes, and how many others there are.
fn process_of(row: &Row, has_several_hosts: bool) -> String {
    const NAMED_MAX: usize = 2;
    let names: BTreeSet<String> = row
        .processes
        .iter()
        .map(|one| printable(&one.name))
        .collect();
    let more = names.len().saturating_sub(NAMED_MAX);
    let first: Vec<String> = names.into_iter().take(NAMED_MAX).collect();
    let name = match (first.is_empty(), more) {
        (true, _) => "(not known)".to_owned(),
        (_, 0) => first.join(", "),
        (_, more) => format!("{} +{more}", first.join(", ")),
    };
    if has_several_hosts {
        format!("{name} on {}", printable(&row.host))
    } else {
        name
    }
}
