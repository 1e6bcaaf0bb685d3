//! How attempts and connections end.

use tracer_tests::{
    bpf::Foreign,
    cgroup::Cgroup,
    kernel_is_at_least,
    netns::Netns,
    on_every_rung, on_outer_rungs, on_rungs_of_attempts,
    peer::{self, Peer},
    record::Record,
    rung::Rung,
    tracer::Tracer,
};

on_every_rung!(
    refused,
    refused_over_ipv6,
    given_up_by_the_program,
    no_route,
    forbidden_by_a_cgroup_program,
    no_local_port_left,
    reset_by_the_peer,
    reset_by_this_side,
    closed_with_data_unread,
    killed_while_connecting,
    never_accepted,
);

on_rungs_of_attempts!(forbidden_by_a_security_module);

on_outer_rungs!(own: given_up_by_the_kernel);

/// A port on which nobody listens.
fn closed_port(netns: &Netns) -> u16 {
    let mut listener = Peer::start(netns, &["never-accept", "127.0.0.1:0"]);
    let port = listener.port();
    listener.finish();
    port
}

/// Lets somebody fail to connect; the records of the attempt, and the errno the program got.
fn attempt(tracer: &Tracer, netns: &Netns, words: &[&str]) -> (Vec<Record>, i32) {
    let mut client = Peer::start(netns, words);
    let pid = client.pid();
    let errno = client.line().parse().unwrap();
    client.finish();
    let failed = tracer.wait("failed", |record| {
        record.event() == "failed" && record.number("process.pid") == Some(pid)
    });
    (tracer.of(failed.id()), errno)
}

fn assert_failed(records: &[Record], events: &[&str], outcome: &str, error: &str) {
    let found: Vec<&str> = records.iter().map(Record::event).collect();
    assert_eq!(found, events);
    let failed = records.last().unwrap();
    assert_eq!(failed.text("outcome"), outcome);
    assert_eq!(failed.text("error"), error);
    assert_eq!(failed.text("state"), "CLOSED");
    assert_eq!(failed.text("attribution"), "connect");
}

fn refused(rung: Rung) {
    let netns = Netns::shared();
    let target = format!("127.0.0.1:{}", closed_port(netns));
    let (records, errno) = attempt(Tracer::shared(rung), netns, &["refused", &target]);
    assert_eq!(errno, nix::libc::ECONNREFUSED);
    assert_failed(&records, &["connect", "failed"], "refused", "ECONNREFUSED");
    assert_eq!(records[0].at("remote"), records[1].at("remote"));
    assert_eq!(records[0].at("local"), records[1].at("local"));
}

fn refused_over_ipv6(rung: Rung) {
    let netns = Netns::shared();
    let target = format!("[::1]:{}", closed_port(netns));
    let (records, _) = attempt(Tracer::shared(rung), netns, &["refused", &target]);
    assert_failed(&records, &["connect", "failed"], "refused", "ECONNREFUSED");
    assert_eq!(records[1].text("remote.ip"), "::1");
}

