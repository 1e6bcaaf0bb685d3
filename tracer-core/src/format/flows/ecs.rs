//! Flows as documents of the Elastic Common Schema.
//!
//! What the schema has no field for is under `conntracer`, by the names of our own contract.

use std::net::IpAddr;

use super::{Way, met};
use crate::{
    flows::{Action, End, Flow, Side, Stage, ip::IpProtocol},
    format::{
        ecs::{VERSION, named, with_owner},
        json::line,
        object::Object,
        place,
    },
};

/// Appends a flow.
pub fn write(flow: &Flow, out: &mut Vec<u8>) {
    let observer = Object::default()
        .known("name", flow.device.as_deref())
        .part("ingress", side(flow.ingress.as_ref()))
        .part("egress", side(flow.egress.as_ref()));
    let source = end(&flow.source, flow.bytes.forward, flow.packets.forward);
    let destination = end(&flow.destination, flow.bytes.reverse, flow.packets.reverse);
    // Who has begun it is the client, if that is known.
    let (client, server) = if flow.initiator_known {
        (source.clone(), destination.clone())
    } else {
        Default::default()
    };
    let rule = Object::default().known("name", flow.rule.clone());
    let owner = flow.owner();
    let process = owner.map(|owner| &owner.process);
    let process = process.map(|one| named(one.pid, &one.name, one.exe.as_deref()));
    let base = with_owner(Object::default(), owner);
    let document = base
        .part("process", process.unwrap_or_default())
        .with("@timestamp", format!("{:.9}", flow.time))
        .with("ecs", Object::default().with("version", VERSION))
        .with("agent", Object::default().with("type", "conntracer"))
        .with("event", event(flow))
        .part("network", network(flow))
        .part("observer", observer)
        .part("source", source)
        .part("destination", destination)
        .part("client", client)
        .part("server", server)
        .part("rule", rule)
        .part("threat", met(flow).ecs())
        .part("related", related(flow))
        .with("conntracer", left_over(flow));
    line(&document, out);
}

fn event(flow: &Flow) -> Object {
    let stage = flow.stage.and_then(|stage| match stage {
        Stage::Start => Some("start"),
        Stage::End => Some("end"),
        Stage::Update => None,
    });
    let (verdict, outcome) = match flow.action {
        Some(Action::Allowed) => (Some("allowed"), "success"),
        Some(Action::Denied) => (Some("denied"), "failure"),
        None => (None, "unknown"),
    };
    let types = [Some("connection"), stage, verdict];
    let lasted = flow
        .end
        .map(|end| end.duration_since(flow.time).as_nanos())
        .and_then(|ns| u64::try_from(ns).ok());
    Object::default()
        .with("kind", "event")
        .list("category", ["network"])
        .list("type", types.into_iter().flatten())
        .with("action", "network_flow")
        .with("outcome", outcome)
        .with("dataset", "conntracer.flows")
        .with("module", "conntracer")
        .with("provider", flow.format.word())
        .with("start", format!("{:.9}", flow.time))
        .known("end", flow.end.map(|end| format!("{end:.9}")))
        .known("duration", lasted)
        .known("reason", flow.reason.clone())
}

fn network(flow: &Flow) -> Object {
    let ip = flow.source.ip.or(flow.destination.ip);
    let family = ip.map(|ip| if ip.is_ipv4() { "ipv4" } else { "ipv6" });
    let way = Way::of(flow).map(|way| match way {
        Way::Inbound => "inbound",
        Way::Outbound => "outbound",
        Way::Internal => "internal",
        Way::External => "external",
    });
    let transport = flow.protocol.and_then(IpProtocol::name);
    Object::default()
        .known("type", family)
        .known("iana_number", flow.protocol.map(|one| one.0.to_string()))
        .known("transport", transport)
        .known("protocol", flow.service.clone())
        .known("application", flow.application.clone())
        .known("direction", way)
        .known("bytes", flow.bytes.sum())
        .known("packets", flow.packets.sum())
}

fn end(end: &End, bytes: Option<u64>, packets: Option<u64>) -> Object {
    let ip = end.ip.map(|ip| ip.to_string());
    let nat = Object::default()
        .known("ip", end.nat.ip.map(|ip| ip.to_string()))
        .known("port", end.nat.port);
    let user = Object::default().known("name", end.user.clone());
    Object::default()
        .known("address", ip.clone().or_else(|| end.name.clone()))
        .known("ip", ip)
        .known("port", end.port)
        .known("domain", end.name.clone())
        .known("bytes", bytes)
        .known("packets", packets)
        .part("nat", nat)
        .part("user", user)
        .part("geo", place::geo(end.geo.as_deref()))
        .part("as", place::network(end.network.as_deref()))
}

fn side(side: Option<&Side>) -> Object {
    let interface = side.and_then(|side| side.interface.clone());
    let interface = Object::default().known("name", interface);
    Object::default()
        .part("interface", interface)
        .known("zone", side.and_then(|side| side.zone.clone()))
}

fn related(flow: &Flow) -> Object {
    let ends = [&flow.source, &flow.destination];
    let mut ips: Vec<IpAddr> = ends
        .iter()
        .flat_map(|end| [end.ip, end.nat.ip])
        .flatten()
        .collect();
    ips.sort_unstable();
    ips.dedup();
    let users = ends.iter().filter_map(|end| end.user.clone());
    let hosts = ends.iter().filter_map(|end| end.name.clone());
    Object::default()
        .list("ip", ips.iter().map(IpAddr::to_string))
        .list("user", users)
        .list("hosts", hosts)
}

/// What the schema has no field for.
pub(super) fn left_over(flow: &Flow) -> Object {
    let scope = |end: &End| {
        Object::default()
            .own("scope", &end.scope)
            .own("profile", &end.profile)
            .own("unexpected", &end.unexpected)
    };
    Object::default()
        .with("format", flow.format.word())
        .own("origin", &flow.origin)
        .own("stage", &flow.stage)
        .known("session", flow.session.clone())
        .own("flags", &flow.flags)
        .own("icmp", &flow.icmp)
        .own("estimated", &flow.bytes.estimated)
        .part("source", scope(&flow.source))
        .part("destination", scope(&flow.destination))
        .own("attributed", &flow.attributed)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{
        As,
        tests::{flow, written},
    };

    #[test]
    fn what_the_schema_asks_for() {
        let document: Value = serde_json::from_str(&written(As::Ecs, &[flow()])).unwrap();
        for (path, expected) in [
            ("/event/type", json!(["connection", "end", "allowed"])),
            ("/event/duration", json!(12_000_000_000_u64)),
            ("/network/direction", json!("outbound")),
            ("/network/bytes", json!(21_500)),
            ("/source/bytes", json!(1500)),
            ("/source/nat/port", json!(1024)),
            ("/source/user/name", json!("CORP\\alice")),
            ("/client/ip", json!("10.0.0.5")),
            ("/observer/ingress/zone", json!("trust")),
            ("/related/ip", json!(["9.9.9.9", "10.0.0.5", "192.0.2.1"])),
            ("/conntracer/origin/line", json!(7)),
            ("/conntracer/destination/scope", json!("external")),
        ] {
            assert_eq!(document.pointer(path), Some(&expected), "{path}");
        }
    }
}
