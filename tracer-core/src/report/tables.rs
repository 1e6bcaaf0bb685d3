//! The tables of a report.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Report,
    external::{Peer, is_external, is_outbound, peers, sent_received, sum},
    notes::Finding,
    summary::Gathered,
    table::{Cell, Kind, Table, Texts, count, time},
};
use crate::{
    clock::{Anchor, Clock},
    format::{hosts::cells::Column as Shown, place},
    hosts::{Row, User},
    protocol::Protocol,
    threat::Hit,
};

/// What makes tables of what was gathered.
pub struct Tables<'a> {
    report: &'a Report,
    gathered: &'a Gathered,
    /// All texts of all tables.
    pub texts: Texts,
    clock: Clock,
}

impl<'a> Tables<'a> {
    /// None yet.
    pub fn new(report: &'a Report, gathered: &'a Gathered) -> Self {
        let anchor = Anchor {
            boot_ns: 0,
            utc_ns: 0,
            offset_s: 0,
            zone: "UTC".to_owned(),
        };
        Self {
            report,
            gathered,
            texts: Texts::default(),
            clock: Clock::new(anchor),
        }
    }

    /// Whom the hosts connected to for the first time in the window, in the order of time.
    pub fn new_destinations(&mut self) -> Table {
        let columns = [
            ("First seen", Kind::Time),
            ("Destination", Kind::Address),
            ("Name", Kind::Text),
            ("Scope", Kind::Text),
            ("Where", Kind::Text),
            ("Threat", Kind::Text),
            ("Process (pid)", Kind::Text),
            ("User", Kind::Text),
            ("Connections", Kind::Count),
            ("Failed", Kind::Text),
            ("Bytes out", Kind::Bytes),
            ("Bytes in", Kind::Bytes),
            ("Command", Kind::Text),
            ("Service", Kind::Text),
            ("Unit or container", Kind::Text),
            ("Seen by", Kind::Text),
        ];
        let caption = "Destinations that are new in this window";
        let mut table = Table::new("new", caption, &columns, ("First seen", false));
        let gathered = self.gathered;
        let mut rows: Vec<&Row> = gathered.new_rows().collect();
        rows.sort_by(|one, other| one.first_seen.cmp(&other.first_seen));
        for row in rows {
            let (out, back) = moved(row);
            let cells = vec![
                time(&row.first_seen),
                self.cell(row, Shown::Destination),
                self.cell(row, Shown::Name),
                self.cell(row, Shown::Scope),
                self.cell(row, Shown::Where),
                self.cell(row, Shown::Threat),
                self.cell(row, Shown::Process),
                self.cell(row, Shown::User),
                count(row.connections),
                self.cell(row, Shown::Failed),
                out,
                back,
                self.command(row),
                self.service(row),
                self.cell(row, Shown::Home),
                self.host(row),
            ];
            table.rows.push(cells);
        }
        table.tidy()
    }

