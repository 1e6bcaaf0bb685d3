//! The table of hosts, as wide as the terminal.

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tracer_tests::{conntracer, netns::Netns, peer::Peer, scratch::Scratch};

use crate::{
    program::{run, text},
    shown::Shown,
};

fn command(netns: &Netns, flags: &[&str]) -> Command {
    let mut command = Command::new(conntracer());
    command
        .args(["hosts", "--netns", &netns.inode().to_string()])
        .args(["--color", "never", "--sort", "destination"])
        .args(flags)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// A connection that stays, by a client with a name that is to reach no terminal, and a listener.
fn peers(netns: &Netns) -> Vec<Peer> {
    let mut server = Peer::start(netns, &["serve-keep", "127.0.0.1:5000", "1000", "999999"]);
    server.port();
    let name = [
        "--name",
        "27,91,50,74,120,120,120,120,120,120,120,120,120,120,120",
    ];
    let keep = ["keep", "127.0.0.1:5000", "999999", "1000"];
    let mut client = Peer::start(netns, &[&name[..], &keep].concat());
    client.port();
    assert_eq!(client.line(), "kept");
    assert_eq!(server.line(), "kept");
    let mut unused = Peer::start(netns, &["never-accept", "[::1]:5001"]);
    unused.port();
    vec![client, server, unused]
}

/// What is shown on a terminal of so many columns.
fn on_terminal(columns: u16, flags: &[&str]) -> Vec<String> {
    let netns = Netns::new();
    let peers = peers(&netns);
    let (lines, status) = Shown::start_on_terminal(columns, command(&netns, flags)).end();
    assert!(status.success(), "{lines:#?}");
    peers.into_iter().for_each(Peer::finish);
    lines
}

/// The rows, with their titles first.
fn rows(lines: &[String]) -> &[String] {
    let at = lines
        .iter()
        .position(|line| line.starts_with("SOURCE "))
        .unwrap();
    let end = lines
        .iter()
        .position(|line| line.starts_with("2 rows, "))
        .unwrap();
    &lines[at..end]
}

fn assert_fits(lines: &[String], columns: usize) {
    assert!(
        lines.iter().all(|line| line.chars().count() <= columns),
        "{lines:#?}"
    );
    let is_plain = |line: &String| !line.contains('\u{1b}');
    assert!(lines.iter().all(is_plain), "{lines:#?}");
    let [titles, connection, listener] = rows(lines) else {
        panic!("{lines:#?}");
    };
    let at = titles.find("DESTINATION").unwrap();
    assert!(connection.starts_with("127.0.0.1 -> "), "{connection}");
    assert!(
        connection[at..].starts_with("127.0.0.1:5000 "),
        "{connection}"
    );
    assert!(connection.contains(" 1/1 "), "{connection}");
    assert!(connection.contains(" 999 KB/1.00 KB"), "{connection}");
    // The beginning of the name, with its escape made visible.
    let at = titles.find("PROCESS(PID)").unwrap();
    assert!(connection[at..].starts_with("\\u{1b}[2J"), "{connection}");
    assert!(listener.starts_with("- "), "{listener}");
    assert!(listener.contains(" [::1]:5001 "), "{listener}");
}

#[test]
fn rows_of_hosts_fit_at_80_columns() {
    let lines = on_terminal(80, &[]);
    assert_fits(&lines, 80);
}

#[test]
fn rows_of_hosts_fit_at_200_columns() {
    let lines = on_terminal(200, &[]);
    assert_fits(&lines, 200);
    let rows = rows(&lines);
    assert!(
        rows[0].contains("LAST SEEN") && rows[0].contains("STATE"),
        "{rows:#?}"
    );
    assert!(rows[2].contains(" LISTEN "), "{rows:#?}");
    assert!(rows[2].contains(" peer("), "{rows:#?}");
}

#[test]
fn wide_rows_of_hosts_show_everything() {
    let lines = on_terminal(80, &["-o", "wide"]);
    let exe = std::fs::canonicalize(tracer_tests::peer()).unwrap();
    let rows = rows(&lines);
    assert!(rows[0].contains("SERVED BY"), "{rows:#?}");
    for row in &rows[1..] {
        assert!(row.contains(exe.to_str().unwrap()), "{rows:#?}");
    }
}

#[test]
fn what_was_asked_for_and_what_is_not_seen_is_said() {
    let lines = on_terminal(120, &["--port", "5000,5001", "--by", "process"]);
    let has = |part: &str| lines.iter().any(|line| line.contains(part));
    assert!(lines[0].starts_with("conntracer "), "{lines:#?}");
    for part in [
        "--port 5000,5001",
        "nothing lost",
        "not covered: ",
        "addresses: self: ",
        "process peer",
        "process \\u{1b}[2J",
    ] {
        assert!(has(part), "{part}: {lines:#?}");
    }
}

#[test]
fn rows_of_hosts_as_csv() {
    let netns = Netns::new();
    let peers = peers(&netns);
    let output = command(&netns, &["-o", "csv"]).output().unwrap();
    assert!(output.status.success());
    let text = text(&output.stdout);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let [headings, connection, listener] = lines.as_slice() else {
        panic!("{text}");
    };
    let cell = |row: &[&str], heading: &str| {
        assert_eq!(row.len(), headings.len(), "{row:?}");
        let at = headings.iter().position(|one| *one == heading);
        row[at.unwrap_or_else(|| panic!("no {heading}"))].to_owned()
    };
    for (heading, of_connection, of_listener) in [
        ("source_ip", "127.0.0.1", ""),
        ("destination_ip", "127.0.0.1", "::1"),
        ("destination_port", "5000", "5001"),
        ("initiator_known", "true", "true"),
        ("protocol", "tcp", "tcp"),
        ("state", "ESTABLISHED", "LISTEN"),
        ("connections", "1", "0"),
        ("bytes_total_to_destination", "999999", ""),
        ("bytes_total_to_source", "1000", ""),
        ("open_before", "true", "true"),
    ] {
        assert_eq!(cell(connection, heading), of_connection, "{heading}");
        assert_eq!(cell(listener, heading), of_listener, "{heading}");
    }
    let client = format!("\\u{{1b}}[2Jxxxxxxxxxxx({})", peers[0].pid());
    assert_eq!(cell(connection, "processes"), client);
    peers.into_iter().for_each(Peer::finish);
}

#[test]
fn rows_of_hosts_are_no_events() {
    for format in ["ecs", "ocsf"] {
        let output = run(&["hosts", "-o", format]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("are of events"));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn wrong_flags_of_hosts_are_named() {
    for [flag, value] in [["--by", "colour"], ["--sort", "size"], ["--output", "xml"]] {
        let output = run(&["hosts", flag, value]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(flag), "{flag}");
    }
}

/// The rows as JSON of what is in files, and how it ended.
fn from(files: &[&str], flags: &[&str]) -> (Vec<Value>, Option<i32>, String) {
    let args = [&["hosts", "-o", "json", "--from"], files, flags].concat();
    let output = run(&args);
    let lines = text(&output.stdout).lines().map(serde_json::from_str);
    let mut rows: Vec<Value> = lines.collect::<Result<_, _>>().unwrap();
    rows.retain(|line| line.get("event").is_none());
    let stderr = text(&output.stderr).to_owned();
    (rows, output.status.code(), stderr)
}

#[test]
fn recordings_and_json_give_the_same_rows_and_what_is_told_twice_counts_once() {
    let netns = Netns::new();
    let peers = peers(&netns);
    let scratch = Scratch::new();
    let (recording, json) = (scratch.file("case.rec"), scratch.file("case.json"));
    let inode = netns.inode().to_string();
    let flags = ["-o", "json", "--output-file", &json, "--record", &recording];
    let output = run(&[&["snapshot", "--netns", &inode], &flags[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    peers.into_iter().for_each(Peer::finish);

    // A recording has what was not selected, too.
    let (of_recording, status, stderr) = from(&[&recording], &["--netns", &inode]);
    assert_eq!(status, Some(0), "{stderr}");
    assert_eq!(of_recording.len(), 2, "{of_recording:#?}");
    assert_eq!(of_recording[0]["bytes_total"]["to_destination"], 999_999);
    let (of_json, status, stderr) = from(&[&json], &[]);
    assert_eq!(status, Some(0), "{stderr}");
    assert_eq!(of_json, of_recording);
    let (of_twice, _, _) = from(&[&json, &json], &[]);
    assert_eq!(of_twice, of_json);
}

#[test]
fn json_is_selected_from_as_the_recording_is() {
    let recording = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/exercise/intrusion.rec"
    );
    let scratch = Scratch::new();
    let json = scratch.file("case.json");
    let output = run(&["replay", recording, "-o", "json", "--output-file", &json]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for flags in [
        "",
        "--external",
        "--external --by process",
        "--port 443",
        "--not-port 443",
        "--local-port 443",
        "--remote 203.0.113.0/24",
        "--protocol udp",
        "--user www-data",
        "--not-user root",
        "--login alice",
        "--process curl",
        "--exe /tmp/*",
        "--not-pid 1",
        "--cgroup /system.slice",
        "--container nightly-*",
        "--direction inbound",
        "--outcome refused",
        "--not-event listen",
        "--any --port 22 --process bash",
    ] {
        let flags: Vec<&str> = flags.split_whitespace().collect();
        let (of_recording, status, stderr) = from(&[recording], &flags);
        assert_eq!(status, Some(0), "{flags:?}: {stderr}");
        assert!(!of_recording.is_empty(), "{flags:?}");
        let (of_json, status, stderr) = from(&[&json], &flags);
        assert_eq!(status, Some(0), "{flags:?}: {stderr}");
        assert_eq!(of_json, of_recording, "{flags:?}");
    }
}

/// A line of JSON of an end of one connection between two hosts.
fn line(host: &str, direction: &str, [local, remote]: [(&str, u16); 2]) -> String {
    let end = |(ip, port)| json!({"ip": ip, "port": port});
    let event = if direction == "inbound" {
        "accept"
    } else {
        "connect"
    };
    let line = json!({
        "time": "2026-01-02T03:04:05.000000006Z", "seq": 2, "event": event, "host": host, "id": "1f-0",
        "protocol": "tcp", "family": "ipv4", "direction": direction, "direction_source": "observed",
        "state": "ESTABLISHED", "local": end(local), "remote": end(remote), "netns": 1,
        "attribution": "none",
    });
    line.to_string()
}

#[test]
fn a_connection_between_two_hosts_counts_once_and_bad_lines_are_named() {
    let scratch = Scratch::new();
    let (client, server) = (("10.0.0.1", 40000), ("10.0.0.2", 443));
    let web = scratch.file("web.json");
    std::fs::write(&web, line("web1", "outbound", [client, server])).unwrap();
    let db = scratch.file("db.json");
    let good = line("db1", "inbound", [server, client]);
    std::fs::write(&db, format!("{{\"event\":\"loss\"\n\n{good}\n")).unwrap();
    let (rows, status, stderr) = from(&[&web, &db], &[]);
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!(rows[0]["host"], "web1");
    assert_eq!(rows[0]["connections"], 1);
    assert_eq!(rows[0]["source"]["ip"], "10.0.0.1");
    assert_eq!(rows[0]["destination"]["port"], 443);
    assert_eq!(status, Some(1));
    assert!(stderr.contains(&format!("{db}, line 1: ")), "{stderr}");
}

#[test]
fn what_cannot_be_read_or_selected_is_said() {
    let scratch = Scratch::new();
    let web = scratch.file("web.json");
    let ends = [("10.0.0.1", 4), ("10.0.0.2", 5)];
    std::fs::write(&web, line("web1", "outbound", ends)).unwrap();
    let (_, status, stderr) = from(&[&web], &["--internal-cidr", "10.0.0.0/8"]);
    assert_eq!(status, Some(2));
    assert!(stderr.contains("is JSON"), "{stderr}");
    let (_, status, stderr) = from(&[&web], &["--user", "nobody-we-know"]);
    assert_eq!(status, Some(2));
    assert!(stderr.contains("`nobody-we-know`"), "{stderr}");
    let (_, status, stderr) = from(&["/nowhere"], &[]);
    assert_eq!(status, Some(1));
    assert!(stderr.contains("/nowhere"), "{stderr}");
    let (_, status, stderr) = from(&[&web], &["--duration", "1s"]);
    assert_eq!(status, Some(2));
    assert!(stderr.contains("--duration"), "{stderr}");
}

#[test]
fn a_watched_table_is_kept_up_to_date_and_stays_at_the_end() {
    let netns = Netns::new();
    let early = peers(&netns);
    let shown = Shown::start_on_terminal(100, command(&netns, &["--watch", "--duration", "20s"]));
    let wait_for = |part: &str| {
        let mut lines = vec![shown.line()];
        while !lines[lines.len() - 1].contains(part) {
            lines.push(shown.line());
        }
        lines
    };
    let first = wait_for(" 127.0.0.1:5000 ");
    // Each is drawn over the one before.
    let is_drawn = |line: &String| line.starts_with("\u{1b}[?7l\u{1b}[H");
    assert!(first.iter().any(is_drawn), "{first:#?}");
    let mut late = Peer::start(&netns, &["never-accept", "127.0.0.1:5002"]);
    late.port();
    wait_for(" 127.0.0.1:5002 ");
    wait_for(": under way; ");
    let (rest, status) = shown.end();
    assert!(status.success());
    let last = rest
        .iter()
        .rposition(|line| line.contains("\u{1b}[?7h"))
        .unwrap();
    let end = &rest[last..];
    assert!(end[0].contains("\u{1b}[H\u{1b}[J"), "{end:#?}");
    assert!(
        end.iter().any(|line| line.contains(" 127.0.0.1:5002 ")),
        "{end:#?}"
    );
    assert!(end.last().unwrap().starts_with("not covered: "), "{end:#?}");
    early.into_iter().for_each(Peer::finish);
    late.finish();
}

#[test]
fn only_a_table_on_a_terminal_is_watched() {
    for flags in [&["--watch"][..], &["--watch", "-o", "json"]] {
        let output = run(&[&["hosts"], flags].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("--watch"), "{flags:?}");
    }
}
