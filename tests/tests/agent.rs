//! The agent on the running kernel: what it keeps, and what it says to systemd.
//!
//! Each test traces a network namespace of its own.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

use std::{
    fs::File,
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use nix::sys::signal::Signal;
use serde_json::json;
use tracer_tests::{
    agent::{Agent, command, number, talk},
    conntracer,
    netns::Netns,
    peer::{self, Peer},
    record::Record,
    schema::violations,
    scratch::Scratch,
    wait_until,
    whole::assert_whole,
};

#[test]
fn connections_are_kept_with_who_made_them() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let agent = Agent::start(&scratch, &netns, &[]);
    let (port, client) = talk(&netns, "1000", "5000");
    let of_client = format!(
        "SELECT count(*) FROM connections WHERE remote_port = {port} AND direction = 'outbound' \
         AND pid = {client} AND process = 'peer' AND user = 'root' AND outcome = 'finished' \
         AND sent = 1000 AND received = 5000"
    );
    wait_until("the connection is kept", || agent.number(&of_client) == 1);
    let of_server = format!(
        "SELECT count(*) FROM connections WHERE local_port = {port} AND direction = 'inbound' \
         AND sent = 5000 AND received = 1000"
    );
    wait_until("its other end is kept", || agent.number(&of_server) == 1);
    let sums = format!(
        "SELECT count(*) FROM rollup WHERE port = {port} AND direction = 1 AND opened = 1 \
         AND sent = 1000 AND received = 5000"
    );
    assert_eq!(agent.number(&sums), 3);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&agent.history), 0o600);
    assert_eq!(mode(agent.history.parent().unwrap()), 0o700);
    agent.signal(Signal::SIGTERM);
    agent.wait_for("STOPPING=1");
    let history = agent.history.clone();
    let (status, stderr) = agent.end();
    assert_whole(status, &stderr);
    assert!(stderr.contains("connections of 14 d"), "{stderr}");
    let ended = "SELECT count(*) FROM run WHERE stopped IS NOT NULL AND heartbeat >= started \
                 AND json_extract(start, '$.event') = 'start' AND json_extract(stop, '$.event') = 'stop'";
    assert_eq!(number(&history, ended), 1);
}

#[test]
fn what_stays_open_is_counted_while_it_does() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let mut server = Peer::start(&netns, &["serve-keep", "127.0.0.1:0", "0", "0"]);
    let target = format!("127.0.0.1:{}", server.port());
    let agent = Agent::start(&scratch, &netns, &[]);
    let mut client = Peer::start(&netns, &["keep", &target, "100", "0"]);
    let _ = client.line();
    let open = format!(
        "SELECT count(*) FROM connections WHERE pid = {} AND closed IS NULL",
        client.pid()
    );
    wait_until("it is kept while it is open", || agent.number(&open) == 1);
    let counted = "SELECT count(*) FROM count WHERE sent = 100";
    wait_until("what moved is counted", || agent.number(counted) == 1);
    client.kill();
    server.kill();
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
}

#[test]
fn a_second_agent_is_refused() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let agent = Agent::start(&scratch, &netns, &[]);
    let second = command(&scratch, &netns).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    let by = format!(
        "another agent, process {}, writes to the history",
        agent.pid()
    );
    assert!(said.contains(&by), "{said}");
    assert_eq!(agent.number("SELECT count(*) FROM run"), 1);
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
}

#[test]
fn killed_it_leaves_what_was_kept_and_goes_on_when_started_anew() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let agent = Agent::start(&scratch, &netns, &[]);
    let (port, _) = talk(&netns, "10", "10");
    let kept = format!(
        "SELECT count(*) FROM connections WHERE remote_port = {port} AND direction = 'outbound' AND sent = 10"
    );
    wait_until("the connection is kept", || agent.number(&kept) == 1);
    agent.signal(Signal::SIGKILL);
    let _ = agent.end();
    let agent = Agent::start(&scratch, &netns, &[]);
    assert_eq!(agent.number(&kept), 1);
    assert_eq!(
        agent.number("SELECT count(*) FROM run WHERE stopped IS NULL"),
        2
    );
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
}

