//! `conntracer doctor --self-test`: what it shows, and what it leaves.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt as _,
    process::{Child, Command, Output, Stdio},
    time::Instant,
};

use nix::{libc, sys::stat::Mode, unistd::mkfifo};
use serde_json::Value;
use tracer_tests::{DEADLINE, bpf, conntracer, scratch::Scratch};

use crate::program::{run, text};

/// What a kind is in JSON, and what a responder calls it.
const KINDS: [(&str, &str); 13] = [
    ("tcp_ipv4", "TCP over IPv4"),
    ("tcp_ipv6", "TCP over IPv6"),
    ("refused", "refused attempt"),
    ("not_accepted", "not accepted"),
    ("handed_over", "handed over"),
    ("fast_open", "TCP Fast Open"),
    ("io_uring", "through io_uring"),
    ("existing", "open before"),
    ("listener", "listener"),
    ("udp_ipv4", "UDP over IPv4"),
    ("udp_ipv6", "UDP over IPv6"),
    ("raw_socket", "raw socket"),
    ("packet_socket", "packet socket"),
];

fn findings(output: &Output) -> Vec<Value> {
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    said["self_test"].as_array().unwrap().clone()
}

#[test]
fn every_kind_is_reported_in_words_and_as_data() {
    let data = run(&["doctor", "--self-test", "-o", "json"]);
    let words = run(&["doctor", "--self-test"]);
    let shown = text(&words.stdout);
    for output in [&data, &words] {
        assert_eq!(text(&output.stderr), "");
        assert_eq!(output.status.code(), Some(0), "{shown}");
    }
    let findings = findings(&data);
    assert_eq!(findings.len(), KINDS.len());
    for (finding, (kind, title)) in findings.iter().zip(KINDS) {
        assert_eq!(finding["kind"], kind);
        assert_eq!(finding["verdict"], "reported", "{finding}");
        let why = finding["why"].as_str().unwrap();
        let line = format!("\n{title:<17}reported {why}\n");
        assert!(shown.contains(&line), "{line} is not in\n{shown}");
    }
    assert!(
        shown.contains("\n13 reported, 0 missed, 0 untested.\n"),
        "{shown}"
    );
    let (_, table) = shown.split_once("\nSELF-TEST ").unwrap();
    assert!(table.lines().all(|line| line.len() <= 80), "{table}");
}

#[test]
fn without_being_asked_it_only_reads() {
    let output = run(&["doctor", "-o", "json"]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said.get("self_test"), None);
    assert!(!text(&run(&["doctor"]).stdout).contains("SELF-TEST"));
}

#[test]
fn without_a_namespace_nothing_is_proved() {
    let output = Command::new("setpriv")
        .arg("--bounding-set=-sys_admin")
        .arg(conntracer())
        .args(["doctor", "--self-test", "-o", "json"])
        .output()
        .unwrap();
    for finding in findings(&output) {
        assert_eq!(finding["verdict"], "untested");
        let why = finding["why"].as_str().unwrap();
        assert!(why.contains("CAP_SYS_ADMIN"), "{why}");
    }
    assert_eq!(output.status.code(), Some(1));
}

/// Process → its parent and its state, of all that there are.
fn processes() -> BTreeMap<u32, (u32, String)> {
    let ids = std::fs::read_dir("/proc").unwrap();
    let ids = ids.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter_map(|pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, after) = stat.rsplit_once(") ")?;
        let mut words = after.split(' ');
        let state = words.next()?.to_owned();
        Some((pid, (words.next()?.parse().ok()?, state)))
    })
    .collect()
}

/// Looks until there is what is looked for.
fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

/// The process that makes the connections, once it is in its namespace.
fn peer_of(doctor: &Child) -> u32 {
    let netns = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let own = netns(std::process::id());
    until("no process makes connections", || {
        let children = processes().into_iter();
        let mut children = children.filter(|(_, (parent, _))| *parent == doctor.id());
        let (pid, _) = children.next()?;
        netns(pid)
            .is_some_and(|netns| Some(netns) != own)
            .then_some(pid)
    })
}

