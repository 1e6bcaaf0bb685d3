//! Loss is told and accounted for, and there is none where there need not be.

use std::{collections::BTreeMap, time::Instant};

use nix::sys::signal::Signal;
use tracer_tests::{
    DEADLINE, bpf,
    netns::Netns,
    on_every_rung,
    peer::{self, Peer},
    record::Record,
    rung::Rung,
    tracer::Tracer,
};

on_every_rung!(
    a_ring_that_is_full_is_told,
    a_flood_leaves_nothing_behind,
    many_short_connections_lose_nothing,
);

fn a_ring_that_is_full_is_told(rung: Rung) {
    let netns = Netns::new();
    let mut server = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let target = format!("127.0.0.1:{}", server.port());
    let tracer = Tracer::on(rung, &netns, &["--buffer", "4K"]);
    tracer.signal(Signal::SIGSTOP);
    peer::run(&netns, &["flood", &target, "100"]);
    tracer.signal(Signal::SIGCONT);
    let loss = tracer.wait("loss", |record| record.event() == "loss");
    assert!(loss.number("lost.ring_full").unwrap() > 0);
    assert!(loss.text("since") < loss.text("time"));
    let finished = tracer.stop();
    server.finish();
    finished.assert_totals_add_up();
    assert_eq!(finished.status.code(), Some(3));
    let told: u64 = finished
        .records
        .iter()
        .filter_map(|record| record.number("lost.ring_full"))
        .sum();
    assert_eq!(finished.stop().number("kernel.lost.ring_full"), Some(told));
}

/// How many connections a flood has; an emulated machine is given fewer.
fn flood_size() -> u64 {
    let given = std::env::var("FLOOD").ok();
    given.map_or(50_000, |count| count.parse().unwrap())
}

fn a_flood_leaves_nothing_behind(rung: Rung) {
    let count = flood_size();
    let netns = Netns::new();
    // All of it comes out of the ring, and is not written.
    let tracer = Tracer::on(rung, &netns, &["--event", "failed"]);
    let mut server = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let target = format!("127.0.0.1:{}", server.port());
    // Its memory, once it has dealt with so many connections.
    let memory_after = |part: u64| {
        peer::run(&netns, &["flood", &target, &part.to_string()]);
        let last = peer::run(&netns, &["refused", "127.0.0.1:9"]);
        tracer.wait("failed", |record| {
            record.number("process.pid") == Some(last)
        });
        tracer.private_kib()
    };
    let before = memory_after(count / 5);
    let after = memory_after(count - count / 5);
    let (pid, inode) = (tracer.pid(), netns.inode());
    server.finish();
    // Sockets that wait for their end are forgotten when they enter it.
    let deadline = Instant::now() + DEADLINE;
    while bpf::connections_of(pid, inode) > 0 {
        assert!(Instant::now() < deadline, "the map still has connections");
        std::thread::yield_now();
    }
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    let stop = finished.stop();
    assert_eq!(stop.at("kernel.lost"), &serde_json::json!({}));
    assert!(finished.status.success(), "{}", finished.stderr);
    // Connect, established and two closes each; an accept may come after the end and then is none.
    assert!(stop.number("kernel.delivered").unwrap() >= 4 * count);
    // What the queue took while it was longest stays with the allocator; three hundred bytes for each
    // connection would not pass.
    assert!(after < before + 12 * 1024, "from {before} to {after} KiB");
}

fn many_short_connections_lose_nothing(rung: Rung) {
    const COUNT: usize = 500;
    let netns = Netns::new();
    let tracer = Tracer::on(rung, &netns, &[]);
    let mut server = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let client = peer::run(&netns, &["flood", &target, &COUNT.to_string()]);
    tracer.wait_for(COUNT, "close of each", |record| {
        record.event() == "close" && record.number("process.pid") == Some(client)
    });
    let server_pid = server.pid();
    let finished = tracer.stop();
    server.finish();
    finished.assert_totals_add_up();
    assert_eq!(finished.stop().at("kernel.lost"), &serde_json::json!({}));
    assert!(finished.status.success(), "{}", finished.stderr);
    let mut connections: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for record in &finished.records {
        connections.entry(record.id()).or_default().push(record);
    }
    connections.remove("");
    let mut outbound = 0;
    for records in connections.values() {
        let events: Vec<&str> = records.iter().map(|record| record.event()).collect();
        let lines: Vec<String> = records.iter().map(|record| record.summary()).collect();
        let pid = records[0].number("process.pid");
        match records[0].text("direction") {
            "outbound" => {
                assert_eq!(events, ["connect", "established", "close"], "{lines:#?}");
                assert_eq!(pid, Some(client), "{lines:#?}");
                outbound += 1;
            }
            "listening" => {}
            // The last may end after the tracing.
            "inbound" => {
                assert!(["accept", "close"].starts_with(&events), "{lines:#?}");
                assert_eq!(pid, Some(server_pid), "{lines:#?}");
            }
            other => panic!("a {other} connection: {lines:#?}"),
        }
    }
    assert_eq!(outbound, COUNT);
}
