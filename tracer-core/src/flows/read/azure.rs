//! Flow logs of Azure: of virtual networks, and those of network security groups, which they replace.
//!
//! Formats: <https://learn.microsoft.com/en-us/azure/network-watcher/vnet-flow-logs-overview#log-format>,
//! <https://learn.microsoft.com/en-us/azure/network-watcher/nsg-flow-logs-overview#log-format>

use std::{str::FromStr, sync::Arc};

use jiff::Timestamp;
use serde_json::Value;

use super::value::address;
use crate::{
    flows::{Action, Amount, End, Flow, Format, Side, Stage, ip::IpProtocol},
    logs::{
        Origin, Reader, Unreadable,
        json::{self, at, text},
    },
};

/// Reads them.
#[derive(Debug, Default)]
pub struct Azure(json::Values);

/// Whether an event in JSON is a record of them.
pub fn recognises_event(event: &Value) -> bool {
    let is_list = |path: &str| at(event, path).is_some_and(Value::is_array);
    is_list("flowRecords.flows") || is_list("properties.flows")
}

impl Reader<Flow> for Azure {
    fn line(
        &mut self,
        line: &str,
        origin: &Origin,
        flows: &mut Vec<Flow>,
    ) -> Result<(), Unreadable> {
        take(self.0.line(line, origin), flows)
    }

    fn end(&mut self, flows: &mut Vec<Flow>) -> Result<(), Unreadable> {
        take(self.0.end(), flows)
    }
}

/// The flows of a record, and why some of them cannot be read.
type Record = Vec<Result<Flow, Unreadable>>;

/// Takes what can be read. What cannot is told once for all of a line, with how often.
fn take(told: json::Told, flows: &mut Vec<Flow>) -> Result<(), Unreadable> {
    let (records, result) = json::each(told, |event, origin| of_event(event, origin).map(Some));
    let (mut first, mut count) = (None, 0_u64);
    for flow in records.into_iter().flatten() {
        match flow {
            Ok(flow) => flows.push(flow),
            Err(Unreadable(why)) => {
                count += 1;
                first.get_or_insert(why);
            }
        }
    }
    match (first, count) {
        (None, _) => result,
        (Some(why), 1) => Err(Unreadable(why)),
        (Some(why), count) => Err(Unreadable(format!(
            "{why}; {} more of this line",
            count - 1
        ))),
    }
}

fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    let list = at(value, path).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

fn of_event(event: &Value, origin: &Origin) -> Result<Record, Unreadable> {
    // What it is about: a network, a subnet, an interface; or a group.
    let resource = text(event, "targetResourceID").or_else(|| text(event, "resourceId"));
    let device: Option<Arc<str>> = resource.map(last_part).map(Into::into);
    let interface = |group: &Value| {
        let mac = text(group, "mac").or_else(|| text(event, "macAddress"));
        mac.map(Side::interface)
    };
    let mut told = Vec::new();
    let mut add = |tuples: &[Value], rule: &Value, side: Option<&Side>, parse: Parse| {
        told.extend(tuples.iter().map(|tuple| {
            let tuple = tuple.as_str().ok_or_else(|| Unreadable::new("no tuple"))?;
            let (mut flow, is_inbound) = parse(&tuple.split(',').collect::<Vec<_>>(), origin)?;
            flow.rule = text(rule, "rule").map(str::to_owned);
            flow.device.clone_from(&device);
            let place = if is_inbound {
                &mut flow.ingress
            } else {
                &mut flow.egress
            };
            *place = side.cloned();
            Ok(flow)
        }));
    };
    for flow in list(event, "flowRecords.flows") {
        let side = interface(flow);
        for group in list(flow, "flowGroups") {
            add(list(group, "flowTuples"), group, side.as_ref(), of_network);
        }
    }
    for rule in list(event, "properties.flows") {
        for group in list(rule, "flows") {
            let side = interface(group);
            add(list(group, "flowTuples"), rule, side.as_ref(), of_group);
        }
    }
    if told.is_empty() && !recognises_event(event) {
        return Err(Unreadable::new("no flows in it"));
    }
    Ok(told)
}

