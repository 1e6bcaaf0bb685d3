//! Flows of Suricata, in its EVE log.
//!
//! Format: <https://docs.suricata.io/en/latest/output/eve/eve-json-format.html#event-type-flow>

use jiff::Timestamp;
use serde_json::Value;

use super::value::address;
use crate::{
    flows::{Action, Amount, End, Flow, Format, Icmp, Side, Stage, TcpFlags, ip::IpProtocol},
    logs::{
        self, Reader, Unreadable,
        json::{self, at, needed, number, said, text},
    },
};

/// How times are written: the offset has no colon.
const TIME: &str = "%Y-%m-%dT%H:%M:%S%.f%z";

/// Reads them.
pub fn reader() -> impl Reader<Flow> {
    json::Events::new(of_event)
}

/// Whether an event in JSON is one of EVE.
pub fn recognises_event(event: &Value) -> bool {
    text(event, "event_type").is_some() && event.get("timestamp").is_some()
}

/// Alerts, DNS and all else that is in the same log is no flow. `netflow` tells the same ones as `flow`, each way by itself.
fn of_event(event: &Value, origin: &logs::Origin) -> Result<Option<Flow>, Unreadable> {
    if text(event, "event_type") != Some("flow") {
        return Ok(None);
    }
    let begin = text(event, "flow.start").map_or_else(|| needed(event, "timestamp"), Ok)?;
    let mut flow = Flow::new(time(begin)?, Format::SuricataEve, origin.into());
    flow.end = text(event, "flow.end").map(time).transpose()?;
    flow.source = end(event, "src_ip", "src_port")?;
    flow.destination = end(event, "dest_ip", "dest_port")?;
    flow.protocol = text(event, "proto").and_then(IpProtocol::of);
    flow.icmp = icmp(event);
    flow.bytes = each_way(event, "bytes");
    flow.packets = each_way(event, "pkts");
    // Who is the client is what Suricata saw first: of what was under way before, that is a guess, and it says so
    // nowhere but in flags.
    flow.flags = text(event, "tcp.tcp_flags").and_then(|hex| {
        let flags = u8::from_str_radix(hex, 16).ok()?;
        Some(TcpFlags(flags))
    });
    flow.initiator_known = has_seen_begin(event, &flow);
    flow.action = said(event, "flow.action").and_then(|action| match action.as_str() {
        "drop" | "reject" => Some(Action::Denied),
        "pass" | "accept" => Some(Action::Allowed),
        _ => None,
    });
    flow.stage = Some(Stage::End);
    flow.reason = said(event, "flow.reason");
    flow.session = at(event, "flow_id").map(ToString::to_string);
    flow.application = said(event, "app_proto").filter(|name| name != "failed");
    flow.ingress = said(event, "in_iface").map(Side::interface);
    flow.device = text(event, "host").map(Into::into);
    Ok(Some(flow))
}

/// Of TCP, whether the client has sent a SYN; of the rest, nothing says that it was under way.
fn has_seen_begin(event: &Value, flow: &Flow) -> bool {
    let to_server = text(event, "tcp.tcp_flags_ts");
    let flags = to_server.and_then(|hex| u8::from_str_radix(hex, 16).ok());
    flow.protocol != Some(IpProtocol::TCP) || flags.is_some_and(|flags| flags & 2 != 0)
}

fn end(event: &Value, ip: &str, port: &str) -> Result<End, Unreadable> {
    let address = address(needed(event, ip)?)?;
    let port = number(event, port).and_then(|port| u16::try_from(port).ok());
    Ok(End::at(address, port))
}

fn icmp(event: &Value) -> Option<Icmp> {
    let part = |name: &str| u8::try_from(number(event, name)?).ok();
    Some(Icmp {
        kind: part("icmp_type")?,
        code: part("icmp_code")?,
    })
}

fn each_way(event: &Value, what: &str) -> Amount {
    Amount {
        forward: number(event, &format!("flow.{what}_toserver")),
        reverse: number(event, &format!("flow.{what}_toclient")),
        ..Amount::default()
    }
}

fn time(text: &str) -> Result<Timestamp, Unreadable> {
    Timestamp::strptime(TIME, text).or_else(|_| json::time(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flows::read::tests::{flows, only};

    /// As in the documentation of EVE, with addresses for documentation.
    const FLOW: &str = r#"{"timestamp":"2017-04-07T22:24:37.251547+0100","flow_id":1583911563326858,"in_iface":"eth0",
        "event_type":"flow","src_ip":"192.168.2.7","src_port":41444,"dest_ip":"203.0.113.9","dest_port":443,"proto":"TCP",
        "app_proto":"tls","flow":{"pkts_toserver":34,"pkts_toclient":35,"bytes_toserver":4022,"bytes_toclient":5000,
        "start":"2017-04-07T22:24:30.251547+0100","end":"2017-04-07T22:24:36.251547+0100","age":6,"state":"closed",
        "reason":"timeout","alerted":false},"tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"1a"}}"#;

    #[test]
    fn a_flow() {
        let flow = only(reader(), &FLOW.replace('\n', ""));
        assert_eq!(flow.time.to_string(), "2017-04-07T21:24:30.251547Z");
        assert_eq!(flow.end.unwrap().to_string(), "2017-04-07T21:24:36.251547Z");
        assert_eq!(flow.source, End::at([192, 168, 2, 7].into(), 41444));
        assert_eq!(flow.bytes, Amount::both(4022, 5000));
        assert_eq!(flow.session.as_deref(), Some("1583911563326858"));
        let words: Vec<&str> = flow.flags.unwrap().words().collect();
        assert_eq!(words, ["FIN", "SYN", "PSH", "ACK"]);
        assert!(flow.initiator_known);
        let midstream = FLOW
            .replace('\n', "")
            .replace(r#"flags_ts":"1b""#, r#"flags_ts":"18""#);
        assert!(!only(reader(), &midstream).initiator_known);
    }

    #[test]
    fn what_is_no_flow_and_what_cannot_be_read() {
        let alert = r#"{"timestamp":"2017-04-07T22:24:37.251547+0100","event_type":"alert"}"#;
        assert_eq!(flows(reader(), alert), (Vec::new(), Vec::new()));
        let broken = FLOW.replace('\n', "").replace("203.0.113.9", "x");
        assert_eq!(flows(reader(), &broken).1, ["no address: `x`"]);
        let (told, why) = flows(reader(), "{\"event_type\":\"flow\"}\n{\"event_");
        assert!(told.is_empty());
        assert_eq!(why[0], "no timestamp");
        assert!(why[1].contains("breaks off"), "{why:?}");
    }
}
