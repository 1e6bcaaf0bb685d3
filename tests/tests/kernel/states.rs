//! Every TCP state change: `--states`.

use std::collections::BTreeMap;

use tracer_tests::{
    bpf,
    netns::Netns,
    on_every_rung, on_outer_rungs,
    peer::{self, Peer},
    record::Record,
    rung::Rung,
    tracer::Tracer,
    wait_until,
};

on_every_rung!(own: in_order_with_everything_else);

on_outer_rungs!(
    own:
    attempts_that_fail,
    what_nobody_took,
    of_connections_from_before,
    each_once_and_nothing_else,
);

/// The way of an outbound connection that this host closes first.
const OUTBOUND_FIRST: [&str; 8] = [
    "CLOSED>SYN_SENT",
    "connect",
    "SYN_SENT>ESTABLISHED",
    "established",
    "ESTABLISHED>FIN_WAIT1",
    "FIN_WAIT1>FIN_WAIT2",
    "FIN_WAIT2>CLOSED",
    "close",
];

/// The way of an inbound connection that the other host closes first.
const INBOUND_LAST: [&str; 6] = [
    "SYN_RECV>ESTABLISHED",
    "accept",
    "ESTABLISHED>CLOSE_WAIT",
    "CLOSE_WAIT>LAST_ACK",
    "LAST_ACK>CLOSED",
    "close",
];

/// The way of an outbound connection that the other host closes first.
const OUTBOUND_LAST: [&str; 8] = [
    "CLOSED>SYN_SENT",
    "connect",
    "SYN_SENT>ESTABLISHED",
    "established",
    "ESTABLISHED>CLOSE_WAIT",
    "CLOSE_WAIT>LAST_ACK",
    "LAST_ACK>CLOSED",
    "close",
];

/// The way of an inbound connection that this host closes first.
const INBOUND_FIRST: [&str; 6] = [
    "SYN_RECV>ESTABLISHED",
    "accept",
    "ESTABLISHED>FIN_WAIT1",
    "FIN_WAIT1>FIN_WAIT2",
    "FIN_WAIT2>CLOSED",
    "close",
];

/// What a record tells, in a word: of a state change its two states.
fn step(record: &Record) -> String {
    match record.event() {
        "state" => format!("{}>{}", record.text("old_state"), record.text("state")),
        event => event.to_owned(),
    }
}

fn steps(records: &[Record]) -> Vec<String> {
    records.iter().map(step).collect()
}

/// All records of the connection that ended with this event, of a process and with a port.
fn way(tracer: &Tracer, end: &str, port: u16, pid: u64) -> Vec<Record> {
    let end = tracer.event(end, port, pid);
    tracer.of(end.id())
}

