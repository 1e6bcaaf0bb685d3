//! What is hidden from nobody, though it comes and goes.

use tracer_tests::{
    cross_check::{cross_check, has_sock_diag, hidden_from},
    netns::Netns,
    on_outer_rungs,
    peer::{self, Peer},
    rootkit::Rootkit,
    rung::Rung,
};

on_outer_rungs!(own: nothing_is_hidden_where_nobody_hides);

/// Sockets of all kinds that lists differ in.
fn crowd(netns: &Netns) -> Vec<Peer> {
    let mut peers = Vec::new();
    for (listen, connect) in [
        ("127.0.0.1:0", "127.0.0.1"),
        ("[::1]:0", "[::1]"),
        ("[::]:0", "127.0.0.1"),
        ("127.0.0.1:0", "[::ffff:127.0.0.1]"),
    ] {
        let mut server = Peer::start(netns, &["serve-keep", listen, "1", "1"]);
        let target = format!("{connect}:{}", server.port());
        let mut client = Peer::start(netns, &["keep", &target, "1", "1"]);
        client.port();
        assert_eq!([client.line(), server.line()], ["kept", "kept"]);
        peers.extend([server, client]);
    }
    let mut group = Peer::start(netns, &["share-port", "127.0.0.1:0", "4"]);
    group.port();
    peers.push(group);
    for (hear, tell) in [
        ("127.0.0.1:0", "127.0.0.1"),
        ("[::]:0", "[::ffff:127.0.0.1]"),
    ] {
        let mut ear = Peer::start(netns, &["hear", hear, "0"]);
        let target = format!("{tell}:{}", ear.port());
        let mut mouth = Peer::start(netns, &["tell", &target, "1", "1"]);
        assert_eq!([ear.line(), mouth.line()], ["heard", "told"]);
        peers.extend([ear, mouth]);
    }
    peers
}

/// Leaves a connection in `TIME_WAIT`.
fn leave_behind(netns: &Netns) {
    let mut server = Peer::start(netns, &["serve", "127.0.0.1:0", "1", "10", "10"]);
    let target = format!("127.0.0.1:{}", server.port());
    peer::run(netns, &["connect", &target, "10", "10"]);
    server.finish();
}

fn nothing_is_hidden_where_nobody_hides(rung: Rung) {
    let netns = Netns::new();
    let peers = crowd(&netns);
    leave_behind(&netns);
    // And what comes and goes meanwhile.
    let mut server = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let target = format!("127.0.0.1:{}", server.port());
    let flood = Peer::start(&netns, &["flood", &target, "1000"]);
    for _ in 0..2 {
        let finished = cross_check(&netns, Rootkit::default(), &["--hooks", rung.hooks()]);
        // Asserts the exit code, too.
        let _ = finished.may_be_missing();
        let stop = finished.stop();
        assert_eq!(stop.number("cross_check.hidden"), Some(0));
        // Eight of four connections with their listeners, four of a group, four of UDP.
        assert!(stop.number("cross_check.sockets") >= Some(20), "{stop:?}");
        let existing = finished.records.iter().filter(|r| r.event() == "existing");
        assert!(existing.clone().count() >= 20);
        for record in existing {
            assert_eq!(hidden_from(record), [""; 0], "{record:?}");
        }
        has_sock_diag(&finished);
    }
    flood.kill();
    server.finish();
    peers.into_iter().for_each(Peer::finish);
}
