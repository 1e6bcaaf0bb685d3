//! What who asks knows of the ends of flows: which addresses are external, what ports are registered for.

use std::sync::Arc;

use super::{End, Flow};
use crate::{enrich::Enrichment, protocol::Protocol, scope::Scopes, service::Services};

/// Rules about addresses, and names of ports.
#[derive(Debug)]
pub struct Rules {
    /// What kind of address an address is.
    pub scopes: Scopes,
    /// Registered names of ports.
    pub services: Services,
    /// What files say of the ends.
    pub enrichment: Option<Arc<Enrichment>>,
}

impl Rules {
    /// Says of a flow what they say.
    pub fn apply(&self, flow: &mut Flow) {
        for end in [&mut flow.source, &mut flow.destination] {
            end.scope = end.ip.map(|ip| self.scopes.of(ip));
            if let Some(enrichment) = &self.enrichment {
                enrichment.flow_end(end, flow.time);
            }
        }
        if let Some(enrichment) = &self.enrichment {
            enrichment.accounts(flow);
        }
        flow.service = self.service(flow);
    }

    /// Of the destination's port. Who has begun it is not always known: then of the source's, if the destination's has
    /// no name.
    fn service(&self, flow: &Flow) -> Option<String> {
        let protocol = Protocol::of_number(flow.protocol?.0)?;
        let of = |end: &End| self.services.name(protocol, end.port?);
        let of_source = || {
            let is_asked = !flow.initiator_known;
            is_asked.then(|| of(&flow.source)).flatten()
        };
        let name = of(&flow.destination).or_else(of_source)?;
        Some(name.to_string())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        fact::Networks,
        flows::{Format, Origin, Packet, ip::IpProtocol},
        scope::Scope,
        service,
    };

    #[test]
    fn ends_are_judged_and_ports_have_names() {
        let rules = Rules {
            scopes: Scopes::new(&[], &Networks::default()),
            services: Services::new(&service::built_in()),
            enrichment: None,
        };
        let origin = Origin::Packet(Packet::default());
        let mut flow = Flow::new(Timestamp::UNIX_EPOCH, Format::Netflow5, origin);
        flow.source = End::at([9, 9, 9, 9].into(), 443);
        flow.destination = End::at([10, 0, 0, 5].into(), 52344);
        flow.protocol = Some(IpProtocol::TCP);
        rules.apply(&mut flow);
        assert_eq!(flow.source.scope, Some(Scope::External));
        assert_eq!(flow.destination.scope, Some(Scope::Private));
        assert_eq!(flow.service.as_deref(), Some("https"));
        flow.initiator_known = true;
        rules.apply(&mut flow);
        assert_eq!(flow.service, None);
    }
}