fn in_order_with_everything_else(rung: Rung) {
    let netns = Netns::new();
    let tracer = Tracer::on(rung, &netns, &["--states"]);
    let mut server = Peer::start(&netns, &["serve", "127.0.0.1:0", "1", "10", "10"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let client = peer::run(&netns, &["connect", &target, "10", "10"]);
    let outbound = way(&tracer, "close", port, client);
    assert_eq!(steps(&outbound), OUTBOUND_FIRST);
    let inbound = way(&tracer, "close", port, server.pid());
    assert_eq!(steps(&inbound), INBOUND_LAST);
    assert_owned(&outbound, client, "connect");
    // Before it is taken it is the listener's.
    assert_owned(&inbound[..1], server.pid(), "listener");
    assert_owned(&inbound[1..], server.pid(), "accept");
    let unlisten = tracer.event("unlisten", port, server.pid());
    assert_eq!(tracer.events_of(unlisten.id()), ["listen", "unlisten"]);
    server.finish();
    let mut server = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let port = server.port();
    let client = peer::run(&netns, &["flood", &format!("127.0.0.1:{port}"), "1"]);
    let outbound = way(&tracer, "close", port, client);
    assert_eq!(steps(&outbound), OUTBOUND_LAST);
    let inbound = way(&tracer, "close", port, server.pid());
    assert_eq!(steps(&inbound), INBOUND_FIRST);
    assert_owned(&inbound[1..], server.pid(), "accept");
    server.finish();
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    assert_in_time(&finished.records);
}

fn assert_owned(records: &[Record], pid: u64, attribution: &str) {
    for record in records {
        assert_eq!(record.number("process.pid"), Some(pid), "{record:?}");
        assert_eq!(record.text("attribution"), attribution, "{record:?}");
    }
}

/// The records of each connection are in the order of their times.
fn assert_in_time(records: &[Record]) {
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    for record in records.iter().filter(|record| !record.id().is_empty()) {
        let time = record.text("time");
        if let Some(before) = last.insert(record.id(), time) {
            assert!(before <= time, "{record:?}");
        }
    }
}

fn attempts_that_fail(rung: Rung) {
    let netns = Netns::new();
    let tracer = Tracer::on(rung, &netns, &["--states"]);
    let attempt = |words: &[&str]| {
        let client = peer::run(&netns, words);
        let failed = tracer.wait("failed", |record| {
            record.event() == "failed" && record.number("process.pid") == Some(client)
        });
        steps(&tracer.of(failed.id()))
    };
    let no_connection = ["CLOSED>SYN_SENT", "connect", "SYN_SENT>CLOSED", "failed"];
    assert_eq!(attempt(&["refused", "127.0.0.1:9"]), no_connection);
    // Nothing was tried on the socket.
    assert_eq!(attempt(&["refused", "203.0.113.1:80"]), ["failed"]);
    let mut server = Peer::start(&netns, &["full", "127.0.0.1:0"]);
    let target = format!("127.0.0.1:{}", server.port());
    assert_eq!(attempt(&["give-up", &target, "50"]), no_connection);
    server.finish();
    let mut server = Peer::start(&netns, &["never-accept", "127.0.0.1:0"]);
    let target = format!("127.0.0.1:{}", server.port());
    // It was, but nothing left this host.
    let before_syn = ["CLOSED>SYN_SENT", "SYN_SENT>CLOSED", "failed"];
    assert_eq!(attempt(&["no-local-port", &target]), before_syn);
    server.finish();
    tracer.stop().assert_totals_add_up();
}

fn what_nobody_took(rung: Rung) {
    let netns = Netns::new();
    let tracer = Tracer::on(rung, &netns, &["--states"]);
    let mut server = Peer::start(&netns, &["never-accept", "127.0.0.1:0"]);
    let port = server.port();
    let mut client = Peer::start(&netns, &["hold", &format!("127.0.0.1:{port}")]);
    client.port();
    let pid = server.pid();
    server.finish();
    client.finish();
    let inbound = way(&tracer, "close", port, pid);
    let expected = ["SYN_RECV>ESTABLISHED", "ESTABLISHED>CLOSED", "close"];
    assert_eq!(steps(&inbound), expected);
    assert_owned(&inbound, pid, "listener");
    tracer.stop().assert_totals_add_up();
}

fn of_connections_from_before(rung: Rung) {
    let netns = Netns::new();
    let mut server = Peer::start(&netns, &["serve-keep", "127.0.0.1:0", "10", "10"]);
    let port = server.port();
    let mut client = Peer::start(&netns, &["keep", &format!("127.0.0.1:{port}"), "10", "10"]);
    client.port();
    assert_eq!(client.line(), "kept");
    assert_eq!(server.line(), "kept");
    let tracer = Tracer::on(rung, &netns, &["--states"]);
    let outbound = tracer.existing("outbound", client.pid());
    let inbound = tracer.existing("inbound", server.pid());
    client.finish();
    tracer.wait("CLOSE_WAIT", |record| {
        record.id() == inbound.id() && record.text("state") == "CLOSE_WAIT"
    });
    server.finish();
    for (existing, way) in [
        (&outbound, &OUTBOUND_FIRST[4..]),
        (&inbound, &INBOUND_LAST[2..]),
    ] {
        tracer.wait("close", |record| {
            record.event() == "close" && record.id() == existing.id()
        });
        let records = tracer.of(existing.id());
        assert_eq!(steps(&records)[0], "existing");
        assert_eq!(steps(&records)[1..], *way);
        for record in &records {
            assert_eq!(record.at("open_before"), true);
            assert_eq!(record.at("process"), existing.at("process"));
        }
    }
    tracer.stop().assert_totals_add_up();
}

fn each_once_and_nothing_else(rung: Rung) {
    const COUNT: usize = 100;
    let netns = Netns::new();
    let tracer = Tracer::on(rung, &netns, &["--states", "--event", "state"]);
    let mut server = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let target = format!("127.0.0.1:{}", server.port());
    let count = COUNT.to_string();
    let floods = [(); 2].map(|()| Peer::start(&netns, &["flood", &target, &count]));
    floods.into_iter().for_each(Peer::finish);
    server.finish();
    wait_until("every connection is over", || {
        bpf::connections_of(tracer.pid(), netns.inode()) == 0
    });
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    let missed = usize::try_from(finished.may_be_missing()).unwrap();
    let mut ways: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for record in &finished.records {
        if !record.id().is_empty() {
            assert_eq!(record.event(), "state");
            ways.entry(record.id()).or_default().push(step(record));
        }
    }
    // Of two floods, each connection has two ends here.
    assert!(ways.len() <= 4 * COUNT + missed, "{}", ways.len());
    let states = |way: &[&'static str]| -> Vec<&str> {
        let steps = way.iter().copied();
        steps.filter(|step| step.contains('>')).collect()
    };
    let expected = [states(&OUTBOUND_LAST), states(&INBOUND_FIRST)];
    let (whole, broken): (Vec<_>, Vec<_>) = ways
        .values()
        .partition(|way| expected.iter().any(|expected| *way == expected));
    assert!(whole.len() + missed >= 4 * COUNT, "{broken:?}");
    for mut way in broken.into_iter().cloned() {
        let len = way.len();
        way.sort_unstable();
        way.dedup();
        assert_eq!(way.len(), len, "twice: {way:?}");
    }
}
