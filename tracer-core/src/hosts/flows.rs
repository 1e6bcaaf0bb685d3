//! Flows that other devices tell of, summed up as they come: a log may have millions.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
};

use jiff::Timestamp;

use super::{Hosts, Sum, observation::Who};
use crate::{
    flows::{Action, End, Flow, Origin, Stage},
    outcome::Outcome,
    protocol::Protocol,
    record::{Bytes, Direction, NameFrom},
    scope::Scope,
};

/// Rows that are kept at most.
const ROWS_MAX: usize = 1 << 20;

/// What flows have in common.
#[derive(Debug)]
pub struct Flows {
    sums: HashMap<Key, Count>,
    most: usize,
    /// How many there was no room for.
    pub left_out: u64,
    /// How many have no row: rows are of TCP and UDP between two addresses. By what they are of.
    pub others: BTreeMap<String, u64>,
}

impl Default for Flows {
    fn default() -> Self {
        Self::keeping(ROWS_MAX)
    }
}

/// What makes a sum another sum.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    device: Arc<str>,
    source: IpAddr,
    destination: IpAddr,
    port: Option<u16>,
    protocol: Protocol,
    /// Who it is, as the device says.
    user: Option<String>,
    is_denied: bool,
}

/// What is counted of them.
#[derive(Debug, Default)]
struct Count {
    /// How many connections began, ended as the source's side tells it and as the other's does, and went on.
    begun: u64,
    forth: u64,
    back: u64,
    went_on: u64,
    /// From the source, from the destination, and what is told of both together.
    bytes: Option<[u64; 3]>,
    is_guessed: bool,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    scopes: [Option<Scope>; 2],
    names: [Option<Arc<str>>; 2],
    service: Option<Arc<str>>,
}

impl Flows {
    /// Nothing yet; of so many rows at most.
    #[must_use]
    pub fn keeping(most: usize) -> Self {
        Self {
            sums: HashMap::new(),
            most,
            left_out: 0,
            others: BTreeMap::new(),
        }
    }

    /// Takes a flow.
    pub fn take(&mut self, flow: &Flow) {
        let (Some(one), Some(other)) = (flow.source.ip, flow.destination.ip) else {
            *self.others.entry("no address".to_owned()).or_default() += 1;
            return;
        };
        let known = flow.protocol;
        let Some(protocol) = known.and_then(|one| Protocol::of_number(one.0)) else {
            let name = known.map_or_else(|| "no protocol".to_owned(), |one| one.to_string());
            *self.others.entry(name).or_default() += 1;
            return;
        };
        let is_reversed = is_reversed(flow, (one, other));
        let (source, destination) = if is_reversed {
            (&flow.destination, &flow.source)
        } else {
            (&flow.source, &flow.destination)
        };
        let (from, to) = if is_reversed {
            (other, one)
        } else {
            (one, other)
        };
        let key = Key {
            device: device(flow),
            source: from,
            destination: to,
            port: destination.port,
            protocol,
            user: source.user.clone().or_else(|| destination.user.clone()),
            is_denied: flow.action == Some(Action::Denied),
        };
        if self.sums.len() >= self.most && !self.sums.contains_key(&key) {
            self.left_out += 1;
            return;
        }
        let count = self.sums.entry(key).or_default();
        count.add(flow, is_reversed, [source, destination]);
    }

    /// Hands them over.
    pub fn finish(self, hosts: &mut Hosts) {
        hosts.left_out_of_flows(self.left_out);
        for (key, count) in self.sums {
            let device = key.device.clone();
            hosts.sum(&device, count.sum(key));
        }
    }
}

impl Count {
    fn add(&mut self, flow: &Flow, is_reversed: bool, ends: [&End; 2]) {
        let stage = flow.stage;
        match stage {
            Some(Stage::Start) => self.begun += 1,
            Some(Stage::Update) => self.went_on += 1,
            Some(Stage::End) | None if is_reversed => self.back += 1,
            Some(Stage::End) | None => self.forth += 1,
        }
        // What is told at the beginning has moved nothing, and what is told meanwhile is told again at the end.
        if matches!(stage, Some(Stage::End) | None) && !flow.bytes.is_unknown() {
            let amount = flow.bytes;
            let mut ways = [amount.forward, amount.reverse];
            if is_reversed {
                ways.reverse();
            }
            let both = amount.total.filter(|_| ways == [None, None]);
            let more = [ways[0], ways[1], both].map(Option::unwrap_or_default);
            let known = self.bytes.unwrap_or_default();
            let sum = |at: usize| -> u64 { known[at].saturating_add(more[at]) };
            self.bytes = Some([sum(0), sum(1), sum(2)]);
        }
        self.is_guessed |= !flow.initiator_known;
        let (first, last) = (flow.time, flow.end.unwrap_or(flow.time));
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
        self.last = Some(self.last.map_or(last, |known| known.max(last)));
        for (at, end) in ends.into_iter().enumerate() {
            self.scopes[at] = end.scope.or(self.scopes[at]);
            if self.names[at].is_none() {
                self.names[at] = end.name.as_deref().map(Into::into);
            }
        }
        if self.service.is_none() {
            self.service = flow.service.as_deref().map(Into::into);
        }
    }

