//! Who looks at connections with what a distribution brings, and who does ordinary work with it. On one kernel only:
//! in the virtual machines are no such programs.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
};

use serde_json::{Value, json};
use tracer_tests::{
    cgroup::Cgroup,
    conntracer,
    netns::Netns,
    peer::{self, Peer},
    record::Record,
    rung::Rung,
    scratch::Scratch,
    tracer::Tracer,
};

const DUMP: &str = "sock_diag_dump";
const EXEC: &str = "utility_exec";
const LIST: &str = "proc_net_read";
const SWEEP: &str = "fd_sweep";
const TRACKED: &str = "conntrack_dump";

/// A program that shows connections, and what it does, in alphabetical order.
struct Tool {
    name: &'static str,
    args: &'static [&'static str],
    does: &'static [&'static str],
}

const fn tool(
    name: &'static str,
    args: &'static [&'static str],
    does: &'static [&'static str],
) -> Tool {
    Tool { name, args, does }
}

const TOOLS: [Tool; 6] = [
    tool("ss", &["-tanp"], &[SWEEP, DUMP]),
    tool("ss", &["-uan"], &[DUMP]),
    tool("netstat", &["-tanp"], &[SWEEP, LIST]),
    tool("busybox", &["netstat", "-tan"], &[LIST]),
    tool("lsof", &["-i"], &[SWEEP, LIST]),
    tool("conntrack", &["-L"], &[TRACKED]),
];

/// Where a program is, by its own name.
fn path_of(name: &str) -> PathBuf {
    let directories = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];
    let paths = directories.map(|directory| Path::new(directory).join(name));
    let found = paths.iter().find(|path| path.exists());
    let found = found.unwrap_or_else(|| panic!("{name} is not installed: `cargo xtask test`"));
    found.canonicalize().unwrap()
}

/// A network namespace in which somebody is watched, with enough processes for a sweep.
struct Watched {
    netns: Netns,
    tracer: Tracer,
    crowd: Vec<Peer>,
}

impl Watched {
    fn new() -> Self {
        let netns = Netns::new();
        // Some programs fail where there is nothing to show.
        let words: &[&str] = &["never-accept", "127.0.0.1:0"];
        let crowd = (0..24).map(|_| Peer::start(&netns, words)).collect();
        Self {
            tracer: Tracer::of_discovery(Rung::Auto, &netns, &[]),
            netns,
            crowd,
        }
    }

    /// Has a program run that is told this name. Its record, of which there is no other.
    fn only_of(&self, name: &str, program: &Path, args: &[&str]) -> Record {
        let program = program.to_str().unwrap();
        let words = [&["become", name, program], args].concat();
        let pid = peer::run(&self.netns, &words);
        let record = self.tracer.discovery(pid);
        // When that is told, so is everything before it.
        let later = peer::run(&self.netns, &["list", "/proc/net/udp6"]);
        self.tracer.discovery(later);
        let records = self.tracer.records();
        let of_it = records.iter().filter(|record| record.is_discovery_of(pid));
        assert_eq!(of_it.count(), 1, "{words:?}");
        assert_eq!(record.number("netns"), Some(self.netns.inode()));
        record
    }

    /// Everything else that was told is of the peers of this file. Nothing is lost.
    fn finish(self) {
        self.crowd.into_iter().for_each(Peer::finish);
        let finished = self.tracer.stop();
        finished.assert_totals_add_up();
        let _ = finished.may_be_missing();
    }
}

fn exe_of(record: &Record) -> &Path {
    Path::new(record.text("process.exe"))
}

#[test]
fn programs_of_packages() {
    let watched = Watched::new();
    for Tool { name, args, does } in TOOLS {
        let path = path_of(name);
        let record = watched.only_of(name, &path, args);
        assert_eq!(exe_of(&record), path);
        assert_eq!(record.deeds(), does, "{record:?}");
        assert!(record.behaviours().contains(&EXEC), "{record:?}");
        assert_eq!(record.texts("process.args"), [&[name], args].concat());
        let of_no_package = record.at("process.exe_unpackaged");
        assert_eq!(of_no_package, &Value::Null, "{record:?}");
    }
    watched.finish();
}

#[test]
fn the_same_under_another_name() {
    let (watched, scratch) = (Watched::new(), Scratch::new());
    for Tool { name, args, does } in TOOLS {
        let copy = scratch.path().join("helper");
        std::fs::copy(path_of(name), &copy).unwrap();
        let record = if name == "busybox" {
            // It does what it is called, which need not be the name of its file.
            watched.only_of("netstat", &copy, &["-tan"])
        } else {
            watched.only_of("helper", &copy, args)
        };
        assert_eq!(exe_of(&record), copy);
        assert_eq!(record.text("process.name"), "helper");
        assert_eq!(record.deeds(), does, "{name}: {record:?}");
        assert_eq!(record.at("process.exe_unpackaged"), true, "{record:?}");
        let reasons = record.texts("reasons");
        let is_about = |reason: &&str| reason.contains("package");
        assert!(reasons.iter().any(is_about), "{record:?}");
        std::fs::remove_file(copy).unwrap();
    }
    watched.finish();
}

