//! Rows of hosts as comma-separated values.

use super::super::csv::line;
use crate::{
    container::Pod,
    executable::Flags,
    hosts::{Container, Moved, Process, Row, User},
    scope::Scope,
    threat::Hit,
};

/// A column: its heading, and what stands in it.
type Column = (&'static str, fn(&Row) -> Option<String>);

/// The columns. New ones come last, so that the number of each stays what it is.
const COLUMNS: &[Column] = &[
    ("group", |row| Some(row.group.as_ref()?.name.clone())),
    ("source_ip", |row| shown(row.source.as_ref()?.ip)),
    ("source_name", |row| {
        shown(row.source.as_ref()?.name.as_ref())
    }),
    ("destination_ip", |row| shown(row.destination.ip)),
    ("destination_name", |row| {
        shown(row.destination.name.as_ref())
    }),
    ("destination_port", |row| shown(row.destination.port)),
    ("initiator_known", |row| shown(Some(row.initiator_known))),
    ("protocol", |row| shown(Some(row.protocol.word()))),
    ("service", |row| shown(row.service.as_ref())),
    ("unit", |row| row.unit.clone()),
    ("scope", |row| shown(row.scope.map(Scope::word))),
    ("state", |row| shown(row.state.as_ref())),
    ("open", |row| shown(Some(row.open))),
    ("connections", |row| shown(Some(row.connections))),
    ("failed", |row| {
        let counts = row.failed.iter();
        Some(joined(counts.map(|(outcome, n)| format!("{outcome}({n})"))))
    }),
    ("bytes_to_destination", |row| forth(row.bytes)),
    ("bytes_to_source", |row| back(row.bytes)),
    ("bytes_total_to_destination", |row| forth(row.bytes_total)),
    ("bytes_total_to_source", |row| back(row.bytes_total)),
    ("first_seen", |row| Some(row.first_seen.clone())),
    ("last_seen", |row| Some(row.last_seen.clone())),
    ("open_before", |row| {
        row.open_before.then(|| "true".to_owned())
    }),
    ("processes", |row| Some(processes(&row.processes))),
    ("served_by", |row| Some(processes(&row.served_by))),
    ("users", |row| {
        Some(joined(row.users.iter().map(User::label)))
    }),
    ("logins", |row| Some(joined(row.logins.iter().cloned()))),
    ("containers", |row| {
        Some(joined(row.containers.iter().map(Container::label)))
    }),
    ("pods", |row| Some(joined(row.pods.iter().map(Pod::label)))),
    ("host", |row| shown(Some(&row.host))),
    ("netns", |row| shown(row.netns)),
    ("units", |row| Some(joined(row.units.iter().cloned()))),
    ("exe_flags", |row| Some(flags(&row.processes))),
    ("sha256", |row| {
        let hashes = row.processes.iter().flat_map(|one| &one.sha256);
        Some(joined(hashes.cloned()))
    }),
    ("bytes_either_way", |row| {
        let either_way = row.bytes?.either_way;
        (either_way > 0).then(|| either_way.to_string())
    }),
    ("country", |row| shown(row.geo.as_ref()?.country.as_ref())),
    ("as", |row| shown(row.network.as_ref())),
    ("departments", |row| {
        let profiles = row.users.iter().filter_map(|user| user.profile.as_ref());
        Some(joined(profiles.filter_map(|one| one.department.clone())))
    }),
    ("unexpected", |row| {
        row.unexpected.then(|| "true".to_owned())
    }),
    ("threat", |row| {
        Some(joined(row.threat.iter().map(Hit::text)))
    }),
];

/// Appends the headings and the rows.
pub fn write(rows: &[Row], out: &mut Vec<u8>) {
    line(COLUMNS.iter().map(|(heading, _)| *heading), out);
    for row in rows {
        let cells = COLUMNS.iter().map(|(_, cell)| cell(row));
        line(cells.map(Option::unwrap_or_default), out);
    }
}

fn shown(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn forth(moved: Option<Moved>) -> Option<String> {
    shown(moved.map(|moved| moved.to_destination))
}

fn back(moved: Option<Moved>) -> Option<String> {
    shown(moved.map(|moved| moved.to_source))
}

/// Several values in one cell.
fn joined(values: impl Iterator<Item = String>) -> String {
    values.collect::<Vec<_>>().join(" ")
}

fn processes(processes: &[Process]) -> String {
    let with_pids = processes
        .iter()
        .flat_map(|one| one.pids.iter().map(|pid| format!("{}({pid})", one.name)));
    joined(with_pids)
}

/// What is odd about the executable of any of them.
fn flags(processes: &[Process]) -> String {
    let odd = processes
        .iter()
        .fold(Flags::default(), |odd, one| odd.or(one.flags));
    odd.label(usize::MAX).trim_start().to_owned()
}
