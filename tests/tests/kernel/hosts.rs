//! Which hosts communicate.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use nix::sys::signal::Signal;
use serde_json::Value;
use tracer_tests::{
    conntracer,
    netns::Netns,
    on_outer_rungs,
    peer::{self, Peer},
    record::Record,
    rung::Rung,
    schema::violations,
    signals,
};

on_outer_rungs!(
    own:
    what_is_open_is_the_right_way_round,
    two_namespaces_with_equal_addresses,
    what_happens_in_a_window,
);

/// A port that nobody has in a namespace of one's own, below those that the kernel gives.
const PORT: u64 = 5000;

fn command(rung: Rung, namespaces: &[&Netns], flags: &[&str]) -> Command {
    let inodes: Vec<String> = namespaces
        .iter()
        .map(|one| one.inode().to_string())
        .collect();
    let mut command = Command::new(conntracer());
    command
        .args(["hosts", "-o", "json", "--hooks", rung.hooks()])
        .args(["--netns", &inodes.join(",")])
        .args(flags)
        .stdin(Stdio::null());
    command
}

/// What was written: the rows, between the first record and the last.
fn rows_of(output: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(output).unwrap();
    let lines = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<Vec<Value>, _>>();
    let mut rows = lines.unwrap();
    let last = rows.pop().unwrap();
    assert_eq!(last["event"], "stop");
    assert_eq!(last["seq"], rows.len() + 1);
    let categories = last["kernel"]["lost"].as_object().unwrap();
    // The kernel may skip some programs, and that is told even if nothing of this is missed.
    let may_be_lost = |category: &String| category == "hook_missed";
    assert!(categories.keys().all(may_be_lost), "{categories:?}");
    let first = rows.remove(0);
    assert_eq!(first["event"], "start");
    for record in [first, last] {
        let window = &record["window"];
        let violations = violations(&Record(record.clone()));
        assert!(violations.is_empty(), "{violations:#?}");
        assert!(
            window["since"].as_str() <= window["until"].as_str(),
            "{window}"
        );
    }
    rows
}

/// What is open now.
fn open_now(rung: Rung, namespaces: &[&Netns], flags: &[&str]) -> Vec<Value> {
    let output = command(rung, namespaces, flags).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("this is what is open now"), "{stderr}");
    let expected = if stderr.contains("records were lost") {
        3
    } else {
        0
    };
    assert_eq!(output.status.code(), Some(expected), "{stderr}");
    rows_of(&output.stdout)
}

/// Asserts what a row says of who connected to whom, and of the first process.
fn assert_row(row: &Value, source: Option<&str>, port: u64, is_known: bool, pid: u64) {
    assert_eq!(row["source"]["ip"].as_str(), source, "{row}");
    assert_eq!(row["destination"]["port"], port, "{row}");
    assert_eq!(row["initiator_known"], is_known, "{row}");
    assert_eq!(
        row["processes"][0]["pids"],
        serde_json::json!([pid]),
        "{row}"
    );
    assert_eq!(row["protocol"], "tcp", "{row}");
}

/// A server at a port and its client, that have talked.
fn talked(netns: &Netns, port: u64) -> (Peer, Peer) {
    let target = format!("127.0.0.1:{port}");
    let mut server = Peer::start(netns, &["serve-keep", &target, "500", "100"]);
    server.port();
    let mut client = Peer::start(netns, &["keep", &target, "100", "500"]);
    client.port();
    assert_eq!(client.line(), "kept");
    assert_eq!(server.line(), "kept");
    (server, client)
}

