//! The live table on a terminal: what is seen, what keys do, and how the terminal is left.

use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use tracer_tests::{conntracer, netns::Netns, peer::Peer, scratch::Scratch, terminal::Terminal};

use crate::program::{run, text};

const ESCAPE: &str = "\x1b";

/// One for a namespace, as soon as nothing is missed any more.
fn top(netns: &Netns, environment: &[(&str, &str)]) -> Terminal {
    top_with(netns, environment, &[])
}

/// The same with more flags.
fn top_with(netns: &Netns, environment: &[(&str, &str)], flags: &[&str]) -> Terminal {
    let inode = netns.inode().to_string();
    let mut command = Command::new(conntracer());
    command
        .args(["top", "--netns", &inode, "--update-interval", "1s"])
        .args(flags)
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR")
        .envs(environment.iter().copied());
    let terminal = Terminal::run(&mut command);
    // There may be a loss: all that this machine does counts.
    terminal.wait("the table", |seen| {
        (seen.contains("no loss") || seen.contains("LOSS")) && !seen.contains("looking for")
    });
    terminal
}

/// A connection that stays open: who serves it on which port, and who has it.
fn keep(netns: &Netns) -> (Peer, u16, Peer) {
    let mut server = Peer::start(netns, &["serve-keep", "127.0.0.1:0", "2000", "100"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let client = Peer::start(netns, &["keep", &target, "100", "2000"]);
    (server, port, client)
}

/// Asserts that it ends in order, and leaves the terminal as it was.
fn assert_in_order(top: &mut Terminal, why: &str) {
    let code = top.end().code();
    // 3: this machine has lost something, whoever it was of.
    assert!(matches!(code, Some(0 | 3)), "{why}: {code:?}");
    assert!(!top.is_alternate() && top.is_cooked(), "{why}");
}

#[test]
fn a_connection_is_seen_and_opens_to_its_details() {
    let netns = Netns::new();
    let mut top = top(&netns, &[]);
    assert!(top.is_alternate() && !top.is_cooked());
    let (server, port, client) = keep(&netns);
    let row = format!("peer({})", client.pid());
    let address = format!("-> 127.0.0.1:{port}");
    top.wait("the connection", |seen| {
        let mut lines = seen.lines();
        lines.any(|line| line.contains(&row) && line.contains(&address) && line.contains("2.00 KB"))
    });
    top.press(&format!("/{row}"));
    top.wait("the filter", |seen| seen.contains("1 of 3"));
    top.press("\r");
    top.wait("the end of typing", |seen| {
        seen.contains(&format!("/{row}"))
    });
    top.press("\r");
    top.wait("the details", |seen| {
        seen.contains("100 B sent, 2.00 KB received") && seen.contains(&row)
    });
    top.press(ESCAPE);
    top.wait("the table again", |seen| seen.contains("PROCESS(PID)"));
    top.press(ESCAPE);
    top.wait("no filter", |seen| !seen.contains("1 of 3"));
    top.press("\t");
    top.wait("the hosts", |seen| {
        seen.contains("[hosts]") && seen.contains("1/1") && seen.contains(&address)
    });
    top.press("x");
    top.wait("nothing external", |seen| seen.contains("0 of 1"));
    top.press("?");
    top.wait("the help", |seen| seen.contains("reverse the order"));
    top.press("q");
    assert_in_order(&mut top, "q");
    client.kill();
    server.kill();
}

#[test]
fn what_meets_an_indicator_is_said_on_the_second_line() {
    let netns = Netns::new();
    let scratch = Scratch::new();
    let feed = scratch.write("bad.txt", b"1.1.1.1:443\n");
    let mut top = top_with(&netns, &[], &["--feed", feed.to_str().unwrap_or_default()]);
    let mut peer = Peer::start(&netns, &["refused", "1.1.1.1:443"]);
    peer.line();
    let row = format!("peer({})", peer.pid());
    peer.finish();
    top.wait("the hit", |seen| {
        let second = seen.lines().nth(1).unwrap_or_default();
        second.contains("THREAT 1 connection: ") && second.contains(&row)
    });
    top.press("\t");
    top.wait("the row of the host", |seen| {
        let mut lines = seen.lines().skip(3);
        lines.any(|line| line.contains("1.1.1.1:443") && line.contains("bad.txt"))
    });
    top.press("q");
    assert_in_order(&mut top, "q");
}

#[test]
fn the_terminal_is_left_as_it_was_at_every_end() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut top = top(&Netns::new(), &[]);
        top.signal(signal);
        assert_in_order(&mut top, signal.as_str());
    }
    let mut top = top(&Netns::new(), &[]);
    // So that the second comes before the orderly end.
    top.signal_at_once(&[Signal::SIGINT, Signal::SIGTERM]);
    assert_eq!(top.end().code(), Some(130));
    assert!(!top.is_alternate() && top.is_cooked());
}

#[test]
fn a_key_ends_it_too() {
    let mut top = top(&Netns::new(), &[]);
    // Ctrl-C is a key here.
    top.press("\x03");
    assert_in_order(&mut top, "Ctrl-C");
}

#[test]
fn colours_are_left_out_where_they_are_not_wanted() {
    /// What begins a change of colours, and of nothing else: 30 to 37.
    fn has_colours(raw: &[u8]) -> bool {
        let text = String::from_utf8_lossy(raw).into_owned();
        let mut changes = text
            .split("\x1b[")
            .filter_map(|part| part.split_once('m'))
            .flat_map(|(numbers, _)| numbers.split(';'));
        changes.any(|number| number.len() == 2 && number.starts_with('3') && number != "39")
    }
    for (environment, is_coloured) in [
        (("TERM", "xterm"), true),
        (("NO_COLOR", "1"), false),
        (("TERM", "dumb"), false),
    ] {
        let netns = Netns::new();
        let mut top = top(&netns, &[environment]);
        // A listener is blue.
        let (server, port, client) = keep(&netns);
        let address = format!("127.0.0.1:{port}");
        top.wait("the listener", |seen| {
            let mut lines = seen.lines();
            lines.any(|line| line.contains(&address) && line.contains("LISTEN"))
        });
        top.press("q");
        top.end();
        client.kill();
        server.kill();
        assert_eq!(has_colours(&top.raw()), is_coloured, "{environment:?}");
    }
}

#[test]
fn it_is_for_terminals() {
    let output = run(&["top"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stdout), "");
    let said = text(&output.stderr);
    assert!(said.contains("stdin or stdout is none"), "{said}");
    let status = Command::new(conntracer())
        .args(["top", "-o", "json"])
        .stderr(Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(2));
}
