//! What the targets have in common: anything goes in, nothing may panic, and what comes out is held against
//! what went in.

use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};
use tracer_core::{
    decode::decode,
    discovery::read as discovery_logs,
    flows::{
        Flow, Packet,
        export::{self, Exporters, sflow::Agents},
        read::{Around, Kind},
    },
    geo::{Database, Databases},
    logs::{Frames, Log, Readers, Senders, Taken},
    people::Profiles,
    record::Record,
    recording::{Entry, Reader},
    scope::Scope,
    threat::{self, Indicators, Options},
};

fn around() -> Around {
    Around {
        zone: TimeZone::UTC,
        year: None,
        fields: None,
        now: Timestamp::from_second(1_790_000_000)
            .unwrap_or_default()
            .into(),
    }
}

/// What is told can be written as JSON and read again, and says no more than fits into what went in.
fn check(flows: &[Flow]) {
    for flow in flows {
        let text = serde_json::to_string(flow).expect("a flow has nothing that JSON cannot say");
        let value: serde_json::Value = serde_json::from_str(&text).expect("that was JSON");
        assert!(value["time"].is_string());
    }
}

/// A flow log: a file of it tells the same whether it comes with what another file said or on its own.
pub fn flow_log(kind: Option<Kind>, data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut readers = Readers::new(around());
    let mut told = Vec::new();
    for _ in 0..2 {
        let mut log = Log::new("log", kind, &mut readers);
        let mut taken = Taken::default();
        let mut is_known = true;
        for line in text.lines() {
            is_known &= log.line(line, &mut taken).is_ok();
        }
        is_known &= log.end(&mut taken).is_ok();
        check(&taken.told);
        let lines = text.lines().count();
        assert!(
            taken.problems.len() <= 2 * lines + 2,
            "a line has one problem"
        );
        told.push((is_known, taken.told.len()));
    }
    assert_eq!(told.first().map(|one| one.0), told.last().map(|one| one.0));
}

/// Datagrams, each behind two bytes of its length.
fn datagrams(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = data.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (datagram, rest) = rest.split_at(length);
        data = rest;
        Some(datagram)
    })
}

/// Packets of NetFlow and IPFIX, of two exporters that do not know of each other's templates.
pub fn export(data: &[u8]) {
    let mut exporters = Exporters::default();
    let mut taken = export::Taken::default();
    // The whole is a packet, too: what was found in files is.
    for (number, payload) in datagrams(data).chain([data]).enumerate() {
        let exporter = if number % 3 == 0 { "a" } else { "b" };
        let from = Packet {
            exporter: Some(Arc::from(exporter)),
            packet: Some(number as u64 + 1),
            ..Packet::default()
        };
        exporters.take(payload, &from, &mut taken);
        check(&taken.flows);
        taken.flows.clear();
        let _ = export::length(payload);
    }
    exporters.end(&mut taken);
    check(&taken.flows);
}

/// Packets of sFlow.
pub fn sflow(data: &[u8]) {
    let mut agents = Agents::default();
    let mut taken = export::Taken::default();
    for payload in datagrams(data).chain([data]) {
        let from = Packet::default();
        agents.take(payload, &from, Timestamp::UNIX_EPOCH, &mut taken);
    }
    check(&taken.flows);
}

/// Syslog over TCP, in pieces: what comes in one piece and what comes byte by byte is the same.
pub fn syslog(data: &[u8]) {
    let frames = |size: usize| {
        let mut found = Vec::new();
        let mut frames = Frames::default();
        for piece in data.chunks(size.max(1)) {
            frames.take(piece, |frame| found.push(format!("{frame:?}")));
        }
        let rest = frames.end();
        (found, rest)
    };
    assert_eq!(frames(data.len()), frames(1));
    let mut senders = Senders::<Kind>::new(None, around());
    let mut taken = Taken::default();
    for line in String::from_utf8_lossy(data).lines() {
        senders.line("sender", line, &mut taken);
    }
    senders.end(&mut taken);
    check(&taken.told);
}

/// Feeds of indicators, and what is asked of them.
pub fn threat(data: &[u8]) {
    let all = [
        threat::read("feed", data),
        threat::read_allowed("feed", data),
    ];
    for feed in all.into_iter().flatten() {
        let feeds = [Arc::new(feed)];
        let options = Options { every_scope: true };
        let indicators = Indicators::new(&feeds, &[], options);
        for network in indicators.networks().take(100) {
            let at = Timestamp::MIN;
            let hits = indicators.of_address(network.addr(), None, Scope::External, at);
            assert!(!hits.is_empty(), "{network} is in the feed");
        }
        let _ = indicators.of_name(&String::from_utf8_lossy(data), Timestamp::UNIX_EPOCH);
    }
}

/// Tables of accounts.
pub fn people(data: &[u8]) {
    if let Ok(profiles) = Profiles::read(data) {
        let _ = profiles.of(&String::from_utf8_lossy(data));
        assert!(profiles.len() <= data.len());
    }
}

/// Databases of addresses.
pub fn geo(data: &[u8]) {
    if let Ok(database) = Database::read(data.to_vec()) {
        let databases = Databases(vec![Arc::new(database)]);
        for ip in [[9, 9, 9, 9], [89, 160, 20, 112], [203, 0, 113, 9]] {
            let _ = databases.place(ip.into(), Scope::External);
        }
        let _ = databases.place(std::net::Ipv6Addr::LOCALHOST.into(), Scope::External);
    }
}

/// Logs in which discovery is found, of whatever kind they look like.
pub fn discovery(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut readers = Readers::new(2026);
    let mut log = Log::<discovery_logs::Kind>::new("log", None, &mut readers);
    let mut taken = Taken::default();
    for line in text.lines() {
        if log.line(line, &mut taken).is_err() {
            return;
        }
    }
    let _ = log.end(&mut taken);
}

/// Recordings: what is read of one that was changed is an error or a frame, never more.
pub fn recording(data: &[u8]) {
    let mut reader = Reader::trusting();
    reader.feed(data);
    reader.end();
    if !matches!(reader.header(), Ok(Some(_))) {
        return;
    }
    while let Ok(Some(entry)) = reader.entry() {
        if let Entry::Frame(bytes) = entry {
            let _ = decode(bytes);
        }
    }
}

/// Records as JSON: what is read and written again says the same.
pub fn record(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(record) = Record::read(&text) {
        let written = serde_json::to_string(&record).expect("a record is JSON");
        let again = Record::read(&written).expect("what is written can be read");
        let again = serde_json::to_string(&again).expect("a record is JSON");
        assert_eq!(written, again);
    }
}
