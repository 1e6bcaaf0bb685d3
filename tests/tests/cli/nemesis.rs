//! `export nemesis`, against a server that is as strict as the real one.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tracer_tests::{
    conntracer,
    nemesis::{Act, Server, accepts::message_is_valid},
    netns::Netns,
    peer::Peer,
    scratch::Scratch,
};

use crate::program::{run, text};

/// Ten connections, two of each second, of two families, the last a listener.
fn source(scratch: &Scratch) -> String {
    let lines: Vec<String> = (0..10)
        .map(|number| {
            let host = if number % 2 == 0 { "127.0.0.1" } else { "::1" };
            let listens = number == 9;
            let line = json!({
                "time": format!("2027-01-15T08:00:0{}.5Z", number / 2), "seq": number + 1,
                "event": if listens { "unlisten" } else { "close" }, "host": "web-1",
                "id": format!("{number}-0"), "protocol": "tcp", "family": "ipv4", "netns": 1,
                "direction": if listens { "listening" } else { "outbound" }, "state": "CLOSED",
                "local": {"ip": host, "port": 1000 + number},
                "remote": if listens { Value::Null } else { json!({"ip": host, "port": 80}) },
                "attribution": "connect",
                "process": {"pid": 7, "name": "curl", "args": ["curl", "--password=abc", "x"]},
            });
            format!("{line}\n")
        })
        .collect();
    let path = scratch.file("source.json");
    std::fs::write(&path, lines.concat()).unwrap();
    path
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(conntracer());
    command
        .args(["export", "nemesis"])
        .args(words)
        .env("CONNTRACER_NEMESIS_PASSWORD", "secret")
        // A proxy of the environment would get it all.
        .env("http_proxy", "http://127.0.0.1:9")
        .env("ALL_PROXY", "http://127.0.0.1:9")
        .stdin(Stdio::null());
    command
}

fn export(server: &Server, words: &[&str]) -> Output {
    let url = server.url();
    let to = ["--url", &url, "--user", "nemesis"];
    let safe: &[&str] = if server.certificate.is_some() {
        &[]
    } else {
        &["--insecure"]
    };
    command(&[words, &to, safe].concat()).output().unwrap()
}

fn assert_ends(output: &Output, code: i32, words: &[&str]) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not in: {said}");
    }
}

#[test]
fn all_is_taken_and_nothing_is_posted_again() {
    let scratch = Scratch::new();
    let source = source(&scratch);
    let server = Server::start(&[]);
    let from = ["--from", &source, "--nemesis-project", "IR-7"];
    let output = export(&server, &from);
    assert_ends(
        &output,
        0,
        &[
            "batch 1 of 5, 2 rows: HTTP 200, object 5f0c",
            "--args full",
            "--insecure: ",
        ],
    );
    assert_eq!(server.rows().len(), 10);
    assert_eq!(server.rows()[1]["local_address"], "[::1]:1001");
    assert_eq!(
        server.rows()[0]["process_name"],
        "curl --password=[redacted] x"
    );
    assert_eq!(server.seen()[0].message()["metadata"]["project"], "IR-7");
    // Other batches of the same rows are the same rows, and so are those that show something else of them.
    for more in [
        &[][..],
        &["--batch", "1"],
        &["--args", "full"],
        &["--nemesis-expiration", "7d"],
    ] {
        let again = export(&server, &[&from, more].concat());
        assert_ends(&again, 0, &["10 rows were posted before", "0 of 0 batches"]);
    }
    assert_eq!(server.rows().len(), 10);
    let journal = format!("{source}.nemesis-journal");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(&journal).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    assert!(
        !std::fs::read_to_string(&journal)
            .unwrap()
            .contains("secret")
    );
    // Another case is something else.
    let other = export(&server, &["--from", &source, "--nemesis-project", "IR-8"]);
    assert_ends(&other, 0, &["5 of 5 batches"]);
}

