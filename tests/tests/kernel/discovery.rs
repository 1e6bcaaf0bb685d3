//! Who looks at connections: one record for each process, with all that it did.

use std::{
    ffi::OsStr,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use nix::libc::{EINVAL, ENOENT, EOPNOTSUPP, EPROTONOSUPPORT};
use serde_json::{Value, json};
use tracer_tests::{
    conntracer,
    netns::Netns,
    on_rungs_of_attempts, peer,
    peer::Peer,
    record::Record,
    rung::Rung,
    scratch::Scratch,
    tracer::{Finished, Tracer},
    wait_until,
};

on_rungs_of_attempts!(
    dumps_of_sockets,
    ways_to_ask_for_a_dump,
    a_dump_of_another_namespace,
    a_dump_through_a_ring,
    lists_of_proc,
    a_list_of_another_namespace,
    a_list_at_another_path,
    a_list_in_another_mount_of_proc,
    a_list_through_a_ring,
    a_sweep_of_descriptors,
    a_sweep_without_directories,
    an_iterator,
    connections_that_netfilter_tracks,
    a_socket_that_is_destroyed,
    each_process_has_its_own_record,
    what_shows_no_connections_gives_nothing,
    programs_of_no_package,
    a_snapshot_of_another_conntracer,
);

on_rungs_of_attempts!(
    own:
    only_who_is_selected,
    a_trace_tells_it_when_it_is_asked,
    a_descriptor_from_before_the_start,
);

/// All states, as programs ask for them that know eleven.
const ALL_STATES: &str = "4095";
/// All states, as programs ask for them that know none.
const EVERY_BIT: &str = "4294967295";
/// Of how many processes the descriptors make a sweep.
const SWEEP_MIN: usize = 20;
/// In the thread that submits, in a worker of the kernel's, in a thread that polls.
const MODES: [&str; 3] = ["plain", "async", "sqpoll"];

/// A process of the shared namespace that looks and is gone, and what it says.
fn look(words: &[&str]) -> (u64, String) {
    let mut peer = Peer::start(Netns::shared(), words);
    let pid = peer.pid();
    let line = peer.line();
    peer.finish();
    (pid, line)
}

/// Whether a fact is seen only by what system calls are given and return, which shows less.
fn uses_calls(tracer: &Tracer, fact: &str) -> bool {
    tracer.via(fact) == "tp_btf"
}

/// The errno that a process says.
fn errno_of(line: &str) -> Option<i32> {
    line.strip_prefix("errno ")?.parse().ok()
}

/// Somebody looks, and when that is told, so is everything before it.
fn look_later(tracer: &Tracer, netns: &Netns) {
    let later = peer::run(netns, &["list", "/proc/net/udp6"]);
    tracer.discovery(later);
}

/// The record of a process that has ended, of which there is no other.
fn only_of(tracer: &Tracer, pid: u64) -> Record {
    let record = tracer.discovery(pid);
    look_later(tracer, Netns::shared());
    let records = tracer.records();
    let all: Vec<&Record> = records.iter().filter(|r| r.is_discovery_of(pid)).collect();
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_is_told_by_a_peer(&record);
    record
}

/// Who looks later is told, and these that have ended before are not.
fn assert_nothing_of(tracer: &Tracer, pids: &[u64]) {
    look_later(tracer, Netns::shared());
    let of_them = |record: &Record| pids.iter().any(|pid| record.is_discovery_of(*pid));
    let found: Vec<Record> = tracer.records().into_iter().filter(of_them).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// Asserts that it says what there is to say of any peer that looks.
fn assert_is_told_by_a_peer(record: &Record) {
    assert_eq!(record.text("technique"), "T1049");
    assert_eq!(record.text("analytic"), "AN0904");
    assert_eq!(record.text("platform"), "linux");
    assert!(!record.texts("reasons").is_empty(), "{record:?}");
    assert_eq!(record.number("netns"), Some(Netns::shared().inode()));
    assert_eq!(record.at("origin"), &Value::Null);
    let here = std::env::current_dir().unwrap();
    assert_eq!(record.text("cwd"), here.to_string_lossy());
    assert_eq!(record.number("user.uid"), Some(0));
    assert_eq!(record.at("ancestry")[0]["pid"], std::process::id());
}

/// The same, and that it was done by the peer of that name by this way alone.
fn assert_did(record: &Record, behaviour: &str, words: &[&str]) {
    assert_eq!(record.deeds(), [behaviour], "{record:?}");
    assert_eq!(record.text("process.name"), "peer");
    assert_eq!(record.text("process.exe"), program().to_string_lossy());
    let args = record.texts("process.args");
    assert!(args.ends_with(words), "{args:?}");
}

/// Where the peer is, by its own name.
fn program() -> PathBuf {
    peer().canonicalize().unwrap()
}

/// Asks for sockets. The record, if the kernel has what answers; a machine may lack it.
fn ask(tracer: &Tracer, words: &[&str]) -> Option<Record> {
    let (pid, line) = look(words);
    if let Some(errno) = errno_of(&line) {
        assert!([ENOENT, EINVAL].contains(&errno), "{words:?}: {line}");
        return None;
    }
    let record = only_of(tracer, pid);
    assert_did(&record, "sock_diag_dump", words);
    Some(record)
}

fn dumps_of_sockets(rung: Rung) {
    let asked = [
        (
            ["ipv4", "tcp", ALL_STATES],
            json!({"family": "ipv4", "protocol": "tcp"}),
        ),
        (
            ["ipv4", "tcp", "1024"],
            json!({"family": "ipv4", "protocol": "tcp", "states": ["LISTEN"]}),
        ),
        (
            ["ipv6", "tcp", "1026"],
            json!({"family": "ipv6", "protocol": "tcp", "states": ["ESTABLISHED", "LISTEN"]}),
        ),
        (
            ["ipv4", "udp", EVERY_BIT],
            json!({"family": "ipv4", "protocol": "udp"}),
        ),
        (
            ["ipv6", "udp", ALL_STATES],
            json!({"family": "ipv6", "protocol": "udp"}),
        ),
        (["unix", "any", EVERY_BIT], json!({"family": "unix"})),
        (["packet", "any", EVERY_BIT], json!({"family": "packet"})),
    ];
    let tracer = Tracer::shared_of_discovery(rung);
    for ([family, protocol, states], said) in asked {
        let record = ask(tracer, &["diag", family, protocol, states, "send"]);
        let Some(record) = record else { continue };
        assert_eq!(record.at("details.dumps"), &json!([said]), "{record:?}");
        assert_eq!(record.at("details.netns"), &Value::Null);
        assert_eq!(record.at("details.io_uring"), &Value::Null);
    }
}

fn ways_to_ask_for_a_dump(rung: Rung) {
    let tracer = Tracer::shared_of_discovery(rung);
    let said = json!([{"family": "ipv4", "protocol": "tcp", "states": ["LISTEN"]}]);
    for how in ["message", "write"] {
        let record = ask(tracer, &["diag", "ipv4", "tcp", "1024", how]);
        // What is written to a socket, those calls do not show.
        if let Some(record) = record
            && (how != "write" || !uses_calls(tracer, "dump"))
        {
            assert_eq!(record.at("details.dumps"), &said, "{how}: {record:?}");
        }
    }
    if let Some(record) = ask(tracer, &["diag-old", "1024"]) {
        assert_eq!(record.at("details.dumps"), &said, "{record:?}");
    }
}

fn a_dump_of_another_namespace(rung: Rung) {
    let (tracer, other) = (Tracer::shared_of_discovery(rung), Netns::new());
    let words = ["diag-of", &other.path(), "ipv4", "tcp", ALL_STATES];
    if let Some(record) = ask(tracer, &words) {
        assert_eq!(record.at("details.netns"), &json!([other.inode()]));
    }
}

fn a_dump_through_a_ring(rung: Rung) {
    let tracer = Tracer::shared_of_discovery(rung);
    for (mode, how) in MODES
        .iter()
        .flat_map(|mode| [(mode, "send"), (mode, "message")])
    {
        let record = ask(tracer, &["diag-uring", "ipv4", "tcp", "1024", how, mode]);
        let Some(record) = record else { continue };
        assert_eq!(record.at("details.io_uring"), true, "{mode}: {record:?}");
        if !uses_calls(tracer, "dump") {
            let said = json!([{"family": "ipv4", "protocol": "tcp", "states": ["LISTEN"]}]);
            assert_eq!(record.at("details.dumps"), &said, "{mode}: {record:?}");
        }
    }
}

/// Reads lists. The record, which names these.
fn list(tracer: &Tracer, paths: &[&str], names: &[&str]) -> Record {
    let words = [&["list"], paths].concat();
    let (pid, _) = look(&words);
    let record = only_of(tracer, pid);
    assert_did(&record, "proc_net_read", &words);
    assert_eq!(record.texts("details.files"), names, "{record:?}");
    assert_eq!(record.at("details.io_uring"), &Value::Null);
    record
}

fn lists_of_proc(rung: Rung) {
    let tracer = Tracer::shared_of_discovery(rung);
    let looks: [(&[&str], &[&str]); 6] = [
        (&["/proc/net/tcp"], &["tcp"]),
        (&["/proc/self/net/tcp6"], &["tcp6"]),
        (&["/proc/thread-self/net/udp"], &["udp"]),
        (&["/proc/../proc/./net/unix"], &["unix"]),
        (
            &["/proc/net/raw", "/proc/net/udp6", "/proc/net/packet"],
            &["packet", "raw", "udp6"],
        ),
        (
            &["/proc/net/tcp", "/proc/self/net/tcp", "/proc/net/tcp"],
            &["tcp"],
        ),
    ];
    for (paths, names) in looks {
        let record = list(tracer, paths, names);
        assert_eq!(record.at("details.netns"), &Value::Null, "{record:?}");
    }
}

fn a_list_of_another_namespace(rung: Rung) {
    let (tracer, other) = (Tracer::shared_of_discovery(rung), Netns::new());
    let idle = Peer::start(&other, &["idle"]);
    wait_for(&idle, &other);
    let path = format!("/proc/{}/net/udp", idle.pid());
    let record = list(tracer, &[&path], &["udp"]);
    assert_eq!(record.at("details.netns"), &json!([other.inode()]));
    idle.finish();
}

/// Waits until a process is where it was sent.
fn wait_for(peer: &Peer, netns: &Netns) {
    let path = format!("/proc/{}/ns/net", peer.pid());
    wait_until("it is in its namespace", || {
        std::fs::metadata(&path).is_ok_and(|namespace| namespace.ino() == netns.inode())
    });
}

fn a_list_at_another_path(rung: Rung) {
    let (tracer, scratch) = (Tracer::shared_of_discovery(rung), Scratch::new());
    let idle = Peer::start(Netns::shared(), &["idle"]);
    wait_for(&idle, Netns::shared());
    // Of the directory, since kernels from 7 on bind no single file of it.
    let path = format!("/proc/{}/net", idle.pid());
    scratch.with_another(&path, |place| {
        let record = list(tracer, &[&format!("{place}/tcp")], &["tcp"]);
        assert_eq!(record.at("details.netns"), &Value::Null);
    });
    idle.finish();
}

fn a_list_in_another_mount_of_proc(rung: Rung) {
    let (tracer, scratch) = (Tracer::shared_of_discovery(rung), Scratch::new());
    scratch.as_proc(|| {
        let path = scratch.file("self/net/tcp");
        let record = list(tracer, &[&path], &["tcp"]);
        assert_eq!(record.at("details.netns"), &Value::Null);
    });
}

fn a_list_through_a_ring(rung: Rung) {
    let tracer = Tracer::shared_of_discovery(rung);
    let idle = Peer::start(Netns::shared(), &["idle"]);
    wait_for(&idle, Netns::shared());
    // Not all kernels let their workers look for `/proc/self`.
    let path = format!("/proc/{}/net/tcp", idle.pid());
    for mode in MODES {
        let words = ["list-uring", &path, mode];
        let (pid, _) = look(&words);
        let record = only_of(tracer, pid);
        assert_did(&record, "proc_net_read", &words);
        assert_eq!(record.texts("details.files"), ["tcp"], "{record:?}");
        assert_eq!(record.at("details.io_uring"), true, "{mode}: {record:?}");
    }
    idle.finish();
}

/// Enough processes for a sweep.
fn crowd() -> Vec<Peer> {
    let idle = || Peer::start(Netns::shared(), &["idle"]);
    (0..SWEEP_MIN + 4).map(|_| idle()).collect()
}

/// Has a process sweep over the descriptors of enough others; its id.
fn sweep(word: &str) -> u64 {
    let crowd = crowd();
    let (pid, _) = look(&[word]);
    crowd.into_iter().for_each(Peer::finish);
    pid
}

fn assert_is_swept(tracer: &Tracer, pid: u64, word: &str) {
    let record = only_of(tracer, pid);
    assert_did(&record, "fd_sweep", &[word]);
    let swept = record.number("details.swept");
    assert!(swept >= u64::try_from(SWEEP_MIN).ok(), "{record:?}");
}

fn a_sweep_of_descriptors(rung: Rung) {
    let tracer = Tracer::shared_of_discovery(rung);
    assert_is_swept(tracer, sweep("sweep"), "sweep");
}

fn a_sweep_without_directories(rung: Rung) {
    let tracer = Tracer::shared_of_discovery(rung);
    let pid = sweep("sweep-links");
    if uses_calls(tracer, "fd_sweep") {
        assert_nothing_of(tracer, &[pid]);
    } else {
        assert_is_swept(tracer, pid, "sweep-links");
    }
}

fn an_iterator(rung: Rung) {
    let tracer = Tracer::shared_of_discovery(rung);
    for what in ["tcp", "udp"] {
        let words = ["iterate", what];
        let (pid, line) = look(&words);
        assert_eq!(line, "done");
        let record = only_of(tracer, pid);
        assert_did(&record, "socket_iterator", &words);
        assert_eq!(record.texts("details.iterators"), [what], "{record:?}");
    }
}

fn connections_that_netfilter_tracks(rung: Rung) {
    let tracer = Tracer::shared_of_discovery(rung);
    let (pid, line) = look(&["conntrack"]);
    if let Some(errno) = errno_of(&line) {
        let lacks = [EINVAL, EPROTONOSUPPORT, EOPNOTSUPP];
        assert!(lacks.contains(&errno), "{line}");
        return;
    }
    let record = only_of(tracer, pid);
    assert_did(&record, "conntrack_dump", &["conntrack"]);
}

fn a_socket_that_is_destroyed(rung: Rung) {
    let tracer = Tracer::shared_of_discovery(rung);
    let (pid, line) = look(&["diag-destroy", "127.0.0.1:0"]);
    if let Some(errno) = errno_of(&line) {
        assert!([ENOENT, EINVAL, EOPNOTSUPP].contains(&errno), "{line}");
        return;
    }
    assert_eq!(line, "destroyed");
    let record = only_of(tracer, pid);
    // That a socket was opened to ask through may be all that calls show of a dump.
    let mut deeds = record.deeds();
    deeds.retain(|word| !uses_calls(tracer, "dump") || *word != "sock_diag_dump");
    assert_eq!(deeds, ["sock_destroy"], "{record:?}");
    assert_ne!(record.text("severity"), "info");
}

/// Who looks again goes on with its record, and who does the same after it has one of its own.
fn each_process_has_its_own_record(rung: Rung) {
    let tracer = Tracer::shared_of_discovery(rung);
    let words = ["list", "/proc/net/tcp", "/proc/net/udp", "/proc/net/tcp"];
    let pids = [(); 3].map(|()| look(&words).0);
    for pid in pids {
        let record = only_of(tracer, pid);
        assert_did(&record, "proc_net_read", &words);
        assert_eq!(record.texts("details.files"), ["tcp", "udp"]);
    }
}

fn what_shows_no_connections_gives_nothing(rung: Rung) {
    let tracer = Tracer::shared_of_discovery(rung);
    let (pid, _) = look(&["look-elsewhere"]);
    let mut idle = Peer::start(Netns::shared(), &["never-accept", "127.0.0.1:0"]);
    idle.port();
    let idle_pid = idle.pid();
    idle.finish();
    assert_nothing_of(tracer, &[pid, idle_pid]);
}

/// The record of a program that looks, from wherever it is executed.
fn look_by(tracer: &Tracer, program: &OsStr, words: &[&str]) -> Record {
    let mut peer = Peer::start_copy(program, Netns::shared(), words);
    let pid = peer.pid();
    peer.line();
    peer.finish();
    only_of(tracer, pid)
}

fn assert_speaks_of_packages(record: &Record) {
    let reasons = record.texts("reasons");
    let is_about = |reason: &&str| reason.contains("package");
    assert!(reasons.iter().any(is_about), "{record:?}");
}

fn programs_of_no_package(rung: Rung) {
    let (tracer, scratch) = (Tracer::shared_of_discovery(rung), Scratch::new());
    let copy = scratch.path().join("kworker");
    peer::run(Netns::shared(), &["copy-itself", copy.to_str().unwrap()]);
    let record = look_by(tracer, copy.as_os_str(), &["list", "/proc/net/tcp"]);
    assert_eq!(record.text("process.name"), "kworker");
    assert_eq!(Path::new(record.text("process.exe")), copy);
    assert_speaks_of_packages(&record);
    let words = ["memfd", "iterate", "tcp"];
    let record = look_by(tracer, program().as_os_str(), &words);
    assert_eq!(record.at("process.exe_deleted"), true, "{record:?}");
}

fn a_snapshot_of_another_conntracer(rung: Rung) {
    let tracer = Tracer::shared_of_discovery(rung);
    let (program, inode) = (conntracer(), Netns::shared().inode().to_string());
    let program = program.to_string_lossy();
    let words = [
        "become",
        "conntracer",
        &program,
        "snapshot",
        "--netns",
        &inode,
    ];
    let pid = peer::run(Netns::shared(), &words);
    let record = only_of(tracer, pid);
    assert!(
        record.behaviours().contains(&"socket_iterator"),
        "{record:?}"
    );
    assert!(record.texts("process.args").contains(&"snapshot"));
    // What a tracer looks at itself, at its start and later, it does not tell.
    let own = u64::from(tracer.pid());
    assert!(!tracer.records().iter().any(|r| r.is_discovery_of(own)));
}

/// How many of the records tell how a process looked.
fn count_of(finished: &Finished, pid: u64) -> usize {
    let records = finished.records.iter();
    records.filter(|r| r.is_discovery_of(pid)).count()
}

/// Who looks is selected by where they are, not by what they look at.
fn only_who_is_selected(rung: Rung) {
    let netns = Netns::new();
    let tracer = Tracer::of_discovery(rung, &netns, &[]);
    let idle = Peer::start(&netns, &["idle"]);
    wait_for(&idle, &netns);
    let path = format!("/proc/{}/net/tcp", idle.pid());
    let from_elsewhere = peer::run(Netns::shared(), &["list", &path]);
    let wanted = peer::run(&netns, &["list", "/proc/net/tcp"]);
    idle.finish();
    assert_eq!(
        tracer.discovery(wanted).number("netns"),
        Some(netns.inode())
    );
    look_later(&tracer, &netns);
    let own = u64::from(tracer.pid());
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    assert_eq!(count_of(&finished, wanted), 1);
    assert_eq!(count_of(&finished, from_elsewhere), 0);
    assert_eq!(count_of(&finished, own), 0);
    let others = ["start", "discovery", "loss", "stop"];
    let mut events = finished.records.iter().map(Record::event);
    assert!(events.all(|event| others.contains(&event)));
}

fn a_trace_tells_it_when_it_is_asked(rung: Rung) {
    let netns = Netns::new();
    let asked = Tracer::on(rung, &netns, &["--discovery"]);
    let not_asked = Tracer::on(rung, &netns, &[]);
    let looks = peer::run(&netns, &["list", "/proc/net/tcp"]);
    let connects = peer::run(&netns, &["refused", "127.0.0.1:9"]);
    asked.discovery(looks);
    for tracer in [&asked, &not_asked] {
        tracer.event("failed", 9, connects);
    }
    for (tracer, expected) in [(asked, 1), (not_asked, 0)] {
        let finished = tracer.stop();
        finished.assert_totals_add_up();
        assert_eq!(count_of(&finished, looks), expected);
        let stop = finished.records.last().unwrap();
        // It looks itself for what was there before.
        assert_eq!(stop.number("own") > Some(0), expected == 1, "{stop:?}");
    }
}

fn a_descriptor_from_before_the_start(rung: Rung) {
    let netns = Netns::new();
    let mut peer = Peer::start(&netns, &["list-held", "/proc/net/tcp"]);
    assert_eq!(peer.line(), "opened");
    let tracer = Tracer::of_discovery(rung, &netns, &[]);
    let pid = peer.pid();
    peer.say("read");
    peer.line();
    peer.finish();
    look_later(&tracer, &netns);
    let count = usize::from(!uses_calls(&tracer, "proc_net"));
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    assert_eq!(count_of(&finished, pid), count);
    let records = finished.records.iter();
    for record in records.filter(|record| record.is_discovery_of(pid)) {
        assert_eq!(record.deeds(), ["proc_net_read"], "{record:?}");
        assert_eq!(record.texts("details.files"), ["tcp"]);
    }
}
