//! Discovery in the logs of other platforms.

use std::{
    collections::BTreeSet,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tracer_tests::{conntracer, record::Record, schema::violations, scratch::Scratch};

/// A log, its kind, the lines of it that cannot be read, and how much each of its findings matters.
struct Sample {
    kind: &'static str,
    name: &'static str,
    broken: &'static [u64],
    severities: &'static [&'static str],
}

/// At least one of each kind.
const SAMPLES: [Sample; 12] = [
    sample(
        "windows",
        "windows.xml",
        &[21],
        &["high", "high", "info", "info"],
    ),
    sample(
        "windows",
        "windows.json",
        &[8, 10],
        &["high", "high", "info", "info"],
    ),
    sample("windows", "sysmon.syslog", &[5, 6], &["high"]),
    sample(
        "auditd",
        "audit.log",
        &[24],
        &["high", "high", "info", "info", "high"],
    ),
    sample(
        "shell",
        "shell.log",
        &[13],
        &["info", "info", "info", "info", "info", "info"],
    ),
    sample(
        "osquery",
        "osquery.log",
        &[11, 12],
        &["info", "info", "info", "info", "info"],
    ),
    sample(
        "esxi",
        "esxi.log",
        &[20],
        &["medium", "medium", "info", "info"],
    ),
    sample(
        "device",
        "device.log",
        &[6, 13, 24],
        &["info", "info", "info", "info", "info"],
    ),
    sample("cloudtrail", "cloudtrail.json", &[18], &["info"]),
    sample("azure", "azure.json", &[15], &["info"]),
    sample("azure", "azure-exported.json", &[5], &["info"]),
    sample("gcp", "gcp.json", &[6, 7], &["info"]),
];

const fn sample(
    kind: &'static str,
    name: &'static str,
    broken: &'static [u64],
    severities: &'static [&'static str],
) -> Sample {
    Sample {
        kind,
        name,
        broken,
        severities,
    }
}

fn fixture(name: &str) -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.join("fixtures/discovery").join(name)
}

fn read(words: &[&str], files: &[&Path]) -> Output {
    let mut command = Command::new(conntracer());
    command.args(["discovery", "read", "--year", "2025"]);
    command.args(words).args(files).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The findings, each as published and in its place.
fn findings(output: &Output) -> Vec<Record> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let records: Vec<Record> = text
        .lines()
        .map(|line| Record(serde_json::from_str(line).unwrap()))
        .collect();
    for (seq, record) in (1..).zip(&records) {
        assert_eq!(violations(record), [""; 0], "{record:?}");
        assert_eq!(record.number("seq"), Some(seq));
    }
    records
}

#[test]
fn a_log_of_each_kind() {
    for sample in SAMPLES {
        let path = fixture(sample.name);
        let output = read(&["-o", "json"], &[&path]);
        let (found, said) = (findings(&output), said(&output));
        let found: Vec<&str> = found
            .iter()
            .map(|finding| finding.text("severity"))
            .collect();
        assert_eq!(found, sample.severities, "{}: {said}", sample.name);
        assert_eq!(output.status.code(), Some(3), "{}", sample.name);
        for line in sample.broken {
            let place = format!("{}, line {line}: ", path.display());
            assert!(said.contains(&place), "{place} is not in {said}");
        }
        let count = format!("{} lines could not be read", sample.broken.len());
        assert!(said.contains(&count), "{said}");
        let told = read(&["-o", "json", "--kind", sample.kind], &[&path]);
        assert_eq!(told.stdout, output.stdout, "it is seen what it is");
    }
}

#[test]
fn all_platforms_at_once_in_the_order_of_time() {
    let paths = SAMPLES.map(|sample| fixture(sample.name));
    let paths = paths.each_ref().map(PathBuf::as_path);
    let output = read(&["-o", "json"], &paths);
    let found = findings(&output);
    let platforms: BTreeSet<&str> = found
        .iter()
        .map(|finding| finding.text("analytic"))
        .collect();
    let all = ["AN0903", "AN0904", "AN0905", "AN0906", "AN0907", "AN0908"];
    assert_eq!(platforms, BTreeSet::from(all));
    let times: Vec<&str> = found.iter().map(|finding| finding.text("time")).collect();
    assert!(times.is_sorted(), "{times:?}");
    let grave = read(&["-o", "json", "--severity", "high"], &paths);
    let grave = findings(&grave);
    assert!(!grave.is_empty());
    assert!(
        grave
            .iter()
            .all(|finding| finding.text("severity") == "high")
    );
}