    /// A device may tell that a connection begins and that it ends, and of each way of it on its own: there were as many
    /// as it tells of most often. Of what only goes on there is one.
    fn connections(&self) -> u64 {
        let told = self.begun.max(self.forth).max(self.back);
        told.max(self.went_on.min(1))
    }

    fn sum(self, key: Key) -> Sum {
        // Who asks looks from inside.
        let is_inbound =
            self.scopes[0] == Some(Scope::External) && self.scopes[1] != Some(Scope::External);
        let connections = self.connections();
        let [source_name, destination_name] = self.names;
        let [source_scope, destination_scope] = self.scopes;
        let [forth, back, either_way] = self.bytes.unwrap_or_default();
        let (near, far) = (key.source, key.destination);
        let sum = Sum {
            direction: Some(Direction::Outbound),
            is_observed: !self.is_guessed,
            is_of_device: true,
            protocol: key.protocol,
            local: Some(near),
            remote: Some(far),
            port: key.port,
            other_port: None,
            netns: 0,
            failed: key.is_denied.then_some(Outcome::Denied),
            connections,
            open: 0,
            bytes: self.bytes.map(|_| Bytes {
                sent: forth,
                received: back,
            }),
            either_way,
            first: self.first.unwrap_or_default(),
            last: self.last.unwrap_or_default(),
            open_before: false,
            who: key.user.map(|user| {
                Arc::new(Who {
                    user: Some(user),
                    user_from: Some(NameFrom::Device),
                    ..Who::default()
                })
            }),
            remote_name: destination_name,
            scope: destination_scope,
            service: self.service,
            state: None,
        };
        if !is_inbound {
            return sum;
        }
        Sum {
            direction: Some(Direction::Inbound),
            local: Some(far),
            remote: Some(near),
            bytes: self.bytes.map(|_| Bytes {
                sent: back,
                received: forth,
            }),
            remote_name: source_name,
            scope: source_scope,
            ..sum
        }
    }
}

/// Whether who is written first was connected to. Where nobody knows who began, it is taken for who has the higher
/// port: then both ways of a connection that are told of on their own come together.
fn is_reversed(flow: &Flow, (one, other): (IpAddr, IpAddr)) -> bool {
    let place = |end: &End, ip: IpAddr| (end.port, ip);
    !flow.initiator_known && place(&flow.source, one) < place(&flow.destination, other)
}

