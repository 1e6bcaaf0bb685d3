//! UDP: a flow for each socket and peer.

use tracer_tests::{
    bpf,
    netns::Netns,
    on_outer_rungs,
    peer::{self, Peer},
    record::Record,
    rung::Rung,
    tracer::Tracer,
};

on_outer_rungs!(
    own:
    both_ends_have_their_own_process,
    many_at_once,
    a_flow_ends_when_nothing_moves,
    sockets_from_before,
);

/// The record of an event of a process with a port at the other end.
fn flow(tracer: &Tracer, event: &str, remote: u16, pid: u64) -> Record {
    tracer.wait(&format!("{event} of {pid} with {remote}"), |record| {
        record.event() == event
            && record.number("remote.port") == Some(u64::from(remote))
            && record.number("process.pid") == Some(pid)
    })
}

fn assert_moved(record: &Record, sent: (u64, u64), received: (u64, u64)) {
    let number = |path: &str| record.number(path).unwrap();
    let moved = [
        (number("packets.sent"), number("bytes.sent")),
        (number("packets.received"), number("bytes.received")),
    ];
    assert_eq!(moved, [sent, received], "{record:?}");
}

fn both_ends_have_their_own_process(rung: Rung) {
    let netns = Netns::new();
    let tracer = Tracer::on(rung, &netns, &[]);
    // The last speaks IPv4 through a socket of IPv6.
    for (at, from, family) in [
        ("127.0.0.1:0", "127.0.0.1", "ipv4"),
        ("[::1]:0", "[::1]", "ipv6"),
        ("127.0.0.77:0", "127.0.0.77", "ipv4"),
        ("[::]:0", "127.0.0.1", "ipv4"),
    ] {
        let mut server = Peer::start(&netns, &["answer", at, "6", "50"]);
        let port = server.port();
        let mut other = Peer::start(&netns, &["answer", at, "1", "5"]);
        let other_port = other.port();
        let target = format!("{from}:{port}");
        let second = format!("{from}:{other_port}");
        let listen = tracer.event("listen", port, server.pid());
        assert_eq!(listen.text("protocol"), "udp");
        assert_eq!(listen.text("attribution"), "listen");
        let mut first = Peer::start(&netns, &["ask", "5", "100", &target]);
        assert_eq!(first.line(), "asked");
        // Two peers of one socket are two flows. The first keeps its port, or the second may get it.
        let both = peer::run(&netns, &["ask", "1", "10", &target, &second]);
        assert_moved(&flow(&tracer, "close", port, both), (1, 10), (1, 50));
        assert_moved(&flow(&tracer, "close", other_port, both), (1, 10), (1, 5));
        let client = first.pid();
        first.finish();
        let connect = flow(&tracer, "connect", port, client);
        let local = u16::try_from(connect.number("local.port").unwrap()).unwrap();
        let accept = flow(&tracer, "accept", local, server.pid());
        let close = flow(&tracer, "close", port, client);
        assert_moved(&close, (5, 500), (5, 250));
        assert_eq!(close.text("outcome"), "finished");
        assert_eq!(tracer.events_of(connect.id()), ["connect", "close"]);
        for record in [&connect, &accept, &close] {
            assert_eq!(record.text("protocol"), "udp");
            assert_eq!(record.text("family"), family);
            assert!(record.text("process.exe").ends_with("/peer"));
        }
        assert_eq!(connect.text("remote.ip"), from.trim_matches(['[', ']']));
        assert_eq!(connect.text("attribution"), "connect");
        assert_eq!(accept.text("attribution"), "listener");
        assert_eq!(accept.text("local.ip"), connect.text("remote.ip"));
        // What routing gave a socket that nobody bound.
        let near = if family == "ipv4" { "127.0.0.1" } else { "::1" };
        assert_eq!(connect.text("local.ip"), near);
        assert_eq!(accept.text("community_id"), connect.text("community_id"));
        let (pid, other_pid) = (server.pid(), other.pid());
        server.finish();
        other.finish();
        assert_moved(&flow(&tracer, "close", local, pid), (5, 250), (5, 500));
        let unlisten = tracer.event("unlisten", port, pid);
        assert_eq!(tracer.events_of(unlisten.id()), ["listen", "unlisten"]);
        tracer.event("unlisten", other_port, other_pid);
    }
    assert_eq!(bpf::connections_of(tracer.pid(), netns.inode()), 0);
    let finished = tracer.stop();
    finished.assert_totals_add_up();
}

