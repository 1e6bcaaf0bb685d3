//! Without privileges.

use std::{os::unix::fs::PermissionsExt, path::Path, process::Command};

use tracer_tests::{conntracer, netns::Netns, peer::Peer, scratch::Scratch};

use crate::program::{Unprivileged, run, text};

#[test]
fn what_is_missing_is_said_in_a_sentence_with_the_command_to_run() {
    let nobody = Unprivileged::new();
    for args in [
        &[][..],
        &["trace", "--port", "443"],
        &["--external", "-o", "json"],
        &["doctor"],
        &["doctor", "-o", "json"],
    ] {
        let output = nobody.run(args);
        let command = [&[nobody.program()], args].concat().join(" ");
        let expected = format!(
            "conntracer: CAP_BPF and CAP_PERFMON are missing, without which no tracing program \
             can be loaded; run `sudo {command}`\n"
        );
        assert_eq!(text(&output.stderr), expected);
        assert_eq!(text(&output.stdout), "");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn the_command_to_run_is_quoted() {
    let output = Unprivileged::new().run(&["--process", "kube proxy"]);
    let message = text(&output.stderr);
    assert!(message.contains("--process 'kube proxy'`"), "{message}");
}

#[test]
fn only_what_is_missing_is_named() {
    let output = Command::new("setpriv")
        .arg("--bounding-set=-perfmon,-sys_admin")
        .arg(conntracer())
        .arg("doctor")
        .output()
        .unwrap();
    let message = text(&output.stderr);
    assert!(
        message.starts_with("conntracer: CAP_PERFMON is missing,"),
        "{message}"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_namespace_that_cannot_be_entered_is_told_before_anything_else() {
    let netns = Netns::new();
    let mut peer = Peer::start(&netns, &["never-accept", "127.0.0.1:0"]);
    let port = peer.port();
    let output = Command::new("setpriv")
        .arg("--bounding-set=-sys_admin")
        .arg(conntracer())
        .args([
            "snapshot",
            "-o",
            "json",
            "--netns",
            &netns.inode().to_string(),
        ])
        .output()
        .unwrap();
    let message = text(&output.stderr);
    assert!(output.status.success(), "{message}");
    let records = text(&output.stdout);
    let records: Vec<serde_json::Value> = records
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let inode = netns.inode().to_string();
    let is_expected = |sentence: &str| {
        sentence.contains("existing: what no process holds in the network namespace")
            && sentence.contains(&inode)
            && sentence.ends_with("cannot be entered: EPERM: Operation not permitted")
    };
    let degraded = records[0]["degraded"].as_array().unwrap();
    let degraded = degraded.iter().filter_map(serde_json::Value::as_str);
    assert_eq!(degraded.filter(|one| is_expected(one)).count(), 1);
    let said = message.lines().filter(|line| is_expected(line));
    assert_eq!(said.count(), 1, "{message}");
    // What a process holds is found through the process.
    assert_eq!(records[1]["local"]["port"], port, "{records:?}");
    peer.finish();
}

#[test]
fn no_file_is_made_in_vain() {
    let scratch = Scratch::new();
    let directory = Path::new(&scratch.file("")).to_path_buf();
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o777)).unwrap();
    let (records, recording) = (scratch.file("records"), scratch.file("case.rec"));
    let flags = ["--output-file", &records, "--record", &recording];
    let output = Unprivileged::new().run(&flags);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
}

#[test]
fn help_needs_no_privileges() {
    let nobody = Unprivileged::new();
    for args in [
        &["--help"][..],
        &["trace", "--help"],
        &["replay", "--help"],
        &["doctor", "--help"],
        &["--version"],
    ] {
        let output = nobody.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(!output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn a_replay_needs_no_privileges() {
    let scratch = Scratch::new();
    let recording = scratch.file("case.rec");
    let netns = Netns::new();
    let inode = netns.inode().to_string();
    let flags = ["-o", "json", "--netns", &inode, "--duration", "1ms"];
    let live = run(&[&flags[..], &["--record", &recording]].concat());
    assert_eq!(live.status.code(), Some(0), "{}", text(&live.stderr));
    std::fs::set_permissions(&recording, PermissionsExt::from_mode(0o644)).unwrap();
    let replayed = Unprivileged::new().run(&["replay", &recording, "-o", "json"]);
    assert_eq!(
        replayed.status.code(),
        Some(0),
        "{}",
        text(&replayed.stderr)
    );
    let lines: Vec<&str> = text(&replayed.stdout).lines().collect();
    assert!(lines[0].contains(r#""event":"start""#), "{lines:?}");
    assert!(
        lines[lines.len() - 1].contains(r#""event":"stop""#),
        "{lines:?}"
    );
}
