//! What a cross-check found, as people see it.

use tracer_abi::{Direction, Kind, tcp};
use tracer_core::fact::{CrossCheck, Ends, Fact, Hidden, Listed, Source};
use tracer_core::protocol::Protocol;
use tracer_tests::{
    scene::{Scene, connection, task},
    scratch::Scratch,
};

use crate::run::{replay, stderr, stdout};

const LOCAL: (&str, u16) = ("192.0.2.17", 4444);
const REMOTE: (&str, u16) = ("203.0.113.66", 31_337);

/// A listener that `/proc/net` does not show, and a connection that only `sock_diag` does.
fn recording() -> Vec<u8> {
    let mut listener = connection(Direction::LISTENING, LOCAL, ("0.0.0.0", 0));
    let end = |(ip, port): (&str, u16)| (ip.parse::<std::net::IpAddr>().unwrap(), port).into();
    let ends = |remote| Ends::new(listener.netns, Protocol::Tcp, end(LOCAL), remote);
    let socket = |state| Listed {
        state,
        uid: Some(0),
        inode: Some(4711),
        holders: Vec::new(),
    };
    let check = CrossCheck {
        time_ns: 3_600_000_000_000,
        namespaces: 2,
        sockets: 40,
        hidden: vec![
            Hidden {
                ends: ends(None),
                from: vec![Source::ProcNet],
                missing: 1,
                sockets: vec![socket(tcp::LISTEN)],
            },
            Hidden {
                ends: ends(Some(end(REMOTE))),
                from: vec![Source::Iterator, Source::ProcNet],
                missing: 1,
                sockets: vec![socket(tcp::ESTABLISHED)],
            },
        ],
        not_compared: vec!["udp of sock_diag\x1b is not compared".to_owned()],
    };
    let mut scene = Scene::new(&[Fact::CrossCheck(check)]);
    scene.open(&mut listener);
    let detail = tracer_abi::Detail::of_states(tcp::LISTEN, tcp::LISTEN);
    scene.report(Kind::EXISTING, &listener, detail);
    scene.hold(&listener, &task(77, b"backdoor", 0, 1));
    scene.surveyed();
    scene.finish()
}

#[test]
fn a_table_cannot_be_read_past_it() {
    let scratch = Scratch::new();
    let recording = scratch.write("hidden.rec", &recording());
    for format in ["table", "wide"] {
        let output = replay(&recording, &["-o", format, "--color", "always"]);
        assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
        let text = stdout(&output);
        let lines: Vec<&str> = text.lines().collect();
        let [_, _, listener, connection, _, check, missing] = lines.as_slice() else {
            panic!("{format}: {text}");
        };
        let is_alarm = |line: &str| line.starts_with("\x1b[1;31m");
        assert!(listener.contains("backdoor(77)"), "{listener}");
        assert!(
            listener.contains("HIDDEN from /proc/net LISTEN"),
            "{listener}"
        );
        assert!(
            connection.contains("HIDDEN from the iterator, /proc/net"),
            "{connection}"
        );
        assert!(check.contains("cross-check: 40 sockets in 2 network namespaces, 2 hidden"));
        // The escape is not shown as one.
        assert!(
            !missing.trim_start_matches("\x1b[1;31m").contains("\x1b is"),
            "{missing}"
        );
        for line in [listener, connection, check, missing] {
            assert!(is_alarm(line), "{line}");
        }
    }
}

#[test]
fn a_connection_of_a_listener_is_inbound_whoever_shows_it() {
    let scratch = Scratch::new();
    let recording = scratch.write("hidden.rec", &recording());
    let output = replay(&recording, &["-o", "json", "--direction", "inbound"]);
    let text = stdout(&output);
    let lines = text.lines().map(serde_json::from_str);
    let records: Vec<serde_json::Value> = lines.collect::<Result<_, _>>().unwrap();
    let [_, connection, stop] = records.as_slice() else {
        panic!("{text}");
    };
    assert_eq!(connection["remote"]["ip"], REMOTE.0);
    assert_eq!(connection["attribution"], "none");
    assert_eq!(connection["socket"]["inode"], 4711);
    assert_eq!(stop["cross_check"]["hidden"], 2);
    // Also of what is selected out it is said.
    assert_eq!(output.status.code(), Some(4));
}
