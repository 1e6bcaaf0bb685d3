//! What an agent keeps, and what its history answers.

use std::process::Command;

use serde_json::Value;
use tracer_tests::{
    agent::{Agent, talk},
    conntracer,
    netns::Netns,
    on_outer_rungs,
    rung::Rung,
    scratch::Scratch,
    wait_until,
    whole::assert_whole,
};

on_outer_rungs!(own: what_an_agent_has_kept_is_told);

fn what_an_agent_has_kept_is_told(rung: Rung) {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let agent = Agent::start(&scratch, &netns, &["--hooks", rung.hooks()]);
    let (port, client) = talk(&netns, "1000", "5000");
    let closed = format!(
        "SELECT count(*) FROM connection WHERE port = {port} AND direction < 3 AND closed IS NOT NULL"
    );
    wait_until("both ends are kept", || agent.number(&closed) == 2);
    let history = agent.history.clone();
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
    let ask = |words: &[&str]| {
        let mut command = Command::new(conntracer());
        command.args(words).args(["-o", "json", "--port"]);
        command.arg(port.to_string()).arg("--history").arg(&history);
        let output = command.output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let records = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        records.collect::<Vec<Value>>()
    };
    let told = ask(&["trace", "--direction", "outbound"]);
    let events: Vec<&str> = told
        .iter()
        .map(|record| record["event"].as_str().unwrap())
        .collect();
    assert_eq!(events, ["start", "connect", "established", "close", "stop"]);
    assert_eq!(told[3]["process"]["pid"], client);
    assert_eq!(told[3]["bytes"]["sent"], 1000);
    assert_eq!(told[3]["bytes"]["received"], 5000);
    let rows = ask(&["hosts"]);
    assert_eq!(rows[1]["connections"], 1);
    assert_eq!(rows[1]["bytes"]["to_source"], 5000);
}
