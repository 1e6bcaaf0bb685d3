//! What is done through `io_uring`: no system call says what came of it.
//!
//! Where a kernel has no `io_uring`, these fail rather than pass for nothing.

use nix::libc::{ECONNREFUSED, EINVAL, ENETUNREACH};
use tracer_tests::{
    kernel_is_at_least,
    netns::Netns,
    on_every_rung,
    peer::{self, Peer},
    record::{Record, events},
    rung::Rung,
    tracer::Tracer,
};

on_every_rung!(
    a_connection_on_both_sides,
    attempts_that_fail_at_once,
    one_accept_that_goes_on,
    what_goes_into_the_table_of_a_ring,
    a_socket,
);

/// In the thread that submits, in a worker of the kernel's, in a thread that polls.
const MODES: [&str; 3] = ["plain", "async", "sqpoll"];

fn a_connection_on_both_sides(rung: Rung) {
    let (netns, tracer) = (Netns::shared(), Tracer::shared(rung));
    for mode in MODES {
        let mut server = Peer::start(netns, &["uring-serve", "127.0.0.1:0", mode, "1"]);
        let port = server.port();
        let target = format!("127.0.0.1:{port}");
        let client = peer::run(netns, &["uring-connect", &target, mode]);
        let outbound = tracer.event("close", port, client);
        let inbound = tracer.event("close", port, server.pid());
        server.finish();
        let (outbound, inbound) = (tracer.of(outbound.id()), tracer.of(inbound.id()));
        assert_eq!(events(&outbound), ["connect", "established", "close"]);
        let mut sides = vec![(outbound, "connect")];
        // The kernel keeps a bounded number of pending returns, and other tests wait in accept too.
        if rung != Rung::Kretprobe || events(&inbound) != ["close"] {
            assert_eq!(events(&inbound), ["accept", "close"]);
            sides.push((inbound, "accept"));
        }
        for (records, attribution) in sides {
            for record in &records {
                assert_eq!(record.at("process.pid"), records[0].at("process.pid"));
                assert_eq!(record.text("process.name"), "peer", "{mode}");
                assert_eq!(record.text("attribution"), attribution);
            }
            let close = records.last().unwrap();
            assert_eq!(close.number("bytes.sent"), Some(10));
            assert_eq!(close.number("bytes.received"), Some(10));
        }
    }
}

fn attempts_that_fail_at_once(rung: Rung) {
    let (netns, tracer) = (Netns::shared(), Tracer::shared(rung));
    let attempts = [
        ("203.0.113.1:80", ENETUNREACH, "unreachable", "ENETUNREACH"),
        ("127.0.0.1:9", ECONNREFUSED, "refused", "ECONNREFUSED"),
        (
            "[2001:db8::1]:443",
            ENETUNREACH,
            "unreachable",
            "ENETUNREACH",
        ),
    ];
    for mode in MODES {
        let mut words = vec!["uring-attempts", mode];
        words.extend(attempts.iter().map(|(target, ..)| *target));
        let mut client = Peer::start(netns, &words);
        let pid = client.pid();
        for (target, errno, ..) in attempts {
            assert_eq!(client.line(), errno.to_string(), "{target} {mode}");
        }
        client.finish();
        let is_end = |record: &Record| {
            record.event() == "failed" && record.number("process.pid") == Some(pid)
        };
        tracer.wait_for(attempts.len(), mode, is_end);
        // An attempt that is made later is reported, and nothing before it of this process.
        let later = peer::run(netns, &["refused", "127.0.0.1:9"]);
        tracer.wait("barrier", |record| {
            record.event() == "failed" && record.number("process.pid") == Some(later)
        });
        let ends: Vec<Record> = tracer.records().into_iter().filter(is_end).collect();
        assert_eq!(ends.len(), attempts.len(), "{mode}: {ends:#?}");
        for (target, _, outcome, error) in attempts {
            let (ip, port) = target.rsplit_once(':').unwrap();
            let is_of_target = |record: &&Record| {
                record.text("remote.ip") == ip.trim_matches(['[', ']'])
                    && record.number("remote.port") == port.parse().ok()
            };
            let end = ends.iter().find(is_of_target).unwrap();
            assert_eq!(end.text("outcome"), outcome, "{mode}: {end:?}");
            assert_eq!(end.text("error"), error, "{mode}: {end:?}");
            assert_eq!(end.text("attribution"), "connect");
            let expected: &[&str] = match outcome {
                "refused" => &["connect", "failed"],
                _ => &["failed"],
            };
            assert_eq!(tracer.events_of(end.id()), expected, "{mode}");
        }
    }
}

fn one_accept_that_goes_on(rung: Rung) {
    const COUNT: usize = 3;
    let (netns, tracer) = (Netns::shared(), Tracer::shared(rung));
    let count = COUNT.to_string();
    let mut server = Peer::start(netns, &["uring-multishot", "127.0.0.1:0", &count]);
    let (pid, port) = (server.pid(), server.port());
    let answer = server.line();
    if !kernel_is_at_least(5, 19) {
        assert_eq!(answer, format!("errno {EINVAL}"));
        server.finish();
        return;
    }
    assert_eq!(answer, "waiting");
    let target = format!("127.0.0.1:{port}");
    let clients = [(); COUNT].map(|()| peer::run(netns, &["connect", &target, "10", "10"]));
    server.finish();
    for client in clients {
        let close = tracer.event_of_other_end("close", &tracer.event("close", port, client));
        assert_eq!(close.number("process.pid"), Some(pid));
        assert_eq!(close.text("attribution"), "accept");
        assert_eq!(tracer.events_of(close.id()), ["accept", "close"]);
    }
}

fn what_goes_into_the_table_of_a_ring(rung: Rung) {
    let (netns, tracer) = (Netns::shared(), Tracer::shared(rung));
    let mut server = Peer::start(netns, &["uring-direct", "127.0.0.1:0"]);
    let (pid, port) = (server.pid(), server.port());
    let target = format!("127.0.0.1:{port}");
    let client = peer::run(netns, &["connect", &target, "0", "0"]);
    server.finish();
    let close = tracer.event_of_other_end("close", &tracer.event("close", port, client));
    assert_eq!(close.number("process.pid"), Some(pid));
    if uses_calls(tracer) {
        // It has no descriptor by which it could be found.
        assert_eq!(tracer.events_of(close.id()), ["close"]);
    } else {
        assert_eq!(close.text("attribution"), "accept");
        assert_eq!(tracer.events_of(close.id()), ["accept", "close"]);
    }
}

/// Whether accept is seen by what calls return.
fn uses_calls(tracer: &Tracer) -> bool {
    let records = tracer.records();
    let hooks = records[0].at("hooks").as_array().unwrap();
    hooks
        .iter()
        .any(|hook| hook["name"] == "accept" && hook["via"] == "tp_btf")
}

fn a_socket(rung: Rung) {
    let (netns, tracer) = (Netns::shared(), Tracer::shared(rung));
    let mut peer = Peer::start(netns, &["uring-socket"]);
    let pid = peer.pid();
    let answer = peer.line();
    peer.finish();
    if !kernel_is_at_least(5, 19) {
        assert_eq!(answer, "unsupported");
        return;
    }
    let record = tracer.wait("socket", |record| {
        record.event() == "socket" && record.number("process.pid") == Some(pid)
    });
    assert_eq!(record.number("inode"), answer.parse().ok());
    assert_eq!(record.text("protocol"), "icmp");
}