fn what_is_open_is_the_right_way_round(rung: Rung) {
    let netns = Netns::new();
    let (server, client) = talked(&netns, PORT);
    let mut alone = Peer::start(&netns, &["serve-alone", "127.0.0.1:5001"]);
    alone.port();
    let mut client_of_alone = Peer::start(&netns, &["hold", "127.0.0.1:5001"]);
    client_of_alone.port();
    assert_eq!(alone.line(), "kept");
    let mut unused = Peer::start(&netns, &["never-accept", "127.0.0.1:5002"]);
    unused.port();

    let loopback = Some("127.0.0.1");
    let rows = open_now(rung, &[&netns], &["--sort", "destination"]);
    let [used, without_listener, listener] = rows.as_slice() else {
        panic!("{rows:#?}");
    };
    // Counted once, though both ends are here.
    assert_row(used, loopback, PORT, true, client.pid());
    assert_eq!(used["served_by"][0]["pids"][0], server.pid());
    assert_eq!(
        (&used["open"], &used["connections"]),
        (&1.into(), &1.into())
    );
    assert_eq!(used["bytes_total"]["to_destination"], 100);
    assert_eq!(used["bytes_total"]["to_source"], 500);
    assert_eq!(used["open_before"], true);
    assert_row(
        without_listener,
        loopback,
        5001,
        false,
        client_of_alone.pid(),
    );
    assert_eq!(without_listener["connections"], 1);
    assert_row(listener, None, 5002, true, unused.pid());
    assert_eq!(listener["state"], "LISTEN");
    assert_eq!(listener["connections"], 0);

    // Either end alone, as of a connection with another host.
    let port = PORT.to_string();
    let inbound = ["--local-port", &port, "--direction", "inbound"];
    let rows = open_now(rung, &[&netns], &inbound);
    assert_row(&rows[0], loopback, PORT, true, server.pid());
    assert_eq!(rows[0]["bytes_total"]["to_destination"], 100);
    let rows = open_now(rung, &[&netns], &["--remote-port", &port]);
    // Nothing says that there was no listener at its own port.
    assert_row(&rows[0], loopback, PORT, false, client.pid());
    for peer in [client, server, client_of_alone, alone, unused] {
        peer.finish();
    }
}

fn two_namespaces_with_equal_addresses(rung: Rung) {
    let namespaces = [Netns::new(), Netns::new()];
    let peers = namespaces.each_ref().map(|netns| talked(netns, PORT));
    let rows = open_now(rung, &namespaces.each_ref(), &[]);
    assert_eq!(rows.len(), 2, "{rows:#?}");
    for (netns, (_, client)) in namespaces.iter().zip(&peers) {
        let row = rows
            .iter()
            .find(|row| row["netns"] == netns.inode())
            .unwrap();
        assert_row(row, Some("127.0.0.1"), PORT, true, client.pid());
        assert_eq!(row["connections"], 1);
    }
    let rows = open_now(rung, &[&namespaces[0]], &[]);
    assert_eq!(rows[0]["netns"], Value::Null);
    for (server, client) in peers {
        client.finish();
        server.finish();
    }
}

/// One that watches until it is interrupted.
fn watching(rung: Rung, netns: &Netns) -> Child {
    let mut child = command(
        rung,
        &[netns],
        &["--duration", "10m", "--sort", "destination"],
    )
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("watching;") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it does not watch");
    }
    child.stderr = Some(stderr.into_inner());
    child
}

fn what_happens_in_a_window(rung: Rung) {
    let netns = Netns::new();
    let (server, client) = talked(&netns, PORT);
    let child = watching(rung, &netns);
    let (late_server, late_client) = talked(&netns, 5001);
    peer::run(&netns, &["refused", "127.0.0.1:5002"]);
    signals::send(child.id(), Signal::SIGINT);
    let rows = rows_of(&child.wait_with_output().unwrap().stdout);
    let [old, new, refused] = rows.as_slice() else {
        panic!("{rows:#?}");
    };
    assert_row(old, Some("127.0.0.1"), PORT, true, client.pid());
    // Of what had moved before, nothing is of this window.
    assert_eq!(old["bytes"]["to_source"], 0);
    assert_eq!(old["bytes_total"]["to_source"], 500);
    assert_row(new, Some("127.0.0.1"), 5001, true, late_client.pid());
    assert_eq!(new["bytes"]["to_source"], 500);
    assert_eq!(new["bytes"]["to_destination"], 100);
    assert_eq!(
        (&new["open"], &new["state"]),
        (&1.into(), &"ESTABLISHED".into())
    );
    assert_eq!(refused["failed"], serde_json::json!({"refused": 1}));
    assert_eq!(refused["connections"], 0);
    for peer in [client, server, late_client, late_server] {
        peer.finish();
    }
}
