//! Flows of other devices become messages.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use super::{
    message::{Messages, Profile},
    row::{self, Row},
    rows::{Agent, Told},
    write,
};
use crate::{
    flows::{Action, End, Flow, Stage, ip::IpProtocol},
    record::Owner,
};

/// Writes messages of flows: a row each.
#[derive(Debug)]
pub struct Flows {
    messages: Messages,
    profile: Profile,
    /// Who told last.
    agent: Arc<Agent>,
}

impl Flows {
    /// None yet.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self {
            messages: Messages::new(profile.rows_max),
            profile,
            agent: Arc::default(),
        }
    }

    /// Takes a flow; appends the message that it does not belong to.
    pub fn write(&mut self, flow: &Flow, out: &mut Vec<u8>) {
        let told = Told {
            agent: self.agent(flow),
            time: flow.end.unwrap_or(flow.time),
            id: Arc::default(),
            row: Row::from(flow),
        };
        if let Some(message) = self.messages.put(told) {
            write(&message, &self.profile, out);
        }
    }

    /// Appends the last message.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if let Some(message) = self.messages.end() {
            write(&message, &self.profile, out);
        }
    }

    /// Who tells of it: the host whose process it is, else the device, else what kind of log it is.
    fn agent(&mut self, flow: &Flow) -> Arc<Agent> {
        let attributed = flow.attributed.as_ref();
        let host = attributed.and_then(|one| one.host.as_deref());
        let name = host.or(flow.device.as_deref());
        let name = name.unwrap_or_else(|| flow.format.word());
        if self.agent.source != name {
            self.agent = Arc::new(Agent {
                id: name.to_owned(),
                source: name.to_owned(),
                boot: String::new(),
            });
        }
        self.agent.clone()
    }
}

impl From<&Flow> for Row {
    /// The source is the local end, unless the process at the other one is known.
    fn from(flow: &Flow) -> Self {
        let owner = flow
            .attributed
            .as_ref()
            .and_then(|one| Some((one.owner.as_deref()?, one.is_of_destination)));
        let (local, remote) = match owner {
            Some((_, true)) => (&flow.destination, &flow.source),
            _ => (&flow.source, &flow.destination),
        };
        let ips = [flow.source.ip, flow.destination.ip];
        let is_v6 = ips
            .into_iter()
            .flatten()
            .any(|ip| ip.to_canonical().is_ipv6());
        let protocol = flow
            .protocol
            .map_or_else(|| "unknown".to_owned(), |protocol| protocol.to_string());
        let process = owner.map(|(owner, _)| &*owner.process);
        Self {
            local_address: address(local),
            remote_address: Some(address(remote)),
            protocol: format!("{protocol},{}", if is_v6 { "ipv6" } else { "ipv4" }),
            state: (flow.protocol == Some(IpProtocol::TCP)).then(|| state(flow)),
            process_id: process.and_then(|process| i32::try_from(process.pid).ok()),
            process_name: row::said(process.map(|process| process.name.clone())),
            service: row::said(unit(owner)).or_else(|| row::said(flow.service.clone())),
        }
    }
}

fn unit(owner: Option<(&Owner, bool)>) -> Option<String> {
    owner.and_then(|(owner, _)| owner.unit.clone())
}

/// As far as a device tells: most say of a connection only that it was.
fn state(flow: &Flow) -> &'static str {
    match (flow.stage, flow.action) {
        (_, Some(Action::Denied)) | (Some(Stage::End), _) => "CLOSED",
        (Some(Stage::Start), _) => "ESTABLISHED",
        _ => "UNKNOWN",
    }
}

/// Address and port, or the name that a device writes in the address's place.
fn address(end: &End) -> String {
    let port = end.port.unwrap_or(0);
    match (end.ip, row::said(end.name.clone())) {
        (None, Some(name)) => format!("{name}:{port}"),
        (ip, _) => row::address(ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port),
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        flows::{Format, Origin},
        format::nemesis::message::Expiration,
    };

    fn flow(second: i64, device: &str) -> Flow {
        let origin = Origin::Line {
            file: "fw.log".into(),
            line: 1,
        };
        let time = Timestamp::from_second(1_700_000_000 + second).unwrap();
        let mut flow = Flow::new(time, Format::PanosTraffic, origin);
        flow.source = End::at([10, 0, 0, 5].into(), 52344);
        flow.destination = End::at([203, 0, 113, 9].into(), 443);
        flow.protocol = Some(IpProtocol::TCP);
        flow.device = Some(device.into());
        flow.service = Some("https".to_owned());
        flow
    }

    fn messages(flows: &[Flow]) -> Vec<Value> {
        let mut writer = Flows::new(Profile {
            project: "p".to_owned(),
            expiration: Expiration::After(SignedDuration::from_hours(24)),
            rows_max: 10,
        });
        let mut out = Vec::new();
        for flow in flows {
            writer.write(flow, &mut out);
        }
        writer.end(&mut out);
        let text = String::from_utf8(out).unwrap();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn a_message_is_of_a_device_and_a_second() {
        let mut denied = flow(0, "fw-1");
        denied.action = Some(Action::Denied);
        denied.destination.ip = None;
        denied.destination.name = Some("web\0.example".to_owned());
        let mut icmp = flow(1, "fw-1");
        icmp.protocol = Some(IpProtocol::ICMP);
        icmp.source.port = None;
        let told = messages(&[flow(0, "fw-1"), denied, icmp, flow(1, "fw-2")]);
        let sources: Vec<&Value> = told.iter().map(|one| &one["metadata"]["source"]).collect();
        assert_eq!(sources, ["fw-1", "fw-1", "fw-2"]);
        assert_eq!(told[0]["metadata"]["timestamp"], "2023-11-14T22:13:20.000Z");
        assert_eq!(
            told[0]["data"],
            json!([
                {"local_address": "10.0.0.5:52344", "remote_address": "203.0.113.9:443", "protocol": "tcp,ipv4",
                 "state": "UNKNOWN", "service": "https"},
                {"local_address": "10.0.0.5:52344", "remote_address": "web\u{fffd}.example:443", "protocol": "tcp,ipv4",
                 "state": "CLOSED", "service": "https"},
            ])
        );
        let icmp = &told[1]["data"][0];
        assert_eq!(icmp["local_address"], "10.0.0.5:0");
        assert_eq!(
            (&icmp["protocol"], icmp.get("state")),
            (&json!("icmp,ipv4"), None)
        );
    }
}
