mod fixtures;
mod made;
mod properties;
mod records;
mod sampled;
mod state;

use super::*;
use crate::flows::{Amount, Flow, Format};

/// A packet of a file, of an exporter with a documentation address.
fn from(packet: u64) -> Packet {
    Packet {
        file: None,
        packet: Some(packet),
        exporter: Some("192.0.2.1:2055".into()),
        sequence: None,
    }
}

/// What comes out of messages, each in a packet of its own, and the reasons of problems.
fn taken(messages: &[&[u8]]) -> (Vec<Flow>, Vec<Reason>) {
    let mut exporters = Exporters::default();
    let taken = all(&mut exporters, messages);
    let reasons = taken.problems.iter().map(|problem| problem.reason);
    (taken.flows, reasons.collect())
}

fn all(exporters: &mut Exporters, messages: &[&[u8]]) -> Taken {
    let mut taken = Taken::default();
    for (number, message) in (1..).zip(messages) {
        exporters.take(message, &from(number), &mut taken);
    }
    exporters.end(&mut taken);
    taken
}

/// A flow in a line: when, who, how much, and the rest by name.
fn told(flow: &Flow) -> String {
    let end = |end: &crate::flows::End| {
        let ip = end.ip.map(|ip| ip.to_string()).unwrap_or_default();
        let port = end.port.map(|port| format!(" {port}")).unwrap_or_default();
        format!("{ip}{port}")
    };
    let amount = |amount: &Amount| {
        let number = |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
        let total = amount.total.map(|total| format!("={total}"));
        let both = || format!("{}/{}", number(amount.forward), number(amount.reverse));
        let estimated = if amount.estimated { "~" } else { "" };
        format!("{estimated}{}", total.unwrap_or_else(both))
    };
    let last = flow.end.map(|end| end.to_string()).unwrap_or_default();
    let protocol = flow.protocol.map(|protocol| protocol.to_string());
    let mut words = vec![
        format!("{}..{last}", flow.time),
        end(&flow.source),
        end(&flow.destination),
        protocol.unwrap_or_default(),
        format!("{}B", amount(&flow.bytes)),
        format!("{}P", amount(&flow.packets)),
    ];
    let value = serde_json::to_value(flow).unwrap();
    for key in [
        "flags",
        "icmp",
        "ingress",
        "egress",
        "action",
        "stage",
        "reason",
        "rule",
        "session",
        "application",
    ] {
        if let Some(value) = value.get(key) {
            words.push(format!("{key} {value}").replace('"', ""));
        }
    }
    for (name, at) in [("source", &flow.source), ("destination", &flow.destination)] {
        if at.nat != crate::flows::Nat::default() {
            words.push(format!("{name} nat {:?} {:?}", at.nat.ip, at.nat.port));
        }
        if let Some(user) = &at.user {
            words.push(format!("{name} user {user}"));
        }
    }
    words.join(" | ")
}
