//! The agent on the running kernel: what it keeps, and what it says to systemd.
//!
//! Each test traces a network namespace of its own.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use nix::sys::signal::Signal;
use tracer_tests::{
    agent::{Agent, command, number, talk},
    conntracer,
    netns::Netns,
    peer::Peer,
    scratch::Scratch,
    wait_until,
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
    assert!(status.success(), "{status:?}: {stderr}");
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
    assert!(status.success(), "{status:?}: {stderr}");
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
    assert!(status.success(), "{status:?}: {stderr}");
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
    assert!(status.success(), "{status:?}: {stderr}");
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
    assert!(status.success(), "{status:?}: {stderr}");
    assert!(stderr.contains("line 1"), "{stderr}");
    assert!(
        stderr.contains("what was configured before goes on"),
        "{stderr}"
    );
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
