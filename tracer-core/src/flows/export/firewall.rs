//! What firewalls tell of connections: events, reasons, lists, users.
//!
//! Format: Cisco's
//! <https://www.cisco.com/c/en/us/td/docs/security/asa/special/netflow/guide/asa_netflow.html>; Palo Alto's
//! <https://docs.paloaltonetworks.com/pan-os/11-1/pan-os-admin/monitoring/netflow-monitoring/netflow-templates>.

use super::{
    bytes::{Bytes, are_zero},
    element::{self as e, Element},
    message::Version,
    record::Record,
};
use crate::flows::{Action, Flow, Stage};

/// The number that Palo Alto's own elements are known by, which a record of version 9 tells itself.
const PALO_ALTO: u64 = 25461;
/// The extended event of a flow that the list of the way out denied.
const DENIED_ON_EGRESS: u64 = 1002;

/// Extended events with words. Those from 2001 tell why a connection ended, in numbers that differ from
/// release to release: they stay numbers.
const EXTENDED: [(u64, &str); 4] = [
    (1001, "denied by the ingress access list"),
    (DENIED_ON_EGRESS, "denied by the egress access list"),
    (1003, "connection to the device itself denied"),
    (1004, "first packet is not SYN"),
];
/// Why a flow ended (element 136), as the registry words it.
const END_REASONS: [(u64, &str); 5] = [
    (1, "idle timeout"),
    (2, "active timeout"),
    (3, "end of flow detected"),
    (4, "forced end"),
    (5, "lack of resources"),
];

/// Whether it is an event of Cisco's ASA, and not a flow of another exporter: others tell of firewall
/// events too, but without an extended one, or the time of the event.
pub(super) fn is_asa(record: &Record, version: Version) -> bool {
    let has_times = record.has(e::START_MILLISECONDS) && record.has(e::OBSERVED);
    version == Version::Netflow9
        && (record.has(e::FIREWALL_EVENT) || record.has(e::ASA_EVENT))
        && (record.has(e::ASA_EXTENDED_EVENT) || has_times)
}

/// Notes what the event was.
pub(super) fn event(flow: &mut Flow, record: &Record) {
    let event = record.any(&[e::FIREWALL_EVENT, e::ASA_EVENT]);
    // 0 is no event; 4, an alert, says nothing of what was done.
    let (stage, action) = match event {
        Some(1) => (Some(Stage::Start), Some(Action::Allowed)),
        Some(2) => (Some(Stage::End), Some(Action::Allowed)),
        Some(3) => (None, Some(Action::Denied)),
        Some(5) => (Some(Stage::Update), Some(Action::Allowed)),
        _ => (None, None),
    };
    (flow.stage, flow.action) = (stage, action);
    let extended = record.some(e::ASA_EXTENDED_EVENT);
    let words = |number| word(&EXTENDED, number).unwrap_or_else(|| number.to_string());
    let end = || word(&END_REASONS, record.number(e::END_REASON)?);
    flow.reason = extended.map(words).or_else(end);
    flow.rule = rule(record, extended == Some(DENIED_ON_EGRESS));
}

fn word(words: &[(u64, &str)], number: u64) -> Option<String> {
    let found = words.iter().find(|(known, _)| *known == number);
    found.map(|(_, word)| (*word).to_owned())
}

/// The access list that decided: three numbers, as the device's own log writes them.
fn rule(record: &Record, is_egress: bool) -> Option<String> {
    let lists = [e::ASA_INGRESS_LIST, e::ASA_EGRESS_LIST];
    let list = |element: Element| list(record.value(element)?);
    let [first, second] = lists.map(list);
    if is_egress {
        second.or(first)
    } else {
        first.or(second)
    }
}

/// Of list, entry, and entry after object groups were resolved; those that are not there are zero.
fn list(value: &[u8]) -> Option<String> {
    if are_zero(value) {
        return None;
    }
    let mut bytes = Bytes(value);
    let numbers = std::iter::from_fn(|| bytes.u32());
    let mut numbers: Vec<u32> = numbers.take(3).collect();
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    let words: Vec<String> = numbers.iter().map(|part| format!("{part:#010x}")).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Notes who, and what was spoken.
pub(super) fn identities(flow: &mut Flow, record: &Record) {
    let is_palo_alto = record.number(e::ENTERPRISE) == Some(PALO_ALTO);
    let palo_alto = |element| record.text(element).filter(|_| is_palo_alto);
    flow.application = record
        .text(e::APPLICATION_NAME)
        .or_else(|| palo_alto(e::PANOS_APPLICATION));
    flow.source.user = [e::ASA_USER, e::USER]
        .into_iter()
        .find_map(|element| record.text(element))
        .or_else(|| palo_alto(e::PANOS_USER));
}
