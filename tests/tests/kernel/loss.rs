//! Loss is told and accounted for, and there is none where there need not be.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;
use serde_json::json;
use tracer_tests::{
    bpf::{self, Memory},
    kernel_is_at_least,
    netns::Netns,
    on_every_rung, on_outer_rungs, on_the_lowest_rung,
    peer::{self, Peer},
    record::Record,
    rung::Rung,
    tracer::{Finished, Tracer},
};

on_every_rung!(own: a_flood_leaves_nothing_behind, many_short_connections_lose_nothing);

on_outer_rungs!(
    own:
    a_ring_that_is_full_is_told,
    memory_that_was_anothers_is_no_owner,
    memory_that_had_a_connection_to_the_same_server,
);

on_the_lowest_rung!(own: a_hook_that_is_taken_away_is_told);

fn a_ring_that_is_full_is_told(rung: Rung) {
    let netns = Netns::new();
    let mut server = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let target = format!("127.0.0.1:{}", server.port());
    let tracer = Tracer::on(rung, &netns, &["--buffer", "4K", "--quiet"]);
    tracer.halt();
    peer::run(&netns, &["flood", &target, "100"]);
    tracer.signal(Signal::SIGCONT);
    // The kernel may have skipped a program, too (docs/coverage.md), and that may be told before.
    let loss = tracer.wait("loss of what had no room", |record| {
        record.number("lost.ring_full") > Some(0)
    });
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
    // Of loss people are told, however quiet it is.
    for (said, of_it) in [
        ("records are being lost: ", "ring_full: ".to_owned()),
        ("records were lost: ", format!("{told} ring_full")),
    ] {
        let mut lines = finished.stderr.lines();
        let is_said = |line: &str| line.contains(said) && line.contains(&of_it);
        assert!(lines.any(is_said), "{}", finished.stderr);
    }
}

/// How many connections a flood has on a machine that is not emulated.
const WHOLE_FLOOD: u64 = 50_000;

/// How many connections a flood has; an emulated machine is given fewer.
pub fn flood_size() -> u64 {
    let given = std::env::var("FLOOD").ok();
    given.map_or(WHOLE_FLOOD, |count| count.parse().unwrap())
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
    netns.wait_for_ends();
    let left = bpf::connections_of(pid, inode) as u64;
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    let stop = finished.stop();
    let missed = finished.may_be_missing();
    assert!(left <= missed, "{left} are left behind: {stop:?}");
    // Connect, established and two closes each; an accept may come after the end and then is none.
    assert!(stop.number("kernel.delivered").unwrap() + missed >= 4 * count);
    // What the queue took while it was longest stays with the allocator, and on an emulated machine it
    // grows long; of the whole flood three hundred bytes for each connection would not pass.
    let slack = if count < WHOLE_FLOOD { 32 } else { 12 };
    assert!(
        after < before + slack * 1024,
        "from {before} to {after} KiB"
    );
}

fn many_short_connections_lose_nothing(rung: Rung) {
    const COUNT: usize = 500;
    let netns = Netns::new();
    let tracer = Tracer::on(rung, &netns, &[]);
    let mut server = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let client = peer::run(&netns, &["flood", &target, &COUNT.to_string()]);
    let server_pid = server.pid();
    netns.wait_for_ends();
    let finished = tracer.stop();
    server.finish();
    finished.assert_totals_add_up();
    let missed = usize::try_from(finished.may_be_missing()).unwrap();
    let mut connections: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for record in &finished.records {
        connections.entry(record.id()).or_default().push(record);
    }
    connections.remove("");
    let of = |direction: &str| {
        let of_it = connections
            .values()
            .filter(|records| records[0].text("direction") == direction);
        of_it.cloned().collect::<Vec<_>>()
    };
    let (outbound, inbound) = (of("outbound"), of("inbound"));
    let is_whole = |records: &[&Record], pid: u64, events: &[&str]| {
        records
            .iter()
            .map(|record| record.event())
            .eq(events.iter().copied())
            && records
                .iter()
                .all(|record| record.number("process.pid") == Some(pid))
    };
    let assert_whole = |all: &[Vec<&Record>], is_whole: &dyn Fn(&[&Record]) -> bool| {
        let (whole, other): (Vec<_>, Vec<_>) = all.iter().partition(|records| is_whole(records));
        let stop = finished.stop();
        assert!(whole.len() + missed >= COUNT, "{other:#?} {stop:#?}");
    };
    assert_whole(&outbound, &|records| {
        is_whole(records, client, &["connect", "established", "close"])
    });
    assert_whole(&inbound, &|records| {
        is_whole(records, server_pid, &["accept", "close"])
    });
    // Nothing is reported twice, nor under a stranger.
    assert!(outbound.len() <= COUNT + missed && inbound.len() <= COUNT + missed);
    let is_ours = |record: &&Record| {
        let pid = record.number("process.pid");
        pid == Some(client) || pid == Some(server_pid)
    };
    let all = outbound.iter().chain(&inbound).flatten();
    assert_eq!(all.filter(|record| !is_ours(record)).count(), 0);
}

