//! Flows of other devices, as they are shown.

mod csv;
mod ecs;
mod ocsf;
mod table;

use super::{
    Layout,
    indicators::{At, Met},
    json::line,
    nemesis::flows as nemesis,
};
use crate::{
    flows::{End, Flow},
    scope::Scope,
};

/// Ways to write flows.
#[derive(Debug)]
pub enum As {
    /// Columns for people.
    Table(Layout),
    /// The same, with what was made of them by their host.
    Attributed(Layout),
    /// One JSON object a line.
    Json,
    /// Comma-separated values.
    Csv,
    /// Elastic Common Schema, one JSON object a line.
    Ecs,
    /// OCSF, Network Activity, one JSON object a line.
    Ocsf,
    /// Messages of Nemesis 1.x, one JSON object a line.
    Nemesis(Box<nemesis::Flows>),
}

impl As {
    /// Appends what stands above all flows, if anything does.
    pub fn begin(&self, out: &mut Vec<u8>) {
        match self {
            Self::Table(layout) => table::headings(table::COLUMNS, *layout, out),
            Self::Attributed(layout) => table::headings(table::ATTRIBUTED, *layout, out),
            Self::Csv => csv::headings(out),
            Self::Json | Self::Ecs | Self::Ocsf | Self::Nemesis(_) => {}
        }
    }

    /// Appends a flow, complete with its line end, or what is complete before it.
    pub fn write(&mut self, flow: &Flow, out: &mut Vec<u8>) {
        match self {
            Self::Table(layout) => table::row(table::COLUMNS, flow, *layout, out),
            Self::Attributed(layout) => table::row(table::ATTRIBUTED, flow, *layout, out),
            Self::Json => line(flow, out),
            Self::Csv => csv::row(flow, out),
            Self::Ecs => ecs::write(flow, out),
            Self::Ocsf => ocsf::write(flow, out),
            Self::Nemesis(messages) => messages.write(flow, out),
        }
    }

    /// Appends what waited for more flows.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if let Self::Nemesis(messages) = self {
            messages.end(out);
        }
    }
}

/// The indicators that its ends have met.
fn met(flow: &Flow) -> Met<'_> {
    fn at(end: &End) -> At<'_> {
        At {
            ip: end.ip,
            hits: &end.threat,
        }
    }
    Met {
        source: at(&flow.source),
        destination: at(&flow.destination),
    }
}

/// Where a flow went, as seen from the networks that are not external.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Inbound,
    Outbound,
    Internal,
    External,
}

impl Way {
    /// Of a flow whose ends were judged, if it is known who has begun it.
    fn of(flow: &Flow) -> Option<Self> {
        let is_external = |scope: Scope| scope == Scope::External;
        let (source, destination) = (flow.source.scope?, flow.destination.scope?);
        let way = match (is_external(source), is_external(destination)) {
            (true, true) => Self::External,
            (false, false) => Self::Internal,
            (true, false) => Self::Inbound,
            (false, true) => Self::Outbound,
        };
        let is_one_way = matches!(way, Self::Inbound | Self::Outbound);
        (flow.initiator_known || !is_one_way).then_some(way)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::flows::{
        Action, Amount, End, Format, Icmp, Origin, Side, Stage, TcpFlags, ip::IpProtocol,
    };
    use crate::format::nemesis::message::{Expiration, Profile};

    /// A flow with everything.
    pub fn flow() -> Flow {
        let origin = Origin::Line {
            file: "fw.log".into(),
            line: 7,
        };
        let time = Timestamp::from_second(1_700_000_000).unwrap();
        let mut flow = Flow::new(time, Format::PanosTraffic, origin);
        flow.end = Timestamp::from_second(1_700_000_012).ok();
        flow.source = End::at([10, 0, 0, 5].into(), 52344);
        flow.source.user = Some("CORP\\alice".to_owned());
        flow.source
            .translate(Some([192, 0, 2, 1].into()), Some(1024));
        flow.source.scope = Some(Scope::Private);
        flow.destination = End::at([9, 9, 9, 9].into(), 443);
        flow.destination.scope = Some(Scope::External);
        flow.initiator_known = true;
        flow.protocol = Some(IpProtocol::TCP);
        flow.bytes = Amount::both(1500, 20_000);
        flow.packets = Amount::total(30);
        flow.action = Some(Action::Allowed);
        flow.stage = Some(Stage::End);
        flow.reason = Some("tcp-fin".to_owned());
        flow.rule = Some("out\u{1b}[2J".to_owned());
        flow.ingress = Some(Side {
            interface: Some("ethernet1/2".to_owned()),
            zone: Some("trust".to_owned()),
        });
        flow.session = Some("22751".to_owned());
        flow.flags = Some(TcpFlags(2));
        flow.application = Some("ssl".to_owned());
        flow.service = Some("https".to_owned());
        flow.device = Some("fw-1".into());
        flow
    }

    /// What is written of flows.
    pub fn written(mut by: As, flows: &[Flow]) -> String {
        let mut out = Vec::new();
        by.begin(&mut out);
        for flow in flows {
            by.write(flow, &mut out);
        }
        by.end(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn ways() {
        let mut flow = flow();
        assert_eq!(Way::of(&flow), Some(Way::Outbound));
        flow.initiator_known = false;
        assert_eq!(Way::of(&flow), None);
        flow.destination.scope = Some(Scope::Loopback);
        assert_eq!(Way::of(&flow), Some(Way::Internal));
        flow.destination.scope = None;
        assert_eq!(Way::of(&flow), None);
    }

    #[test]
    fn nothing_reaches_a_terminal_raw() {
        let mut icmp = flow();
        icmp.icmp = Some(Icmp { kind: 8, code: 0 });
        let layout = Layout {
            width: None,
            is_coloured: false,
            is_wide: true,
        };
        let profile = Profile {
            project: "p".to_owned(),
            expiration: Expiration::At(Timestamp::UNIX_EPOCH),
            rows_max: 1,
        };
        for by in [
            As::Table(layout),
            As::Json,
            As::Csv,
            As::Ecs,
            As::Ocsf,
            As::Nemesis(Box::new(nemesis::Flows::new(profile))),
        ] {
            let text = written(by, &[flow(), icmp.clone()]);
            assert!(!text.contains('\u{1b}'), "{text}");
            assert!(text.contains("52344") && text.ends_with('\n'), "{text}");
        }
    }
}
