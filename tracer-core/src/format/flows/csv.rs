//! Flows as comma-separated values.

use super::super::csv::line;
use crate::{
    flows::{Action, Amount, End, Flow, Origin, Side, Stage, attribute::Attributed},
    scope::Scope,
    threat::Hit,
};

/// A column: its heading, and what stands in it.
type Column = (&'static str, fn(&Flow) -> Option<String>);

/// The columns. New ones come last, so that the number of each stays what it is.
const COLUMNS: &[Column] = &[
    ("time", |flow| Some(format!("{:.9}", flow.time))),
    ("end", |flow| Some(format!("{:.9}", flow.end?))),
    ("format", |flow| Some(flow.format.word().to_owned())),
    ("device", |flow| shown(flow.device.as_ref())),
    ("source_ip", |flow| shown(flow.source.ip)),
    ("source_port", |flow| shown(flow.source.port)),
    ("source_name", |flow| flow.source.name.clone()),
    ("source_user", |flow| flow.source.user.clone()),
    ("source_nat_ip", |flow| shown(flow.source.nat.ip)),
    ("source_nat_port", |flow| shown(flow.source.nat.port)),
    ("source_scope", |flow| scope(&flow.source)),
    ("destination_ip", |flow| shown(flow.destination.ip)),
    ("destination_port", |flow| shown(flow.destination.port)),
    ("destination_name", |flow| flow.destination.name.clone()),
    ("destination_user", |flow| flow.destination.user.clone()),
    ("destination_nat_ip", |flow| shown(flow.destination.nat.ip)),
    ("destination_nat_port", |flow| {
        shown(flow.destination.nat.port)
    }),
    ("destination_scope", |flow| scope(&flow.destination)),
    ("initiator_known", |flow| shown(Some(flow.initiator_known))),
    ("protocol", |flow| shown(flow.protocol)),
    ("service", |flow| flow.service.clone()),
    ("application", |flow| flow.application.clone()),
    ("icmp_type", |flow| shown(Some(flow.icmp?.kind))),
    ("icmp_code", |flow| shown(Some(flow.icmp?.code))),
    ("bytes_forward", |flow| shown(flow.bytes.forward)),
    ("bytes_reverse", |flow| shown(flow.bytes.reverse)),
    ("bytes_total", |flow| shown(flow.bytes.sum())),
    ("packets_forward", |flow| shown(flow.packets.forward)),
    ("packets_reverse", |flow| shown(flow.packets.reverse)),
    ("packets_total", |flow| shown(flow.packets.sum())),
    ("estimated", |flow| estimated(&[flow.bytes, flow.packets])),
    ("action", |flow| shown(flow.action.map(Action::word))),
    ("stage", |flow| shown(flow.stage.map(Stage::word))),
    ("reason", |flow| flow.reason.clone()),
    ("rule", |flow| flow.rule.clone()),
    ("ingress_interface", |flow| interface(flow.ingress.as_ref())),
    ("ingress_zone", |flow| zone(flow.ingress.as_ref())),
    ("egress_interface", |flow| interface(flow.egress.as_ref())),
    ("egress_zone", |flow| zone(flow.egress.as_ref())),
    ("session", |flow| flow.session.clone()),
    ("flags", |flow| {
        let words: Vec<&str> = flow.flags?.words().collect();
        Some(words.join(" "))
    }),
    ("file", |flow| match &flow.origin {
        Origin::Line { file, .. } => Some(file.to_string()),
        Origin::Packet(packet) => shown(packet.file.as_ref()),
    }),
    ("line", |flow| match &flow.origin {
        Origin::Line { line, .. } => Some(line.to_string()),
        Origin::Packet(_) => None,
    }),
    ("packet", |flow| match &flow.origin {
        Origin::Line { .. } => None,
        Origin::Packet(packet) => shown(packet.packet),
    }),
    ("exporter", |flow| match &flow.origin {
        Origin::Line { .. } => None,
        Origin::Packet(packet) => shown(packet.exporter.as_ref()),
    }),
    ("match", |flow| {
        found(flow).map(|found| found.verdict.word().to_owned())
    }),
    ("match_reason", |flow| found(flow)?.why.clone()),
    ("connection", |flow| shown(found(flow)?.connection)),
    ("pid", |flow| Some(flow.owner()?.process.pid.to_string())),
    ("process", |flow| Some(flow.owner()?.process.name.clone())),
    ("exe", |flow| flow.owner()?.process.exe.clone()),
    ("uid", |flow| Some(flow.owner()?.user.uid.to_string())),
    ("user", |flow| flow.owner()?.user.name.clone()),
    ("unit", |flow| flow.owner()?.unit.clone()),
    ("container", |flow| {
        Some(flow.owner()?.container.as_ref()?.id.clone())
    }),
    ("pod", |flow| flow.owner()?.pod.as_ref()?.name.clone()),
    ("source_country", |flow| country(&flow.source)),
    ("source_as", |flow| shown(flow.source.network.as_ref())),
    ("source_department", |flow| department(&flow.source)),
    ("destination_country", |flow| country(&flow.destination)),
    ("destination_as", |flow| {
        shown(flow.destination.network.as_ref())
    }),
    ("destination_department", |flow| {
        department(&flow.destination)
    }),
    ("unexpected", |flow| {
        let is_so = flow.source.unexpected || flow.destination.unexpected;
        is_so.then(|| "true".to_owned())
    }),
    ("source_threat", |flow| threat(&flow.source)),
    ("destination_threat", |flow| threat(&flow.destination)),
];

/// Appends the row of headings.
pub fn headings(out: &mut Vec<u8>) {
    line(COLUMNS.iter().map(|(heading, _)| *heading), out);
}

/// Appends a flow.
pub fn row(flow: &Flow, out: &mut Vec<u8>) {
    let cells = COLUMNS.iter().map(|(_, cell)| cell(flow));
    line(cells.map(Option::unwrap_or_default), out);
}

fn shown(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn found(flow: &Flow) -> Option<&Attributed> {
    flow.attributed.as_deref()
}

fn country(end: &End) -> Option<String> {
    shown(end.geo.as_ref()?.country.as_ref())
}

fn department(end: &End) -> Option<String> {
    end.profile.as_ref()?.department.clone()
}

fn threat(end: &End) -> Option<String> {
    let hits: Vec<String> = end.threat.iter().map(Hit::text).collect();
    (!hits.is_empty()).then(|| hits.join(" "))
}

fn scope(end: &End) -> Option<String> {
    shown(end.scope.map(Scope::word))
}

fn interface(side: Option<&Side>) -> Option<String> {
    side?.interface.clone()
}

fn zone(side: Option<&Side>) -> Option<String> {
    side?.zone.clone()
}

fn estimated(amounts: &[Amount]) -> Option<String> {
    let is_so = amounts.iter().any(|amount| amount.estimated);
    is_so.then(|| "true".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::{
        As,
        tests::{flow, written},
    };

    #[test]
    fn a_row_has_a_cell_for_each_heading() {
        let text = written(As::Csv, &[flow()]);
        let (head, row) = text.trim_end().split_once('\n').unwrap();
        let cell = |name: &str| {
            let at = head.split(',').position(|one| one == name).unwrap();
            row.split(',').nth(at).unwrap()
        };
        assert_eq!(head.split(',').count(), row.split(',').count());
        assert_eq!(cell("bytes_total"), "21500");
        assert_eq!(cell("packets_total"), "30");
        assert_eq!(cell("packets_forward"), "");
        assert_eq!(cell("source_nat_ip"), "192.0.2.1");
        assert_eq!(cell("destination_scope"), "external");
        assert_eq!(cell("ingress_zone"), "trust");
        assert_eq!((cell("file"), cell("line")), ("fw.log", "7"));
    }
}
