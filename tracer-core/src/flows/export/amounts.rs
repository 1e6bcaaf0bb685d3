//! How much, and which way.

use super::{
    element::{self as e, Element},
    message::Version,
    record::Record,
};
use crate::flows::{Amount, Stage};

/// The elements that count the same.
pub(super) struct Counters {
    /// Since the last record of the flow.
    delta: Element,
    /// Since it began.
    total: Element,
    /// What went out.
    out: Element,
    initiator: Element,
    responder: Element,
}

pub(super) const BYTES: Counters = Counters {
    delta: e::OCTETS,
    total: e::TOTAL_OCTETS,
    out: e::OUT_OCTETS,
    initiator: e::INITIATOR_OCTETS,
    responder: e::RESPONDER_OCTETS,
};
pub(super) const PACKETS: Counters = Counters {
    delta: e::PACKETS,
    total: e::TOTAL_PACKETS,
    out: e::OUT_PACKETS,
    initiator: e::INITIATOR_PACKETS,
    responder: e::RESPONDER_PACKETS,
};

impl Counters {
    /// Whether it is told what the initiator sent. That of the responder alone is not looked at: some
    /// makers use its number in version 9 for something else.
    pub fn has_initiator(&self, record: &Record) -> bool {
        record.has(self.initiator)
    }

    /// What a record tells.
    pub fn read(&self, record: &Record, version: Version, stage: Option<Stage>) -> Amount {
        let amount = |forward, reverse| Amount {
            forward,
            reverse,
            ..Amount::default()
        };
        if self.has_initiator(record) {
            let [initiator, responder] = [self.initiator, self.responder];
            return amount(record.number(initiator), record.number(responder));
        }
        let one_way = |reverse: bool| self.one_way(record, stage, reverse);
        let (forward, reverse) = (one_way(false), one_way(true));
        let out = record.number(self.out);
        // By the registry, what went out is what came in, after the device. Routers that export on the
        // way out tell it alone. An exporter of version 9 that tells both tells of both ways: firewalls
        // do so, with zeros for what is not answered, while a router would but repeat itself.
        match (forward, version) {
            (None, _) => amount(out, reverse),
            (_, Version::Netflow9) => amount(forward, reverse.or(out)),
            _ => amount(forward, reverse),
        }
    }

    /// Of a flow that is over, all of it; else what is new.
    fn one_way(&self, record: &Record, stage: Option<Stage>, reverse: bool) -> Option<u64> {
        let way = |element: Element| if reverse { element.reverse() } else { element };
        let order = match stage {
            Some(Stage::End) => [self.total, self.delta],
            _ => [self.delta, self.total],
        };
        record.any(&order.map(way))
    }

    /// Both ways together, as Cisco's older firewalls count.
    pub fn together(&self, record: &Record) -> Option<Amount> {
        record.number(self.total).map(Amount::total)
    }
}