#[test]
fn nothing_is_left_when_it_is_killed() {
    let mut doctor = Command::new(conntracer())
        .args(["doctor", "--self-test"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let peer = peer_of(&doctor);
    doctor.kill().unwrap();
    doctor.wait().unwrap();
    until("the process that makes connections is still there", || {
        let state = processes().remove(&peer).map(|(_, state)| state);
        // Whoever inherits it may take its time to look at it.
        state.is_none_or(|state| state == "Z").then_some(())
    });
}

/// A self-test on the lowest rung from which a program is taken away once all are in their places, and
/// before anything is made. In between the names of ports are read, here from a pipe: it waits there for
/// who writes.
fn self_test_without(program: &str, flags: &[&str]) -> Output {
    let etc = Scratch::new();
    let pipe = etc.path().join("services");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    etc.in_place_of("/etc", || {
        let doctor = Command::new(conntracer())
            .args(["doctor", "--self-test", "--hooks", "tracepoint"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let attached: File = until("it does not read the names of ports", || {
            let mut options = OpenOptions::new();
            // Fails while nobody reads.
            let nonblocking = options.write(true).custom_flags(libc::O_NONBLOCK);
            nonblocking.open("/etc/services").ok()
        });
        bpf::detach(doctor.id(), program);
        drop(attached);
        doctor.wait_with_output().unwrap()
    })
}

/// What is missed without a program, and nothing else, with the program as the reason.
fn assert_missed_without(program: &str, facts: &str, kinds: &[&str]) {
    let output = self_test_without(program, &["-o", "json"]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(1));
    let findings = findings(&output);
    let missed = findings.iter().filter(|one| one["verdict"] == "missed");
    let missed: Vec<&str> = missed.map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(missed, kinds, "{findings:#?}");
    let reason = format!("; told as lost: hook_detached 1, taken away: {program} of {facts}");
    for finding in &findings {
        let is_missed = missed.contains(&finding["kind"].as_str().unwrap());
        let verdict = if is_missed { "missed" } else { "reported" };
        assert_eq!(finding["verdict"], verdict, "{finding}");
        let why = finding["why"].as_str().unwrap();
        assert_eq!(why.ends_with(&reason), is_missed, "{finding}");
    }
}

#[test]
fn without_the_hook_of_packets_udp_is_missed() {
    let facts = "datagram through cgroup_skb";
    assert_missed_without("datagram_egress", facts, &["udp_ipv4", "udp_ipv6"]);
}

/// What nobody takes is the listener's, and so is nobody's.
#[test]
fn without_the_hook_of_listeners_they_and_what_waits_there_are_missed() {
    let kinds = ["not_accepted", "listener"];
    assert_missed_without("listen_sockops", "listen through sock_ops", &kinds);
}

#[test]
fn without_the_hook_of_closes_who_inherits_is_missed() {
    assert_missed_without("close_cgroup", "close through cgroup", &["handed_over"]);
}

#[test]
fn the_table_names_the_hook_that_is_gone() {
    let output = self_test_without("bind_cgroup4", &[]);
    let shown = text(&output.stdout);
    let (_, table) = shown.split_once("\nSELF-TEST ").unwrap();
    let words: Vec<&str> = table.split_whitespace().collect();
    let missed = "UDP over IPv4 missed listening: no listen came within 10 s; expected listen, unlisten, \
        came nothing; told as lost: hook_detached 1, taken away: bind_cgroup4 of datagram through \
        cgroup_skb UDP over IPv6 reported";
    assert!(words.join(" ").contains(missed), "{shown}");
    assert!(
        shown.contains("\n12 reported, 1 missed, 0 untested.\n"),
        "{shown}"
    );
    assert_eq!(output.status.code(), Some(1));
}
