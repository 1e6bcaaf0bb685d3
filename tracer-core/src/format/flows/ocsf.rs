//! Flows as Network Activity of the Open Cybersecurity Schema Framework.
//!
//! What the class has no attribute for is in `unmapped`, by the names of our own contract.

use jiff::Timestamp;

use super::{Way, ecs::left_over, met};
use crate::{
    flows::{Action, End, Flow, Stage},
    format::{
        json::line,
        object::Object,
        ocsf::{CATEGORY, CLASS, OSINT, VERSION},
        place,
    },
};

/// Appends a flow.
pub fn write(flow: &Flow, out: &mut Vec<u8>) {
    let (id, name) = activity(flow);
    let product = Object::default()
        .with("name", "conntracer")
        .with("vendor_name", "conntracer");
    let osint = met(flow).osint();
    let metadata = Object::default()
        .with("version", VERSION)
        .list("profiles", (!osint.is_empty()).then_some(OSINT))
        .with("log_provider", flow.format.word())
        .with("product", product);
    let status = flow.action.map(|action| match action {
        Action::Allowed => (1, "Success"),
        Action::Denied => (2, "Failure"),
    });
    let unmapped = left_over(flow)
        .known("device", flow.device.as_deref())
        .known("rule", flow.rule.clone())
        .own("ingress", &flow.ingress)
        .own("egress", &flow.egress);
    let event = Object::default()
        .with("category_uid", CATEGORY)
        .with("category_name", "Network Activity")
        .with("class_uid", CLASS)
        .with("class_name", "Network Activity")
        .with("activity_id", id)
        .with("activity_name", name)
        .with("type_uid", CLASS * 100 + id)
        .with("severity_id", 1)
        .with("severity", "Informational")
        .with("time", flow.time.as_millisecond())
        .with("metadata", metadata)
        .list("osint", osint)
        .with("is_src_dst_assignment_known", flow.initiator_known)
        .with("connection_info", connection_info(flow))
        .part("src_endpoint", endpoint(&flow.source))
        .part("dst_endpoint", endpoint(&flow.destination))
        .part("traffic", traffic(flow))
        .known("status_id", status.map(|(id, _)| id))
        .known("status", status.map(|(_, word)| word))
        .known("status_detail", flow.reason.clone())
        .known("app_name", flow.application.clone())
        .known("start_time", Some(flow.time.as_millisecond()))
        .known("end_time", flow.end.map(Timestamp::as_millisecond))
        .with("unmapped", unmapped);
    line(&event, out);
}

fn activity(flow: &Flow) -> (u32, &'static str) {
    match (flow.action, flow.stage) {
        (Some(Action::Denied), _) => (5, "Refuse"),
        (_, Some(Stage::Start)) => (1, "Open"),
        (_, Some(Stage::End)) => (2, "Close"),
        (_, Some(Stage::Update) | None) => (6, "Traffic"),
    }
}

fn connection_info(flow: &Flow) -> Object {
    let (id, direction) = match Way::of(flow) {
        Some(Way::Inbound) => (1, "Inbound"),
        Some(Way::Outbound) => (2, "Outbound"),
        Some(Way::Internal) => (3, "Lateral"),
        Some(Way::External) | None => (0, "Unknown"),
    };
    let ip = flow.source.ip.or(flow.destination.ip);
    Object::default()
        .with("direction_id", id)
        .with("direction", direction)
        .known("protocol_num", flow.protocol.map(|one| one.0))
        .known("protocol_name", flow.protocol.map(|one| one.to_string()))
        .known(
            "protocol_ver_id",
            ip.map(|ip| if ip.is_ipv4() { 4 } else { 6 }),
        )
        .known("uid", flow.session.clone())
        .known("tcp_flags", flow.flags.map(|flags| flags.0))
}

fn endpoint(end: &End) -> Object {
    let translated = Object::default()
        .known("ip", end.nat.ip.map(|ip| ip.to_string()))
        .known("port", end.nat.port);
    let user = Object::default().known("name", end.user.clone());
    Object::default()
        .known("ip", end.ip.map(|ip| ip.to_string()))
        .known("port", end.port)
        .known("hostname", end.name.clone())
        .part("owner", user)
        .part("proxy_endpoint", translated)
        .part("location", place::location(end.geo.as_deref()))
        .part(
            "autonomous_system",
            place::autonomous_system(end.network.as_deref()),
        )
}

fn traffic(flow: &Flow) -> Object {
    let (bytes, packets) = (flow.bytes, flow.packets);
    Object::default()
        .known("bytes", bytes.sum())
        .known("bytes_out", bytes.forward)
        .known("bytes_in", bytes.reverse)
        .known("packets", packets.sum())
        .known("packets_out", packets.forward)
        .known("packets_in", packets.reverse)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{
        As,
        tests::{flow, written},
    };
    use crate::flows::{Action, Flow, Stage};

    fn event(flow: &Flow) -> Value {
        serde_json::from_str(&written(As::Ocsf, std::slice::from_ref(flow))).unwrap()
    }

    #[test]
    fn what_the_class_asks_for() {
        let event = event(&flow());
        for (path, expected) in [
            ("/type_uid", json!(400_102)),
            ("/time", json!(1_700_000_000_000_i64)),
            ("/connection_info/direction_id", json!(2)),
            ("/src_endpoint/port", json!(52344)),
            ("/dst_endpoint/ip", json!("9.9.9.9")),
            ("/traffic/bytes_in", json!(20_000)),
            ("/traffic/packets", json!(30)),
            ("/status_id", json!(1)),
            ("/unmapped/session", json!("22751")),
        ] {
            assert_eq!(event.pointer(path), Some(&expected), "{path}");
        }
    }

    #[test]
    fn activities() {
        let mut flow = flow();
        let id = |flow: &Flow| event(flow)["activity_id"].clone();
        flow.stage = None;
        assert_eq!(id(&flow), 6);
        flow.stage = Some(Stage::Start);
        assert_eq!(id(&flow), 1);
        flow.action = Some(Action::Denied);
        assert_eq!(id(&flow), 5);
    }
}
