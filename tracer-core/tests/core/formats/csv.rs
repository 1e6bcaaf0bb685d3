//! Rows of CSV.

use std::sync::Arc;

use tracer_core::{
    format::Csv,
    outcome::Outcome,
    record::{Connection, Event, Owner, Process, Record},
};

use super::{records, written};

/// The cells of each row, read by the rules of RFC 4180: quotes around a cell, two for one in it.
pub fn rows(text: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut row = vec![String::new()];
    let mut is_quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let cell = row.last_mut().unwrap_or_else(|| panic!("a row has a cell"));
        match c {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => row.push(String::new()),
            '\n' if !is_quoted => rows.push(std::mem::replace(&mut row, vec![String::new()])),
            c => cell.push(c),
        }
    }
    assert_eq!(row, [""], "the last line has no end");
    rows
}

/// The cells of the one row of a record, by their headings; empty ones are left out.
fn cells(record: Record) -> Vec<(String, String)> {
    let mut rows = rows(&written(&mut Csv::default(), &[record]));
    assert_eq!(rows.len(), 2);
    let cells = rows.remove(1);
    let pairs = rows.remove(0).into_iter().zip(cells);
    pairs.filter(|(_, cell)| !cell.is_empty()).collect()
}

fn cell(cells: &[(String, String)], heading: &str) -> Option<String> {
    let mut found = cells.iter().filter(|(name, _)| name == heading);
    found.next().map(|(_, cell)| cell.clone())
}

#[test]
fn every_fact_has_its_column() {
    let connection = Connection {
        duration_us: Some(147_000),
        error: Some("ECONNRESET".to_owned()),
        ..records::ended(Event::Close, Outcome::ResetRemote)
    };
    let cells = cells(records::of(connection));
    let expected = [
        ("time", records::TIME),
        ("event", "close"),
        ("seq", "7"),
        ("host", "web-1"),
        ("id", "abc-1"),
        ("protocol", "tcp"),
        ("family", "ipv4"),
        ("direction", "outbound"),
        ("direction_source", "observed"),
        ("state", "ESTABLISHED"),
        ("outcome", "reset_remote"),
        ("error", "ECONNRESET"),
        ("local_ip", "192.0.2.17"),
        ("local_port", "41158"),
        ("remote_ip", "198.51.100.9"),
        ("remote_port", "443"),
        ("remote_name", "www.example"),
        ("remote_name_source", "dns"),
        ("remote_scope", "external"),
        ("service", "https"),
        ("netns", "4026531840"),
        ("bytes_sent", "517"),
        ("bytes_received", "9007199254740993"),
        ("packets_sent", "3"),
        ("packets_received", "4"),
        ("rtt_us", "12500"),
        ("retransmits", "0"),
        ("duration_us", "147000"),
        ("community_id", "1:OhcyZeFrO391/g+uOw0nHTDT1R0="),
        ("attribution", "connect"),
        ("pid", "500"),
        ("ns_pid", "5"),
        ("process", "curl"),
        ("exe", "/usr/bin/curl"),
        ("args", "curl https://www.example/"),
        ("process_start", "2027-01-15T07:00:05.01Z"),
        ("tty", "pts0"),
        ("parent_pid", "400"),
        ("parent", "sh"),
        ("parent_exe", "/usr/bin/dash"),
        ("parent_args", "'-sh"),
        ("uid", "1000"),
        ("user", "alice"),
        ("gid", "100"),
        ("euid", "0"),
        ("auid", "1001"),
        ("login", "bob"),
        ("session", "3"),
        ("cgroup_id", "11"),
        ("cgroup", "/x"),
        ("unit", "x.service"),
        ("container_id", "3f4e"),
        ("container_runtime", "containerd"),
        ("pod_uid", "6f3a"),
        ("ancestry", "sh(400) bash(300)"),
        ("container_name", "web"),
        ("container_image", "nginx:1.27"),
        ("pod_name", "web-0"),
        ("pod_namespace", "shop"),
        ("pod_container", "web"),
        ("sha256", records::SHA256),
        ("user_from", "host"),
    ];
    let got: Vec<(&str, &str)> = cells
        .iter()
        .map(|(name, cell)| (&**name, &**cell))
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn records_that_are_no_connections_are_rows_too() {
    let socket = cells(records::socket());
    for (heading, expected) in [
        ("event", "socket"),
        ("socket_kind", "raw"),
        ("socket_type", "raw"),
        ("protocol", "icmp"),
        ("inode", "99"),
        ("pid", "500"),
    ] {
        assert_eq!(
            cell(&socket, heading).as_deref(),
            Some(expected),
            "{heading}"
        );
    }
    for (record, note) in [
        (records::start(), "conntracer 0.1.0, kernel 6.1.0; no names"),
        (
            records::loss(),
            "lost since 2027-01-15T08:00:01.000000000Z: 3 ring_full",
        ),
        (
            records::stop(),
            "seen 5, selected_out 0, lost 3, undecodable 0, delivered 2; \
             derived 0, suppressed 0, written 0",
        ),
    ] {
        assert_eq!(cell(&cells(record), "note").as_deref(), Some(note));
    }
}

#[test]
fn a_process_cannot_write_a_formula_or_a_row() {
    let owner = records::owner();
    let hostile = Process {
        name: "=cmd|'/c calc'!A1".to_owned(),
        exe: Some("@x".to_owned()),
        args: Some(vec!["\t=1,\"2\"\r\n3".to_owned(), "\u{1b}[2J".to_owned()]),
        ..(*owner.process).clone()
    };
    let connection = Connection {
        owner: Some(Arc::new(Owner {
            process: Arc::new(hostile),
            ..owner
        })),
        ..records::connection(Event::Connect)
    };
    let cells = cells(records::of(connection));
    for (heading, expected) in [
        ("process", "'=cmd|'/c calc'!A1"),
        ("exe", "'@x"),
        ("args", "'\\t=1,\"2\"\\r\\n3 \\u{1b}[2J"),
    ] {
        assert_eq!(
            cell(&cells, heading).as_deref(),
            Some(expected),
            "{heading}"
        );
    }
}

#[test]
fn the_headings_are_written_once() {
    let records = [records::start(), records::loss(), records::stop()];
    let rows = rows(&written(&mut Csv::default(), &records));
    let first: Vec<&str> = rows.iter().map(|row| &*row[0]).collect();
    assert_eq!(first, ["time", records::TIME, records::TIME, records::TIME]);
}
