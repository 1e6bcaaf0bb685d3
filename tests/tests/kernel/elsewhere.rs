//! Where a connection goes in truth, if that is not what was asked for.

use std::net::{Ipv4Addr, SocketAddrV4};

use tracer_tests::{
    bpf::Foreign,
    cgroup::Cgroup,
    netns::Netns,
    on_rungs_of_attempts,
    peer::{self, Peer},
    record::events,
    rung::Rung,
    tracer::Tracer,
};

on_rungs_of_attempts!(
    redirected_by_a_cgroup_program,
    datagrams_redirected_by_a_cgroup_program,
    datagrams_of_no_connection_redirected_by_a_cgroup_program,
);

/// A cgroup of a test.
fn cgroup(test: &str, rung: Rung) -> Cgroup {
    let pid = std::process::id();
    Cgroup::new(&format!("/conntracer-{test}-{pid}-{}", rung as u8))
}

fn redirected_by_a_cgroup_program(rung: Rung) {
    let netns = Netns::shared();
    let tracer = Tracer::shared(rung);
    let cgroup = cgroup("redirect", rung);
    let directory = cgroup.directory();
    let mut server = Peer::start(netns, &["serve", "127.0.0.1:0", "1", "10", "10"]);
    let port = server.port();
    let redirect = Foreign::redirect(&directory, SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
    let words = [
        "--cgroup",
        &directory,
        "connect",
        "203.0.113.7:443",
        "10",
        "10",
    ];
    let client = peer::run(netns, &words);
    drop(redirect);
    server.finish();
    let close = tracer.event("close", port, client);
    let records = tracer.of(close.id());
    assert_eq!(events(&records), ["connect", "established", "close"]);
    let asked = serde_json::json!({"ip": "203.0.113.7", "port": 443});
    for record in &records {
        assert_eq!(record.endpoint("remote"), ("127.0.0.1", Some(port.into())));
        assert_eq!(record.at("requested"), &asked);
        assert_eq!(record.at("translated"), &serde_json::Value::Null);
    }
    // Of a connection that is what was asked for nothing of the kind is said.
    let inbound = tracer.event_of_other_end("close", &close);
    assert_eq!(inbound.at("requested"), &serde_json::Value::Null);
}

fn datagrams_redirected_by_a_cgroup_program(rung: Rung) {
    let netns = Netns::shared();
    let tracer = Tracer::shared(rung);
    let cgroup = cgroup("redirect-udp", rung);
    let directory = cgroup.directory();
    let mut server = Peer::start(netns, &["hear", "127.0.0.1:0", "2"]);
    let port = server.port();
    let redirect = Foreign::redirect(&directory, SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
    let words = ["--cgroup", &directory, "tell", "203.0.113.7:53", "2", "10"];
    let client = peer::run(netns, &words);
    drop(redirect);
    assert_eq!(server.line(), "heard");
    server.finish();
    let close = tracer.event("close", port, client);
    let records = tracer.of(close.id());
    assert_eq!(events(&records), ["connect", "close"]);
    for record in &records {
        assert_eq!(record.endpoint("remote"), ("127.0.0.1", Some(port.into())));
        let asked = serde_json::json!({"ip": "203.0.113.7", "port": 53});
        assert_eq!(record.at("requested"), &asked);
    }
    // What is connected to whom it asked for says nothing of the kind.
    let mut server = Peer::start(netns, &["hear", "127.0.0.1:0", "1"]);
    let port = server.port();
    let client = peer::run(netns, &["tell", &format!("127.0.0.1:{port}"), "1", "10"]);
    assert_eq!(server.line(), "heard");
    server.finish();
    let close = tracer.event("close", port, client);
    assert_eq!(close.at("requested"), &serde_json::Value::Null);
}

/// As a name server's service address becomes that of one of its pods.
fn datagrams_of_no_connection_redirected_by_a_cgroup_program(rung: Rung) {
    let netns = Netns::shared();
    let tracer = Tracer::shared(rung);
    let cgroup = cgroup("redirect-send", rung);
    let directory = cgroup.directory();
    let mut server = Peer::start(netns, &["answer", "127.0.0.1:0", "2", "10"]);
    let port = server.port();
    let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let redirect = Foreign::redirect_datagrams(&directory, to);
    let words = ["--cgroup", &directory, "ask", "2", "10", "203.0.113.7:53"];
    let mut client = Peer::start(netns, &words);
    assert_eq!(client.line(), "asked");
    drop(redirect);
    let pid = client.pid();
    client.finish();
    let close = tracer.event("close", port, pid);
    let records = tracer.of(close.id());
    assert_eq!(events(&records), ["connect", "close"]);
    for record in &records {
        assert_eq!(record.endpoint("remote"), ("127.0.0.1", Some(port.into())));
        let asked = serde_json::json!({"ip": "203.0.113.7", "port": 53});
        assert_eq!(record.at("requested"), &asked);
        assert_eq!(record.at("translated"), &serde_json::Value::Null);
    }
    assert_eq!(
        close.at("packets"),
        &serde_json::json!({"sent": 2, "received": 2})
    );
    server.finish();
}
