//! Messages that an address was translated. They tell of no packets: they are remembered for connections
//! whose own messages do not say what they were translated to.
//!
//! Formats: messages 305011 and 305012 of "Cisco Secure Firewall ASA Series Syslog Messages".

use std::{net::IpAddr, sync::Arc};

use super::{cursor::Cursor, place, written::Written};
use crate::{
    flows::{End, Flow, Nat, Side, ip::IpProtocol},
    logs::{Unreadable, recent::Recent},
};

/// Device, protocol, interface, address and port.
type Key = (Option<Arc<str>>, IpProtocol, String, IpAddr, Option<u16>);

/// Where it comes out, and as what.
#[derive(Debug)]
struct Mapped {
    interface: Option<String>,
    end: End,
}

/// The translations there are.
#[derive(Debug, Default)]
pub struct Translations {
    known: Recent<Key, Mapped>,
}

impl Translations {
    /// `Built dynamic TCP translation from IF:a/1 to IF:b/2`, and `Teardown … duration 0:00:30`.
    pub fn take(
        &mut self,
        cursor: &mut Cursor<'_>,
        device: Option<Arc<str>>,
    ) -> Result<(), Unreadable> {
        let is_end = cursor.take("Teardown");
        if !is_end {
            cursor.expect("Built")?;
        }
        let words = cursor.until(" translation from ")?;
        let protocol = place::protocol(words.rsplit(' ').next().unwrap_or_default())?;
        let real = Written::take(cursor)?;
        cursor.expect("to")?;
        let mapped = Written::take(cursor)?;
        let (end, mapped_end) = (real.end(protocol)?, mapped.end(protocol)?);
        // Of one that has a name in place of its address, connections are not told apart by it either.
        let (Some(ip), Some(interface)) = (end.ip, real.interface) else {
            return Ok(());
        };
        let key = (device, protocol, interface.to_owned(), ip, end.port);
        if is_end {
            self.known.remove(&key);
        } else {
            let mapped = Mapped {
                interface: mapped.interface.map(str::to_owned),
                end: mapped_end,
            };
            self.known.insert(key, mapped);
        }
        Ok(())
    }

    /// Notes what the ends of a flow were translated to, if that is known and it does not say so itself.
    pub fn fill(&self, flow: &mut Flow) {
        let (device, protocol) = (flow.device.clone(), flow.protocol);
        let sides = (flow.ingress.as_ref(), flow.egress.as_ref());
        let find = |end: &End, side: Option<&Side>, other: Option<&Side>| {
            let key = (
                device.clone(),
                protocol?,
                side?.interface.clone()?,
                end.ip?,
                end.port,
            );
            let mapped = self.known.get(&key)?;
            let is_way = mapped.interface.is_some() && mapped.interface == other?.interface;
            (end.nat == Nat::default() && is_way).then_some((mapped.end.ip, mapped.end.port))
        };
        let source = find(&flow.source, sides.0, sides.1);
        let destination = find(&flow.destination, sides.1, sides.0);
        if let Some((ip, port)) = source {
            flow.source.translate(ip, port);
        }
        if let Some((ip, port)) = destination {
            flow.destination.translate(ip, port);
        }
    }
}
