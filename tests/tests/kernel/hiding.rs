//! Ways by which a connection hides from who looks at system calls, at ports, or at one process.

use nix::libc::{ECONNREFUSED, ENETUNREACH, EPROTONOSUPPORT};
use tracer_tests::{
    multipath,
    netns::Netns,
    on_every_rung, on_outer_rungs, on_rungs_of_attempts,
    peer::{self, Peer},
    record::{Record, events},
    rung::Rung,
    tracer::Tracer,
};

on_every_rung!(
    a_socket_that_was_passed,
    a_socket_that_was_taken,
    processes_that_share_a_port,
    calls_of_32_bits,
    bytes_that_no_program_sees,
);

on_every_rung!(own: fast_open, several_paths);

on_rungs_of_attempts!(several_paths_that_fail);

on_rungs_of_attempts!(own: fast_open_that_fails);

on_outer_rungs!(own: namespaces_with_the_same_addresses);

/// A namespace in which data may go with every SYN.
fn fast_netns() -> Netns {
    /// Clients and servers may, both without a cookie, and every listener does.
    const ALL: &str = "1543";
    let netns = Netns::new();
    netns.sysctl("net.ipv4.tcp_fastopen", ALL);
    netns
}

fn fast_open(rung: Rung) {
    let netns = fast_netns();
    let tracer = Tracer::on(rung, &netns, &[]);
    for (verb, address) in [
        ("fast-open", "127.0.0.1:0"),
        ("fast-open", "[::1]:0"),
        ("fast-open-connect", "127.0.0.1:0"),
    ] {
        let mut server = Peer::start(&netns, &["serve", address, "1", "10", "10"]);
        let port = server.port();
        let target = address.replace(":0", &format!(":{port}"));
        let client = peer::run(&netns, &[verb, &target]);
        let server_pid = server.pid();
        server.finish();
        let outbound = tracer.event("close", port, client);
        let inbound = tracer.event("close", port, server_pid);
        let (outbound, inbound) = (tracer.of(outbound.id()), tracer.of(inbound.id()));
        assert_eq!(events(&outbound), ["connect", "established", "close"]);
        assert_eq!(events(&inbound), ["accept", "close"]);
        assert_eq!(outbound[0].text("attribution"), "connect");
        assert_eq!(inbound[0].text("attribution"), "accept");
        for close in [outbound.last().unwrap(), inbound.last().unwrap()] {
            assert_eq!(close.number("bytes.sent"), Some(10), "{verb}");
            assert_eq!(close.number("bytes.received"), Some(10), "{verb}");
            assert_eq!(close.at("opened_by"), &serde_json::Value::Null);
        }
    }
    tracer.stop().assert_totals_add_up();
}

fn fast_open_that_fails(rung: Rung) {
    let netns = fast_netns();
    let tracer = Tracer::on(rung, &netns, &[]);
    let attempts: [(&str, i32, &[&str]); 2] = [
        ("127.0.0.1:9", ECONNREFUSED, &["connect", "failed"]),
        ("203.0.113.1:80", ENETUNREACH, &["failed"]),
    ];
    for (target, errno, expected) in attempts {
        let mut client = Peer::start(&netns, &["fast-open-fails", target]);
        let pid = client.pid();
        assert_eq!(client.line(), errno.to_string());
        client.finish();
        let failed = tracer.wait("failed", |record| {
            record.event() == "failed" && record.number("process.pid") == Some(pid)
        });
        assert_eq!(tracer.events_of(failed.id()), expected);
        let (ip, port) = target.split_once(':').unwrap();
        assert_eq!(failed.text("remote.ip"), ip);
        assert_eq!(failed.number("remote.port"), port.parse().ok());
    }
    tracer.stop().assert_totals_add_up();
}

/// One process connects, and another one, which says its id, uses the socket and closes it.
fn handed_over(rung: Rung, verb: &str) {
    let (netns, tracer) = (Netns::shared(), Tracer::shared(rung));
    let mut server = Peer::start(netns, &["serve", "127.0.0.1:0", "1", "10", "10"]);
    let port = server.port();
    let mut opener = Peer::start(netns, &[verb, &format!("127.0.0.1:{port}")]);
    let opener_pid = opener.pid();
    opener.port();
    let user: u64 = opener.line().parse().unwrap();
    opener.finish();
    server.finish();
    let close = tracer.event("close", port, user);
    assert_eq!(close.number("opened_by.pid"), Some(opener_pid));
    assert_eq!(close.text("attribution"), "connect");
    assert_eq!(close.number("bytes.sent"), Some(10));
    let records = tracer.of(close.id());
    assert_eq!(events(&records), ["connect", "established", "close"]);
    for record in &records[..2] {
        assert_eq!(record.number("process.pid"), Some(opener_pid));
        assert_eq!(record.at("opened_by"), &serde_json::Value::Null);
    }
}

