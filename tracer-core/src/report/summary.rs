//! What a report comes to, in sentences.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    Destination, Report,
    external::{Peer, far, is_outbound, peers},
    html::{counted, number},
    notes::Finding,
};
use crate::{
    format::quantity::size,
    hosts::{Grouping, Row, Run, Sort},
    text::printable,
    threat::Hit,
};

/// What the parts of a page are made of.
#[derive(Debug)]
pub struct Gathered {
    /// The rows, those first that moved most.
    pub rows: Vec<Row>,
    /// Which of them are to destinations that are new in the window.
    is_new: Vec<bool>,
    /// The hosts that told something.
    pub hosts: BTreeSet<Arc<str>>,
    /// The first and the last moment of which something is told.
    pub extent: Option<(Timestamp, Timestamp)>,
}

impl Gathered {
    /// What there is to tell.
    pub fn of(report: &Report) -> Self {
        let mut rows = report.hosts.rows(Grouping::External, Sort::Bytes);
        for row in &mut rows {
            report.enrichment.row(row);
        }
        let weight = |row: &Row| {
            let to_destination = row.bytes.map(|bytes| bytes.to_destination);
            let both = row.bytes_total.map(crate::hosts::Moved::both);
            (to_destination, both, row.connections)
        };
        rows.sort_by_key(|row| (row.source.is_none(), std::cmp::Reverse(weight(row))));
        let runs = report.hosts.runs().iter();
        let told = runs.map(|run| run.text("host")).filter(|host| *host != "?");
        let mut hosts: BTreeSet<Arc<str>> = told.map(Arc::from).collect();
        hosts.extend(super::tables::hosts(&rows));
        Self {
            is_new: rows.iter().map(|row| is_new(report, row)).collect(),
            rows,
            hosts,
            extent: report.extent(),
        }
    }

    /// Rows to destinations that are new in the window.
    pub fn new_rows(&self) -> impl Iterator<Item = &Row> {
        let all = self.rows.iter().zip(&self.is_new);
        all.filter(|(_, is_new)| **is_new).map(|(row, _)| row)
    }

    /// Whether it has to be said which host saw something.
    pub fn has_several_hosts(&self) -> bool {
        self.hosts.len() > 1
    }

    /// Connections there were.
    pub fn connections(&self) -> u64 {
        self.rows.iter().map(|row| row.connections).sum()
    }

    /// Attempts that failed.
    pub fn failed(&self) -> u64 {
        self.rows.iter().flat_map(|row| row.failed.values()).sum()
    }
}

/// Whether a row is to somebody whom its host did not speak with before.
fn is_new(report: &Report, row: &Row) -> bool {
    if row.open_before || !is_outbound(row) {
        return false;
    }
    let destination = row.destination.ip.map(|ip| Destination {
        host: row.host.clone(),
        ip,
        port: row.destination.port,
        protocol: row.protocol,
    });
    destination.is_some_and(|destination| !report.is_known(&destination))
}

/// A sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// What it says.
    pub text: String,
    /// Whoever reads nothing else should read it.
    pub is_alarm: bool,
}

fn plain(text: String) -> Sentence {
    Sentence {
        text,
        is_alarm: false,
    }
}

fn alarm(text: String) -> Sentence {
    Sentence {
        text,
        is_alarm: true,
    }
}