/// Reads a tuple: a flow, and whether it came in.
type Parse = fn(&[&str], &Origin) -> Result<(Flow, bool), Unreadable>;

/// Of version 4: milliseconds, and the state says whether it was denied.
fn of_network(cells: &[&str], origin: &Origin) -> Result<(Flow, bool), Unreadable> {
    let tuple = Tuple(cells);
    let time = Timestamp::from_millisecond(tuple.value(0, "time")?);
    let mut flow = tuple.flow(time, origin)?;
    flow.protocol = Some(IpProtocol(tuple.value(5, "protocol")?));
    let state = tuple.cell(7, "state")?;
    tuple.state(&mut flow, state, state == "D", 9)?;
    Ok((flow, tuple.cell(6, "direction")? == "I"))
}

/// Of groups: seconds, and a word of its own for what was denied; version 1 ends behind it.
fn of_group(cells: &[&str], origin: &Origin) -> Result<(Flow, bool), Unreadable> {
    let tuple = Tuple(cells);
    let time = Timestamp::from_second(tuple.value(0, "time")?);
    let mut flow = tuple.flow(time, origin)?;
    flow.protocol = match tuple.cell(5, "protocol")? {
        "T" => Some(IpProtocol::TCP),
        "U" => Some(IpProtocol::UDP),
        other => return Err(Unreadable(format!("no protocol: `{other}`"))),
    };
    let is_denied = tuple.cell(7, "decision")? == "D";
    let state = cells.get(8).copied().unwrap_or_default();
    tuple.state(&mut flow, state, is_denied, 9)?;
    Ok((flow, tuple.cell(6, "direction")? == "I"))
}

struct Tuple<'a>(&'a [&'a str]);

impl<'a> Tuple<'a> {
    fn cell(&self, at: usize, what: &str) -> Result<&'a str, Unreadable> {
        let cell = self.0.get(at).copied();
        cell.ok_or_else(|| Unreadable(format!("no {what}")))
    }

    fn value<T: FromStr>(&self, at: usize, what: &str) -> Result<T, Unreadable> {
        let cell = self.cell(at, what)?;
        cell.parse()
            .map_err(|_| Unreadable(format!("no {what}: `{cell}`")))
    }

    fn flow(
        &self,
        time: Result<Timestamp, jiff::Error>,
        origin: &Origin,
    ) -> Result<Flow, Unreadable> {
        let time = time.map_err(|error| Unreadable(format!("not a time: {error}")))?;
        let mut flow = Flow::new(time, Format::AzureVnet, origin.into());
        flow.source = End::at(
            address(self.cell(1, "source")?)?,
            self.value::<u16>(3, "source port")?,
        );
        let port: u16 = self.value(4, "destination port")?;
        flow.destination = End::at(address(self.cell(2, "destination")?)?, port);
        flow.initiator_known = true;
        Ok(flow)
    }

    /// What goes on and what ends has counters of the time since the tuple before, so no tuple stands for all of a flow.
    fn state(
        &self,
        flow: &mut Flow,
        state: &str,
        is_denied: bool,
        counters: usize,
    ) -> Result<(), Unreadable> {
        flow.action = Some(if is_denied {
            Action::Denied
        } else {
            Action::Allowed
        });
        flow.stage = (state == "B").then_some(Stage::Start);
        let counter = |at: usize| -> Result<Option<u64>, Unreadable> {
            match self.0.get(counters + at) {
                None | Some(&"") => Ok(None),
                Some(_) => self.value(counters + at, "counter").map(Some),
            }
        };
        if matches!(state, "C" | "E") {
            (flow.packets.forward, flow.bytes.forward) = (counter(0)?, counter(1)?);
            (flow.packets.reverse, flow.bytes.reverse) = (counter(2)?, counter(3)?);
        } else {
            flow.bytes = Amount::default();
        }
        Ok(())
    }
}

