//! A finding as Detection Finding (2004) of the Open Cybersecurity Schema Framework 1.8.

use std::net::IpAddr;

use super::{TACTIC, TECHNIQUE_NAME, command_of, id_of, rule_of};
use crate::{
    discovery::{Finding, Severity, Who, finding::Process},
    format::{
        json::line,
        object::Object,
        ocsf::{VERSION, milliseconds},
    },
};

/// Detection Finding, of the category Findings.
const CLASS: u32 = 2004;
const CATEGORY: u32 = 2;
/// It is made new.
const CREATE: u32 = 1;
/// An analytic that is a rule.
const RULE: u32 = 1;

/// Appends a finding of a log.
pub fn ocsf(finding: &Finding, out: &mut Vec<u8>) {
    let host = Object::default().text("hostname", &finding.head.host);
    let device = if host == Object::default() {
        host
    } else {
        host.with("type_id", 0)
    };
    let (process, user) = match &finding.who {
        Who::Logged { process, user } => {
            let user = Object::default()
                .known("name", user.name.clone())
                .known("uid", user.uid.map(|uid| uid.to_string()));
            (process_of(process), user)
        }
        Who::Seen { .. } => Default::default(),
    };
    let actor = Object::default().part("user", user);
    let metadata = Object::default().known(
        "log_name",
        finding
            .origin
            .as_ref()
            .map(|origin| origin.file.to_string()),
    );
    line(&detection(finding, metadata, device, actor, process), out);
}

/// The event, given who did it and where.
pub(in crate::format) fn detection(
    finding: &Finding,
    metadata: Object,
    device: Object,
    actor: Object,
    process: Object,
) -> Object {
    let (id, word) = severity_of(finding.severity);
    let product = Object::default()
        .with("name", "conntracer")
        .with("vendor_name", "conntracer");
    let metadata = metadata
        .with("version", VERSION)
        .with("sequence", finding.head.seq)
        .with("product", product);
    let unmapped = Object::default()
        .own("behaviours", &finding.behaviours)
        .own("platform", &finding.platform)
        .own("details", &finding.details)
        .known("cwd", finding.cwd.clone())
        .known("netns", finding.netns)
        .own("origin", &finding.origin);
    Object::default()
        .with("category_uid", CATEGORY)
        .with("category_name", "Findings")
        .with("class_uid", CLASS)
        .with("class_name", "Detection Finding")
        .with("activity_id", CREATE)
        .with("activity_name", "Create")
        .with("type_uid", CLASS * 100 + CREATE)
        .with("severity_id", id)
        .with("severity", word)
        .known("time", milliseconds(&finding.head.time))
        .with("count", finding.repeat.saturating_add(1))
        .with("message", finding.reasons.join("; "))
        .with("is_alert", finding.severity >= Severity::Medium)
        .with("metadata", metadata)
        .with("finding_info", info(finding))
        .list("evidences", [evidence(finding, device, actor, process)])
        .with("unmapped", unmapped)
}

fn info(finding: &Finding) -> Object {
    let analytic = Object::default()
        .with("type_id", RULE)
        .with("type", "Rule")
        .with("uid", finding.analytic.id())
        .with("name", rule_of(finding));
    let tactic = Object::default()
        .with("uid", TACTIC.0)
        .with("name", TACTIC.1);
    let technique = Object::default()
        .with("uid", &*finding.technique)
        .with("name", TECHNIQUE_NAME);
    let attack = Object::default()
        .with("version", "18")
        .with("tactic", tactic)
        .with("technique", technique);
    Object::default()
        .with("uid", id_of(finding))
        .with(
            "title",
            format!("{TECHNIQUE_NAME}: {}", command_of(finding)),
        )
        .with("analytic", analytic)
        .list("attacks", [attack])
}

fn evidence(finding: &Finding, device: Object, actor: Object, process: Object) -> Object {
    let from = finding.details.from.as_ref();
    let address = from.filter(|from| from.parse::<IpAddr>().is_ok());
    Object::default()
        .part("actor", actor)
        .part("process", process)
        .part(
            "src_endpoint",
            Object::default().known("ip", address.cloned()),
        )
        .part("device", device)
        .part(
            "api",
            Object::default().known("operation", finding.details.operation.clone()),
        )
}

fn process_of(process: &Process) -> Object {
    let parent = process
        .parent
        .as_ref()
        .map_or_else(Object::default, |parent| {
            Object::default()
                .known("pid", parent.pid)
                .text("name", &parent.name)
                .known("cmd_line", parent.command.clone())
        });
    Object::default()
        .known("pid", process.pid)
        .text("name", &process.name)
        .known("cmd_line", process.command_line())
        .part("parent_process", parent)
}

fn severity_of(severity: Severity) -> (u32, &'static str) {
    match severity {
        Severity::Info => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
    }
}