/// Who tells it.
fn device(flow: &Flow) -> Arc<str> {
    let exporter = || match &flow.origin {
        Origin::Packet(packet) => packet.exporter.as_deref().map(Into::into),
        Origin::Line { .. } => None,
    };
    let device = flow.device.clone().or_else(exporter);
    device.unwrap_or_else(|| flow.format.word().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        flows::{Amount, Format, Packet, ip::IpProtocol},
        hosts::{Grouping, Row, Sort},
    };

    const INSIDE: [u8; 4] = [10, 0, 0, 5];
    const OUTSIDE: [u8; 4] = [203, 0, 113, 9];

    fn flow(from: ([u8; 4], u16), to: ([u8; 4], u16), bytes: Amount) -> Flow {
        let origin = Origin::Packet(Packet::default());
        let mut flow = Flow::new(Timestamp::UNIX_EPOCH, Format::Netflow5, origin);
        flow.source = End::at(from.0.into(), from.1);
        flow.destination = End::at(to.0.into(), to.1);
        for end in [&mut flow.source, &mut flow.destination] {
            let is_inside = end.ip == Some(INSIDE.into());
            end.scope = Some(if is_inside {
                Scope::Private
            } else {
                Scope::External
            });
        }
        flow.protocol = Some(IpProtocol::TCP);
        flow.bytes = bytes;
        flow
    }

    fn rows(all: &[Flow], grouping: Grouping) -> Vec<Row> {
        let mut flows = Flows::default();
        for flow in all {
            flows.take(flow);
        }
        let mut hosts = Hosts::default();
        flows.finish(&mut hosts);
        hosts.rows(grouping, Sort::Destination)
    }

    fn only(all: &[Flow]) -> Row {
        let mut rows = rows(all, Grouping::None);
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    fn out(bytes: Amount) -> Flow {
        flow((INSIDE, 50000), (OUTSIDE, 443), bytes)
    }

    #[test]
    fn both_ways_of_a_connection_are_one_row() {
        let back = flow((OUTSIDE, 443), (INSIDE, 50000), Amount::forward(900));
        for all in [
            [out(Amount::forward(100)), back.clone()],
            [back.clone(), out(Amount::forward(100))],
        ] {
            let row = only(&all);
            assert_eq!(row.destination.ip, Some(OUTSIDE.into()));
            assert_eq!(row.destination.port, Some(443));
            assert_eq!((row.connections, row.initiator_known), (1, false));
            let moved = row.bytes.unwrap();
            assert_eq!((moved.to_destination, moved.to_source), (100, 900));
            assert_eq!(row.scope, Some(Scope::External));
        }
    }

    #[test]
    fn who_began_is_believed_and_who_asks_is_inside() {
        let mut flow = flow((OUTSIDE, 40000), (INSIDE, 50000), Amount::both(7, 5));
        flow.initiator_known = true;
        let row = only(&[flow]);
        assert_eq!(
            row.source.as_ref().and_then(|one| one.ip),
            Some(OUTSIDE.into())
        );
        assert_eq!(row.destination.port, Some(50000));
        assert!(row.initiator_known);
        assert_eq!(row.scope, Some(Scope::External));
        let moved = row.bytes.unwrap();
        assert_eq!((moved.to_destination, moved.to_source), (7, 5));
    }

    #[test]
    fn a_session_that_is_told_of_twice_is_one() {
        let stages = [Stage::Start, Stage::Update, Stage::End];
        let all = stages.map(|stage| {
            let mut flow = out(Amount::total(50));
            flow.stage = Some(stage);
            flow
        });
        let row = only(&all);
        assert_eq!(row.connections, 1);
        let moved = row.bytes.unwrap();
        assert_eq!((moved.either_way, moved.both()), (50, 50));
        assert_eq!(only(&all[1..2]).connections, 1);
        assert_eq!(only(&all[1..2]).bytes, None);
    }

    #[test]
    fn what_was_denied_is_no_connection() {
        let mut flow = out(Amount::default());
        flow.action = Some(Action::Denied);
        let row = only(&[flow.clone(), flow, out(Amount::forward(1))]);
        assert_eq!((row.connections, row.failed.get("denied")), (1, Some(&2)));
    }

    #[test]
    fn users_are_those_that_the_device_names() {
        let mut alice = out(Amount::forward(1));
        alice.source.user = Some("CORP\\alice".to_owned());
        let rows = rows(&[alice, out(Amount::forward(2))], Grouping::User);
        let names: Vec<&str> = rows
            .iter()
            .filter_map(|row| Some(row.group.as_ref()?.name.as_str()))
            .collect();
        assert_eq!(names, ["-", "CORP\\alice"]);
        let row = &rows[1];
        assert_eq!(row.users[0].label(), "CORP\\alice");
        assert!(row.processes.is_empty());
        let json = serde_json::to_value(&row.users).unwrap();
        let expected = serde_json::json!([{"name": "CORP\\alice", "name_from": "device"}]);
        assert_eq!(json, expected);
    }

    #[test]
    fn what_has_no_row_and_what_has_no_room_is_counted() {
        let mut flows = Flows::keeping(1);
        let mut icmp = out(Amount::default());
        icmp.protocol = Some(IpProtocol(1));
        let mut named = out(Amount::default());
        named.source.ip = None;
        let other = flow((INSIDE, 50000), (OUTSIDE, 22), Amount::default());
        for flow in [&icmp, &named, &out(Amount::default()), &other] {
            flows.take(flow);
        }
        assert_eq!(flows.others.values().sum::<u64>(), 2);
        assert_eq!(flows.left_out, 1);
        let mut hosts = Hosts::default();
        flows.finish(&mut hosts);
        assert_eq!(hosts.left_out(), 1);
    }

    proptest! {
        #[test]
        fn bytes_add_up_in_any_order(
            all in prop::collection::vec((0_u16..3, 0_u16..3, 0_u64..1000, any::<bool>()), 1..30)
        ) {
            let mut flows: Vec<Flow> = all
                .iter()
                .map(|(from, to, bytes, is_back)| {
                    let (one, other) = ((INSIDE, 5000 + from), (OUTSIDE, 400 + to));
                    if *is_back {
                        flow(other, one, Amount::forward(*bytes))
                    } else {
                        flow(one, other, Amount::forward(*bytes))
                    }
                })
                .collect();
            let forth = rows(&flows, Grouping::None);
            flows.reverse();
            prop_assert_eq!(&forth, &rows(&flows, Grouping::None));
            let sum: u128 = forth.iter().filter_map(|row| row.bytes).map(super::super::Moved::both).sum();
            prop_assert_eq!(sum, all.iter().map(|one| u128::from(one.2)).sum::<u128>());
        }
    }
}
