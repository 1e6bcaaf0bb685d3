//! Rows of comma-separated values, under one row of headings.

use std::net::IpAddr;

use csv::WriterBuilder;
use serde::Serialize;

use crate::{
    clock::Clock,
    discovery::Finding,
    format::Format,
    record::{Bytes, Connection, Head, Loss, Owner, Packets, Process, Record, Socket, Start, Stop},
    text::printable,
    threat::Hit,
};

/// Writes CSV: quoted as RFC 4180 says, lines end with a line feed.
///
/// No cell has a control character in it, and none is a formula to a spreadsheet, whatever a process
/// calls itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Csv {
    has_headings: bool,
}

impl Csv {
    /// What stands in the first row.
    pub fn headings() -> impl Iterator<Item = &'static str> {
        COLUMNS.iter().map(|(heading, _)| *heading)
    }
}

impl Format for Csv {
    fn write(&mut self, record: &Record, _clock: &Clock, out: &mut Vec<u8>) {
        if !self.has_headings {
            self.has_headings = true;
            line(Self::headings(), out);
        }
        let row = Row::of(record);
        let cells = COLUMNS.iter().map(|(_, cell)| cell(&row));
        line(cells.map(Option::unwrap_or_default), out);
    }
}

/// Appends a row of cells that nothing obeys.
pub(super) fn line<T: AsRef<str>>(cells: impl Iterator<Item = T>, out: &mut Vec<u8>) {
    let before = out.len();
    let mut writer = WriterBuilder::new().from_writer(&mut *out);
    let cells = cells.map(|cell| harmless(cell.as_ref()));
    // Memory takes all that is written; half a row must not stay in any case.
    let is_written = writer.write_record(cells).is_ok() && writer.flush().is_ok();
    drop(writer);
    if !is_written {
        out.truncate(before);
    }
}

/// Characters with which a cell begins that a spreadsheet takes for a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Neither a terminal nor a spreadsheet obeys it.
fn harmless(text: &str) -> String {
    let safe = printable(text);
    if text.starts_with(FORMULA) {
        format!("'{safe}")
    } else {
        safe
    }
}

/// What a row is made from.
struct Row<'a> {
    record: &'a Record,
    head: &'a Head,
    connection: Option<&'a Connection>,
    socket: Option<&'a Socket>,
    owner: Option<&'a Owner>,
}

impl<'a> Row<'a> {
    fn of(record: &'a Record) -> Self {
        let (connection, socket, owner) = match record {
            Record::Connection(connection) => {
                (Some(&**connection), None, connection.owner.as_deref())
            }
            Record::Socket(socket) => (None, Some(&**socket), Some(&*socket.owner)),
            Record::Discovery(finding) => (None, None, finding.owner()),
            Record::Start(_) | Record::Loss(_) | Record::Stop(_) => (None, None, None),
        };
        Self {
            record,
            head: record.head(),
            connection,
            socket,
            owner,
        }
    }

    fn process(&self) -> Option<&'a Process> {
        self.owner.map(|owner| &*owner.process)
    }

    fn bytes(&self) -> Option<Bytes> {
        self.connection?.bytes
    }

    fn packets(&self) -> Option<Packets> {
        self.connection?.packets
    }
}

/// A column: its heading, and what stands in it.
type Column = (&'static str, fn(&Row<'_>) -> Option<String>);