    /// The external hosts, what moved most first.
    pub fn external(&mut self) -> Table {
        let columns = [
            ("Address", Kind::Address),
            ("Name", Kind::Text),
            ("Where", Kind::Text),
            ("Threat", Kind::Text),
            ("Connects", Kind::Text),
            ("Ports", Kind::Text),
            ("Connections", Kind::Count),
            ("Open", Kind::Count),
            ("Failed", Kind::Count),
            ("Bytes out", Kind::Bytes),
            ("Bytes in", Kind::Bytes),
            ("First seen", Kind::Time),
            ("Last seen", Kind::Time),
            ("Process", Kind::Text),
            ("User", Kind::Text),
            ("Seen by", Kind::Text),
        ];
        let mut table = Table::new("external", "External hosts", &columns, ("Bytes out", true));
        let gathered = self.gathered;
        let mut peers: Vec<_> = peers(&gathered.rows).into_iter().collect();
        let weight = |peer: &Peer<'_>| (peer.moved(), peer.connections());
        peers.sort_by_cached_key(|(_, peer)| std::cmp::Reverse(weight(peer)));
        for (ip, peer) in peers {
            let (out, back) = peer.moved();
            let rows: Vec<&Row> = peer.rows().collect();
            let names: Vec<&str> = peer.names.iter().map(AsRef::as_ref).collect();
            let first = rows.iter().map(|row| &row.first_seen).min();
            let last = rows.iter().map(|row| &row.last_seen).max();
            let processes = distinct(
                rows.iter()
                    .flat_map(|row| &row.processes)
                    .map(|one| one.name.as_str()),
            );
            let users = rows.iter().flat_map(|row| &row.users).map(User::label);
            let users: BTreeSet<String> = users.collect();
            let hosts = distinct(rows.iter().map(|row| &*row.host));
            let places = rows.iter();
            let mut places =
                places.map(|row| place::words(row.geo.as_deref(), row.network.as_deref()));
            let place = places.find(|place| !place.is_empty()).unwrap_or_default();
            let threats: Vec<String> = rows.iter().map(|row| Hit::texts(&row.threat)).collect();
            let cells = vec![
                self.texts.cell(&ip.to_string()),
                self.texts.cell(&names.join(", ")),
                self.texts.cell(&place),
                self.texts
                    .cell(&distinct(threats.iter().map(String::as_str))),
                self.texts.cell(directions(&peer)),
                self.texts.cell(&ports(&rows)),
                count(peer.connections()),
                count(rows.iter().map(|row| row.open).sum()),
                count(rows.iter().flat_map(|row| row.failed.values()).sum()),
                bytes(&rows, out),
                bytes(&rows, back),
                first.map_or(Cell::Nothing, |first| time(first)),
                last.map_or(Cell::Nothing, |last| time(last)),
                self.texts.cell(&processes),
                self.texts
                    .cell(&users.into_iter().collect::<Vec<_>>().join(", ")),
                if gathered.has_several_hosts() {
                    self.texts.cell(&hosts)
                } else {
                    Cell::Nothing
                },
            ];
            table.rows.push(cells);
        }
        table.tidy()
    }

    /// Who looked at connections: what matters most first.
    pub fn findings(&mut self) -> Table {
        let columns = [
            ("Severity", Kind::Level),
            ("Time", Kind::Time),
            ("Process (pid)", Kind::Text),
            ("Command", Kind::Text),
            ("User", Kind::Text),
            ("Started by", Kind::Text),
            ("What was done", Kind::Text),
            ("Why it is told", Kind::Text),
            ("Again", Kind::Count),
            ("Unit or container", Kind::Text),
            ("Analytic", Kind::Text),
            ("Seen by", Kind::Text),
        ];
        let caption = "Who looked at connections";
        let mut table = Table::new("findings", caption, &columns, ("Severity", true));
        let mut findings: Vec<&Finding> = self.report.notes.findings.iter().collect();
        findings.sort_by_key(|one| (std::cmp::Reverse(one.rank()), one.time.clone()));
        for one in findings {
            let process = match one.pid {
                Some(pid) => format!("{}({pid})", one.process),
                None => one.process.clone(),
            };
            let cells = vec![
                self.texts.cell(&one.severity),
                time(&one.time),
                self.texts.cell(&process),
                self.texts.cell(&one.command),
                self.texts.cell(&one.user),
                self.texts.cell(&one.parent),
                self.texts
                    .cell(&one.behaviours.join(", ").replace('_', " ")),
                self.texts.cell(&one.reasons.join("; ")),
                count(one.repeat),
                self.texts.cell(&one.home),
                self.texts.cell(&one.analytic),
                if self.gathered.has_several_hosts() {
                    self.texts.cell(&one.host)
                } else {
                    Cell::Nothing
                },
            ];
            table.rows.push(cells);
        }
        table.tidy()
    }

