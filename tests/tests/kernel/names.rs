//! What hosts are called, without asking anybody.

use tracer_tests::{
    netns::Netns,
    on_outer_rungs,
    peer::{self, Peer},
    record::Record,
    rung::Rung,
    scratch::Scratch,
    tracer::Tracer,
};

on_outer_rungs!(
    own:
    what_a_process_was_told,
    what_makes_no_sense_is_counted,
    what_is_declared_and_what_the_hosts_file_says,
);

const SERVER: &str = "127.0.0.53:53";
/// What every name that is asked for is an alias of.
const CANONICAL: &str = "edge.example.net";

/// A server that gives every name this address, and the port of one that may be connected to there.
fn servers(netns: &Netns, address: &str) -> (Peer, Peer, u16) {
    let mut names = Peer::start(netns, &["name-serve", SERVER, address]);
    names.port();
    let mut server = Peer::start(netns, &["absorb", "0.0.0.0:0"]);
    let port = server.port();
    (names, server, port)
}

fn connect(tracer: &Tracer, port: u16, pid: u64) -> Record {
    tracer.wait(&format!("connect of {pid} to {port}"), |record| {
        record.event() == "connect"
            && record.number("remote.port") == Some(u64::from(port))
            && record.number("process.pid") == Some(pid)
    })
}

fn others(record: &Record) -> Vec<&str> {
    let names = record.at("remote.names").as_array();
    names
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str())
        .collect()
}

fn what_a_process_was_told(rung: Rung) {
    let netns = Netns::new();
    let tracer = Tracer::on(rung, &netns, &["--not-event", "established"]);
    let (names, server, port) = servers(&netns, "127.0.0.9");
    let target = format!("127.0.0.9:{port}");
    let to = port.to_string();
    for (over, name) in [("udp", "Mine.example"), ("tcp", "yours.example")] {
        let pid = peer::run(&netns, &["look-up", SERVER, over, name, &to]);
        let told = connect(&tracer, port, pid);
        assert_eq!(told.text("remote.name"), name.to_lowercase());
        assert_eq!(told.text("remote.name_source"), "dns");
        assert_eq!(others(&told)[0], CANONICAL);
        // Whom it asked has no name, but in a hosts file.
        let asked = connect(&tracer, 53, pid);
        assert_ne!(asked.text("remote.name_source"), "dns");
    }
    // Who did not ask is told what another process was told last.
    let pid = peer::run(&netns, &["connect", &target, "0", "0"]);
    let guessed = connect(&tracer, port, pid);
    assert_eq!(guessed.text("remote.name"), "yours.example");
    assert_eq!(others(&guessed), [CANONICAL, "mine.example"]);
    names.finish();
    server.finish();
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    assert!(finished.stop().number("names.answers").unwrap() >= 2);
}

fn what_makes_no_sense_is_counted(rung: Rung) {
    let netns = Netns::new();
    let tracer = Tracer::on(rung, &netns, &[]);
    let (names, server, _) = servers(&netns, "127.0.0.9");
    let pid = peer::run(&netns, &["ask-nothing", SERVER]);
    tracer.wait("close", |record| {
        record.event() == "close" && record.number("process.pid") == Some(pid)
    });
    names.finish();
    server.finish();
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    // Of all namespaces, so also what other tests are told.
    let number = |path| finished.stop().number(path).unwrap();
    assert!(number("names.malformed") >= 1);
    assert!(number("names.answers") >= number("names.malformed"));
}

fn what_is_declared_and_what_the_hosts_file_says(rung: Rung) {
    let netns = Netns::new();
    let scratch = Scratch::new();
    let config = b"[names]\n\"127.0.0.8\" = \"declared.example\"\n";
    let config = scratch.write("config.toml", config);
    // A root of its own, in which a link leads to the file as that root has it.
    std::fs::create_dir(scratch.path().join("etc")).unwrap();
    std::os::unix::fs::symlink("/etc/real", scratch.path().join("etc/hosts")).unwrap();
    let hosts = b"127.0.0.7 first.example second.example\n127.0.0.8 hosts.example\n";
    let _ = scratch.write("etc/real", hosts);
    let tracer = Tracer::on(rung, &netns, &["--config", config.to_str().unwrap()]);
    let root = scratch.path().to_str().unwrap();
    let mut server = Peer::start(&netns, &["--root", root, "absorb", "0.0.0.0:0"]);
    let port = server.port();
    for (address, name, source, other) in [
        ("127.0.0.7", "first.example", "hosts_file", "second.example"),
        ("127.0.0.8", "declared.example", "config", "hosts.example"),
    ] {
        let target = format!("{address}:{port}");
        let pid = peer::run(&netns, &["connect", &target, "0", "0"]);
        let told = connect(&tracer, port, pid);
        assert_eq!(told.text("remote.name"), name);
        assert_eq!(told.text("remote.name_source"), source);
        assert_eq!(others(&told), [other]);
    }
    server.finish();
    tracer.stop().assert_totals_add_up();
}