/// The columns. New ones come last, so that the number of each stays what it is.
const COLUMNS: &[Column] = &[
    ("time", |row| Some(row.head.time.clone())),
    ("event", |row| Some(row.head.event.word().to_owned())),
    ("seq", |row| shown(Some(row.head.seq))),
    ("host", |row| shown(Some(&row.head.host))),
    ("id", |row| shown(Some(row.connection?.id))),
    ("protocol", |row| match row.socket {
        Some(socket) => socket.protocol.clone(),
        None => shown(Some(row.connection?.protocol.word())),
    }),
    ("family", |row| match row.socket {
        Some(socket) => shown(socket.family.as_deref()),
        None => shown(Some(&row.connection?.family)),
    }),
    ("direction", |row| word(row.connection?.direction)),
    ("direction_source", |row| {
        shown(row.connection?.direction_source.as_deref())
    }),
    ("open_before", |row| truth(row.connection?.open_before)),
    ("old_state", |row| {
        shown(row.connection?.old_state.as_deref())
    }),
    ("state", |row| shown(row.connection?.state.as_deref())),
    ("outcome", |row| word(row.connection?.outcome)),
    ("error", |row| row.connection?.error.clone()),
    ("accepted", |row| shown(row.connection?.accepted)),
    ("local_ip", |row| {
        address(row.connection?.local.as_ref()?.ip)
    }),
    ("local_port", |row| {
        shown(row.connection?.local.as_ref()?.port)
    }),
    ("remote_ip", |row| {
        address(row.connection?.remote.as_ref()?.ip)
    }),
    ("remote_port", |row| {
        shown(row.connection?.remote.as_ref()?.port)
    }),
    ("remote_name", |row| {
        shown(row.connection?.remote.as_ref()?.name.as_ref())
    }),
    ("remote_name_source", |row| {
        word(row.connection?.remote.as_ref()?.name_source)
    }),
    ("remote_scope", |row| {
        word(row.connection?.remote.as_ref()?.scope)
    }),
    ("requested", |row| shown(row.connection?.requested)),
    ("translated", |row| shown(row.connection?.translated)),
    ("service", |row| shown(row.connection?.service.as_ref())),
    ("netns", |row| match row.socket {
        Some(socket) => shown(Some(socket.netns)),
        None => shown(Some(row.connection?.netns)),
    }),
    ("bytes_sent", |row| shown(Some(row.bytes()?.sent))),
    ("bytes_received", |row| shown(Some(row.bytes()?.received))),
    ("packets_sent", |row| shown(Some(row.packets()?.sent))),
    ("packets_received", |row| {
        shown(Some(row.packets()?.received))
    }),
    ("rtt_us", |row| shown(row.connection?.rtt_us)),
    ("retransmits", |row| shown(row.connection?.retransmits)),
    ("latency_us", |row| shown(row.connection?.latency_us)),
    ("duration_us", |row| shown(row.connection?.duration_us)),
    ("community_id", |row| row.connection?.community_id.clone()),
    ("attribution", |row| match row.socket {
        Some(socket) => word(Some(socket.attribution)),
        None => word(Some(row.connection?.attribution)),
    }),
    ("pid", |row| shown(Some(row.process()?.pid))),
    ("ns_pid", |row| shown(row.process()?.ns_pid)),
    ("process", |row| Some(row.process()?.name.clone())),
    ("exe", |row| row.process()?.exe.clone()),
    ("args", |row| arguments(row.process()?.args.as_ref())),
    ("process_start", |row| {
        Some(row.process()?.start_time.clone())
    }),
    ("tty", |row| row.process()?.tty.clone()),
    ("exe_deleted", |row| truth(row.process()?.flags.is_deleted)),
    ("exe_memfd", |row| truth(row.process()?.flags.is_memfd)),
    ("parent_pid", |row| {
        shown(Some(row.process()?.parent.as_ref()?.pid))
    }),
    ("parent", |row| {
        Some(row.process()?.parent.as_ref()?.name.clone())
    }),
    ("parent_exe", |row| {
        row.process()?.parent.as_ref()?.exe.clone()
    }),
    ("parent_args", |row| {
        arguments(row.process()?.parent.as_ref()?.args.as_ref())
    }),
    ("uid", |row| shown(Some(row.owner?.user.uid))),
    ("user", |row| row.owner?.user.name.clone()),
    ("gid", |row| shown(Some(row.owner?.user.gid))),
    ("euid", |row| shown(row.owner?.user.euid)),
    ("auid", |row| shown(row.owner?.user.auid)),
    ("login", |row| row.owner?.user.login.clone()),
    ("session", |row| shown(row.owner?.user.session)),
    ("cgroup_id", |row| shown(Some(row.owner?.cgroup.id))),
    ("cgroup", |row| row.owner?.cgroup.path.clone()),
    ("unit", |row| row.owner?.unit.clone()),
    ("container_id", |row| {
        shown(Some(&row.owner?.container.as_ref()?.id))
    }),
    ("container_runtime", |row| {
        row.owner?.container.as_ref()?.runtime.clone()
    }),
    ("pod_uid", |row| shown(Some(&row.owner?.pod.as_ref()?.uid))),
    ("opened_by_pid", |row| {
        shown(Some(row.connection?.opened_by.as_ref()?.pid))
    }),
    ("opened_by", |row| {
        Some(row.connection?.opened_by.as_ref()?.name.clone())
    }),
    ("holders", |row| {
        let holders = row.connection?.holders.iter();
        Some(joined(holders.map(|holder| (&*holder.name, holder.pid))))
    }),
    ("ancestry", |row| {
        let ancestry = match row.socket {
            Some(socket) => &socket.ancestry,
            None => &row.connection?.ancestry,
        };
        Some(joined(ancestry.iter().map(|one| (&*one.name, one.pid))))
    }),
    ("hidden_from", |row| {
        let sources = row.connection?.hidden_from.iter();
        let names: Vec<&str> = sources.map(|source| source.name()).collect();
        Some(names.join(" "))
    }),
    ("socket_kind", |row| shown(Some(row.socket?.kind.word()))),
    ("socket_type", |row| {
        shown(row.socket?.socket_type.as_deref())
    }),
    ("inode", |row| match row.socket {
        Some(socket) => shown(Some(socket.inode)),
        None => shown(row.connection?.socket.as_ref()?.inode),
    }),
    ("note", |row| match row.record {
        Record::Start(start) => Some(of_start(start)),
        Record::Loss(loss) => Some(of_loss(loss)),
        Record::Stop(stop) => Some(of_stop(stop)),
        Record::Discovery(finding) => Some(of_finding(finding)),
        Record::Connection(_) | Record::Socket(_) => None,
    }),
    ("container_name", |row| {
        row.owner?.container.as_ref()?.name.clone()
    }),
    ("container_image", |row| {
        row.owner?.container.as_ref()?.image.clone()
    }),
    ("pod_name", |row| row.owner?.pod.as_ref()?.name.clone()),
    ("pod_namespace", |row| {
        row.owner?.pod.as_ref()?.namespace.clone()
    }),
    ("pod_container", |row| {
        row.owner?.pod.as_ref()?.container.clone()
    }),
    ("exe_unpackaged", |row| {
        truth(row.process()?.flags.is_unpackaged)
    }),
    ("sha256", |row| row.process()?.sha256.clone()),
    ("not_hashed", |row| {
        shown(row.process()?.not_hashed.as_deref())
    }),
    ("user_from", |row| word(row.owner?.user.name_from)),
    ("remote_country", |row| {
        let geo = row.connection?.remote.as_ref()?.geo.as_ref()?;
        shown(geo.country.as_ref())
    }),
    ("remote_as", |row| {
        let remote = row.connection?.remote.as_ref()?;
        shown(remote.network.as_ref())
    }),
    ("department", |row| {
        row.connection?.profile.as_ref()?.department.clone()
    }),
    ("unexpected", |row| truth(row.connection?.unexpected)),
    ("remote_threat", |row| {
        let hits = &row.connection?.remote.as_ref()?.threat;
        let hits: Vec<String> = hits.iter().map(Hit::text).collect();
        (!hits.is_empty()).then(|| hits.join(" "))
    }),
];

