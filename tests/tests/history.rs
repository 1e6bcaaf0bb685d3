//! What a history answers, that an agent has made on the running kernel.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

use std::{
    path::Path,
    process::{Command, Output},
};

use nix::sys::signal::Signal;
use serde_json::Value;
use tracer_tests::{
    agent::{Agent, command, talk},
    conntracer,
    netns::Netns,
    peer,
    record::Record,
    schema,
    scratch::Scratch,
    wait_until,
    whole::assert_whole,
};

/// Something that was asked of a history, and the answer.
fn ask(history: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(conntracer());
    command.args(words).arg("--history").arg(history);
    command.env("TZ", "UTC").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The records of an answer as JSON, each as the schema has it.
fn records(history: &Path, words: &[&str]) -> (Vec<Value>, Option<i32>) {
    let output = ask(history, &[words, &["-o", "json"]].concat());
    let said = text(&output.stderr);
    let lines = text(&output.stdout);
    let records: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(!records.is_empty(), "{words:?}: {said}");
    for record in &records {
        if record.get("event").is_some() {
            let violations = schema::violations(&Record(record.clone()));
            assert!(violations.is_empty(), "{violations:?}: {record}");
        }
    }
    (records, output.status.code())
}

/// What is told, but for what was lost: that is nothing but what the kernel skipped, of whatever namespace.
fn events(records: &[Value]) -> Vec<&str> {
    let events = records.iter().filter_map(|record| record["event"].as_str());
    events.filter(|event| *event != "loss").collect()
}

/// A history in which somebody talked at a port, was refused at another, and read a list of sockets; all of it
/// is written. The first port.
fn made(scratch: &Scratch, netns: &Netns) -> (Agent, u16) {
    let agent = Agent::start(scratch, netns, &[]);
    let (port, _) = talk(netns, "1000", "5000");
    peer::run(netns, &["refused", "127.0.0.1:9"]);
    peer::run(netns, &["list", "/proc/self/net/tcp"]);
    let over = "SELECT count(*) FROM connection WHERE closed IS NULL";
    let found = "SELECT count(*) FROM other WHERE event = 'discovery'";
    let failed = "SELECT count(*) FROM connections WHERE outcome = 'refused'";
    wait_until("all is written", || {
        agent.number(over) == 0 && agent.number(found) == 1 && agent.number(failed) == 1
    });
    (agent, port)
}

#[test]
fn what_happened_is_told_as_it_was() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let (agent, port) = made(&scratch, &netns);
    let history = agent.history.clone();
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
    let at_port = port.to_string();
    let (told, code) = records(&history, &["trace", "--port", &at_port]);
    // What was lost is lost to whoever asks later.
    assert_eq!(code, status.code(), "{told:?}");
    let outbound = told
        .iter()
        .filter(|record| record["direction"] == "outbound");
    let outbound: Vec<Value> = outbound.cloned().collect();
    assert_eq!(events(&outbound), ["connect", "established", "close"]);
    let close = outbound.last().unwrap();
    assert_eq!(close["bytes"]["sent"], 1000);
    assert_eq!(close["bytes"]["received"], 5000);
    assert_eq!(close["process"]["name"], "peer");
    assert_eq!(close["outcome"], "finished");
    let stop = told.last().unwrap();
    assert_eq!(stop["output"]["written"], told.len());
    let (failed, _) = records(&history, &["trace", "--outcome", "refused"]);
    assert_eq!(events(&failed), ["start", "failed", "stop"]);
    let (found, _) = records(&history, &["discovery"]);
    assert_eq!(events(&found), ["start", "discovery", "stop"]);
    let (both, _) = records(&history, &["trace", "--discovery", "--event", "discovery"]);
    assert_eq!(events(&both), ["start", "discovery", "stop"]);
}