    /// The ports, what moved most first.
    pub fn ports(&mut self) -> Table {
        let columns = [
            ("Port", Kind::Number),
            ("Protocol", Kind::Text),
            ("Service", Kind::Text),
            ("Sources", Kind::Count),
            ("Destinations", Kind::Count),
            ("External", Kind::Count),
            ("Connections", Kind::Count),
            ("Failed", Kind::Count),
            ("Bytes out", Kind::Bytes),
            ("Bytes in", Kind::Bytes),
        ];
        let mut table = Table::new("ports", "Ports", &columns, ("Connections", true));
        let mut ports: BTreeMap<(u16, Protocol), Vec<&Row>> = BTreeMap::new();
        for row in self.gathered.rows.iter().filter(|row| row.source.is_some()) {
            if let Some(port) = row.destination.port {
                ports.entry((port, row.protocol)).or_default().push(row);
            }
        }
        let mut ports: Vec<_> = ports.into_iter().collect();
        let connections = |rows: &[&Row]| rows.iter().map(|row| row.connections).sum::<u64>();
        ports.sort_by_key(|(_, rows)| std::cmp::Reverse(connections(rows)));
        for ((port, protocol), rows) in ports {
            let (out, back) = sum(rows.iter().copied());
            let sources: BTreeSet<_> = rows
                .iter()
                .map(|row| (&row.host, row.source.as_ref().map(|one| one.ip)))
                .collect();
            let destinations: BTreeSet<_> = rows.iter().map(|row| row.destination.ip).collect();
            let external: BTreeSet<_> = rows
                .iter()
                .filter(|row| is_external(row.scope))
                .map(|row| row.group.clone())
                .collect();
            let service = rows.iter().find_map(|row| row.service.clone());
            let cells = vec![
                Cell::Number(port.into()),
                self.texts.cell(protocol.word()),
                self.texts.cell(service.as_deref().unwrap_or_default()),
                count(sources.len() as u64),
                count(destinations.len() as u64),
                count(external.len() as u64),
                count(connections(&rows)),
                count(rows.iter().flat_map(|row| row.failed.values()).sum()),
                bytes(&rows, out),
                bytes(&rows, back),
            ];
            table.rows.push(cells);
        }
        table.tidy()
    }

    /// Which hosts communicate on which port: every row, what moved most first.
    pub fn hosts(&mut self) -> Table {
        let columns = [
            ("Port", Kind::Number),
            ("Protocol", Kind::Text),
            ("Service", Kind::Text),
            ("Source", Kind::Address),
            ("Destination", Kind::Address),
            ("Initiator", Kind::Text),
            ("Name", Kind::Text),
            ("Scope", Kind::Text),
            ("Where", Kind::Text),
            ("Threat", Kind::Text),
            ("Account", Kind::Text),
            ("State", Kind::Text),
            ("Connections", Kind::Count),
            ("Open", Kind::Count),
            ("Failed", Kind::Text),
            ("To destination", Kind::Bytes),
            ("To source", Kind::Bytes),
            ("Since opened", Kind::Bytes),
            ("First seen", Kind::Time),
            ("Last seen", Kind::Time),
            ("Process (pid)", Kind::Text),
            ("User", Kind::Text),
            ("Login", Kind::Text),
            ("Command", Kind::Text),
            ("Executable", Kind::Text),
            ("Unit or container", Kind::Text),
            ("Served by", Kind::Text),
            ("Namespace", Kind::Text),
            ("Seen by", Kind::Text),
        ];
        let caption = "Hosts by port";
        let mut table = Table::new("hosts", caption, &columns, ("To destination", true));
        let gathered = self.gathered;
        for row in &gathered.rows {
            let cells = self.host_cells(row);
            table.rows.push(cells);
        }
        table.tidy()
    }

