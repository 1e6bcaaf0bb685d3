//! What a rootkit hides from those who list sockets. On one kernel only: what is done with their lists is
//! the same on all.

use std::process::Command;

use tracer_tests::{
    conntracer,
    cross_check::{cross_check, has_sock_diag, hidden_from},
    netns::Netns,
    peer::Peer,
    record::Record,
    rootkit::Rootkit,
    scratch::Scratch,
    tracer::Finished,
};

/// The only record of a port at this end.
fn at_port(finished: &Finished, port: u16) -> &Record {
    let is_it = |record: &&Record| record.number("local.port") == Some(u64::from(port));
    let records: Vec<&Record> = finished.records.iter().filter(is_it).collect();
    let [record] = records.as_slice() else {
        panic!("of port {port}: {records:?}");
    };
    record
}

/// A server and a client that keep their connection, and the client's port.
fn talking(netns: &Netns) -> (Peer, Peer, u16) {
    let mut server = Peer::start(netns, &["serve-keep", "127.0.0.1:0", "1", "1"]);
    let target = format!("127.0.0.1:{}", server.port());
    let mut client = Peer::start(netns, &["keep", &target, "1", "1"]);
    let port = client.port();
    assert_eq!([client.line(), server.line()], ["kept", "kept"]);
    (server, client, port)
}

#[test]
fn what_proc_net_does_not_show() {
    let netns = Netns::new();
    let mut backdoor = Peer::start(&netns, &["never-accept", "127.0.0.1:0"]);
    let mut ear = Peer::start(&netns, &["hear", "[::1]:0", "0"]);
    let mut honest = Peer::start(&netns, &["never-accept", "127.0.0.1:0"]);
    let hidden = [(backdoor.port(), backdoor.pid()), (ear.port(), ear.pid())];
    let rootkit = Rootkit {
        hides_in_proc_net: hidden.iter().map(|(port, _)| *port).collect(),
        ..Rootkit::default()
    };
    let finished = cross_check(&netns, rootkit, &[]);
    assert_eq!(finished.status.code(), Some(4), "{}", finished.stderr);
    for (port, pid) in hidden {
        let record = at_port(&finished, port);
        assert_eq!(hidden_from(record), ["proc_net"]);
        assert_eq!(record.number("process.pid"), Some(pid));
    }
    let shown = at_port(&finished, honest.port());
    assert_eq!(hidden_from(shown), [""; 0]);
    for peer in [backdoor, ear, honest] {
        peer.finish();
    }
}

#[test]
fn what_neither_of_the_others_shows() {
    let netns = Netns::new();
    let (server, client, port) = talking(&netns);
    let rootkit = Rootkit {
        hides_in_proc_net: vec![port],
        hides_in_sock_diag: vec![port],
        ..Rootkit::default()
    };
    let finished = cross_check(&netns, rootkit, &[]);
    let record = at_port(&finished, port);
    let expected: &[&str] = if has_sock_diag(&finished) {
        &["sock_diag", "proc_net"]
    } else {
        &["proc_net"]
    };
    assert_eq!(hidden_from(record), expected);
    assert_eq!(record.number("process.pid"), Some(client.pid()));
    assert_eq!(record.number("bytes.sent"), Some(1));
    client.finish();
    server.finish();
}

/// In one list a listener and a connection have other ports than they have: what they are there, the
/// iterator does not show. And a replay tells the same.
#[test]
fn what_the_iterator_does_not_show() {
    /// Not ports that anything is given by chance: below the range of those.
    const LISTENER: u16 = 7;
    const CONNECTION: u16 = 9;
    let netns = Netns::new();
    let scratch = Scratch::new();
    let recording = scratch.file("case.rec");
    let mut backdoor = Peer::start(&netns, &["--uid", "1234", "never-accept", "127.0.0.1:0"]);
    let (server, client, from) = talking(&netns);
    let port = backdoor.port();
    let rootkit = Rootkit {
        moves_in_proc_net: vec![(port, LISTENER), (from, CONNECTION)],
        ..Rootkit::default()
    };
    let finished = cross_check(&netns, rootkit, &["--record", &recording]);
    assert_eq!(finished.status.code(), Some(4), "{}", finished.stderr);
    let [listener, connection] = [LISTENER, CONNECTION].map(|port| at_port(&finished, port));
    assert_is_told_by_others(&finished, listener, &netns);
    assert_is_told_by_others(&finished, connection, &netns);
    assert_eq!(listener.text("direction"), "listening");
    assert_eq!(listener.text("state"), "LISTEN");
    assert_eq!(listener.number("socket.uid"), Some(1234));
    // Who holds it is known as of any other.
    let told = at_port(&finished, port);
    assert_eq!(hidden_from(told), ["proc_net"]);
    for field in [
        "process",
        "cgroup",
        "user",
        "unit",
        "ancestry",
        "attribution",
    ] {
        assert_eq!(listener.at(field), told.at(field), "{field}");
    }
    assert_eq!(connection.text("direction"), "outbound");
    assert_eq!(connection.text("state"), "ESTABLISHED");
    assert_eq!(connection.text("remote.ip"), "127.0.0.1");
    assert_eq!(connection.number("process.pid"), Some(client.pid()));
    // Nobody has counted it.
    assert_eq!(connection.at("bytes"), &serde_json::Value::Null);
    let inode = netns.inode().to_string();
    let replay = Command::new(conntracer())
        .args(["replay", &recording, "-o", "json", "--netns", &inode])
        .output()
        .unwrap();
    assert_eq!(replay.status.code(), Some(4));
    assert_eq!(String::from_utf8_lossy(&replay.stdout), finished.stdout);
    for peer in [backdoor, client, server] {
        peer.finish();
    }
}

fn assert_is_told_by_others(finished: &Finished, record: &Record, netns: &Netns) {
    let expected: &[&str] = if has_sock_diag(finished) {
        &["iterator", "sock_diag"]
    } else {
        &["iterator"]
    };
    assert_eq!(hidden_from(record), expected);
    assert_eq!(record.number("netns"), Some(netns.inode()));
    assert!(record.number("socket.inode") > Some(0), "{record:?}");
    assert!(record.text("process.exe").ends_with("/peer"), "{record:?}");
}
