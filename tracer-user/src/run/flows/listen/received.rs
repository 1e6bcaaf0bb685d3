//! What was received: read, and told.

use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;
use tracer_core::{
    flows::{
        Packet,
        export::{self, Exporters, sflow::Agents},
        read::{Around, Kind, Now},
    },
    logs,
};
use tracing::{error, info};

use crate::{
    cli::{FlowLogArgs, ShowArgs},
    run::{
        Ending, NOTES,
        flows::{deal, out::Out, problems::Problems},
    },
};

/// What it is called where a problem is told.
const NAME: &str = "received";

/// Reads what comes, and hands it over.
pub struct Received {
    out: Out,
    now: Now,
    /// Who sends packets.
    exporters: Exporters,
    /// Who sends samples.
    agents: Agents,
    /// Who sends lines.
    senders: logs::Senders<Kind>,
    problems: Problems,
    packets: u64,
}

impl Received {
    /// What is told goes where these flags say.
    pub fn new(log: &FlowLogArgs, show: &ShowArgs) -> anyhow::Result<Self> {
        let now = Now::from(Timestamp::now());
        let around = Around {
            zone: log.tz.clone(),
            year: log.year,
            now: now.clone(),
        };
        Ok(Self {
            out: Out::new(show)?,
            now,
            exporters: Exporters::default(),
            agents: Agents::default(),
            senders: logs::Senders::new(log.format, around),
            problems: Problems::new(NAME),
            packets: 0,
        })
    }

    /// Takes a packet of an exporter.
    pub fn packet(&mut self, from: SocketAddr, payload: &[u8]) -> anyhow::Result<()> {
        let mut taken = export::Taken::default();
        let packet = self.next(from);
        self.exporters.take(payload, &packet, &mut taken);
        deal::packets(&mut taken, &mut self.problems, &mut self.out)
    }

    /// Takes samples of an agent.
    pub fn samples(&mut self, from: SocketAddr, payload: &[u8]) -> anyhow::Result<()> {
        let mut taken = export::Taken::default();
        let packet = self.next(from);
        self.agents
            .take(payload, &packet, Timestamp::now(), &mut taken);
        deal::packets(&mut taken, &mut self.problems, &mut self.out)
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
        self.now.set(Timestamp::now());
        let name = from.to_string();
        let mut taken = logs::Taken::default();
        for line in String::from_utf8_lossy(message).lines() {
            let line = line.trim_matches(['\0', '\r']);
            if !line.is_empty() {
                self.senders.line(&name, line, &mut taken);
            }
        }
        deal::lines(&mut taken, &mut self.problems, &mut self.out)
    }

    /// A message was so long that it was passed over.
    pub fn too_long(&mut self, from: IpAddr) {
        let why = format!("a message of more than {} bytes", logs::MESSAGE_MAX);
        self.problems.take(&format!("from {from}"), &why);
    }

    /// Hands over what was told.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        Ok(self.out.flush()?)
    }

    /// Nothing more comes. `dropped`: datagrams for which the kernel had no room.
    pub fn end(mut self, dropped: u64) -> anyhow::Result<Ending> {
        let mut taken = logs::Taken::default();
        self.senders.end(&mut taken);
        deal::lines(&mut taken, &mut self.problems, &mut self.out)?;
        let mut taken = export::Taken::default();
        self.exporters.end(&mut taken);
        deal::packets(&mut taken, &mut self.problems, &mut self.out)?;
        self.out.flush()?;
        let missed = self.tell_missed();
        let unrecognised = self.senders.unrecognised;
        let problems = self.problems.end();
        if dropped > 0 {
            error!(
                "{dropped} datagrams came faster than they could be read, and were dropped by the kernel"
            );
        }
        info!(
            target: NOTES,
            "flows: {}; not selected: {}; could not be read: {problems}; lines of no format that is known: {unrecognised}; \
             missed: {missed}; dropped: {dropped}",
            self.out.told,
            self.out.left,
        );
        Ok(match problems + dropped + missed {
            0 => Ending::Done,
            _ => Ending::Incomplete,
        })
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