fn a_socket_that_was_passed(rung: Rung) {
    handed_over(rung, "pass");
}

fn a_socket_that_was_taken(rung: Rung) {
    handed_over(rung, "take");
}

fn processes_that_share_a_port(rung: Rung) {
    const PROCESSES: &str = "4";
    const CLIENTS: usize = 20;
    let (netns, tracer) = (Netns::shared(), Tracer::shared(rung));
    let mut server = Peer::start(netns, &["share-port", "127.0.0.1:0", PROCESSES]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let mut takers = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = Peer::start(netns, &["who", &target]);
        let client_pid = client.pid();
        client.port();
        let taker: u64 = client.line().parse().unwrap();
        client.finish();
        let close = tracer.event_of_other_end("close", &tracer.event("close", port, client_pid));
        let records = tracer.of(close.id());
        for record in &records {
            assert_eq!(record.number("process.pid"), Some(taker), "{record:?}");
        }
        // The kernel keeps a bounded number of pending returns, fewer than there are processes here.
        if rung != Rung::Kretprobe {
            assert_eq!(events(&records), ["accept", "close"]);
        }
        takers.push(taker);
    }
    server.finish();
    takers.sort_unstable();
    takers.dedup();
    assert!(takers.len() > 1, "one process took all of them");
    for taker in takers {
        tracer.event("unlisten", port, taker);
    }
}

/// A 32-bit program numbers its calls otherwise.
fn calls_of_32_bits(rung: Rung) {
    let (netns, tracer) = (Netns::shared(), Tracer::shared(rung));
    for way in ["direct", "socketcall"] {
        let mut server = Peer::start(netns, &["narrow-serve", "127.0.0.1:0", way]);
        let (server_pid, port) = (server.pid(), server.port());
        let target = format!("127.0.0.1:{port}");
        let client = peer::run(netns, &["narrow-connect", &target, way]);
        server.finish();
        let outbound = tracer.event("close", port, client);
        let inbound = tracer.event("close", port, server_pid);
        for (close, story) in [
            (outbound, &["connect", "established", "close"][..]),
            (inbound, &["accept", "close"]),
        ] {
            assert_eq!(tracer.events_of(close.id()), story, "{way}");
            assert_eq!(close.text("attribution"), story[0], "{way}");
            assert_eq!(close.number("bytes.sent"), Some(10), "{way}");
        }
        for (target, errno, error) in IN_VAIN {
            attempt_fails(netns, tracer, &["narrow-fails", target, way], errno, error);
        }
    }
}

/// Targets that cannot be reached, and why: one answers, and for one there is no route.
const IN_VAIN: [(&str, i32, &str); 2] = [
    ("127.0.0.1:9", ECONNREFUSED, "ECONNREFUSED"),
    ("203.0.113.1:80", ENETUNREACH, "ENETUNREACH"),
];

/// What a peer attempts fails, and that is told.
fn attempt_fails(netns: &Netns, tracer: &Tracer, words: &[&str], errno: i32, error: &str) {
    let mut client = Peer::start(netns, words);
    let pid = client.pid();
    assert_eq!(client.line(), errno.to_string(), "{words:?}");
    client.finish();
    let failed = tracer.wait(&format!("failure of {pid}"), |record| {
        record.event() == "failed" && record.number("process.pid") == Some(pid)
    });
    assert_eq!(failed.text("error"), error, "{words:?}");
}

fn several_paths_that_fail(rung: Rung) {
    let (netns, tracer) = (Netns::shared(), Tracer::shared(rung));
    if multipath::is_supported() {
        for (target, errno, error) in IN_VAIN {
            attempt_fails(netns, tracer, &["multipath-fails", target], errno, error);
        }
    } else {
        assert_is_refused(netns);
    }
}

/// Debian's 5.10 is built without it.
fn assert_is_refused(netns: &Netns) {
    let mut peer = Peer::start(netns, &["socket", "2", "1", "262"]);
    assert_eq!(peer.line(), format!("errno {EPROTONOSUPPORT}"));
    peer.finish();
}