/// What it comes to, what is alarming first.
pub fn sentences(report: &Report, gathered: &Gathered) -> Vec<Sentence> {
    let peers = peers(&gathered.rows);
    let peers: Vec<(String, &Peer<'_>)> = peers
        .iter()
        .map(|(ip, peer)| {
            (
                called(&ip.to_string(), peer.names.first().map(AsRef::as_ref)),
                peer,
            )
        })
        .collect();
    let mut all = vec![
        watched(gathered),
        communicated(gathered, peers.len() as u64),
    ];
    all.extend(threats(gathered));
    all.extend(went_out(&peers));
    all.extend(came_in(&peers));
    all.extend(new(gathered));
    all.extend(failed(gathered));
    all.extend(findings(&report.notes.findings));
    all.extend(hidden(report));
    all.extend(sockets(report));
    all.push(loss(report));
    all
}

/// Who was watched, and when.
fn watched(gathered: &Gathered) -> Sentence {
    let hosts: Vec<String> = gathered.hosts.iter().map(|host| printable(host)).collect();
    let who = match hosts.as_slice() {
        [] => return plain("No records were read.".to_owned()),
        [one] => format!("{one} was"),
        [many @ .., last] if hosts.len() <= 5 => format!("{} and {last} were", many.join(", ")),
        _ => format!("{} were", counted(hosts.len() as u64, "host")),
    };
    let Some((since, until)) = gathered.extent else {
        return plain(format!(
            "{who} watched, but nothing is told of this window."
        ));
    };
    plain(format!(
        "{who} watched from {} to {} UTC, {}.",
        moment(since),
        moment(until),
        length(until.duration_since(since))
    ))
}

fn communicated(gathered: &Gathered, external: u64) -> Sentence {
    let others: BTreeSet<_> = gathered
        .rows
        .iter()
        .filter(|row| row.source.is_some())
        .filter_map(far)
        .collect();
    plain(format!(
        "{} and {} with {}, {} of them external.",
        counted(gathered.connections(), "connection"),
        counted(gathered.failed(), "failed attempt"),
        counted(others.len() as u64, "other host"),
        number(external)
    ))
}

/// What is known for something bad.
fn threats(gathered: &Gathered) -> Option<Sentence> {
    let met = gathered.rows.iter().filter(|row| !row.threat.is_empty());
    let met: Vec<&Row> = met.collect();
    let hosts: BTreeSet<_> = met.iter().filter_map(|row| far(row)).collect();
    let first = met
        .iter()
        .min_by(|one, other| one.first_seen.cmp(&other.first_seen))?;
    let when: Timestamp = first.first_seen.parse().ok()?;
    let failed = met.iter().flat_map(|row| row.failed.values()).sum();
    let name = match &first.source {
        Some(source) if !is_outbound(first) => &source.name,
        _ => &first.destination.name,
    };
    Some(alarm(format!(
        "{} and {} with {} that feeds call bad; the first was {} at {}, by {}: {}.",
        counted(met.iter().map(|row| row.connections).sum(), "connection"),
        counted(failed, "failed attempt"),
        counted(hosts.len() as u64, "host"),
        called(&far(first)?.to_string(), name.as_deref()),
        moment(when),
        doers(&[first]),
        Hit::texts(&first.threat)
    )))
}

/// What left for external hosts.
fn went_out(peers: &[(String, &Peer<'_>)]) -> Option<Sentence> {
    let to = |peer: &Peer<'_>| super::external::sum(peer.to.iter().copied());
    let reached = peers
        .iter()
        .filter(|(_, peer)| peer.to.iter().any(|row| row.connections > 0));
    let (mut sent, mut received, mut count) = (0_u64, 0_u64, 0);
    let mut most: Option<(u64, &String, &Peer<'_>)> = None;
    for (name, peer) in reached {
        let (out, back) = to(peer);
        (sent, received, count) = (
            sent.saturating_add(out),
            received.saturating_add(back),
            count + 1,
        );
        if most.is_none_or(|(known, ..)| out > known) {
            most = Some((out, name, peer));
        }
    }
    let (out, name, peer) = most?;
    let begin = format!(
        "{} {} connected to from here: {} went out and {} came back.",
        counted(count, "external host"),
        was(count),
        size(sent),
        size(received)
    );
    let by = doers(&peer.to);
    let end = match count {
        1 => format!(" It is {name}, by {by}."),
        _ => format!(" The most, {}, went to {name}, by {by}.", size(out)),
    };
    Some(plain(begin + &end))
}

/// External hosts that connected to here.
fn came_in(peers: &[(String, &Peer<'_>)]) -> Option<Sentence> {
    let came = peers
        .iter()
        .filter(|(_, peer)| peer.from.iter().any(|row| row.connections > 0));
    let came: Vec<&(String, &Peer<'_>)> = came.collect();
    let connections = |peer: &Peer<'_>| peer.from.iter().map(|row| row.connections).sum::<u64>();
    let (name, peer) = came.iter().max_by_key(|(_, peer)| connections(peer))?;
    let ports: BTreeSet<u16> = came
        .iter()
        .flat_map(|(_, peer)| &peer.from)
        .filter_map(|row| row.destination.port)
        .collect();
    let ports: Vec<String> = ports.iter().take(5).map(ToString::to_string).collect();
    let count = came.len() as u64;
    Some(plain(format!(
        "{} connected to here, on port {}; {name} most often ({}), to {}.",
        counted(count, "external host"),
        ports.join(", "),
        counted(connections(peer), "connection"),
        doers(&peer.from)
    )))
}

/// Destinations that were not there before.
fn new(gathered: &Gathered) -> Option<Sentence> {
    let rows: Vec<&Row> = gathered.new_rows().collect();
    let place = |row: &Row| (row.destination.ip, row.destination.port);
    let all: BTreeSet<_> = rows.iter().map(|row| place(row)).collect();
    let external: BTreeSet<_> = rows
        .iter()
        .filter(|row| super::external::is_external(row.scope))
        .map(|row| place(row))
        .collect();
    let first = rows
        .iter()
        .filter(|row| super::external::is_external(row.scope))
        .min_by(|one, other| one.first_seen.cmp(&other.first_seen))?;
    let when: Timestamp = first.first_seen.parse().ok()?;
    Some(plain(format!(
        "{} {} new in this window, {} of them external; the first of those was {} at {}, by {}.",
        counted(all.len() as u64, "destination"),
        is(all.len() as u64),
        number(external.len() as u64),
        destination(first),
        moment(when),
        doers(&[first])
    )))
}

/// How many attempts failed, where, and who made most of them.
fn failed(gathered: &Gathered) -> Option<Sentence> {
    let count = |row: &Row| row.failed.values().sum::<u64>();
    let rows: Vec<&Row> = gathered.rows.iter().filter(|row| count(row) > 0).collect();
    let places: BTreeSet<_> = rows
        .iter()
        .map(|row| (row.destination.ip, row.destination.port))
        .collect();
    let mut by: BTreeMap<String, u64> = BTreeMap::new();
    let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &rows {
        *by.entry(doers(&[row])).or_default() += count(row);
        for (outcome, count) in &row.failed {
            *outcomes.entry(outcome).or_default() += count;
        }
    }
    let (most, of_most) = by.iter().max_by_key(|(_, count)| **count)?;
    let (outcome, _) = outcomes.iter().max_by_key(|(_, count)| **count)?;
    Some(plain(format!(
        "{} to {}; {} of them by {most}. Most often: {}.",
        counted(gathered.failed(), "failed attempt"),
        counted(places.len() as u64, "destination"),
        number(*of_most),
        outcome.replace('_', " ")
    )))
}

/// Who looked at connections.
fn findings(findings: &[Finding]) -> Option<Sentence> {
    let gravest = findings.iter().max_by_key(|one| one.rank())?;
    let text = format!(
        "{} {} who looked at the connections of a host (ATT&CK T1049); the gravest is {}: {} by {}.",
        counted(findings.len() as u64, "finding"),
        if findings.len() == 1 { "tells" } else { "tell" },
        printable(&gravest.severity),
        printable(&gravest.process),
        or_nobody(&gravest.user),
    );
    Some(if gravest.rank() > 1 {
        alarm(text)
    } else {
        plain(text)
    })
}

fn hidden(report: &Report) -> Option<Sentence> {
    let first = report.notes.hidden.first()?;
    let count = report.notes.hidden.len() as u64;
    Some(alarm(format!(
        "{} {} hidden from who lists sockets; the first is {} on {}, hidden from {}.",
        counted(count, "socket"),
        is(count),
        printable(&first.local),
        printable(&first.host),
        printable(&first.from.join(" and "))
    )))
}

/// Sockets of kinds that are not followed.
fn sockets(report: &Report) -> Option<Sentence> {
    let sockets = &report.notes.sockets;
    let count: u64 = sockets.values().sum();
    let kinds: BTreeSet<String> = sockets
        .keys()
        .map(|one| format!("{} by {}", printable(&one.kind), printable(&one.process)))
        .collect();
    let kinds: Vec<String> = kinds.into_iter().take(5).collect();
    (count > 0).then(|| {
        plain(format!(
            "{} of kinds that are not followed {} opened: {}.",
            counted(count, "socket"),
            was(count),
            kinds.join(", ")
        ))
    })
}

/// Whether this is all.
fn loss(report: &Report) -> Sentence {
    let runs = report.hosts.runs();
    let lost: u64 = runs
        .iter()
        .filter_map(Run::lost)
        .flatten()
        .map(|(_, count)| count)
        .sum();
    let cut_off = runs.iter().filter(|run| run.lost().is_none()).count() as u64;
    let mut parts = Vec::new();
    if lost > 0 {
        parts.push(format!("{} {} lost", counted(lost, "record"), was(lost)));
    }
    if cut_off > 0 {
        parts.push(format!(
            "of {} the end is missing, and with it what was lost",
            counted(cut_off, "run")
        ));
    }
    if report.left_out() > 0 {
        parts.push(format!(
            "there was no room for {}",
            counted(report.left_out(), "record")
        ));
    }
    if parts.is_empty() {
        return plain("Nothing was lost of what is covered.".to_owned());
    }
    alarm(format!("This is not all: {}.", parts.join("; ")))
}

/// Which processes, of which users: the first few.
fn doers(rows: &[&Row]) -> String {
    const SHOWN_MAX: usize = 3;
    let names: BTreeSet<String> = rows
        .iter()
        .flat_map(|row| &row.processes)
        .map(|one| printable(&one.name))
        .filter(|name| !name.is_empty())
        .collect();
    if names.is_empty() {
        return "a process that is not known".to_owned();
    }
    let more = names.len().saturating_sub(SHOWN_MAX);
    let names: Vec<String> = names.into_iter().take(SHOWN_MAX).collect();
    let users: BTreeSet<String> = rows
        .iter()
        .flat_map(|row| &row.users)
        .map(|user| printable(&user.label()))
        .collect();
    let users: Vec<String> = users.into_iter().take(SHOWN_MAX).collect();
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let of = if users.is_empty() { "" } else { " of " };
    format!("{}{more}{of}{}", names.join(", "), users.join(", "))
}

fn or_nobody(user: &str) -> String {
    if user.is_empty() {
        "a user who is not known".to_owned()
    } else {
        printable(user)
    }
}

fn destination(row: &Row) -> String {
    let ip = row
        .destination
        .ip
        .map(|ip| ip.to_string())
        .unwrap_or_default();
    let place = match row.destination.port {
        Some(port) if ip.contains(':') => format!("[{ip}]:{port}"),
        Some(port) => format!("{ip}:{port}"),
        None => ip,
    };
    called(&place, row.destination.name.as_deref())
}

fn called(address: &str, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{address} ({})", printable(name)),
        None => address.to_owned(),
    }
}

fn is(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

fn was(count: u64) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

/// A moment as people write it down.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A length of time in its two largest units.
pub fn length(time: SignedDuration) -> String {
    let seconds = time.as_secs().max(0).unsigned_abs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (unit, word) in units {
        let count = rest / unit;
        rest %= unit;
        if count > 0 || (unit == 1 && parts.is_empty()) {
            parts.push(format!("{count} {word}"));
        }
    }
    parts.truncate(2);
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_two_units() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_725, "1 h 2 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(length(SignedDuration::from_secs(seconds)), expected);
        }
    }
}
