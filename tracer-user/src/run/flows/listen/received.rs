//! What was received: read, and told.

use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;
use tracer_core::{
    flows::{
        Packet,
        export::{self, Exporters, sflow::Agents},
    },
    logs,
};
use tracing::{error, info};

use crate::{
    cli::{FlowLogArgs, FlowOutArgs},
    run::{
        Ending, NOTES,
        flows::{deal, lines::Lines},
    },
};

/// What it is called where a problem is told.
const NAME: &str = "received";

/// Reads what comes, and hands it over.
pub struct Received {
    lines: Lines,
    /// Who sends packets.
    exporters: Exporters,
    /// Who sends samples.
    agents: Agents,
    packets: u64,
}

impl Received {
    /// What is told goes where these flags say.
    pub fn new(log: &FlowLogArgs, out: &FlowOutArgs) -> anyhow::Result<Self> {
        Ok(Self {
            lines: Lines::new(NAME, log, out)?,
            exporters: Exporters::default(),
            agents: Agents::default(),
            packets: 0,
        })
    }

    /// Takes a packet of an exporter.
    pub fn packet(&mut self, from: SocketAddr, payload: &[u8]) -> anyhow::Result<()> {
        let mut taken = export::Taken::default();
        let packet = self.next(from);
        self.exporters.take(payload, &packet, &mut taken);
        self.deal(&mut taken)
    }

    /// Takes samples of an agent.
    pub fn samples(&mut self, from: SocketAddr, payload: &[u8]) -> anyhow::Result<()> {
        let mut taken = export::Taken::default();
        let packet = self.next(from);
        self.agents
            .take(payload, &packet, Timestamp::now(), &mut taken);
        self.deal(&mut taken)
    }

    /// What is told of the next packet.
    fn next(&mut self, from: SocketAddr) -> Packet {
        self.packets += 1;
        Packet {
            file: None,
            packet: Some(self.packets),
            exporter: Some(from.to_string().into()),
            sequence: None,
        }
    }

    /// Takes a message of syslog; as one has it by UDP, it may have several lines.
    pub fn message(&mut self, from: IpAddr, message: &[u8]) -> anyhow::Result<()> {
        let name = from.to_string();
        let text = String::from_utf8_lossy(message);
        text.lines()
            .try_for_each(|line| self.lines.take(&name, line))
    }

    /// A message was so long that it was passed over.
    pub fn too_long(&mut self, from: IpAddr) {
        let why = format!("a message of more than {} bytes", logs::MESSAGE_MAX);
        self.lines.problems.take(&format!("from {from}"), &why);
    }

    /// Hands over what was told.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        self.lines.flush()
    }

    /// Nothing more comes. `dropped`: datagrams for which the kernel had no room.
    pub fn end(mut self, dropped: u64) -> anyhow::Result<Ending> {
        let mut taken = export::Taken::default();
        self.exporters.end(&mut taken);
        self.deal(&mut taken)?;
        let missed = self.tell_missed();
        if dropped > 0 {
            error!(
                "{dropped} datagrams came faster than they could be read, and were dropped by the kernel"
            );
        }
        info!(target: NOTES, "missed: {missed}; dropped: {dropped}");
        let ending = self.lines.end()?;
        Ok(match dropped + missed {
            0 => ending,
            _ => ending.worse(Ending::Incomplete),
        })
    }

    fn deal(&mut self, taken: &mut export::Taken) -> anyhow::Result<()> {
        deal::packets(taken, &mut self.lines.problems, &mut self.lines.out)
    }

    /// Says what exporters sent that never came. How much in all.
    fn tell_missed(&self) -> u64 {
        let mut all = 0_u64;
        let mut tell = |who: String, missed: u64, came: u64| {
            if missed > 0 {
                error!("{who}: {missed} missed, by its numbers; {came} packets came");
            }
            all = all.saturating_add(missed);
        };
        for one in self.exporters.standing() {
            let name = one.exporter.as_deref().unwrap_or_default();
            let (version, domain) = (one.version.format().word(), one.domain);
            tell(
                format!("{name}, {version}, domain {domain}"),
                one.missed,
                one.packets,
            );
        }
        for one in self.agents.standing() {
            let (agent, part) = (one.agent, one.sub_agent);
            tell(
                format!("{agent}, sflow, part {part}"),
                one.missed,
                one.packets,
            );
        }
        all
    }
}