fn given_up_by_the_program(rung: Rung) {
    let netns = Netns::shared();
    let tracer = Tracer::shared(rung);
    let mut server = Peer::start(netns, &["full", "127.0.0.1:0"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let client = peer::run(netns, &["give-up", &target, "50"]);
    let failed = tracer.event("failed", port, client);
    assert_failed(
        &tracer.of(failed.id()),
        &["connect", "failed"],
        "aborted",
        "",
    );
    server.finish();
}

fn given_up_by_the_kernel(rung: Rung) {
    let netns = Netns::new();
    netns.sysctl("net.ipv4.tcp_syn_retries", "1");
    let tracer = Tracer::on(rung, &netns, &[]);
    let mut server = Peer::start(&netns, &["full", "127.0.0.1:0"]);
    let target = format!("127.0.0.1:{}", server.port());
    let (records, errno) = attempt(&tracer, &netns, &["refused", &target]);
    assert_eq!(errno, nix::libc::ETIMEDOUT);
    assert_failed(&records, &["connect", "failed"], "timeout", "ETIMEDOUT");
    assert!(records[1].number("retransmits").unwrap() >= 1);
    server.finish();
    tracer.stop().assert_totals_add_up();
}

fn no_route(rung: Rung) {
    let tracer = Tracer::shared(rung);
    for (target, ip) in [
        ("203.0.113.1:80", "203.0.113.1"),
        ("[2001:db8::1]:80", "2001:db8::1"),
    ] {
        let (records, errno) = attempt(tracer, Netns::shared(), &["refused", target]);
        assert_eq!(errno, nix::libc::ENETUNREACH);
        assert_failed(&records, &["failed"], "unreachable", "ENETUNREACH");
        let failed = &records[0];
        assert_eq!(failed.text("remote.ip"), ip);
        assert_eq!(failed.number("remote.port"), Some(80));
        assert_eq!(failed.number("local.port"), None);
        assert_eq!(failed.number("netns"), Some(Netns::shared().inode()));
    }
}

fn forbidden_by_a_cgroup_program(rung: Rung) {
    let netns = Netns::shared();
    let name = format!("/conntracer-{}-{}", std::process::id(), rung as u8);
    let cgroup = Cgroup::new(&name);
    let directory = cgroup.directory();
    let forbids = Foreign::forbid(&directory);
    let target = format!("127.0.0.1:{}", closed_port(netns));
    let words = ["--cgroup", &directory, "refused", &target];
    let (records, errno) = attempt(Tracer::shared(rung), netns, &words);
    drop(forbids);
    assert_eq!(errno, nix::libc::EPERM);
    assert_failed(&records, &["failed"], "denied", "EPERM");
    assert_eq!(records[0].text("remote.ip"), "127.0.0.1");
}

fn forbidden_by_a_security_module(rung: Rung) {
    // The one that needs nobody's configuration, Landlock, forbids no connects before.
    if !kernel_is_at_least(6, 7) {
        return;
    }
    let netns = Netns::shared();
    let target = format!("127.0.0.1:{}", closed_port(netns));
    let (records, errno) = attempt(Tracer::shared(rung), netns, &["forbidden", &target]);
    assert_eq!(errno, nix::libc::EACCES);
    assert_failed(&records, &["failed"], "denied", "EACCES");
    assert_eq!(records[0].at("remote.ip"), "127.0.0.1");
}

fn no_local_port_left(rung: Rung) {
    let netns = Netns::shared();
    let tracer = Tracer::shared(rung);
    let mut server = Peer::start(netns, &["never-accept", "127.0.0.1:0"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let client = peer::run(netns, &["no-local-port", &target]);
    let failed = tracer.event("failed", port, client);
    assert_failed(
        &tracer.of(failed.id()),
        &["failed"],
        "local_error",
        "EADDRNOTAVAIL",
    );
    // The first socket did connect, and only that one.
    let connects = tracer.records().into_iter().filter(|record| {
        record.event() == "connect" && record.number("process.pid") == Some(client)
    });
    assert_eq!(connects.count(), 1);
    server.finish();
}

fn reset_by_the_peer(rung: Rung) {
    let netns = Netns::shared();
    let tracer = Tracer::shared(rung);
    let mut server = Peer::start(netns, &["serve-reset", "127.0.0.1:0"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let client = Peer::start(netns, &["half-close", &target]);
    let (client_pid, server_pid) = (client.pid(), server.pid());
    server.finish();
    client.finish();
    let close = tracer.event("close", port, client_pid);
    assert_eq!(close.text("outcome"), "reset_remote");
    assert_eq!(close.text("error"), "ECONNRESET");
    assert_eq!(
        tracer.events_of(close.id()),
        ["connect", "established", "close"]
    );
    let close = tracer.event("close", port, server_pid);
    assert_eq!(close.text("outcome"), "reset_local");
    assert_eq!(close.number("bytes.sent"), Some(10));
    assert_eq!(close.number("bytes.received"), Some(10));
}

fn reset_by_this_side(rung: Rung) {
    let netns = Netns::shared();
    let tracer = Tracer::shared(rung);
    let mut server = Peer::start(netns, &["serve", "127.0.0.1:0", "1", "10", "10"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let client = peer::run(netns, &["reset", &target]);
    let close = tracer.event("close", port, client);
    assert_eq!(close.text("outcome"), "reset_local");
    assert_eq!(close.number("bytes.sent"), Some(10));
    assert_eq!(close.number("bytes.received"), Some(10));
    let close = tracer.event("close", port, server.pid());
    assert_eq!(close.text("outcome"), "reset_remote");
    server.finish();
}

fn closed_with_data_unread(rung: Rung) {
    let netns = Netns::shared();
    let tracer = Tracer::shared(rung);
    let mut server = Peer::start(netns, &["serve", "127.0.0.1:0", "1", "10", "10"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let client = peer::run(netns, &["unread", &target]);
    let close = tracer.event("close", port, client);
    assert_eq!(close.text("outcome"), "reset_local");
    // Received in order, though the program never took it.
    assert_eq!(close.number("bytes.received"), Some(10));
    server.finish();
}

fn killed_while_connecting(rung: Rung) {
    let netns = Netns::shared();
    let tracer = Tracer::shared(rung);
    let mut server = Peer::start(netns, &["full", "127.0.0.1:0"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let client = Peer::start(netns, &["refused", &target]);
    let pid = client.pid();
    tracer.event("connect", port, pid);
    client.kill();
    let failed = tracer.event("failed", port, pid);
    assert_failed(
        &tracer.of(failed.id()),
        &["connect", "failed"],
        "aborted",
        "",
    );
    server.finish();
}

fn never_accepted(rung: Rung) {
    let netns = Netns::shared();
    let tracer = Tracer::shared(rung);
    let mut server = Peer::start(netns, &["never-accept", "127.0.0.1:0"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    tracer.event("listen", port, server.pid());
    let mut client = Peer::start(netns, &["hold", &target]);
    client.port();
    let pid = server.pid();
    server.finish();
    client.finish();
    let close = tracer.event("close", port, pid);
    assert_eq!(close.text("direction"), "inbound");
    assert_eq!(close.at("accepted"), false);
    assert_eq!(close.text("attribution"), "listener");
    assert_eq!(close.text("outcome"), "reset_local");
    assert_eq!(tracer.events_of(close.id()), ["close"]);
}
