//! What a process calls itself, and where it lives, does nothing to whoever looks at it.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    process::{Command, Stdio},
};

use serde_json::Value;
use tracer_tests::{cgroup::Cgroup, netns::Netns, peer, peer::Peer};

use crate::shown::Shown;

/// ESC [ 2 J, CSI as one character, newline, what is not UTF-8
const NAME: &str = "27,91,50,74,194,155,10,255,254";
/// ESC [ 2 J, CSI, DEL, newline, right to left
const TEXT: &str = "\u{1b}[2J\u{9b}31m\u{7f}\nfake\u{202e}";

/// The lines about an attempt that was refused, by a process that is as hostile as can be; and its
/// id.
fn attempt(netns: &Netns, shown: Shown) -> (Vec<String>, u64) {
    let _start = shown.line();
    // A newline is what a cgroup cannot have in its name.
    let unit = TEXT.replace('\n', "");
    let path = format!("/conntracer-{}-{unit}.service", std::process::id());
    let cgroup = Cgroup::new(&path);
    let directory = cgroup.directory();
    let prepare = ["--cgroup", &directory, "--name", NAME];
    let words = ["refused", "127.0.0.1:9", TEXT];
    let client = Peer::start(netns, &[&prepare[..], &words].concat());
    let pid = client.pid();
    client.finish();
    let (mut lines, status) = shown.end();
    assert!(status.success(), "{lines:#?}");
    let stop = lines.pop().unwrap();
    assert!(!stop.contains("fake"), "{stop}");
    (lines, pid)
}

/// Neither control characters nor what reorders text.
fn assert_harmless(line: &str) {
    let is_harmful = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!line.contains(is_harmful), "{line:?}");
}

#[test]
fn a_table_shows_escapes_and_the_process_id() {
    for format in ["table", "wide"] {
        let flags = ["-o", format, "--color", "never", "--count", "2"];
        let netns = Netns::new();
        let on_terminal = Shown::on_terminal(80, &netns, &flags);
        let (mut lines, on_terminal) = attempt(&netns, on_terminal);
        // The first one is the header.
        let mut rows = lines.split_off(1);
        let piped = Shown::piped(&netns, &flags);
        let (mut lines, in_pipe) = attempt(&netns, piped);
        rows.extend(lines.split_off(1));
        assert_eq!(rows.len(), 4, "{rows:#?}");
        for (row, pid) in rows
            .iter()
            .zip([on_terminal, on_terminal, in_pipe, in_pipe])
        {
            assert_harmless(row);
            assert!(row.contains(&format!("({pid})")), "{row}");
            // Where there is little room, the name is cut behind what begins the escape.
            assert!(row.contains(r"\u{1b"), "{row}");
        }
    }
}

#[test]
fn arguments_and_units_are_shown_with_escapes() {
    let netns = Netns::new();
    let flags = ["-o", "wide", "--count", "2"];
    let (lines, _) = attempt(&netns, Shown::piped(&netns, &flags));
    for row in &lines[1..] {
        assert!(
            row.contains(r" \u{1b}[2J\u{9b}31m\u{7f}\nfake\u{202e}"),
            "{row}"
        );
        assert!(row.contains(r"fake\u{202e}.service "), "{row}");
    }
}

#[test]
fn json_is_whole_and_harmless() {
    let netns = Netns::new();
    let flags = ["-o", "json", "--count", "2"];
    let (lines, pid) = attempt(&netns, Shown::piped(&netns, &flags));
    assert_eq!(lines.len(), 2);
    for line in &lines {
        assert_harmless(line);
        let record: Value = serde_json::from_str(line).unwrap();
        let process = &record["process"];
        assert_eq!(process["pid"], pid);
        assert_eq!(process["name"], "\u{1b}[2J\u{9b}\n\u{fffd}\u{fffd}");
        let args = process["args"].as_array().unwrap();
        assert_eq!(args[args.len() - 1], TEXT);
        let unit = TEXT.replace('\n', "") + ".service";
        assert!(record["unit"].as_str().unwrap().ends_with(&unit), "{line}");
    }
}

#[test]
fn arguments_that_are_no_text_are_replaced() {
    let netns = Netns::new();
    let shown = Shown::piped(&netns, &["-o", "json", "--count", "2"]);
    let _start = shown.line();
    let client = Command::new(peer())
        .args(["--netns", &netns.path(), "refused", "127.0.0.1:9"])
        .arg(OsStr::from_bytes(b"a\xffb"))
        .stdout(Stdio::null())
        .status();
    assert!(client.unwrap().success());
    let (lines, _) = shown.end();
    let record: Value = serde_json::from_str(&lines[0]).unwrap();
    let args = record["process"]["args"].as_array().unwrap();
    assert_eq!(args[args.len() - 1], "a\u{fffd}b", "{record}");
}