fn shown(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// A word of the contract.
fn word(value: Option<impl Serialize>) -> Option<String> {
    match serde_json::to_value(value?).ok()? {
        serde_json::Value::String(word) => Some(word),
        _ => None,
    }
}

/// `true`, or nothing: as the contract has it.
fn truth(value: bool) -> Option<String> {
    value.then(|| true.to_string())
}

fn address(ip: IpAddr) -> Option<String> {
    shown(Some(ip))
}

fn arguments(args: Option<&Vec<String>>) -> Option<String> {
    args.map(|args| args.join(" "))
}

/// Several processes in one cell.
fn joined<'a>(processes: impl Iterator<Item = (&'a str, u32)>) -> String {
    let texts: Vec<String> = processes
        .map(|(name, pid)| format!("{name}({pid})"))
        .collect();
    texts.join(" ")
}

/// What was traced with, and what could not be.
fn of_start(start: &Start) -> String {
    let tool = format!("conntracer {}, kernel {}", start.version, start.kernel);
    let degraded = start.degraded.iter().cloned();
    let parts: Vec<String> = std::iter::once(tool).chain(degraded).collect();
    parts.join("; ")
}

/// What was done, how much it matters and why.
fn of_finding(finding: &Finding) -> String {
    let words = finding.behaviours.iter().map(|behaviour| behaviour.word());
    let words: Vec<&str> = words.collect();
    let (severity, reasons) = (finding.severity.word(), finding.reasons.join("; "));
    format!("{severity}: {} ({reasons})", words.join(" "))
}

fn of_loss(loss: &Loss) -> String {
    let categories = loss.lost.iter();
    let mut parts: Vec<String> = categories
        .map(|(of, count)| format!("{count} {of}"))
        .collect();
    let detached = loss.detached.iter();
    parts.extend(detached.map(|one| format!("taken away: {one}")));
    format!("lost since {}: {}", loss.since, parts.join(", "))
}

fn of_stop(stop: &Stop) -> String {
    let kernel = &stop.kernel;
    let lost = kernel.lost.values().copied().fold(0, u64::saturating_add);
    format!(
        "seen {}, selected_out {}, lost {lost}, undecodable {}, delivered {}; derived {}, suppressed {}, written {}",
        kernel.seen,
        kernel.selected_out,
        kernel.undecodable,
        kernel.delivered,
        stop.output.derived,
        stop.output.suppressed,
        stop.output.written
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_or_moves_the_cursor() {
        for (text, cell) in [
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("+1", "'+1"),
            ("-bash", "'-bash"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\\t=1"),
            ("\r=1", "'\\r=1"),
            ("a\nb\u{1b}[2J", "a\\nb\\u{1b}[2J"),
            ("curl", "curl"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(harmless(text), cell, "{text:?}");
        }
    }

    #[test]
    fn cells_are_quoted_where_they_have_to_be() {
        let mut out = Vec::new();
        line(["a,b", "c\"d", "e", ""].iter(), &mut out);
        assert_eq!(out, b"\"a,b\",\"c\"\"d\",e,\n");
    }

    #[test]
    fn no_two_columns_have_one_heading() {
        let mut headings: Vec<&str> = Csv::headings().collect();
        let all = headings.len();
        headings.sort_unstable();
        headings.dedup();
        assert_eq!(headings.len(), all);
    }
}
