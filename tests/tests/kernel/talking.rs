//! Connections that work: both sides, in order, with their own processes and exact bytes.

use tracer_tests::{
    netns::Netns,
    on_every_rung,
    peer::{self, Peer},
    record::{Record, events},
    rung::Rung,
    tracer::Tracer,
};

on_every_rung!(
    loopback_names_both_sides,
    a_short_life_is_seen_whole,
    ipv6,
    an_ipv4_connection_on_an_ipv6_socket_is_one_ipv4_connection,
    nothing_is_established_before_it_is,
    a_half_closed_connection_counts_what_came_after,
);

on_every_rung!(own: threads_that_wait_in_accept_at_the_start);

/// A server and a client that exchange so many bytes; the records of the client's and of the
/// server's connection.
fn talk(
    tracer: &Tracer,
    address: &str,
    verb: &str,
    sent: usize,
    received: usize,
) -> (Vec<Record>, Vec<Record>) {
    let netns = Netns::shared();
    let (to_server, to_client) = (sent.to_string(), received.to_string());
    let mut server = Peer::start(netns, &["serve", address, "1", &to_server, &to_client]);
    let port = server.port();
    let target = address.replace(":0", &format!(":{port}"));
    let mut words = vec![verb, target.as_str()];
    if verb == "connect" {
        words.extend([to_server.as_str(), to_client.as_str()]);
    }
    let client = peer::run(netns, &words);
    let of_client = tracer.event("close", port, client);
    let of_server = tracer.event("close", port, server.pid());
    server.finish();
    (tracer.of(of_client.id()), tracer.of(of_server.id()))
}

fn loopback_names_both_sides(rung: Rung) {
    let tracer = Tracer::shared(rung);
    let (client, server) = talk(tracer, "127.0.0.1:0", "connect", 1000, 5000);
    assert_eq!(events(&client), ["connect", "established", "close"]);
    assert_eq!(events(&server), ["accept", "close"]);
    let (opened, taken) = (&client[0], &server[0]);
    assert_ne!(opened.at("process.pid"), taken.at("process.pid"));
    for record in client.iter().chain(&server) {
        let own = if record.id() == opened.id() {
            opened
        } else {
            taken
        };
        assert_eq!(record.at("process"), own.at("process"), "{record:?}");
        assert_eq!(record.at("local"), own.at("local"), "{record:?}");
        assert_eq!(record.at("remote"), own.at("remote"), "{record:?}");
        assert_eq!(record.at("opened_by"), &serde_json::Value::Null);
        assert_eq!(record.number("netns"), Some(Netns::shared().inode()));
    }
    assert_eq!(opened.at("local.port"), taken.at("remote.port"));
    assert_eq!(opened.at("community_id"), taken.at("community_id"));
    assert_eq!(opened.text("direction"), "outbound");
    assert_eq!(taken.text("direction"), "inbound");
    assert_eq!(opened.text("attribution"), "connect");
    assert_eq!(taken.text("attribution"), "accept");
    assert!(client[1].number("latency_us").is_some());
    let times: Vec<&str> = client.iter().map(|record| record.text("time")).collect();
    assert!(times.is_sorted(), "{times:?}");
}

fn a_short_life_is_seen_whole(rung: Rung) {
    let tracer = Tracer::shared(rung);
    let (client, server) = talk(tracer, "127.0.0.1:0", "connect", 1000, 5000);
    let exe = std::fs::canonicalize(tracer_tests::peer()).unwrap();
    for record in &client {
        assert_eq!(record.text("process.exe"), exe.to_str().unwrap());
        let args = record.at("process.args").as_array().unwrap();
        assert!(args.iter().any(|arg| arg == "connect"), "{args:?}");
        assert_eq!(record.number("user.uid"), Some(0));
        // Never zero, from the first record on.
        assert_ne!(record.number("local.port").unwrap(), 0);
    }
    for (records, sent, received) in [(&client, 1000, 5000), (&server, 5000, 1000)] {
        let close = records.last().unwrap();
        assert_eq!(close.number("bytes.sent"), Some(sent));
        assert_eq!(close.number("bytes.received"), Some(received));
        assert_eq!(close.text("outcome"), "finished");
        assert_eq!(close.text("state"), "CLOSED");
        assert!(close.number("duration_us").is_some());
    }
}