#[test]
fn a_batch_that_is_refused_is_named_and_the_others_are_posted() {
    let scratch = Scratch::new();
    let source = source(&scratch);
    let server = Server::start(&[
        Act::Answer,
        Act::Say(400, "{\"detail\":\"Invalid \\u001b[2Jmessage\"}"),
    ]);
    let output = export(&server, &["--from", &source]);
    assert_ends(
        &output,
        1,
        &[
            "batch 2 of 5, 2 rows: HTTP 400: refused: Invalid \\u{1b}[2Jmessage",
            "4 of 5 batches",
        ],
    );
    assert_eq!(server.seen().len(), 5);
    // What was refused may be taken now.
    let again = export(&server, &["--from", &source]);
    assert_ends(&again, 0, &["8 rows were posted before", "1 of 1 batches"]);
}

#[test]
fn a_connection_that_is_cut_leaves_a_batch_that_is_not_posted_again() {
    let scratch = Scratch::new();
    let source = source(&scratch);
    let server = Server::start(&[Act::Answer, Act::Hang]);
    let output = export(&server, &["--from", &source]);
    assert_ends(
        &output,
        1,
        &["batch 2 of 5, 2 rows: nobody knows", "4 of 5 batches"],
    );
    assert_eq!(server.rows().len(), 10);
    let again = export(&server, &["--from", &source]);
    assert_ends(
        &again,
        0,
        &[
            "8 rows were posted before",
            "2 rows were posted before and nobody knows",
        ],
    );
    assert_eq!(server.rows().len(), 10);
    let once_more = export(&server, &["--from", &source, "--repost-unknown"]);
    assert_ends(&once_more, 0, &["1 of 1 batches"]);
    assert_eq!(server.rows().len(), 12);
}

#[test]
fn what_would_end_every_batch_ends_the_export() {
    let scratch = Scratch::new();
    let source = source(&scratch);
    for (act, said) in [
        (
            Act::Say(401, "no"),
            "HTTP 401: the server does not know this account and password: no",
        ),
        (Act::Say(404, ""), "HTTP 404: there is no such API"),
        (Act::Say(307, ""), "redirections are not followed"),
        (Act::Say(503, "busy"), "nobody knows whether it was taken"),
        (Act::Say(200, "<html>"), "without an object_id: <html>"),
    ] {
        let server = Server::start(&[act]);
        let output = export(&server, &["--from", &source]);
        assert_ends(&output, 1, &[said, "the other 4 batches were not posted"]);
        assert_eq!(server.seen().len(), 1, "{act:?}");
    }
    // Nobody is there.
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{gone}");
    let to = [
        "--from",
        &source,
        "--user",
        "x",
        "--insecure",
        "--url",
        &url,
    ];
    let output = command(&to).output().unwrap();
    assert_ends(
        &output,
        1,
        &["batch 1 of 5, 2 rows: not sent: ", "0 of 5 batches"],
    );
}

#[test]
fn tls_is_verified_unless_told_otherwise() {
    let scratch = Scratch::new();
    let source = source(&scratch);
    let server = Server::start_tls(&[]);
    let output = export(&server, &["--from", &source]);
    assert_ends(&output, 1, &["not sent: ", "0 of 5 batches"]);
    assert!(server.seen().is_empty());
    let pem = scratch.file("ca.pem");
    std::fs::write(&pem, server.certificate.as_deref().unwrap()).unwrap();
    assert_ends(
        &export(&server, &["--from", &source, "--ca", &pem]),
        0,
        &["5 of 5 batches"],
    );
    let other = Server::start_tls(&[]);
    assert_ends(
        &export(&other, &["--from", &source, "--insecure"]),
        0,
        &["5 of 5 batches", "is believed"],
    );
}

#[test]
fn the_second_version_gets_files() {
    let scratch = Scratch::new();
    let source = source(&scratch);
    let server = Server::start(&[]);
    let output = export(&server, &["--from", &source, "--nemesis-api", "2"]);
    assert_ends(&output, 0, &["batch 5 of 5, 2 rows: HTTP 200, object 5f0c"]);
    assert_eq!(server.rows().len(), 10);
    let seen = server.seen();
    let (_, _, metadata) = &seen[0].parts()[0];
    let metadata: Value = serde_json::from_str(metadata).unwrap();
    assert_eq!(metadata["timestamp"], "2027-01-15T08:00:00Z");
    assert_eq!(metadata["expiration"], "2027-04-25T08:00:00Z");
    assert_eq!(metadata["source"], "host://web-1");
}