/// No hook saw the end of what a socket's memory was before. Who had that is not taken for the owner, and
/// the end that is missing is told.
fn memory_that_was_anothers_is_no_owner(rung: Rung) {
    let netns = Netns::new();
    let tracer = Tracer::on(rung, &netns, &[]);
    let mut server = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let server_port = server.port();
    let target = format!("127.0.0.1:{server_port}");
    let mut client = Peer::start(&netns, &["hold", &target]);
    let port = client.port();
    let accept = tracer.event("accept", port, server.pid());
    Memory::of(tracer.pid(), server_port, port)
        .from_elsewhere()
        .put_back();
    client.finish();
    let close = tracer.event("close", port, server.pid());
    server.finish();
    assert_ne!(close.id(), accept.id());
    assert_eq!(close.at("open_before"), true);
    assert_eq!(close.text("attribution"), "close");
    let finished = tracer.stop();
    assert_one_end_is_missed(&finished);
    let of_accepted = finished.records.iter().filter(|r| r.id() == accept.id());
    assert_eq!(of_accepted.count(), 1);
}

fn assert_one_end_is_missed(finished: &Finished) {
    finished.assert_totals_add_up();
    let stop = finished.stop();
    let missed = stop.number("kernel.lost.hook_missed");
    // Where programs are preempted, the kernel may skip some, too.
    if kernel_is_at_least(6, 19) {
        assert!(missed >= Some(1), "{stop:?}");
    } else {
        assert_eq!(missed, Some(1), "{stop:?}");
    }
    assert_eq!(finished.status.code(), Some(3));
}

/// No hook saw the end of a connection, and the next one of its memory goes to the same server, as those of
/// a busy client do: a connection of its own, and the end that is missing is told.
fn memory_that_had_a_connection_to_the_same_server(rung: Rung) {
    let netns = Netns::new();
    let tracer = Tracer::on(rung, &netns, &[]);
    let mut server = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let server_port = server.port();
    let target = format!("127.0.0.1:{server_port}");
    let mut client = Peer::start(&netns, &["again", &target]);
    let first = client.port();
    tracer.event("established", first, client.pid());
    let memory = Memory::of(tracer.pid(), first, server_port);
    client.say("disconnect");
    assert_eq!(client.line(), "disconnected");
    let old = tracer.event("close", first, client.pid());
    memory.put_back();
    client.say("connect");
    let second = client.port();
    let pid = client.pid();
    let connect = tracer.event("connect", second, pid);
    tracer.event("established", second, pid);
    client.finish();
    let close = tracer.event("close", second, pid);
    server.finish();
    assert_ne!(connect.id(), old.id());
    assert_eq!(close.id(), connect.id());
    assert_one_end_is_missed(&tracer.stop());
}

/// Only hooks at cgroups can be taken away, and the lowest rung has them.
fn a_hook_that_is_taken_away_is_told(rung: Rung) {
    let netns = Netns::new();
    let tracer = Tracer::on(rung, &netns, &[]);
    bpf::detach(tracer.pid(), "bind_cgroup6");
    let loss = tracer.wait("loss", |record| record.event() == "loss");
    assert_eq!(loss.number("lost.hook_detached"), Some(1));
    let hooks = json!([{"name": "datagram", "via": "cgroup_skb"}]);
    assert_eq!(
        *loss.at("detached"),
        json!([{"program": "bind_cgroup6", "hooks": hooks}])
    );
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    assert_eq!(finished.status.code(), Some(3));
    let told = finished.records.iter();
    let told: u64 = told.filter_map(|r| r.number("lost.hook_detached")).sum();
    assert_eq!(told, 1);
    assert_eq!(
        finished.stop().number("kernel.lost.hook_detached"),
        Some(1),
        "{:?}",
        finished.stop()
    );
}
