//! A finding as a document of the Elastic Common Schema 9.4.

use std::net::IpAddr;

use super::{STRATEGY, TACTIC, TECHNIQUE_NAME, command_of, id_of, rule_of};
use crate::{
    discovery::{
        Finding, Severity, Who,
        finding::{Process, User},
    },
    format::{ecs::VERSION, ends::of_owner, json::line, object::Object},
};

/// Appends a finding of a log.
pub fn ecs(finding: &Finding, out: &mut Vec<u8>) {
    let host = Object::default().text("name", &finding.head.host);
    let base = Object::default()
        .with("@timestamp", &*finding.head.time)
        .with("ecs", Object::default().with("version", VERSION))
        .part("host", host);
    let base = match &finding.who {
        Who::Logged { process, user } => base
            .part("process", process_of(process))
            .part("user", user_of(user)),
        Who::Seen { .. } => base,
    };
    line(&alert(base, finding), out);
}

/// Completes what is known of who did it, and where.
pub(in crate::format) fn alert(base: Object, finding: &Finding) -> Object {
    let event = Object::default()
        .with("kind", "alert")
        .list("category", ["process"])
        .list("type", ["info"])
        .with("module", "conntracer")
        .with("action", "discovery")
        .with("id", id_of(finding))
        .with("sequence", finding.head.seq)
        .with("severity", number_of(finding.severity))
        .with("reason", finding.reasons.join("; "));
    let rule = Object::default()
        .with("id", finding.analytic.id())
        .with("name", rule_of(finding))
        .with("ruleset", STRATEGY);
    let tactic = Object::default()
        .list("id", [TACTIC.0])
        .list("name", [TACTIC.1]);
    let technique = Object::default()
        .list("id", [&*finding.technique])
        .list("name", [TECHNIQUE_NAME]);
    let threat = Object::default()
        .with("framework", "MITRE ATT&CK")
        .with("tactic", tactic)
        .with("technique", technique);
    let file = finding.origin.as_ref().map(|origin| {
        let file = Object::default().with("path", &*origin.file);
        Object::default().with("file", file)
    });
    base.with("message", command_of(finding))
        .with("event", event)
        .with("rule", rule)
        .with("threat", threat)
        .part("source", source(finding))
        .part("log", file.unwrap_or_default())
        .with("conntracer", left_over(finding))
}

fn user_of(user: &User) -> Object {
    Object::default()
        .known("id", user.uid.map(|uid| uid.to_string()))
        .known("name", user.name.clone())
}

fn process_of(process: &Process) -> Object {
    let parent = process
        .parent
        .as_ref()
        .map_or_else(Object::default, |parent| {
            Object::default()
                .known("pid", parent.pid)
                .text("name", &parent.name)
                .known("executable", parent.exe.clone())
                .known("command_line", parent.command.clone())
        });
    Object::default()
        .known("pid", process.pid)
        .text("name", &process.name)
        .known("executable", process.exe.clone())
        .list("args", process.args.iter().cloned())
        .known("command_line", process.command_line())
        .part("parent", parent)
}

/// From where it came, which may be an address or not.
fn source(finding: &Finding) -> Object {
    let from = finding.details.from.as_ref();
    let is_address = from.is_some_and(|from| from.parse::<IpAddr>().is_ok());
    Object::default()
        .known("address", from.cloned())
        .known("ip", from.filter(|_| is_address).cloned())
}

/// What the schema has no field for.
fn left_over(finding: &Finding) -> Object {
    let object = Object::default()
        .with("event", finding.head.event.word())
        .own("behaviours", &finding.behaviours)
        .own("platform", &finding.platform)
        .own("details", &finding.details)
        .own("reasons", &finding.reasons)
        .own("severity", &finding.severity)
        .known("repeat", (finding.repeat > 0).then_some(finding.repeat))
        .known("cwd", finding.cwd.clone())
        .known("netns", finding.netns)
        .own("origin", &finding.origin);
    match &finding.who {
        Who::Logged { user, .. } => object.known("auid", user.auid),
        Who::Seen { owner, ancestry } => {
            of_owner(object.own("ancestry", ancestry), Some(owner.as_ref()))
        }
    }
}

/// The numbers that alerts of Elastic's own rules have.
fn number_of(severity: Severity) -> u32 {
    match severity {
        Severity::Info => 0,
        Severity::Low => 21,
        Severity::Medium => 47,
        Severity::High => 73,
    }
}
