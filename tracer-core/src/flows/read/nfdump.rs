//! What nfdump writes with `-o json` and `-o ndjson`: flows that were collected before.
//!
//! Format: <https://github.com/phaag/nfdump>, the keys of its output modes.

use jiff::{Timestamp, civil::DateTime};
use serde_json::Value;

use super::{Around, value::address};
use crate::{
    flows::{Action, Amount, End, Flow, Format, Icmp, Side, Stage, TcpFlags, ip::IpProtocol},
    logs::{
        Origin, Reader, Unreadable,
        json::{self, needed, number, said, text},
    },
};

/// The letters of TCP flags, the highest bit first, with a dot for what is not set.
const LETTERS: &str = "CEUAPRSF";

/// Reads them. `around`: of which zone their times are.
pub fn reader(around: &Around) -> impl Reader<Flow> + use<> {
    let around = around.clone();
    json::Events::new(move |event: &Value, origin: &Origin| of_event(event, origin, &around))
}

/// Whether an event in JSON is a flow of nfdump.
pub fn recognises_event(event: &Value) -> bool {
    let is_there = |key: &str| event.get(key).is_some();
    is_there("first") && is_there("last") && (is_there("src4_addr") || is_there("src6_addr"))
}

/// What it says of itself at the end is no flow.
fn of_event(event: &Value, origin: &Origin, around: &Around) -> Result<Option<Flow>, Unreadable> {
    if event.get("first").is_none() {
        return Ok(None);
    }
    let mut flow = Flow::new(
        time(needed(event, "first")?, around)?,
        Format::Nfdump,
        origin.into(),
    );
    flow.end = text(event, "last")
        .map(|last| time(last, around))
        .transpose()?;
    let protocol = number(event, "proto").and_then(|number| u8::try_from(number).ok());
    flow.protocol = protocol.map(IpProtocol);
    flow.icmp = icmp(event);
    flow.source = end(event, "src", flow.icmp)?;
    flow.destination = end(event, "dst", flow.icmp)?;
    flow.source.user = said(event, "user_name");
    let amount = |what: &str| Amount {
        forward: number(event, &format!("in_{what}")),
        reverse: number(event, &format!("out_{what}")).filter(|count| *count > 0),
        estimated: number(event, "sampled").is_some_and(|sampled| sampled > 0),
        ..Amount::default()
    };
    (flow.bytes, flow.packets) = (amount("bytes"), amount("packets"));
    flow.flags = text(event, "tcp_flags").and_then(flags);
    let interface = |key: &str| number(event, key).filter(|number| *number > 0);
    let side = |key: &str| interface(key).map(|number| Side::interface(number.to_string()));
    (flow.ingress, flow.egress) = (side("input_snmp"), side("output_snmp"));
    of_firewall(event, &mut flow);
    Ok(Some(flow))
}

/// Events of NSEL, which nfdump collects, too: there the device knows who has begun it.
fn of_firewall(event: &Value, flow: &mut Flow) {
    flow.session = number(event, "connect_id").map(|id| id.to_string());
    let Some(id) = number(event, "event_id") else {
        return;
    };
    flow.initiator_known = true;
    (flow.stage, flow.action) = match id {
        1 => (Some(Stage::Start), Some(Action::Allowed)),
        2 => (Some(Stage::End), Some(Action::Allowed)),
        3 => (None, Some(Action::Denied)),
        5 => (Some(Stage::Update), Some(Action::Allowed)),
        _ => (None, None),
    };
}

fn end(event: &Value, side: &str, icmp: Option<Icmp>) -> Result<End, Unreadable> {
    let of = |version: u8, what: &str| text(event, &format!("{side}{version}_{what}"));
    let ip = of(4, "addr").or_else(|| of(6, "addr"));
    let ip = address(ip.ok_or_else(|| Unreadable(format!("no {side}4_addr")))?)?;
    let port = |key: &str| {
        let port = number(event, &format!("{side}_{key}"))?;
        u16::try_from(port).ok().filter(|_| icmp.is_none())
    };
    let mut end = End::at(ip, port("port"));
    let translated = of(4, "xlt_ip").or_else(|| of(6, "xlt_ip"));
    let translated = translated.map(address).transpose()?;
    let translated = translated.filter(|ip| !ip.is_unspecified());
    if translated.is_some() {
        end.translate(translated, port("xlt_port").filter(|port| *port > 0));
    }
    Ok(end)
}