#[test]
fn its_configuration_is_read_again_and_a_wrong_one_changes_nothing() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let config = scratch.write("config.toml", b"[history]\nargs = \"none\"\n");
    let agent = Agent::start(&scratch, &netns, &["--config", config.to_str().unwrap()]);
    let of_client = |port: u16| {
        format!(
            "SELECT count(*) FROM connections WHERE remote_port = {port} AND direction = 'outbound' \
             AND closed IS NOT NULL"
        )
    };
    let named = |port: u16| of_client(port) + " AND remote_name = 'here.example'";
    let (port, _) = talk(&netns, "1", "1");
    wait_until("the first is kept", || agent.number(&of_client(port)) == 1);
    assert_eq!(agent.number(&named(port)), 0);
    let args = "SELECT count(*) FROM owner WHERE json_extract(owner, '$.process.args') IS NOT NULL";
    assert_eq!(agent.number(args), 0);
    let _ = scratch.write(
        "config.toml",
        b"[names]\n\"127.0.0.1\" = \"here.example\"\n",
    );
    agent.signal(Signal::SIGHUP);
    let said = agent.wait_for("RELOADING=1");
    assert!(said.contains("MONOTONIC_USEC="), "{said}");
    agent.wait_for("READY=1");
    let (port, _) = talk(&netns, "1", "1");
    wait_until("the second has a name", || agent.number(&named(port)) == 1);
    assert!(agent.number(args) > 0);
    let _ = scratch.write("config.toml", b"[names\n");
    agent.signal(Signal::SIGHUP);
    agent.wait_for("READY=1");
    let (port, _) = talk(&netns, "1", "1");
    wait_until("the third has it, too", || agent.number(&named(port)) == 1);
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
    assert!(stderr.contains("line 1"), "{stderr}");
    assert!(
        stderr.contains("what was configured before goes on"),
        "{stderr}"
    );
}

/// The records that were streamed, each as published.
fn streamed(text: &str) -> Vec<Record> {
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let records: Vec<Record> = lines.map(Record).collect();
    for (record, seq) in records.iter().zip(1..) {
        assert_eq!(violations(record), [""; 0], "{record:?}");
        assert_eq!(record.number("seq"), Some(seq));
    }
    records
}

/// That the totals of the last record add up.
fn assert_totals_add_up(records: &[Record]) {
    let stop = records.last().unwrap();
    let number = |path: &str| stop.number(&format!("output.{path}")).unwrap_or_default();
    assert_eq!(
        number("delivered") + number("derived"),
        number("suppressed") + number("written") + number("lost"),
        "{stop:?}"
    );
    assert_eq!(number("written"), u64::try_from(records.len()).unwrap());
}

#[test]
fn a_selection_is_streamed_beside_what_is_kept() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let out = scratch.file("out");
    let stdout = File::create(&out).unwrap();
    let flags = [
        "--host-name",
        "node-7",
        "--stream=--direction outbound --not-event established",
    ];
    let agent = Agent::start_with(&scratch, &netns, &flags, stdout.into());
    let (port, client) = talk(&netns, "1000", "5000");
    let kept = format!(
        "SELECT count(*) FROM connections WHERE {port} IN (local_port, remote_port) AND closed IS NOT NULL \
         AND direction <> 'listening'"
    );
    wait_until("both ends are kept", || agent.number(&kept) == 2);
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
    let text = std::fs::read_to_string(&out).unwrap();
    let records = streamed(&text);
    let events: Vec<&str> = records.iter().map(Record::event).collect();
    assert_eq!(events, ["start", "connect", "close", "stop"], "{text}");
    for record in &records {
        assert_eq!(record.text("host"), "node-7");
    }
    let filter = records[0].at("filter.connections");
    assert_eq!(*filter, json!({"direction": ["outbound"]}));
    assert_eq!(records[0].text("args"), "redacted");
    assert_eq!(records[2].number("process.pid"), Some(client));
    assert_eq!(records[2].number("remote.port"), Some(port.into()));
    assert_eq!(records[2].number("bytes.sent"), Some(1000));
    assert_totals_add_up(&records);
}

