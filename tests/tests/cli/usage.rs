//! The command line.

use tracer_tests::{netns::Netns, scratch::Scratch};

use crate::program::{run, text};

#[test]
fn every_command_has_help_with_an_example() {
    for command in [
        &[][..],
        &["trace"],
        &["snapshot"],
        &["hosts"],
        &["discovery"],
        &["discovery", "read"],
        &["top"],
        &["replay"],
        &["report"],
        &["agent"],
        &["history"],
        &["history", "info"],
        &["history", "verify"],
        &["history", "export"],
        &["history", "import"],
        &["history", "prune"],
        &["export"],
        &["export", "nemesis"],
        &["doctor"],
        &["completions"],
        &["man"],
    ] {
        for (flag, example) in [("--help", "Examples:\n  "), ("-h", "Example: conntracer ")] {
            let output = run(&[command, &[flag]].concat());
            let help = text(&output.stdout);
            assert_eq!(output.status.code(), Some(0), "{command:?}");
            let usage = format!("Usage: {}", [&["conntracer"], command].concat().join(" "));
            assert!(help.contains(&usage), "{help}");
            assert!(help.contains(example), "{help}");
            assert_eq!(text(&output.stderr), "");
        }
    }
}

#[test]
fn help_names_every_command() {
    let output = run(&["--help"]);
    for command in [
        "trace",
        "snapshot",
        "hosts",
        "discovery",
        "top",
        "replay",
        "report",
        "agent",
        "history",
        "export",
        "doctor",
        "completions",
        "man",
    ] {
        let line = format!("\n  {command} ");
        assert!(text(&output.stdout).contains(&line), "{command}");
    }
}

#[test]
fn the_version_is_told() {
    let output = run(&["--version"]);
    let expected = format!("conntracer {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(text(&output.stdout), expected);
    assert_eq!(output.status.code(), Some(0));
}

/// Wrong usage ends with 2, and names each of the words.
fn assert_refused(args: &[&str], words: &[&str]) {
    let output = run(args);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
    assert_eq!(text(&output.stdout), "", "{args:?}");
    for word in words {
        assert!(message.contains(word), "{args:?}: {message}");
    }
}

#[test]
fn wrong_values_are_named_with_their_flags() {
    for [flag, value] in [
        ["--port", "443x"],
        ["--port", "70000"],
        ["--port", "9-7"],
        ["--not-local-port", "-1"],
        ["--remote-port", "80-"],
        ["--remote", "10.0.0.0/33"],
        ["--internal-cidr", "10.0.0.0/33"],
        ["--external-cidr", "example.org"],
        ["--protocol", "icmp"],
        ["--user", "mallory"],
        ["--not-login", "mallory"],
        ["--cgroup", "nginx.service"],
        ["--netns", "/nowhere"],
        ["--netns", "pid:init"],
        ["--pid", "init"],
        ["--exe", "/usr/***"],
        ["--direction", "up"],
        ["--event", "open"],
        ["--not-event", "start"],
        ["--outcome", "sad"],
        ["--output", "xml"],
        ["--color", "pink"],
        ["--columns", "time,colour"],
        ["--duration", "soon"],
        ["--count", "many"],
        ["--hooks", "fast"],
        ["--hooks", "accept=lsm"],
        ["--buffer", "2G"],
        ["--kernel-log", "loud"],
    ] {
        // One word, for a value may begin like a flag.
        assert_refused(&[&format!("{flag}={value}")], &[flag, value]);
    }
}

#[test]
fn wrong_words_are_named() {
    assert_refused(&["--frobnicate"], &["--frobnicate"]);
    assert_refused(&["frobnicate"], &["frobnicate"]);
    assert_refused(&["doctor", "-o", "xml"], &["--output", "xml"]);
    assert_refused(&["doctor", "--hooks", "fast"], &["--hooks", "fast"]);
    assert_refused(&["--self-test"], &["--self-test"]);
    assert_refused(&["replay"], &["<FILE>"]);
    assert_refused(&["replay", "x", "--duration", "1s"], &["--duration"]);
}

#[test]
fn flags_that_exclude_or_need_each_other_are_named() {
    assert_refused(&["--quiet", "--verbose"], &["--quiet", "--verbose"]);
    assert_refused(&["trace", "-q", "-v"], &["--quiet", "--verbose"]);
    assert_refused(&["--record-selected"], &["--record-selected", "--record"]);
    assert_refused(&["--event", "state,close"], &["--event", "--states"]);
    assert_refused(&["snapshot", "--event", "state"], &["--event", "--states"]);
    assert_refused(&["snapshot", "--states"], &["--states"]);
    assert_refused(&["--columns", "time", "-o", "json"], &["--columns"]);
    assert_refused(&["hosts", "--columns", "time"], &["--columns"]);
    for command in ["snapshot", "hosts"] {
        let words = ["--event", "`discovery`", "`trace`"];
        assert_refused(&[command, "--event", "discovery"], &words);
        assert_refused(&[command, "--discovery"], &["--discovery"]);
    }
    let words = ["--event", "`discovery`"];
    assert_refused(&["hosts", "--from", "x", "--event", "discovery"], &words);
    let nemesis = ["-o", "nemesis"];
    assert_refused(&[&["discovery"], &nemesis[..]].concat(), &["`nemesis`"]);
    assert_refused(&[&["--discovery"], &nemesis[..]].concat(), &["`nemesis`"]);
    let selected = ["--record", "x", "--record-selected"];
    assert_refused(
        &[&["discovery"], &selected[..]].concat(),
        &["--record-selected"],
    );
    assert_refused(
        &["discovery", "--event", "connect"],
        &["--event", "`trace --discovery`"],
    );
    assert_refused(
        &["discovery", "--from", "x", "--duration", "1s"],
        &["--from", "--duration"],
    );
    assert_refused(&["discovery", "--columns", "time"], &["--columns"]);
    assert_refused(&["discovery", "--severity", "grave"], &["--severity"]);
    assert_refused(&["--port", "443", "doctor"], &["--port", "doctor"]);
}

#[test]
fn a_replay_knows_the_users_of_the_traced_host() {
    let scratch = Scratch::new();
    let recording = scratch.file("case.rec");
    record(&recording);
    assert_refused(
        &["replay", &recording, "--user", "mallory"],
        &["--user", "mallory"],
    );
    assert_refused(
        &["replay", &recording, "--netns", "/proc/self/ns/net"],
        &["--netns", "/proc/self/ns/net"],
    );
}

/// Records nothing much.
fn record(path: &str) {
    let netns = Netns::new();
    let inode = netns.inode().to_string();
    let flags = ["--netns", &inode, "--duration", "1ms", "--record", path];
    let output = run(&[&flags[..], &["--record-selected"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}