fn ipv6(rung: Rung) {
    let (client, server) = talk(Tracer::shared(rung), "[::1]:0", "connect", 1, 0);
    assert_eq!(events(&client), ["connect", "established", "close"]);
    for record in client.iter().chain(&server) {
        assert_eq!(record.text("family"), "ipv6");
        assert_eq!(record.text("local.ip"), "::1");
        assert_eq!(record.text("remote.ip"), "::1");
    }
    let close = client.last().unwrap();
    assert_eq!(close.number("bytes.sent"), Some(1));
    assert_eq!(close.number("bytes.received"), Some(0));
}

fn an_ipv4_connection_on_an_ipv6_socket_is_one_ipv4_connection(rung: Rung) {
    let tracer = Tracer::shared(rung);
    let (client, _) = talk(tracer, "127.0.0.1:0", "mapped", 10, 10);
    assert_eq!(events(&client), ["connect", "established", "close"]);
    for record in &client {
        assert_eq!(record.text("family"), "ipv4");
        assert_eq!(record.text("remote.ip"), "127.0.0.1");
        assert_eq!(record.text("local.ip"), "127.0.0.1");
    }
    let pid = client[0].number("process.pid");
    let of_process = tracer
        .records()
        .into_iter()
        .filter(|record| record.number("process.pid") == pid);
    assert_eq!(of_process.count(), client.len());
}

fn nothing_is_established_before_it_is(rung: Rung) {
    let tracer = Tracer::shared(rung);
    let netns = Netns::shared();
    let mut server = Peer::start(netns, &["full", "127.0.0.1:0"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let mut client = Peer::start(netns, &["nonblocking", &target]);
    assert_eq!(client.line(), "in progress");
    let connect = tracer.event("connect", port, client.pid());
    assert_eq!(connect.text("state"), "SYN_SENT");
    let pid = client.pid();
    client.finish();
    let failed = tracer.event("failed", port, pid);
    assert_eq!(failed.text("outcome"), "aborted");
    assert_eq!(tracer.events_of(connect.id()), ["connect", "failed"]);
    server.finish();
}

fn a_half_closed_connection_counts_what_came_after(rung: Rung) {
    let (client, server) = talk(Tracer::shared(rung), "127.0.0.1:0", "half-close", 10, 10);
    assert_eq!(events(&client), ["connect", "established", "close"]);
    for record in [client.last().unwrap(), server.last().unwrap()] {
        assert_eq!(record.number("bytes.sent"), Some(10));
        assert_eq!(record.number("bytes.received"), Some(10));
        assert_eq!(record.text("outcome"), "finished");
    }
}

fn threads_that_wait_in_accept_at_the_start(rung: Rung) {
    const THREADS: usize = 30;
    let netns = Netns::new();
    let threads = THREADS.to_string();
    let mut server = Peer::start(&netns, &["waiting", "127.0.0.1:0", &threads]);
    let port = server.port();
    let pid = server.pid();
    let target = format!("127.0.0.1:{port}");
    let tracer = Tracer::on(rung, &netns, &[]);
    for _ in 0..THREADS {
        peer::run(&netns, &["connect", &target, "0", "0"]);
    }
    server.finish();
    tracer.wait_for(THREADS, "close of each", |record| {
        record.event() == "close" && record.text("direction") == "inbound"
    });
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    let accepted = finished
        .records
        .iter()
        .filter(|record| record.event() == "accept" && record.number("process.pid") == Some(pid))
        .count();
    match rung {
        // A return probe is armed only for calls that begin after it.
        Rung::Fexit | Rung::Kretprobe => assert!(accepted <= THREADS),
        Rung::Auto | Rung::Kprobe | Rung::Tracepoint => assert_eq!(accepted, THREADS),
    }
    // Never somebody else, on any rung.
    for record in &finished.records {
        if record.text("direction") == "inbound"
            && let Some(owner) = record.number("process.pid")
        {
            assert_eq!(owner, pid, "{record:?}");
        }
    }
}