fn last_part(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, last)| last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flows::read::tests::flows;

    /// As in the documentation of virtual network flow logs, with addresses for documentation.
    const NETWORK: &str = r#"{"records":[{"time":"2022-09-14T09:00:52.5625085Z","flowLogVersion":4,"macAddress":"112233445566",
        "category":"FlowLogFlowEvent","targetResourceID":"/subscriptions/0/resourceGroups/g/virtualNetworks/vnet01",
        "flowRecords":{"flows":[{"aclID":"a","flowGroups":[{"rule":"Internet_AnyPort","flowTuples":[
        "1663146003599,10.0.0.6,192.0.2.180,23956,443,6,O,B,NX,0,0,0,0",
        "1663146003606,10.0.0.6,192.0.2.180,23956,443,6,O,E,NX,3,767,2,1580",
        "1663146003637,203.0.113.17,10.0.0.6,22730,3389,6,I,D,NX,0,0,0,0",
        "1663146003637,x,10.0.0.6,22730,3389,6,I,D,NX,0,0,0,0"]}]}]}}]}"#;
    /// As in the documentation of network security group flow logs.
    const GROUP: &str = r#"{"records":[{"time":"2018-11-13T12:00:35.3899262Z","category":"NetworkSecurityGroupFlowEvent",
        "resourceId":"/SUBSCRIPTIONS/0/NETWORKSECURITYGROUPS/NSG1","properties":{"Version":2,"flows":[{"rule":"DefaultRule_AllowInternetOutBound",
        "flows":[{"mac":"000D3AF87856","flowTuples":["1542110402,10.0.0.4,203.0.113.5,59831,443,T,O,A,B,,,,",
        "1542110437,10.0.0.4,203.0.113.5,59831,443,T,O,A,E,1,66,2,1200","1487282421,192.0.2.18,10.0.0.4,4,3389,T,I,D"]}]}]}}]}"#;

    #[test]
    fn of_a_virtual_network() {
        let (told, why) = flows(Azure::default(), &NETWORK.replace('\n', ""));
        assert_eq!(why, ["no address: `x`"]);
        assert_eq!(told.len(), 3);
        assert_eq!(told[0].stage, Some(Stage::Start));
        assert!(told[0].bytes.is_unknown());
        assert_eq!(told[1].bytes, Amount::both(767, 1580));
        assert_eq!(told[1].time.to_string(), "2022-09-14T09:00:03.606Z");
        assert_eq!(told[1].rule.as_deref(), Some("Internet_AnyPort"));
        assert_eq!(told[1].device.as_deref(), Some("vnet01"));
        assert_eq!(told[1].egress, Some(Side::interface("112233445566")));
        assert_eq!(told[2].action, Some(Action::Denied));
        assert_eq!(told[2].ingress, Some(Side::interface("112233445566")));
    }

    #[test]
    fn what_is_still_written() {
        let record = NETWORK.replace('\n', "");
        let record = record.strip_prefix(r#"{"records":["#).unwrap();
        let record = record.strip_suffix("]}").unwrap();
        let (told, why) = flows(
            Azure::default(),
            &format!(r#"{{"records":[{record},{}"#, &record[..record.len() - 9]),
        );
        assert_eq!(told.len(), 3);
        assert_eq!(why.len(), 2, "{why:?}");
        assert!(why[1].contains("breaks off"), "{why:?}");
    }

    #[test]
    fn of_a_security_group_over_many_lines() {
        let (told, why) = flows(Azure::default(), GROUP);
        assert!(why.is_empty(), "{why:?}");
        let stages: Vec<_> = told.iter().map(|flow| flow.stage).collect();
        assert_eq!(stages, [Some(Stage::Start), None, None]);
        assert_eq!(told[1].packets, Amount::both(1, 2));
        assert_eq!(told[1].destination, End::at([203, 0, 113, 5].into(), 443));
        assert_eq!(told[2].action, Some(Action::Denied));
        assert!(told[2].bytes.is_unknown());
    }
}