fn many_at_once(rung: Rung) {
    const FLOOD: &str = "3000";
    const PEERS: &str = "100";
    let netns = Netns::new();
    let tracer = Tracer::on(rung, &netns, &["--not-remote-port", "21000-21999"]);
    let mut server = Peer::start(&netns, &["hear", "127.0.0.1:0", "3"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let client = peer::run(&netns, &["at-once", &target]);
    assert_eq!(server.line(), "heard");
    assert_moved(&flow(&tracer, "close", port, client), (3, 6), (0, 0));
    // What does not fit into the buffer of the receiver is still sent.
    let flood = Peer::start(&netns, &["tell", &target, FLOOD, "10"]);
    let pid = flood.pid();
    flood.finish();
    let close = flow(&tracer, "close", port, pid);
    assert_moved(&close, (3000, 30_000), (0, 0));
    assert_eq!(tracer.events_of(close.id()), ["connect", "close"]);
    server.finish();
    // More peers than end with the socket, selected and not.
    let sprayed = peer::run(&netns, &["spray", "127.0.0.1:20000", PEERS]);
    peer::run(&netns, &["spray", "127.0.0.1:21000", PEERS]);
    tracer.wait_for(100, "close of what was sprayed", |record| {
        record.event() == "close" && record.number("process.pid") == Some(sprayed)
    });
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    let stop = finished.stop();
    assert!(
        stop.number("kernel.selected_out").unwrap() >= 200,
        "{stop:?}"
    );
    // Nothing of the flood but its beginning and its end.
    assert!(stop.number("kernel.delivered").unwrap() < 300, "{stop:?}");
}

fn a_flow_ends_when_nothing_moves(rung: Rung) {
    let netns = Netns::new();
    let flags = ["--udp-idle", "3s", "--update-interval", "100ms"];
    let tracer = Tracer::on(rung, &netns, &flags);
    let mut server = Peer::start(&netns, &["hear", "127.0.0.1:0", "2"]);
    let port = server.port();
    let mut client = Peer::start(&netns, &["tell", &format!("127.0.0.1:{port}"), "1", "7"]);
    assert_eq!(client.line(), "told");
    let pid = client.pid();
    let update = flow(&tracer, "update", port, pid);
    assert_moved(&update, (1, 7), (0, 0));
    let idle = flow(&tracer, "close", port, pid);
    assert_eq!(idle.text("outcome"), "idle");
    assert_eq!(idle.id(), update.id());
    client.say("again");
    assert_eq!(client.line(), "told");
    let again = tracer.wait("resumption", |record| {
        record.event() == "connect"
            && record.number("process.pid") == Some(pid)
            && record.id() != idle.id()
    });
    assert_eq!(again.at("open_before"), &serde_json::Value::Null);
    client.finish();
    server.finish();
    let close = tracer.wait("close", |record| {
        record.event() == "close" && record.id() == again.id()
    });
    assert_moved(&close, (1, 7), (0, 0));
    tracer.stop().assert_totals_add_up();
}

fn sockets_from_before(rung: Rung) {
    let netns = Netns::new();
    let mut server = Peer::start(&netns, &["hear", "127.0.0.1:0", "2"]);
    let port = server.port();
    let mut client = Peer::start(&netns, &["tell", &format!("127.0.0.1:{port}"), "1", "7"]);
    assert_eq!(client.line(), "told");
    let tracer = Tracer::on(rung, &netns, &[]);
    let listener = tracer.existing("listening", server.pid());
    assert_eq!(listener.number("local.port"), Some(u64::from(port)));
    let outbound = tracer.existing("outbound", client.pid());
    assert_eq!(outbound.number("remote.port"), Some(u64::from(port)));
    client.say("again");
    assert_eq!(client.line(), "told");
    let local = u16::try_from(outbound.number("local.port").unwrap()).unwrap();
    let accept = flow(&tracer, "accept", local, server.pid());
    assert_eq!(accept.at("open_before"), true);
    let pid = client.pid();
    client.finish();
    let close = flow(&tracer, "close", port, pid);
    assert_eq!(close.id(), outbound.id());
    assert_eq!(close.at("open_before"), true);
    assert_moved(&close, (1, 7), (0, 0));
    server.finish();
    tracer.wait("unlisten", |record| {
        record.event() == "unlisten" && record.id() == listener.id()
    });
    tracer.stop().assert_totals_add_up();
}
