//! What this kernel allows, in words and as data.

use std::{collections::BTreeSet, io::Read as _, process::Command, process::Stdio};

use serde_json::Value;
use tracer_tests::{conntracer, netns::Netns, rung::Rung, tracer::Tracer};

use crate::program::{run, text};

/// Every fact that there is something to know of.
const FACTS: [&str; 18] = [
    "accept", "cgroup", "close", "connect", "datagram", "destroy", "existing", "listen", "process",
    "refusal", "socket", "state", "update", "proc_net", "dump", "fd_sweep", "iterator", "io_uring",
];

fn findings(hooks: &str) -> Value {
    let output = run(&["doctor", "-o", "json", "--hooks", hooks]);
    let json = text(&output.stdout);
    assert_eq!(json.lines().count(), 1, "{json}");
    let findings: Value = serde_json::from_str(json).unwrap();
    let code = i32::from(findings.get("error").is_some());
    assert_eq!(output.status.code(), Some(code), "{json}");
    findings
}

/// Text at a key; empty where there is none.
fn at<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap()
}

#[test]
fn every_fact_has_a_hook_or_a_price() {
    let findings = findings("auto");
    let names: BTreeSet<&str> = list(&findings, "facts")
        .iter()
        .map(|f| at(f, "fact"))
        .collect();
    assert_eq!(names, BTreeSet::from(FACTS));
    for fact in list(&findings, "facts") {
        assert!(
            !at(fact, "via").is_empty() || !at(fact, "cost").is_empty(),
            "{fact}"
        );
        for refused in list(fact, "refused") {
            assert!(
                !at(refused, "via").is_empty() && !at(refused, "why").is_empty(),
                "{fact}"
            );
            assert_ne!(at(refused, "via"), at(fact, "via"));
        }
    }
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(at(&findings, "kernel"), release.trim());
    assert_eq!(findings["btf"], true);
    let capabilities = list(&findings, "capabilities");
    assert!(
        capabilities
            .iter()
            .any(|one| at(one, "name") == "CAP_BPF" && one["held"] == true)
    );
}

#[test]
fn a_run_uses_the_hooks_that_the_doctor_names() {
    let netns = Netns::new();
    let tracer = Tracer::on(Rung::Auto, &netns, &["--discovery"]);
    let finished = tracer.stop();
    let start = &finished.records[0];
    let of_run = |hook: &Value| format!("{} {}", at(hook, "name"), at(hook, "via"));
    let used: Vec<String> = list(&start.0, "hooks").iter().map(of_run).collect();
    let findings = findings("auto");
    let of_doctor = |fact: &Value| format!("{} {}", at(fact, "fact"), at(fact, "via"));
    let named: Vec<String> = list(&findings, "facts").iter().map(of_doctor).collect();
    assert_eq!(used, named);
    assert_eq!(start.at("degraded"), &findings["degraded"]);
}

/// What the text has to say of a fact, line by line.
fn lines_of(fact: &Value) -> Vec<String> {
    let via = fact.get("via").and_then(Value::as_str).unwrap_or("nothing");
    let mut lines = vec![format!("{} {via}", at(fact, "fact"))];
    for refused in list(fact, "refused") {
        lines.push(format!(
            "not {}: {}",
            at(refused, "via"),
            at(refused, "why")
        ));
        lines.extend(refused["advice"].as_str().map(str::to_owned));
    }
    lines.extend(fact["cost"].as_str().map(|cost| format!("so {cost}")));
    lines
}

#[test]
fn the_text_says_what_the_json_says() {
    for hooks in ["auto", "fentry", "kprobe", "tracepoint"] {
        let findings = findings(hooks);
        let output = run(&["doctor", "--hooks", hooks]);
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let said: Vec<String> = text(&output.stdout).lines().map(words).collect();
        let has = |line: &str| assert!(said.iter().any(|said| said == line), "{line}: {said:#?}");
        has(&format!("kernel {}", at(&findings, "kernel")));
        has(&format!(
            "BTF {}",
            if findings["btf"] == true { "yes" } else { "no" }
        ));
        for one in list(&findings, "capabilities") {
            let held = if one["held"] == true { "yes" } else { "no" };
            has(&format!(
                "{held} {} {}",
                at(one, "name"),
                at(one, "purpose")
            ));
        }
        let of_facts: Vec<String> = list(&findings, "facts").iter().flat_map(lines_of).collect();
        if let Some(error) = findings.get("error").and_then(Value::as_str) {
            has(&format!("Nothing can be traced: {error}"));
            assert!(of_facts.is_empty(), "{findings}");
            assert_eq!(output.status.code(), Some(1));
        } else {
            let table = said.iter().position(|line| line == "FACT THROUGH").unwrap() + 1;
            assert_eq!(said[table..table + of_facts.len()], of_facts);
            assert_eq!(output.status.code(), Some(0));
        }
    }
}

#[test]
fn this_kernel_can_be_traced() {
    for hooks in ["auto", "tracepoint"] {
        assert_eq!(findings(hooks).get("error"), None);
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    for format in ["text", "json"] {
        let mut doctor = Command::new(conntracer())
            .args(["doctor", "-o", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(doctor.stdout.take());
        let mut message = String::new();
        doctor
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut message)
            .unwrap();
        assert_eq!(doctor.wait().unwrap().code(), Some(0), "{message}");
        assert_eq!(message, "");
    }
}
