//! The formats of logs that are known.

use serde_json::Value;

use super::{
    Around, asa, aws, azure, conntrack, gcp, nfdump, own, panos, sentinelone, suricata, zeek,
};
use crate::{
    flows::Flow,
    logs::{self, Reader},
};

/// A format of a log of flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// System log of Cisco's ASA and FTD.
    Asa,
    /// Traffic logs of Palo Alto's PAN-OS.
    Panos,
    /// Deep Visibility of `SentinelOne`.
    SentinelOne,
    /// Connections of Zeek.
    Zeek,
    /// EVE of Suricata.
    Suricata,
    /// VPC flow logs of AWS.
    Aws,
    /// Flow logs of Azure.
    Azure,
    /// VPC flow logs of Google Cloud.
    Gcp,
    /// Events of Linux's connection tracking.
    Conntrack,
    /// JSON of nfdump.
    Nfdump,
    /// What conntracer wrote with `-o json`.
    Conntracer,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::Asa,
        Self::Panos,
        Self::SentinelOne,
        Self::Zeek,
        Self::Suricata,
        Self::Aws,
        Self::Azure,
        Self::Gcp,
        Self::Conntrack,
        Self::Nfdump,
        Self::Conntracer,
    ];
}

impl logs::Kind for Kind {
    type Item = Flow;
    type Around = Around;

    fn reader(self, around: &Around) -> Box<dyn Reader<Flow>> {
        match self {
            Self::Asa => Box::new(asa::Asa::new(around)),
            Self::Panos => Box::new(panos::Panos::new(around)),
            Self::SentinelOne => Box::new(sentinelone::SentinelOne::new(around)),
            Self::Zeek => Box::new(zeek::Zeek::default()),
            Self::Suricata => Box::new(suricata::reader()),
            Self::Aws => Box::new(aws::Aws::new(around)),
            Self::Azure => Box::new(azure::Azure::default()),
            Self::Gcp => Box::new(gcp::reader()),
            Self::Conntrack => Box::new(conntrack::Conntrack),
            Self::Nfdump => Box::new(nfdump::reader(around)),
            Self::Conntracer => Box::new(own::Own::new(around)),
        }
    }

    fn all() -> &'static [Self] {
        &Self::ALL
    }

    fn word(self) -> &'static str {
        match self {
            Self::Asa => "cisco-asa",
            Self::Panos => "panos-traffic",
            Self::SentinelOne => "sentinelone",
            Self::Zeek => "zeek-conn",
            Self::Suricata => "suricata-eve",
            Self::Aws => "aws-vpc",
            Self::Azure => "azure-vnet",
            Self::Gcp => "gcp-vpc",
            Self::Conntrack => "conntrack",
            Self::Nfdump => "nfdump",
            Self::Conntracer => "conntracer",
        }
    }

    fn recognises(self, line: &str) -> bool {
        match self {
            Self::Asa => asa::recognises(line),
            Self::Panos => panos::recognises(line),
            Self::SentinelOne => sentinelone::recognises(line),
            Self::Zeek => zeek::recognises(line),
            Self::Aws => aws::recognises(line),
            Self::Conntrack => conntrack::recognises(line),
            Self::Conntracer => own::recognises(line),
            // They are known by an event.
            Self::Suricata | Self::Azure | Self::Gcp | Self::Nfdump => false,
        }
    }

    fn recognises_event(self, event: &Value) -> bool {
        match self {
            Self::SentinelOne => sentinelone::recognises_event(event),
            Self::Zeek => zeek::recognises_event(event),
            Self::Suricata => suricata::recognises_event(event),
            Self::Azure => azure::recognises_event(event),
            Self::Gcp => gcp::recognises_event(event),
            Self::Nfdump => nfdump::recognises_event(event),
            Self::Conntracer => own::recognises_event(event),
            Self::Asa | Self::Panos | Self::Aws | Self::Conntrack => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};
    use proptest::prelude::*;

    use super::*;
    use crate::logs::{Kind as _, Log, Readers, Taken};

    /// A log of each format that has one.
    const LOGS: [(Kind, &str); 10] = [
        (
            Kind::Asa,
            include_str!("../../../../tests/fixtures/flows/asa.log"),
        ),
        (
            Kind::Panos,
            include_str!("../../../../tests/fixtures/flows/panos.log"),
        ),
        (
            Kind::SentinelOne,
            include_str!("../../../../tests/fixtures/flows/sentinelone.csv"),
        ),
        (
            Kind::Zeek,
            include_str!("../../../../tests/fixtures/flows/zeek.log"),
        ),
        (
            Kind::Suricata,
            include_str!("../../../../tests/fixtures/flows/suricata.json"),
        ),
        (
            Kind::Aws,
            include_str!("../../../../tests/fixtures/flows/aws.log"),
        ),
        (
            Kind::Azure,
            include_str!("../../../../tests/fixtures/flows/azure.json"),
        ),
        (
            Kind::Gcp,
            include_str!("../../../../tests/fixtures/flows/gcp.json"),
        ),
        (
            Kind::Conntrack,
            include_str!("../../../../tests/fixtures/flows/conntrack.log"),
        ),
        (
            Kind::Nfdump,
            include_str!("../../../../tests/fixtures/flows/nfdump.json"),
        ),
    ];

    fn around() -> Around {
        Around {
            zone: TimeZone::UTC,
            year: None,
            fields: None,
            now: Timestamp::UNIX_EPOCH.into(),
        }
    }

    /// How many flows a text tells, and how much of it cannot be read.
    fn read(kind: Option<Kind>, text: &str) -> Option<(usize, usize)> {
        let mut readers = Readers::new(around());
        let mut log = Log::new("log", kind, &mut readers);
        let mut taken = Taken::default();
        for line in text.lines() {
            log.line(line, &mut taken).ok()?;
        }
        log.end(&mut taken).ok()?;
        Some((taken.told.len(), taken.problems.len()))
    }

    #[test]
    fn each_is_recognised_among_all() {
        for (kind, text) in LOGS {
            let named = read(Some(kind), text);
            assert!(named.is_some_and(|(told, _)| told > 0), "{kind:?}");
            assert_eq!(read(None, text), named, "{kind:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_one_panic(text in "\\PC{0,200}(\n\\PC{0,100}){0,3}") {
            for kind in Kind::all() {
                read(Some(*kind), &text);
            }
            read(None, &text);
        }

        #[test]
        fn no_damage_makes_one_panic(
            at in any::<prop::sample::Index>(),
            with in "\\PC{0,3}",
            cut in any::<prop::sample::Index>(),
        ) {
            for (kind, text) in LOGS {
                let chars: Vec<char> = text.chars().collect();
                let (at, cut) = (at.index(chars.len()), cut.index(chars.len()));
                // Something in place of a character, and the end torn off.
                let changed: String = chars[..at]
                    .iter()
                    .copied()
                    .chain(with.chars())
                    .chain(chars[at + 1..].iter().copied())
                    .take(cut.max(chars.len() / 2))
                    .collect();
                read(Some(kind), &changed);
                read(None, &changed);
            }
        }
    }
}
