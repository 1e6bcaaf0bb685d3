//! What was there before the start, and what stays.

use std::collections::BTreeMap;

use tracer_tests::{
    netns::Netns,
    on_every_rung, on_outer_rungs,
    peer::{self, Peer},
    record::Record,
    rung::Rung,
    tracer::Tracer,
};

on_outer_rungs!(
    own:
    connections_and_listeners_from_before,
    what_no_process_holds,
    what_several_processes_hold,
    a_user_in_the_kernel,
    a_namespace_that_was_left,
    what_stays_is_updated,
);

on_every_rung!(own: nothing_is_told_twice);

/// A server and a client that have talked and keep their connection, and the server's port.
fn talked(netns: &Netns) -> (Peer, Peer, u16) {
    let mut server = Peer::start(netns, &["serve-keep", "127.0.0.1:0", "5000", "1000"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let mut client = Peer::start(netns, &["keep", &target, "1000", "5000"]);
    client.port();
    assert_eq!(client.line(), "kept");
    assert_eq!(server.line(), "kept");
    (server, client, port)
}

fn connections_and_listeners_from_before(rung: Rung) {
    let netns = Netns::new();
    let (server, client, port) = talked(&netns);
    let (server_pid, client_pid) = (server.pid(), client.pid());
    let tracer = Tracer::on(rung, &netns, &[]);
    let listener = tracer.existing("listening", server_pid);
    let inbound = tracer.existing("inbound", server_pid);
    let outbound = tracer.existing("outbound", client_pid);
    for record in [&listener, &inbound, &outbound] {
        assert_eq!(record.at("open_before"), true);
        assert_eq!(record.text("attribution"), "existing");
        assert_eq!(record.number("netns"), Some(netns.inode()));
        assert!(record.text("process.exe").ends_with("/peer"), "{record:?}");
        assert_eq!(record.number("user.uid"), Some(0));
        assert!(record.text("cgroup.path").starts_with('/'), "{record:?}");
        let parent = &record.at("ancestry")[0];
        assert_eq!(parent["pid"], std::process::id());
    }
    assert_eq!(listener.text("state"), "LISTEN");
    assert_eq!(listener.text("direction_source"), "observed");
    assert_eq!(inbound.number("local.port"), Some(u64::from(port)));
    assert_eq!(outbound.number("remote.port"), Some(u64::from(port)));
    for (record, sent, received) in [(&inbound, 5000, 1000), (&outbound, 1000, 5000)] {
        assert_eq!(record.text("state"), "ESTABLISHED");
        assert_eq!(record.text("direction_source"), "inferred");
        assert_eq!(record.number("bytes.sent"), Some(sent));
        assert_eq!(record.number("bytes.received"), Some(received));
    }
    client.finish();
    server.finish();
    for (record, last) in [
        (&listener, "unlisten"),
        (&inbound, "close"),
        (&outbound, "close"),
    ] {
        let end = tracer.wait("end", |end| end.event() == last && end.id() == record.id());
        assert_eq!(tracer.events_of(record.id()), ["existing", last]);
        assert_eq!(end.at("process"), record.at("process"));
        assert_eq!(end.at("direction"), record.at("direction"));
        assert_eq!(end.at("direction_source"), record.at("direction_source"));
        assert_eq!(end.at("open_before"), true);
        assert_eq!(end.at("duration_us"), &serde_json::Value::Null);
    }
    let finished = tracer.stop();
    finished.assert_totals_add_up();
}

fn what_no_process_holds(rung: Rung) {
    let netns = Netns::new();
    // Whoever closes first leaves its end in TIME_WAIT.
    let mut server = Peer::start(&netns, &["serve", "127.0.0.1:0", "1", "10", "10"]);
    let gone = server.port();
    let target = format!("127.0.0.1:{gone}");
    peer::run(&netns, &["connect", &target, "10", "10"]);
    server.finish();
    let mut server = Peer::start(&netns, &["never-accept", "127.0.0.1:0"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let mut client = Peer::start(&netns, &["hold", &target]);
    client.port();
    let tracer = Tracer::on(rung, &netns, &[]);
    let waiting = tracer.wait("what waits to be accepted", |record| {
        record.event() == "existing"
            && record.number("local.port") == Some(u64::from(port))
            && record.text("direction") == "inbound"
    });
    assert_eq!(waiting.text("attribution"), "listener");
    assert_eq!(waiting.number("process.pid"), Some(server.pid()));
    assert_eq!(waiting.text("direction_source"), "observed");
    let left = tracer.wait("what is in TIME_WAIT", |record| {
        record.event() == "existing" && record.text("state") == "TIME_WAIT"
    });
    assert_eq!(left.number("remote.port"), Some(u64::from(gone)));
    assert_eq!(left.text("attribution"), "none");
    assert_eq!(left.at("process"), &serde_json::Value::Null);
    // There is no listener any more that could tell.
    assert_eq!(left.text("direction"), "outbound");
    assert_eq!(left.text("direction_source"), "inferred");
    client.finish();
    server.finish();
    let close = tracer.wait("close of what nobody took", |record| {
        record.event() == "close" && record.id() == waiting.id()
    });
    assert_eq!(close.at("accepted"), false);
}

fn what_several_processes_hold(rung: Rung) {
    let netns = Netns::new();
    let mut server = Peer::start(&netns, &["serve-keep", "127.0.0.1:0", "0", "0"]);
    let target = format!("127.0.0.1:{}", server.port());
    let mut parent = Peer::start(&netns, &["share", &target]);
    parent.port();
    let child: u64 = parent.line().parse().unwrap();
    assert_eq!(parent.line(), "kept");
    assert_eq!(server.line(), "kept");
    let pid = parent.pid();
    let tracer = Tracer::on(rung, &netns, &[]);
    let shared = tracer.wait("what is shared", |record| {
        record.event() == "existing" && record.text("direction") == "outbound"
    });
    let mut holders: Vec<u64> = shared
        .at("holders")
        .as_array()
        .unwrap()
        .iter()
        .map(|holder| holder["pid"].as_u64().unwrap())
        .collect();
    holders.sort_unstable();
    let mut expected = [pid, child];
    expected.sort_unstable();
    assert_eq!(holders, expected);
    assert_eq!(shared.at("process"), &serde_json::Value::Null);
    assert_eq!(shared.text("attribution"), "none");
    parent.finish();
    server.finish();
    let close = tracer.wait("close of what is shared", |record| {
        record.event() == "close" && record.id() == shared.id()
    });
    assert_eq!(close.number("process.pid"), Some(child));
    assert_eq!(close.text("attribution"), "close");
}

fn a_user_in_the_kernel(rung: Rung) {
    let netns = Netns::new();
    let mut server = Peer::start(&netns, &["serve-keep", "127.0.0.1:0", "5", "5"]);
    let target = format!("127.0.0.1:{}", server.port());
    let client = ["--uid", "4711", "keep", &target, "5", "5"];
    let mut client = Peer::start(&netns, &client);
    client.port();
    assert_eq!(client.line(), "kept");
    let tracer = Tracer::on(rung, &netns, &["--user", "4711"]);
    let outbound = tracer.existing("outbound", client.pid());
    assert_eq!(outbound.number("bytes.sent"), Some(5));
    client.finish();
    server.finish();
    tracer.wait("close", |record| record.event() == "close");
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    let of_server = finished
        .records
        .iter()
        .filter(|record| !record.id().is_empty() && record.number("user.uid") != Some(4711));
    assert_eq!(of_server.count(), 0);
}

fn a_namespace_that_was_left(rung: Rung) {
    let netns = Netns::new();
    let mut server = Peer::start(&netns, &["leave", "127.0.0.1:0"]);
    let port = server.port();
    assert_eq!(server.line(), "kept");
    let tracer = Tracer::on(rung, &netns, &[]);
    let listener = tracer.existing("listening", server.pid());
    assert_eq!(listener.number("local.port"), Some(u64::from(port)));
    assert_eq!(listener.number("netns"), Some(netns.inode()));
    server.finish();
    tracer.wait("unlisten", |record| {
        record.event() == "unlisten" && record.id() == listener.id()
    });
}

fn nothing_is_told_twice(rung: Rung) {
    const COUNT: &str = "400";
    let netns = Netns::new();
    let mut server = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let floods = [(); 2].map(|()| Peer::start(&netns, &["flood", &target, COUNT]));
    let tracer = Tracer::on(rung, &netns, &[]);
    for flood in floods {
        flood.finish();
    }
    server.finish();
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    let mut may_be_missing = finished.may_be_missing();
    let mut sockets: BTreeMap<_, Vec<&Record>> = BTreeMap::new();
    for record in &finished.records {
        if record.at("remote.port").is_u64() && record.text("state") != "TIME_WAIT" {
            let ends = (record.number("local.port"), record.number("remote.port"));
            sockets.entry(ends).or_default().push(record);
        }
    }
    for records in sockets.values() {
        let id = records[0].id();
        assert!(
            records.iter().all(|record| record.id() == id),
            "{records:?}"
        );
        let ends = records.iter().filter(|record| record.event() == "close");
        match ends.count() {
            0 if may_be_missing > 0 => may_be_missing -= 1,
            1 => assert_eq!(records.last().unwrap().event(), "close", "{records:?}"),
            count => panic!("{count} ends: {records:?}"),
        }
    }
}

fn what_stays_is_updated(rung: Rung) {
    let netns = Netns::new();
    let (server, client, _) = talked(&netns);
    let tracer = Tracer::on(rung, &netns, &["--update-interval", "100ms"]);
    let (late_server, late_client, _) = talked(&netns);
    for (peer, sent, received) in [
        (&client, 1000, 5000),
        (&server, 5000, 1000),
        (&late_client, 1000, 5000),
        (&late_server, 5000, 1000),
    ] {
        // One that is due while they talk tells of less.
        let update = tracer.wait("update", |record| {
            record.event() == "update"
                && record.number("process.pid") == Some(peer.pid())
                && record.number("bytes.sent") == Some(sent)
                && record.number("bytes.received") == Some(received)
        });
        assert_eq!(update.text("state"), "ESTABLISHED");
        assert_ne!(tracer.events_of(update.id())[0], "update");
    }
    let all = [client, server, late_client, late_server];
    let pids = all.each_ref().map(Peer::pid);
    all.into_iter().for_each(Peer::finish);
    for pid in pids {
        let close = tracer.wait("close", |record| {
            record.event() == "close" && record.number("process.pid") == Some(pid)
        });
        assert_eq!(tracer.events_of(close.id()).last().unwrap(), "close");
    }
    tracer.stop().assert_totals_add_up();
}