#[test]
fn hosts_are_summed_up_and_what_was_open_is_listed() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let (agent, port) = made(&scratch, &netns);
    let history = agent.history.clone();
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
    let (rows, code) = records(&history, &["hosts", "--port", &port.to_string()]);
    assert_eq!(code, status.code(), "{rows:?}");
    let [start, row, stop] = rows.as_slice() else {
        panic!("{rows:?}");
    };
    // Both ends of it were seen, and it counts once.
    assert_eq!(row["connections"], 1);
    assert_eq!(row["destination"]["port"], port);
    assert_eq!(row["bytes"]["to_destination"], 1000);
    assert_eq!(row["bytes"]["to_source"], 5000);
    assert_eq!(row["served_by"][0]["name"], "peer");
    assert_eq!(start["filter"]["connections"]["port"][0], port.to_string());
    assert_eq!(start["window"], stop["window"]);
    // The listener was there before, and the connection is over.
    let listened = Command::new(conntracer())
        .args(["trace", "--event", "listen", "-o", "json", "--history"])
        .arg(&history)
        .output()
        .unwrap();
    let listened = text(&listened.stdout);
    let listen = listened
        .lines()
        .find(|line| line.contains(r#""event":"listen""#));
    let listen: Value = serde_json::from_str(listen.unwrap()).unwrap();
    let at = listen["time"].as_str().unwrap();
    let (open, _) = records(&history, &["snapshot", "--at", at]);
    assert_eq!(events(&open), ["start", "existing", "stop"]);
    assert_eq!(open[1]["state"], "LISTEN");
}

#[test]
fn a_time_without_an_agent_is_said() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let (agent, _) = made(&scratch, &netns);
    agent.signal(Signal::SIGKILL);
    let _ = agent.end();
    let agent = Agent::start(&scratch, &netns, &[]);
    let history = agent.history.clone();
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
    let output = ask(&history, &["trace", "--since", "1h"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    for why in [
        "no recording: the history begins later",
        "no recording: the agent was killed",
        "no recording: no agent was running",
    ] {
        assert!(said.contains(why), "{said}");
    }
    let (rows, code) = records(&history, &["hosts", "--since", "1h"]);
    assert_eq!(code, Some(3));
    let why = |one: &Value| one["why"].as_str().unwrap().to_owned();
    let uncovered: Vec<String> = rows[0]["uncovered"]
        .as_array()
        .unwrap()
        .iter()
        .map(why)
        .collect();
    assert_eq!(uncovered, ["not_begun", "agent_killed", "no_agent"]);
    let table = ask(&history, &["hosts", "--since", "1h"]);
    let table = text(&table.stdout);
    assert!(
        table.contains("no recording: the agent was killed"),
        "{table}"
    );
}

#[test]
fn a_copy_is_taken_while_an_agent_writes_and_is_looked_after() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let (agent, _) = made(&scratch, &netns);
    let copy = scratch.path().join("copy.db");
    let output = ask(
        &agent.history,
        &["history", "export", "--output-file", copy.to_str().unwrap()],
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    let again = ask(
        &agent.history,
        &["history", "export", "--output-file", copy.to_str().unwrap()],
    );
    assert_eq!(again.status.code(), Some(1));
    let refused = ask(&agent.history, &["history", "prune", "--keep", "1h"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused.stderr);
    assert!(said.contains(&format!("process {}", agent.pid())), "{said}");
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);

    let whole = ask(&copy, &["history", "verify"]);
    assert!(whole.status.success(), "{}", text(&whole.stderr));
    let info = ask(&copy, &["history", "info", "-o", "json"]);
    let info: Value = serde_json::from_slice(&info.stdout).unwrap();
    assert!(info["connections"].as_u64().unwrap() >= 3, "{info}");
    assert_eq!(info["runs"].as_array().unwrap().len(), 1);
    let told = ask(&copy, &["history", "info"]);
    assert!(
        text(&told.stdout).contains("run 20"),
        "{}",
        text(&told.stdout)
    );

    let pruned = ask(&copy, &["history", "prune", "--keep", "0s"]);
    assert!(pruned.status.success(), "{}", text(&pruned.stderr));
    let info = ask(&copy, &["history", "info", "-o", "json"]);
    let info: Value = serde_json::from_slice(&info.stdout).unwrap();
    assert_eq!(info["connections"], 0);
    assert!(info["sums"].as_u64().unwrap() > 0, "{info}");
    // What is left of it are sums, and they answer.
    let rows = ask(&copy, &["hosts", "-o", "json"]);
    let rows = text(&rows.stdout);
    assert!(rows.contains("\"to_destination\":1000"), "{rows}");
}

#[test]
fn what_was_recorded_becomes_a_history() {
    let scratch = Scratch::new();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let recording = manifest.join("../docs/exercise/intrusion.rec");
    let history = scratch.path().join("case.db");
    let from = ["history", "import", "--from", recording.to_str().unwrap()];
    let output = ask(&history, &from);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let verified = ask(&history, &["history", "verify"]);
    assert!(verified.status.success(), "{}", text(&verified.stderr));
    // What it answers is what the recording does.
    let rows = |words: &[&str]| {
        let output = Command::new(conntracer()).args(words).output().unwrap();
        let lines = text(&output.stdout);
        let lines = lines.lines().filter(|line| !line.contains("\"event\":"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let words = ["hosts", "-o", "json", "--external"];
    let history = history.to_str().unwrap();
    let of_history = rows(&[&words[..], &["--history", history]].concat());
    let of_recording = rows(&[&words[..], &["--from", recording.to_str().unwrap()]].concat());
    assert!(of_recording.len() > 3, "{of_recording:?}");
    assert_eq!(of_history, of_recording);
    // JSON without its beginning is of nobody knows which run.
    let cut = scratch.write("cut.json", b"{\"event\":\"loss\"}\n");
    let cut = ["history", "import", "--from", cut.to_str().unwrap()];
    let refused = ask(Path::new(history), &cut);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused.stderr));
}

#[test]
fn a_broken_file_is_said_to_be_so() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let (agent, _) = made(&scratch, &netns);
    let history = agent.history.clone();
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
    let mut bytes = std::fs::read(&history).unwrap();
    let middle = bytes.len() / 8192 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    let broken = scratch.write("broken.db", &bytes);
    let verified = ask(&broken, &["history", "verify"]);
    assert_eq!(verified.status.code(), Some(1));
    assert!(text(&verified.stderr).contains("broken.db"));
    let none = ask(&scratch.path().join("none.db"), &["trace"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("there is no history"));
}

#[test]
fn what_cannot_be_asked_of_a_history_is_refused() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let history = scratch.path().join("none.db");
    for words in [
        &["trace", "--duration", "1s"][..],
        &["hosts", "--watch"],
        &["snapshot", "--cross-check"],
        &["trace", "--internal-cidr", "192.0.2.0/24"],
        &["trace", "--since", "1h", "--until", "2h"],
    ] {
        let output = ask(&history, words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
    // The agent's own flags are its own.
    let wrong = command(&scratch, &netns).args(["--since", "1h"]).output();
    assert_eq!(wrong.unwrap().status.code(), Some(2));
}

#[test]
fn a_report_is_made_of_a_history() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let (agent, port) = made(&scratch, &netns);
    let page = scratch.path().join("report.html");
    let output = ask(
        &agent.history,
        &["report", "--output-file", page.to_str().unwrap()],
    );
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
    let page = std::fs::read_to_string(page).unwrap();
    for part in [&format!(":{port}"), "peer", "refused", "proc net read"] {
        assert!(page.contains(part), "{part}");
    }
}
