//! What exporters send: `NetFlow` of versions 5 and 9, IPFIX, and the events of Cisco's firewalls; and, in
//! [`sflow`], sampled packets.
//!
//! A packet is given to [`Exporters`], which know what the packets before it told: templates, how it is
//! sampled, and how packets are numbered.

mod amounts;
mod bytes;
mod context;
mod element;
mod exporter;
mod firewall;
mod frame;
mod message;
mod record;
mod sampling;
mod sequence;
pub mod sflow;
mod taken;
mod template;
mod times;
mod translate;
mod tuple;
mod uptime;
mod version5;
mod waiting;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use serde::Serialize;

use self::{
    context::Context,
    exporter::{Exporter, report},
    message::Message,
};
pub use self::{
    message::{Version, length, recognises},
    taken::{Problem, Reason, Taken},
};
use super::Packet;

/// How much is kept at most. Whoever can send packets can make it grow that far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Exporters; the one that was not seen for the longest time is let go for another.
    pub exporters: usize,
    /// Domains of an exporter; likewise.
    pub domains: usize,
    /// Templates of a domain; one more is not taken.
    pub templates: usize,
    /// Fields of a template; one with more is not taken.
    pub fields: usize,
    /// Bytes of an exporter that wait for their template; the oldest are let go for others.
    pub waiting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            exporters: 256,
            domains: 64,
            templates: 1024,
            fields: 512,
            waiting: 1 << 20,
        }
    }
}

/// What exporters have told so far.
#[derive(Debug, Default)]
pub struct Exporters {
    limits: Limits,
    /// By `address:port`. Those that are not known are taken for one: in files without addresses,
    /// templates of one packet are those of the next.
    known: BTreeMap<Option<Arc<str>>, Exporter>,
    packets: u64,
}

/// How an exporter stands, by one of its domains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// `address:port`, where that is known.
    pub exporter: Option<Arc<str>>,
    /// What it speaks.
    pub version: Version,
    /// Which of its engines, sources or observation domains tells.
    pub domain: u32,
    /// Packets.
    pub packets: u64,
    /// Flows.
    pub flows: u64,
    /// Records that tell of the exporter.
    pub options: u64,
    /// Records that are no flows between two addresses.
    pub others: u64,
    /// How many were missed, by the numbers: packets in version 9, records in the others.
    pub missed: u64,
    /// Packets that came late, or again.
    pub late: u64,
    /// How often the numbers began anew.
    pub resets: u64,
    /// Templates that are known.
    pub templates: usize,
}

impl Exporters {
    /// With limits of one's own.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Takes the payload of one datagram, or one message of those that lie one after the other in a file
    /// (see [`length`]). Appends the flows that are complete now, also those of packets whose template came
    /// only now; and what could not be read.
    pub fn take(&mut self, payload: &[u8], from: &Packet, taken: &mut Taken) {
        let message = match Message::of(payload) {
            Ok(message) => message,
            Err((reason, detail)) => return taken.problem(from, reason, detail),
        };
        let origin = Packet {
            sequence: Some(message.header.sequence),
            ..from.clone()
        };
        let context = Context {
            header: message.header.clone(),
            device: from.exporter.as_ref().map(address),
            origin,
        };
        self.packets += 1;
        self.make_room(from, taken);
        let exporter = self.known.entry(from.exporter.clone()).or_default();
        exporter.seen = self.packets;
        exporter.take(&message, &context, &self.limits, taken);
    }

    /// There is nothing more: what waits for a template waits in vain.
    pub fn end(&mut self, taken: &mut Taken) {
        for exporter in self.known.values_mut() {
            report(&exporter.waiting.take_all(), Reason::NoTemplate, taken);
        }
    }

    /// How exporters stand.
    pub fn standing(&self) -> impl Iterator<Item = Standing> {
        self.known.iter().flat_map(|(name, exporter)| {
            let domains = exporter.domains.iter();
            domains.map(|((version, domain), state)| Standing {
                exporter: name.clone(),
                version: *version,
                domain: *domain,
                packets: state.packets,
                flows: state.flows,
                options: state.options,
                others: state.others,
                missed: state.sequence.missed,
                late: state.sequence.late,
                resets: state.sequence.resets,
                templates: state.templates.len(),
            })
        })
    }

    /// Lets the exporter go that was not seen for the longest time, if there is one too many.
    fn make_room(&mut self, from: &Packet, taken: &mut Taken) {
        let is_known = self.known.contains_key(&from.exporter);
        if is_known || self.known.len() < self.limits.exporters {
            return;
        }
        let oldest = self.known.iter().min_by_key(|(_, known)| known.seen);
        let Some(name) = oldest.map(|(name, _)| name.clone()) else {
            return;
        };
        let gone = self.known.remove(&name);
        let name = name.as_deref().unwrap_or("not known by address");
        taken.problem(from, Reason::Forgotten, format!("exporter {name}"));
        let waited = gone.map(|mut gone| gone.waiting.take_all());
        report(&waited.unwrap_or_default(), Reason::WaitingDropped, taken);
    }
}

/// Of `address:port`, the address.
fn address(exporter: &Arc<str>) -> Arc<str> {
    let parsed = exporter.parse::<SocketAddr>();
    parsed.map_or_else(|_| Arc::clone(exporter), |at| at.ip().to_string().into())
}

#[cfg(test)]
mod tests;
