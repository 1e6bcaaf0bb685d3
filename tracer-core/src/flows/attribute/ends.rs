//! The ends of flows, as a host may have had them.

use std::net::IpAddr;

use super::Recorded;
use crate::{
    flows::{End, Flow},
    protocol::Protocol,
};

/// An address and a port.
pub(super) type Place = (IpAddr, u16);

/// What a flow says of its ends.
#[derive(Debug)]
pub(super) struct Ends {
    pub protocol: Protocol,
    /// Of the source: before the device translated it, and behind that.
    pub source: Vec<Place>,
    /// Of the destination.
    pub destination: Vec<Place>,
}

impl Ends {
    /// None, if it is of a protocol that is not followed, or an end is not known.
    pub fn of(flow: &Flow) -> Option<Self> {
        let protocol = Protocol::of_number(flow.protocol?.0)?;
        let (source, destination) = (places(&flow.source), places(&flow.destination));
        let is_whole = !source.is_empty() && !destination.is_empty();
        is_whole.then_some(Self {
            protocol,
            source,
            destination,
        })
    }

    /// Whether it went to the host that had a connection, and did not come from there.
    pub fn is_destination(&self, recorded: &Recorded) -> bool {
        let has = |places: &[Place], port: u16| places.iter().any(|place| place.1 == port);
        match recorded.local {
            Some(local) if self.source.contains(&local) => false,
            Some(local) if self.destination.contains(&local) => true,
            // Of which only the port is known, or which has another address.
            _ => has(&self.source, recorded.remote.1) && !has(&self.destination, recorded.remote.1),
        }
    }

    /// All pairs that may be this end and the other end of a connection: who has begun it is not always known, nor on
    /// which side of the device the host is.
    pub fn pairs(&self) -> impl Iterator<Item = (Place, Place)> {
        let forward = self
            .source
            .iter()
            .flat_map(|local| self.destination.iter().map(move |remote| (*local, *remote)));
        let reverse = self
            .destination
            .iter()
            .flat_map(|local| self.source.iter().map(move |remote| (*local, *remote)));
        forward.chain(reverse)
    }
}

/// What an end was, on either side of the device.
fn places(end: &End) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let translated = (end.nat.ip.or(end.ip), end.nat.port.or(end.port));
    for (ip, port) in [(end.ip, end.port), translated] {
        if let (Some(ip), Some(port)) = (ip, port) {
            let place = (ip.to_canonical(), port);
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    places
}

/// The end of a flow that is there.
pub(super) fn end((ip, port): Place) -> End {
    End::at(ip, port)
}

/// Of which protocols a log tells.
#[derive(Debug, Default)]
pub(super) struct Protocols(Vec<Protocol>);

impl Protocols {
    /// Notes that of a flow.
    pub fn note(&mut self, flow: &Flow) {
        let protocol = flow.protocol.and_then(|one| Protocol::of_number(one.0));
        if let Some(protocol) = protocol
            && !self.has(protocol)
        {
            self.0.push(protocol);
        }
    }

    /// Whether there was one of it.
    pub fn has(&self, protocol: Protocol) -> bool {
        self.0.contains(&protocol)
    }
}
