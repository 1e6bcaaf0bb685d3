//! How a run ends, and what it says then.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use nix::sys::signal::Signal;
use serde_json::Value;
use tracer_tests::{
    netns::Netns,
    peer::{self, Peer},
    record::Record,
    rung::Rung,
    signals,
    tracer::{Finished, Tracer},
};

use crate::{
    program::{run, text},
    shown::command,
};

/// One exchange, of seven records.
fn talk(netns: &Netns) -> (u16, u64) {
    let mut server = Peer::start(netns, &["serve", "127.0.0.1:0", "1", "10", "10"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let client = peer::run(netns, &["connect", &target, "10", "10"]);
    server.finish();
    (port, client)
}

fn assert_success(finished: &Finished) {
    // Asserts the exit code, too.
    let _ = finished.may_be_missing();
    finished.assert_totals_add_up();
}

#[test]
fn signals_ask_for_an_orderly_end() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let netns = Netns::new();
        let tracer = Tracer::on(Rung::Auto, &netns, &[]);
        let (port, client) = talk(&netns);
        tracer.event("close", port, client);
        tracer.signal(signal);
        assert_success(&tracer.end());
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let netns = Netns::new();
    let tracer = Tracer::on(Rung::Auto, &netns, &[]);
    // So that the second comes before the orderly end.
    tracer.signal_at_once(&[Signal::SIGINT, Signal::SIGTERM]);
    let finished = tracer.end();
    assert_eq!(finished.status.code(), Some(130), "{}", finished.stderr);
}

#[test]
fn who_waits_for_a_reader_that_takes_nothing_can_be_ended() {
    let netns = Netns::new();
    let mut command = command(&netns, &["-o", "json"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    // The first record: it traces.
    lines.read_line(&mut String::new()).unwrap();
    // More than a pipe holds.
    let mut server = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let target = format!("127.0.0.1:{}", server.port());
    let mut client = Peer::start(&netns, &["flood", &target, "500"]);
    client.line();
    signals::send(child.id(), Signal::SIGTERM);
    signals::send(child.id(), Signal::SIGINT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    client.finish();
    server.finish();
}

#[test]
fn as_many_records_are_written_as_were_asked_for() {
    for count in [0, 1, 3] {
        let netns = Netns::new();
        let tracer = Tracer::on(Rung::Auto, &netns, &["--count", &count.to_string()]);
        talk(&netns);
        let finished = tracer.end();
        assert_success(&finished);
        let events: Vec<&str> = finished.records.iter().map(Record::event).collect();
        let of_connections = ["listen", "connect", "established"];
        let expected = [&["start"], &of_connections[..count], &["stop"]].concat();
        assert_eq!(events, expected);
    }
}

#[test]
fn a_run_ends_after_its_time() {
    let netns = Netns::new();
    let inode = netns.inode().to_string();
    let output = run(&["-o", "json", "--duration", "1s", "--netns", &inode]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let event = |line| serde_json::from_str::<Value>(line).unwrap()["event"].clone();
    let events: Vec<Value> = text(&output.stdout).lines().map(event).collect();
    assert_eq!(events, ["start", "stop"]);
}

#[test]
fn a_reader_that_has_seen_enough_is_a_success() {
    for format in ["table", "json"] {
        let netns = Netns::new();
        let mut command = command(&netns, &["-o", format]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut String::new()).unwrap();
        drop(lines);
        talk(&netns);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn quiet_is_quiet_and_verbose_names_hooks_rules_and_totals() {
    let netns = Netns::new();
    let inode = netns.inode().to_string();
    let flags = ["--duration", "1ms", "--netns", &inode];
    let output = run(&[&flags[..], &["--quiet"]].concat());
    assert_eq!(text(&output.stderr), "");
    let output = run(&[&flags[..], &["--verbose"]].concat());
    let said = text(&output.stderr);
    for fact in ["connect", "accept", "state", "process"] {
        assert!(said.contains(&format!("{fact} through ")), "{said}");
    }
    for part in [
        &format!("selected: all of netns {inode} (in the kernel)"),
        "private: 10.0.0.0/8,",
        "external: ",
        " selected out in the kernel, ",
        "; nothing lost",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