/// One connection of Multipath TCP over two pairs of addresses.
fn several_paths(rung: Rung) {
    let netns = Netns::new();
    if !multipath::is_supported() {
        return assert_is_refused(&netns);
    }
    multipath::join_from(&netns, "127.0.0.2".parse().unwrap());
    let tracer = Tracer::on(rung, &netns, &[]);
    let mut server = Peer::start(&netns, &["multipath-serve", "127.0.0.1:0"]);
    let target = format!("127.0.0.1:{}", server.port());
    let mut client = Peer::start(&netns, &["multipath-connect", &target]);
    assert_eq!(server.line(), "accepted");
    client.say("go");
    let of = |event: &'static str, pid: u64| {
        move |record: &Record| record.event() == event && record.number("process.pid") == Some(pid)
    };
    let (client_pid, server_pid) = (client.pid(), server.pid());
    tracer.wait_for(2, "established", of("established", client_pid));
    tracer.wait_for(2, "accept", of("accept", server_pid));
    client.finish();
    server.finish();
    let outbound = tracer.wait_for(2, "close", of("close", client_pid));
    let inbound = tracer.wait_for(2, "close", of("close", server_pid));
    for close in &outbound {
        let events = tracer.events_of(close.id());
        assert_eq!(events, ["connect", "established", "close"]);
        assert_eq!(close.text("attribution"), "connect");
    }
    for close in &inbound {
        assert_eq!(tracer.events_of(close.id()), ["accept", "close"]);
        assert_eq!(close.text("attribution"), "accept");
    }
    for closes in [outbound, inbound] {
        // Not ten: what one path is slow to deliver the kernel sends on the other once more.
        let sent = closes.iter().filter_map(|r| r.number("bytes.sent"));
        assert!(sent.sum::<u64>() >= 10);
        for close in &closes {
            let other_end = tracer.event_of_other_end("close", close);
            assert_eq!(close.at("bytes.sent"), other_end.at("bytes.received"));
        }
    }
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    // No worker of the kernel's has any of it. The server's kernel may try a path too, where the client
    // does not listen.
    for record in finished.records.iter().filter(|r| !r.id().is_empty()) {
        let pid = record.number("process.pid").unwrap();
        assert!([client_pid, server_pid].contains(&pid), "{record:?}");
    }
    let closes = finished.records.iter().filter(|r| r.event() == "close");
    assert_eq!(closes.count(), 4);
}

fn namespaces_with_the_same_addresses(rung: Rung) {
    const FROM: &str = "127.0.0.1:7002";
    const TO: &str = "127.0.0.1:7001";
    let netns = [Netns::new(), Netns::new()];
    let inodes = netns.each_ref().map(|netns| netns.inode().to_string());
    let both = inodes.join(",");
    let tracer = Tracer::start(&["--hooks", rung.hooks(), "--netns", &both]);
    let mut servers = netns
        .each_ref()
        .map(|netns| Peer::start(netns, &["serve", TO, "1", "0", "0"]));
    for server in &mut servers {
        server.port();
    }
    let mut clients = netns
        .each_ref()
        .map(|netns| Peer::start(netns, &["hold-from", FROM, TO]));
    for client in &mut clients {
        client.port();
    }
    let pids = [&clients, &servers].map(|peers| peers.each_ref().map(Peer::pid));
    clients.into_iter().for_each(Peer::finish);
    servers.into_iter().for_each(Peer::finish);
    let mut ids = Vec::new();
    for (pids, expected) in pids.into_iter().zip([
        &["connect", "established", "close"][..],
        &["accept", "close"],
    ]) {
        for (pid, netns) in pids.into_iter().zip(&netns) {
            let close = tracer.event("close", 7001, pid);
            let records = tracer.of(close.id());
            assert_eq!(events(&records), expected);
            for record in records {
                assert_eq!(record.number("process.pid"), Some(pid), "{record:?}");
                assert_eq!(record.number("netns"), Some(netns.inode()), "{record:?}");
            }
            ids.push(close.id().to_owned());
        }
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    tracer.stop().assert_totals_add_up();
}

fn bytes_that_no_program_sees(rung: Rung) {
    const COUNT: u64 = 200_000;
    let (netns, tracer) = (Netns::shared(), Tracer::shared(rung));
    let count = COUNT.to_string();
    for verb in ["sendfile", "splice"] {
        let mut server = Peer::start(netns, &["serve", "127.0.0.1:0", "1", &count, "0"]);
        let port = server.port();
        let target = format!("127.0.0.1:{port}");
        let client = peer::run(netns, &[verb, &target, &count]);
        let server_pid = server.pid();
        server.finish();
        let sent = tracer.event("close", port, client);
        assert_eq!(sent.number("bytes.sent"), Some(COUNT), "{verb}");
        assert_eq!(sent.number("bytes.received"), Some(0), "{verb}");
        let received = tracer.event("close", port, server_pid);
        assert_eq!(received.number("bytes.received"), Some(COUNT), "{verb}");
        assert_eq!(received.number("bytes.sent"), Some(0), "{verb}");
    }
}