#[test]
fn a_dry_run_prints_and_connects_to_nobody() {
    let scratch = Scratch::new();
    let source = source(&scratch);
    let output = command(&["--from", &source, "--dry-run"]).output().unwrap();
    assert_ends(&output, 0, &["5 batches, 10 rows: nothing was posted"]);
    let messages: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(messages.len(), 5);
    for message in &messages {
        assert_eq!(message_is_valid(message), Ok(()));
    }
    assert!(!Path::new(&format!("{source}.nemesis-journal")).exists());
}

#[test]
fn what_is_open_now_is_posted() {
    let netns = Netns::new();
    let mut listener = Peer::start(&netns, &["never-accept", "[::1]:5001"]);
    listener.port();
    let scratch = Scratch::new();
    let journal = scratch.file("journal");
    let server = Server::start(&[]);
    let inode = netns.inode().to_string();
    let output = export(&server, &["--netns", &inode, "--journal", &journal]);
    listener.finish();
    assert_ends(&output, 0, &["1 of 1 batches", "--duration 30s watches"]);
    let rows = server.rows();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["local_address"], "[::1]:5001");
    assert_eq!(rows[0]["remote_address"], "[::]:0");
    assert_eq!(rows[0]["state"], "LISTEN");
    assert_eq!(rows[0]["protocol"], "tcp,ipv6");
}

#[test]
fn a_snapshot_is_a_message() {
    let netns = Netns::new();
    let mut listener = Peer::start(&netns, &["never-accept", "127.0.0.1:5002"]);
    listener.port();
    let inode = netns.inode().to_string();
    let output = run(&["snapshot", "-o", "nemesis", "--netns", &inode]);
    listener.finish();
    assert_ends(&output, 0, &["--args full"]);
    let message: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(message_is_valid(&message), Ok(()));
    assert_eq!(message["data"][0]["local_address"], "127.0.0.1:5002");
    assert_eq!(message["data"][0]["remote_address"], "0.0.0.0:0");
    let process = message["data"][0]["process_name"].as_str();
    assert!(
        process.is_some_and(|line| line.ends_with("never-accept 127.0.0.1:5002")),
        "{process:?}"
    );
}

#[test]
fn its_flags_are_for_nothing_else() {
    for words in [
        ["--nemesis-states", "-q"],
        ["--nemesis-project", "x"],
        ["--nemesis-expiration", "1d"],
    ] {
        assert_ends(&run(&words), 2, &["--nemesis-"]);
    }
    assert_ends(&run(&["hosts", "-o", "nemesis"]), 2, &["`nemesis`"]);
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_posted() {
    let scratch = Scratch::new();
    let source = source(&scratch);
    let secret = scratch.file("none");
    for (words, said) in [
        (&["--url", "https://x"][..], "--user"),
        (&["--user", "x"], "--url"),
        (&["--user", "x", "--url", "http://x"], "--insecure does it"),
        (
            &["--user", "x", "--url", "https://a:b@x"],
            "--url: the account is --user",
        ),
        (
            &["--user", "x", "--url", "ftp://x"],
            "--url: it begins with https://",
        ),
        (&["--user", "a:b", "--url", "https://x"], "--user: no name"),
        (
            &["--user", "x", "--url", "https://x", "--batch", "0"],
            "--batch",
        ),
        (
            &["--user", "x", "--url", "https://x", "--nemesis-api", "3"],
            "--nemesis-api",
        ),
        (
            &[
                "--user",
                "x",
                "--url",
                "https://x",
                "--nemesis-expiration",
                "soon",
            ],
            "soon",
        ),
        (
            &[
                "--user",
                "x",
                "--url",
                "https://x",
                "--ca",
                &secret,
                "--insecure",
            ],
            "--ca",
        ),
    ] {
        let output = command(&[&["--from", &source], words].concat())
            .output()
            .unwrap();
        assert_ends(&output, 2, &[said]);
    }
    let mut without = command(&["--from", &source, "--user", "x", "--url", "https://x"]);
    let output = without
        .env_remove("CONNTRACER_NEMESIS_PASSWORD")
        .output()
        .unwrap();
    assert_ends(&output, 2, &["the password is missing"]);
}
