//! What counts as external in a report, and the hosts that are.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use crate::{
    hosts::{Moved, Row},
    scope::Scope,
};

/// Whether a host is external.
pub fn is_external(scope: Option<Scope>) -> bool {
    scope == Some(Scope::External)
}

/// A host that is external, and all that was done with it.
#[derive(Debug, Default)]
pub struct Peer<'a> {
    /// What it is called.
    pub names: BTreeSet<Arc<str>>,
    /// Rows of connections to it.
    pub to: Vec<&'a Row>,
    /// Rows of connections from it.
    pub from: Vec<&'a Row>,
}

impl<'a> Peer<'a> {
    /// All rows of it.
    pub fn rows(&self) -> impl Iterator<Item = &'a Row> {
        self.to.iter().chain(&self.from).copied()
    }

    /// Connections with it.
    pub fn connections(&self) -> u64 {
        self.rows().map(|row| row.connections).sum()
    }

    /// What this side sent to it and received from it in the window, as far as that is known.
    pub fn moved(&self) -> (u64, u64) {
        sum(self.rows())
    }
}

/// The external hosts.
pub fn peers(rows: &[Row]) -> BTreeMap<IpAddr, Peer<'_>> {
    let mut peers: BTreeMap<IpAddr, Peer<'_>> = BTreeMap::new();
    for row in rows.iter().filter(|row| is_external(row.scope)) {
        let Some(ip) = far(row) else {
            continue;
        };
        let peer = peers.entry(ip).or_default();
        if is_outbound(row) {
            peer.names.extend(row.destination.name.clone());
            peer.to.push(row);
        } else {
            let name = row.source.as_ref().and_then(|source| source.name.clone());
            peer.names.extend(name);
            peer.from.push(row);
        }
    }
    peers
}

/// The other host, which rows of a report are grouped by.
pub fn far(row: &Row) -> Option<IpAddr> {
    row.group.as_ref()?.name.parse().ok()
}

/// Whether the host that saw it initiated it.
pub fn is_outbound(row: &Row) -> bool {
    row.source.is_some() && far(row).is_some_and(|far| row.destination.ip == Some(far))
}

/// What the hosts that saw them sent and received in the window.
pub fn sum<'a>(rows: impl Iterator<Item = &'a Row>) -> (u64, u64) {
    rows.fold((0, 0), |(sent, received), row| {
        let (out, back) = sent_received(row);
        (sent.saturating_add(out), received.saturating_add(back))
    })
}

/// What the host that saw it sent and received in the window, as far as that is known.
pub fn sent_received(row: &Row) -> (u64, u64) {
    let Moved {
        to_destination,
        to_source,
        ..
    } = row.bytes.unwrap_or_default();
    if is_outbound(row) {
        (to_destination, to_source)
    } else {
        (to_source, to_destination)
    }
}