/// The part of a page that is a configuration.
fn configuration_of(page: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(page);
    let page = std::fs::read_to_string(path).unwrap();
    let (_, rest) = page.split_once("```toml\n").unwrap();
    rest.split_once("```\n").unwrap().0.to_owned()
}

#[test]
fn elements_are_configured() {
    let scratch = Scratch::new();
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/exercise/audit.log");
    let count = |config: &str| {
        let config = scratch.write("config.toml", config.as_bytes());
        let output = read(
            &["-o", "json", "--config", config.to_str().unwrap()],
            &[&log],
        );
        assert!(output.status.success(), "{}", said(&output));
        findings(&output).len()
    };
    let all = count("");
    assert!(all > 1);
    assert_eq!(
        count("[discovery.linux]\nutility_name_list = [\"lsof\"]"),
        1
    );
    for page in ["discovery.md", "config.md"] {
        assert!(count(&configuration_of(page)) > 0, "{page}");
    }
    let wrong = scratch.write("config.toml", b"[discovery.linux]\nutility_names = []");
    let output = read(&["--config", wrong.to_str().unwrap()], &[&log]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("line 2, key `discovery.linux.utility_names`"),
        "{}",
        said(&output)
    );
}

#[test]
fn formats_of_others() {
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/exercise/audit.log");
    for (format, class) in [("ecs", "/event/kind"), ("ocsf", "/class_uid")] {
        let output = read(&["-o", format], &[&log]);
        let text = String::from_utf8(output.stdout).unwrap();
        for line in text.lines() {
            let value: Value = serde_json::from_str(line).unwrap();
            assert!(value.pointer(class).is_some(), "{line}");
        }
        assert!(text.lines().count() > 1);
    }
    for format in ["csv", "nemesis"] {
        let output = read(&["-o", format], &[&log]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    }
}

#[test]
fn what_is_no_log() {
    let scratch = Scratch::new();
    for (content, why) in [
        (
            &b"nothing that is known\n"[..],
            "looks like no log that is known",
        ),
        (b"\xff\xfe<\0E\0", "is UTF-16"),
    ] {
        let path = scratch.write("log", content);
        let output = read(&[], &[&path]);
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains(why), "{}", said(&output));
    }
    let empty = scratch.write("log", b"");
    assert_eq!(read(&[], &[&empty]).status.code(), Some(0));
    let missing = read(&[], &[Path::new("/nonexistent/log")]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(said(&missing).contains("cannot open /nonexistent/log"));
}

#[test]
fn text_of_a_log_never_reaches_a_terminal_raw() {
    let scratch = Scratch::new();
    let line = r#"type=EXECVE msg=audit(1763985600.101:210): argc=2 a0="ss" a1=1B5B324A"#;
    let head = "type=SYSCALL msg=audit(1763985600.101:210): arch=c000003e syscall=59 success=yes exit=0 ppid=1 pid=2 auid=1000 uid=1000 euid=1000 tty=pts0 ses=1 comm=\"ss\" exe=\"/usr/bin/ss\"";
    let broken = "type=\u{1b}[2J";
    let path = scratch.write(
        "audit.log",
        format!("{head}\n{line}\n{broken}\n").as_bytes(),
    );
    for format in ["table", "json", "ecs", "ocsf"] {
        let output = read(&["-o", format], &[&path]);
        assert!(!output.stdout.is_empty());
        assert!(
            !output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b),
            "{format}"
        );
    }
}

#[test]
fn from_stdin() {
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/exercise/audit.log");
    let content = std::fs::read(&log).unwrap();
    let mut child = Command::new(conntracer())
        .args(["discovery", "read", "-", "-o", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&content).unwrap();
    let output = child.wait_with_output().unwrap();
    let found = findings(&output);
    assert!(
        found
            .iter()
            .all(|finding| finding.text("origin.file") == "-")
    );
    assert_eq!(found.len(), findings(&read(&["-o", "json"], &[&log])).len());
}