    fn host_cells(&mut self, row: &Row) -> Vec<Cell> {
        let to = row.bytes.map(|bytes| bytes.to_destination);
        let from = row.bytes.map(|bytes| bytes.to_source);
        let total = row.bytes_total.map(|total| {
            let both = total.both();
            u64::try_from(both).unwrap_or(u64::MAX)
        });
        let destination = row.destination.ip.map(|ip| ip.to_string());
        vec![
            row.destination
                .port
                .map_or(Cell::Nothing, |port| Cell::Number(port.into())),
            self.cell(row, Shown::Protocol),
            self.service(row),
            self.cell(row, Shown::Source),
            self.texts.cell(&destination.unwrap_or_default()),
            self.texts
                .cell(if row.initiator_known { "" } else { "not known" }),
            self.cell(row, Shown::Name),
            self.cell(row, Shown::Scope),
            self.cell(row, Shown::Where),
            self.cell(row, Shown::Threat),
            self.texts.cell(&accounts(row)),
            self.cell(row, Shown::State),
            count(row.connections),
            count(row.open),
            self.cell(row, Shown::Failed),
            to.map_or(Cell::Nothing, Cell::Number),
            from.map_or(Cell::Nothing, Cell::Number),
            total.map_or(Cell::Nothing, Cell::Number),
            time(&row.first_seen),
            time(&row.last_seen),
            self.cell(row, Shown::Process),
            self.cell(row, Shown::User),
            self.cell(row, Shown::Login),
            self.command(row),
            self.cell(row, Shown::Exe),
            self.cell(row, Shown::Home),
            self.cell(row, Shown::Server),
            self.cell(row, Shown::Netns),
            self.host(row),
        ]
    }

    /// What the table on a terminal says of a row.
    fn cell(&mut self, row: &Row, column: Shown) -> Cell {
        let text = column.cell(row, &self.clock, usize::MAX);
        self.texts.cell(&text)
    }

    fn service(&mut self, row: &Row) -> Cell {
        self.texts.cell(row.service.as_deref().unwrap_or_default())
    }

    /// The host that saw it, where there are several.
    fn host(&mut self, row: &Row) -> Cell {
        if self.gathered.has_several_hosts() {
            self.texts.cell(&row.host)
        } else {
            Cell::Nothing
        }
    }

    /// How one of its processes was called.
    fn command(&mut self, row: &Row) -> Cell {
        let commands = &self.report.commands;
        let of = |name: &str, pid: u32| commands.of(&row.host, pid, name);
        let mut all = row.processes.iter();
        let command = all.find_map(|one| one.pids.iter().find_map(|pid| of(&one.name, *pid)));
        self.texts.cell(command.unwrap_or_default())
    }
}

/// Whose accounts they are, and whether one is not expected there.
fn accounts(row: &Row) -> String {
    let profiles = row.users.iter().filter_map(|user| user.profile.as_ref());
    let mut texts: Vec<String> = profiles.map(ToString::to_string).collect();
    if row.unexpected {
        texts.push("not expected there".to_owned());
    }
    texts.join("; ")
}

/// What this side sent and received, where that is known.
fn moved(row: &Row) -> (Cell, Cell) {
    if row.bytes.is_none() {
        return (Cell::Nothing, Cell::Nothing);
    }
    let (sent, received) = sent_received(row);
    (Cell::Number(sent), Cell::Number(received))
}

/// A sum, where it is known of one row at least.
fn bytes(rows: &[&Row], sum: u64) -> Cell {
    if rows.iter().any(|row| row.bytes.is_some()) {
        Cell::Number(sum)
    } else {
        Cell::Nothing
    }
}

/// Who connects.
fn directions(peer: &Peer<'_>) -> &'static str {
    match (peer.to.is_empty(), peer.from.is_empty()) {
        (false, true) => "from here",
        (true, false) => "to here",
        _ => "both ways",
    }
}

/// The ports, of which there may be many.
fn ports(rows: &[&Row]) -> String {
    const SHOWN_MAX: usize = 6;
    let ports: BTreeSet<(u16, bool)> = rows
        .iter()
        .filter_map(|row| Some((row.destination.port?, is_outbound(row))))
        .collect();
    let shown = ports
        .iter()
        .take(SHOWN_MAX)
        .map(|(port, _)| port.to_string());
    let shown: Vec<String> = shown.collect();
    match ports.len().saturating_sub(SHOWN_MAX) {
        0 => shown.join(", "),
        more => format!("{} +{more}", shown.join(", ")),
    }
}

/// Words, each once.
fn distinct<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: BTreeSet<&str> = words.filter(|word| !word.is_empty()).collect();
    let words: Vec<&str> = words.into_iter().collect();
    words.join(", ")
}

/// Hosts that saw something.
pub fn hosts(rows: &[Row]) -> BTreeSet<Arc<str>> {
    rows.iter().map(|row| row.host.clone()).collect()
}