#[test]
fn who_does_not_read_the_stream_loses_records_that_are_counted_and_kept() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let (mut reader, writer) = std::io::pipe().unwrap();
    let agent = Agent::start_with(&scratch, &netns, &["--stream="], writer.into());
    let mut server = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let target = format!("127.0.0.1:{}", server.port());
    peer::run(&netns, &["flood", &target, "3000"]);
    let kept = "SELECT count(*) FROM connection WHERE direction = 1 AND closed IS NOT NULL";
    wait_until("all are kept", || agent.number(kept) == 3000);
    // From here on it is read.
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).map(|_| text)
    });
    server.kill();
    let (status, stderr) = agent.stop();
    let text = reading.join().unwrap().unwrap();
    assert_eq!(status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains("whoever reads stdout is too slow"),
        "{stderr}"
    );
    let records = streamed(&text);
    assert_totals_add_up(&records);
    let losses = records.iter().filter_map(|one| one.number("lost.output"));
    let lost: u64 = losses.sum();
    assert!(lost > 0);
    let stop = records.last().unwrap();
    assert_eq!(stop.number("output.lost"), Some(lost), "{stop:?}");
}

#[test]
fn the_history_goes_on_when_nobody_reads_the_stream_any_more() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let (reader, writer) = std::io::pipe().unwrap();
    let agent = Agent::start_with(&scratch, &netns, &["--stream="], writer.into());
    drop(reader);
    let kept = |port: u16| {
        format!(
            "SELECT count(*) FROM connections WHERE remote_port = {port} AND direction = 'outbound' \
             AND closed IS NOT NULL"
        )
    };
    for _ in 0..2 {
        let (port, _) = talk(&netns, "1", "1");
        wait_until("it is kept", || agent.number(&kept(port)) == 1);
    }
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
    let said = stderr.matches("nobody reads stdout any more").count();
    assert_eq!(said, 1, "{stderr}");
}

#[test]
fn a_stream_of_what_makes_no_sense_is_refused() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let config = scratch.write("config.toml", b"[stream]\nselect = \"--exernal\"\n");
    let config = format!("--config={}", config.display());
    for (flag, code, why) in [
        ("--stream=--exernal", 2, "'--exernal'"),
        ("--stream=--event state", 2, "`state` is told by"),
        ("--stream=--user no-such-user", 2, "no-such-user"),
        (config.as_str(), 1, "line 2, key `stream.select`"),
    ] {
        let output = command(&scratch, &netns).arg(flag).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{flag}: {said}");
        assert!(said.contains(why), "{flag}: {said}");
    }
}

/// The unit that comes with it.
fn unit() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest.parent().unwrap_or(manifest);
    root.join("deploy/systemd/conntracer.service")
}

#[test]
fn systemd_understands_the_unit() {
    let scratch = Scratch::new();
    let text = std::fs::read_to_string(unit()).unwrap();
    let program = conntracer();
    let text = text.replace("/usr/local/bin/conntracer", program.to_str().unwrap());
    let unit = scratch.write("conntracer.service", text.as_bytes());
    let Ok(checked) = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&unit)
        .output()
    else {
        // Where there is no systemd each line is at least a setting.
        let is_setting =
            |line: &str| line.is_empty() || line.starts_with(['#', '[']) || line.contains('=');
        assert!(text.lines().all(is_setting), "{text}");
        return;
    };
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success(), "{said}");
    assert!(!said.contains("conntracer.service:"), "{said}");
}