#[test]
fn what_is_asked_for_is_told() {
    let watched = Watched::new();
    let ss = path_of("ss");
    let record = watched.only_of("ss", &ss, &["-tln"]);
    for (at, family) in ["ipv4", "ipv6"].iter().enumerate() {
        let dump = Record(record.at("details.dumps")[at].clone());
        assert_eq!(dump.text("family"), *family, "{record:?}");
        assert_eq!(dump.text("protocol"), "tcp");
        // It asks for both, for of UDP the first is what listens.
        let states = BTreeSet::from_iter(dump.texts("states"));
        assert_eq!(states, BTreeSet::from(["CLOSED", "LISTEN"]));
    }
    let record = watched.only_of("ss", &ss, &["-xa"]);
    assert_eq!(record.at("details.dumps"), &json!([{"family": "unix"}]));
    let record = watched.only_of("lsof", &path_of("lsof"), &["-i"]);
    assert!(record.number("details.swept") >= Some(20), "{record:?}");
    let files = record.texts("details.files");
    for file in ["tcp", "tcp6", "udp", "udp6"] {
        assert!(files.contains(&file), "{record:?}");
    }
    watched.finish();
}

#[test]
fn a_recording_tells_the_same() {
    let (netns, scratch) = (Netns::new(), Scratch::new());
    let file = scratch.file("case.rec");
    let tracer = Tracer::on(Rung::Auto, &netns, &["--discovery", "--record", &file]);
    let pid = peer::run(&netns, &["list", "/proc/net/tcp", "/proc/net/udp"]);
    let live = tracer.discovery(pid);
    tracer.stop().assert_totals_add_up();
    let inode = netns.inode().to_string();
    let words = [
        "discovery",
        "--from",
        &file,
        "--netns",
        &inode,
        "-o",
        "json",
    ];
    let output = Command::new(conntracer()).args(words).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let notes = String::from_utf8_lossy(&output.stderr);
    assert!(!notes.contains("without --discovery"), "{notes}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let records = lines
        .lines()
        .map(|line| Record(serde_json::from_str(line).unwrap()));
    let records: Vec<Record> = records.collect();
    let events: Vec<&str> = records.iter().map(|record| record.text("event")).collect();
    assert_eq!(events, ["start", "discovery", "stop"]);
    for of in [
        "time", "details", "reasons", "severity", "process", "cwd", "ancestry",
    ] {
        assert_eq!(records[1].at(of), live.at(of), "{of}");
    }
}

#[test]
fn programs_that_show_no_connections_by_themselves() {
    let watched = Watched::new();
    let other = Netns::new();
    let mut idle = Peer::start(&other, &["never-accept", "127.0.0.1:0"]);
    // From then on it is where it was sent.
    idle.port();
    let elsewhere = format!("/proc/{}/net/tcp", idle.pid());
    let looks: [(&str, &[&str], Value); 3] = [
        (
            "bash",
            &["-c", "while read l; do :; done </proc/net/tcp"],
            Value::Null,
        ),
        (
            "python3",
            &["-c", "open('/proc/net/tcp').read()"],
            Value::Null,
        ),
        ("cat", &[&elsewhere], json!([other.inode()])),
    ];
    for (name, args, netns) in looks {
        let path = path_of(name);
        let record = watched.only_of(name, &path, args);
        assert_eq!(exe_of(&record), path);
        assert_eq!(record.deeds(), [LIST], "{record:?}");
        assert_eq!(record.texts("details.files"), ["tcp"]);
        assert_eq!(record.at("details.netns"), &netns, "{record:?}");
    }
    idle.finish();
    watched.finish();
}

/// Runs the script of ordinary work in a network namespace and a cgroup. How many executions and opened files it
/// counts.
fn work(netns: &Netns, cgroup: &Cgroup) -> u64 {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/ordinary_work.sh");
    let place = format!("{}/cgroup.procs", cgroup.directory());
    let (said, heard) = mpsc::channel();
    netns.within(move || {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "echo 0 >\"$1\" && exec \"$2\"", "sh", &place]);
        let output = shell.arg(&script).stdin(Stdio::null()).output()?;
        Ok(said.send(output)?)
    });
    let output = heard.recv().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers = text.lines().filter_map(|line| line.split_once(' '));
    numbers
        .map(|(_, number)| number.parse::<u64>().unwrap())
        .sum()
}

#[test]
#[expect(clippy::print_stdout, reason = "who judges the findings reads them")]
fn ordinary_work_is_nothing_to_worry_about() {
    const ENOUGH: u64 = 50_000;
    let netns = Netns::new();
    let path = format!("/ordinary-work-{}", std::process::id());
    let cgroup = Cgroup::new(&path);
    // By the cgroup, for who is executed has not been seen in a network namespace yet.
    let tracer = Tracer::of_all_discovery(&["--cgroup", &path]);
    assert!(work(&netns, &cgroup) >= ENOUGH);
    let directory = cgroup.directory();
    let later = ["--cgroup", &directory, "list", "/proc/net/tcp"];
    let later = peer::run(&netns, &later);
    tracer.discovery(later);
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    assert_eq!(finished.may_be_missing(), 0);
    assert_eq!(finished.stop().number("processes.lost"), Some(0));
    let records = finished.records.iter();
    let findings: Vec<&Record> = records
        .filter(|record| record.event() == "discovery" && !record.is_discovery_of(later))
        .collect();
    for finding in &findings {
        println!(
            "{} {} {}",
            finding.behaviours().join(","),
            finding.text("process.exe"),
            finding.texts("process.args").join(" ")
        );
    }
    // A program that polls is found, though it is nothing to worry about.
    let is_poll = |record: &&&Record| record.text("process.name") == "ss";
    assert!(findings.iter().filter(is_poll).count() >= 3);
    for finding in findings {
        assert_eq!(finding.text("severity"), "info", "{finding:?}");
    }
}
