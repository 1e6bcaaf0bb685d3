//! VPC flow logs of Google Cloud.
//!
//! Format: <https://cloud.google.com/vpc/docs/about-flow-logs-records>

use serde_json::Value;

use super::value::address;
use crate::{
    flows::{Amount, End, Flow, Format, ip::IpProtocol},
    logs::{
        Origin, Reader, Unreadable,
        json::{self, at, needed, number, said, text},
    },
};

/// Reads them.
pub fn reader() -> impl Reader<Flow> {
    json::Events::new(of_event)
}

/// Whether an event in JSON is an entry of them.
pub fn recognises_event(event: &Value) -> bool {
    at(event, "jsonPayload.connection.src_ip").is_some()
}

/// Entries of other logs may stand in the same export.
fn of_event(event: &Value, origin: &Origin) -> Result<Option<Flow>, Unreadable> {
    let Some(payload) = at(event, "jsonPayload").filter(|one| one.get("connection").is_some())
    else {
        return Ok(None);
    };
    let time = json::time(needed(payload, "start_time")?)?;
    let mut flow = Flow::new(time, Format::GcpVpc, origin.into());
    flow.end = text(payload, "end_time").map(json::time).transpose()?;
    let protocol = number(payload, "connection.protocol");
    flow.protocol = protocol.and_then(|number| u8::try_from(number).ok().map(IpProtocol));
    flow.source = end(payload, "src", &flow)?;
    flow.destination = end(payload, "dest", &flow)?;
    // Packets are sampled; what is told was made up for it.
    let estimate = |name: &str| Amount {
        forward: number(payload, name),
        estimated: number(payload, name).is_some(),
        ..Amount::default()
    };
    (flow.bytes, flow.packets) = (estimate("bytes_sent"), estimate("packets_sent"));
    flow.device = reporter(payload).map(Into::into);
    Ok(Some(flow))
}

fn end(payload: &Value, side: &str, flow: &Flow) -> Result<End, Unreadable> {
    let address = address(needed(payload, &format!("connection.{side}_ip"))?)?;
    let has_ports = !flow.protocol.is_some_and(IpProtocol::is_icmp);
    let port = number(payload, &format!("connection.{side}_port"));
    let port = port.and_then(|port| u16::try_from(port).ok());
    let mut end = End::at(address, port.filter(|_| has_ports));
    let pod = said(payload, &format!("{side}_gke_details.pod.pod_name"));
    end.name = pod.or_else(|| said(payload, &format!("{side}_instance.vm_name")));
    Ok(end)
}

/// Within a network, both ends report the same flow, each by itself: who asks selects one of them.
fn reporter(payload: &Value) -> Option<String> {
    let side = match text(payload, "reporter")? {
        reporter if reporter.starts_with("SRC") => "src",
        reporter if reporter.starts_with("DEST") => "dest",
        _ => return None,
    };
    said(payload, &format!("{side}_instance.vm_name"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flows::read::tests::{flows, only};

    /// As in the samples of the documentation, with addresses for documentation.
    const ENTRY: &str = r#"{"insertId":"1","jsonPayload":{"bytes_sent":"1776","connection":{"dest_ip":"203.0.113.12","dest_port":33478,
        "protocol":6,"src_ip":"10.87.40.76","src_port":5601},"end_time":"2019-06-14T03:45:37.301953198Z","packets_sent":"7",
        "reporter":"SRC","src_instance":{"vm_name":"kibana","zone":"us-east1-b"},"start_time":"2019-06-14T03:45:37.186193305Z"},
        "logName":"projects/p/logs/compute.googleapis.com%2Fvpc_flows","timestamp":"2019-06-14T03:50:10.845445834Z"}"#;

    #[test]
    fn an_entry_by_itself_and_in_a_list() {
        let entry = ENTRY.replace('\n', "");
        let flow = only(reader(), &entry);
        assert_eq!(flow.time.to_string(), "2019-06-14T03:45:37.186193305Z");
        assert_eq!(flow.destination, End::at([203, 0, 113, 12].into(), 33478));
        assert_eq!(
            (flow.bytes.forward, flow.bytes.estimated),
            (Some(1776), true)
        );
        assert_eq!(flow.source.name.as_deref(), Some("kibana"));
        assert_eq!(flow.device.as_deref(), Some("kibana"));
        assert!(!flow.initiator_known);
        let (told, why) = flows(reader(), &format!("[\n{entry},\n{entry}]"));
        assert_eq!((told.len(), why.len()), (2, 0));
    }

    #[test]
    fn what_is_about_something_else_and_what_cannot_be_read() {
        let other = r#"{"jsonPayload":{"message":"x"},"logName":"y"}"#;
        assert_eq!(flows(reader(), other), (Vec::new(), Vec::new()));
        let broken = ENTRY.replace('\n', "").replace("203.0.113.12", "x");
        assert_eq!(flows(reader(), &broken).1, ["no address: `x`"]);
    }
}