fn icmp(event: &Value) -> Option<Icmp> {
    let part = |key: &str| u8::try_from(number(event, key)?).ok();
    Some(Icmp {
        kind: part("icmp_type")?,
        code: part("icmp_code")?,
    })
}

/// `...AP.SF`
fn flags(text: &str) -> Option<TcpFlags> {
    let mut flags = 0;
    if text.chars().count() != LETTERS.len() {
        return None;
    }
    for (letter, known) in text.chars().zip(LETTERS.chars()) {
        flags = flags << 1 | u8::from(letter == known);
    }
    Some(TcpFlags(flags))
}

/// Of the zone in which it was written, which it does not say.
fn time(text: &str, around: &Around) -> Result<Timestamp, Unreadable> {
    let of_zone = |time: DateTime| around.moment(time);
    json::time(text).or_else(|why| text.parse().map_or(Err(why), of_zone))
}

#[cfg(test)]
mod tests {
    use jiff::tz::{Offset, TimeZone};

    use super::*;
    use crate::flows::read::tests::{flows, only};

    /// With the keys of nfdump 1.7.
    const FLOW: &str = r#"{"type":"FLOW","sampled":0,"export_sysid":1,"first":"2026-11-20T09:00:00.250","last":"2026-11-20T09:00:12.750",
        "received":"2026-11-20T09:00:13.000","in_packets":18,"in_bytes":2260,"out_packets":22,"out_bytes":20904,"proto":6,
        "tcp_flags":"...AP.SF","src_port":52344,"dst_port":443,"src4_addr":"10.0.0.5","dst4_addr":"203.0.113.9",
        "input_snmp":2,"output_snmp":1,"src4_xlt_ip":"192.0.2.1","dst4_xlt_ip":"203.0.113.9","src_xlt_port":16418,"dst_xlt_port":443}"#;

    fn nfdump() -> impl Reader<Flow> {
        reader(&Around {
            zone: TimeZone::fixed(Offset::constant(1)),
            year: None,
            fields: None,
            now: Timestamp::UNIX_EPOCH.into(),
        })
    }

    #[test]
    fn a_flow() {
        let flow = only(nfdump(), &FLOW.replace('\n', ""));
        assert_eq!(flow.time.to_string(), "2026-11-20T08:00:00.25Z");
        assert_eq!(flow.bytes, Amount::both(2260, 20904));
        assert_eq!(flow.source.nat.port, Some(16418));
        assert_eq!(flow.destination, End::at([203, 0, 113, 9].into(), 443));
        let words: Vec<&str> = flow.flags.unwrap().words().collect();
        assert_eq!(words, ["FIN", "SYN", "PSH", "ACK"]);
        assert_eq!(flow.ingress, Some(Side::interface("2")));
        assert!(!flow.initiator_known);
        let event = FLOW
            .replace('\n', "")
            .replace(r#""proto""#, r#""event_id":2,"connect_id":7,"proto""#);
        let flow = only(nfdump(), &event);
        assert_eq!(
            (flow.stage, flow.session.as_deref()),
            (Some(Stage::End), Some("7"))
        );
        assert!(flow.initiator_known);
    }

    #[test]
    fn a_list_and_what_cannot_be_read() {
        let flow = FLOW.replace('\n', "");
        let broken = flow.replace("10.0.0.5", "x");
        let (told, why) = flows(nfdump(), &format!("[\n{flow},\n{broken}\n]"));
        assert_eq!(told.len(), 1);
        assert_eq!(why, ["no address: `x`"]);
    }
}
