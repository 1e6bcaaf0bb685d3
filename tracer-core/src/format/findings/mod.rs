//! Findings of discovery, as they are shown.

mod ecs;
mod ocsf;
mod table;

pub(super) use self::{ecs::alert, ocsf::detection};
pub use self::{ecs::ecs, ocsf::ocsf, table::table};
use super::json::line;
use crate::discovery::{Finding, finding::name_of};

/// The detection strategy.
const STRATEGY: &str = "DET0320";
/// The tactic of the technique.
const TACTIC: (&str, &str) = ("TA0007", "Discovery");
/// What the technique is called.
const TECHNIQUE_NAME: &str = "System Network Connections Discovery";

/// Appends a finding as JSON, by the names of our own contract.
pub fn json(finding: &Finding, out: &mut Vec<u8>) {
    line(finding, out);
}

/// What was done, in a line.
fn command_of(finding: &Finding) -> String {
    let details = &finding.details;
    let line = finding.command_line();
    let name = || finding.owner().map(|owner| owner.process.name.clone());
    let known = line.or_else(|| details.operation.clone()).or_else(name);
    known.unwrap_or_else(|| details.matched.clone())
}

/// What a rule that found it is called.
fn rule_of(finding: &Finding) -> String {
    format!("{STRATEGY}/{}", finding.analytic.id())
}

/// Names a finding, the same each time the same logs are read.
fn id_of(finding: &Finding) -> String {
    let analytic = finding.analytic.id();
    match &finding.origin {
        Some(origin) => format!("{analytic}-{}-{}", name_of(&origin.file), origin.line),
        None => format!("{analytic}-{}-{}", finding.head.host, finding.head.time),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        discovery::{
            Act, Analytic, Elements, Judge, What,
            act::{Actor, Parent},
        },
        format::Layout,
        logs::Origin,
    };

    fn finding() -> Finding {
        let act = Act {
            analytic: Analytic::Linux,
            time: "2025-11-24T12:00:00.5Z".parse().unwrap(),
            host: "web1".to_owned(),
            what: What::Command(vec!["ss".to_owned(), "-t\u{1b}[2J".to_owned()]),
            actor: Actor {
                pid: Some(7),
                exe: Some("/usr/bin/ss".to_owned()),
                parent: Some(Parent {
                    pid: Some(6),
                    exe: Some("/usr/sbin/nginx".to_owned()),
                    command: None,
                }),
                uid: Some(33),
                from: Some("192.0.2.7".to_owned()),
                ..Actor::default()
            },
            origin: Origin {
                file: "/logs/audit.log".into(),
                line: 12,
            },
        };
        let mut judge = Judge::new(Elements::default());
        judge.take(act);
        judge.end().0.remove(0)
    }

    fn written(write: impl FnOnce(&Finding, &mut Vec<u8>)) -> Value {
        let mut out = Vec::new();
        write(&finding(), &mut out);
        assert!(!out.contains(&0x1b));
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn the_contract() {
        assert_eq!(
            written(json),
            json!({
                "time": "2025-11-24T12:00:00.500000000Z", "event": "discovery", "seq": 1, "host": "web1",
                "behaviours": ["utility_exec"], "technique": "T1049", "analytic": "AN0904",
                "platform": "linux", "severity": "high",
                "reasons": [
                    "ss is in UtilityNameList",
                    "uid 33 is an account of a service (UserContextScope)",
                    "started by nginx, which is in SuspiciousParentProcesses",
                ],
                "details": {"matched": "ss", "from": "192.0.2.7"},
                "process": {
                    "pid": 7, "name": "ss", "exe": "/usr/bin/ss", "args": ["ss", "-t\u{1b}[2J"],
                    "parent": {"pid": 6, "name": "nginx", "exe": "/usr/sbin/nginx"},
                },
                "user": {"uid": 33},
                "origin": {"file": "/logs/audit.log", "line": 12},
            })
        );
    }

    #[test]
    fn the_elastic_common_schema() {
        let document = written(ecs);
        assert_eq!(document["threat"]["technique"]["id"], json!(["T1049"]));
        assert_eq!(document["event"]["kind"], "alert");
        assert_eq!(document["event"]["severity"], 73);
        assert_eq!(document["rule"]["name"], "DET0320/AN0904");
        assert_eq!(document["process"]["parent"]["name"], "nginx");
        assert_eq!(document["source"]["ip"], "192.0.2.7");
        assert_eq!(document["log"]["file"]["path"], "/logs/audit.log");
    }

    #[test]
    fn a_detection_finding() {
        let event = written(ocsf);
        assert_eq!(event["class_uid"], 2004);
        assert_eq!(event["type_uid"], 200_401);
        assert_eq!(event["severity_id"], 4);
        assert_eq!(event["time"], 1_763_985_600_500_i64);
        let info = &event["finding_info"];
        assert_eq!(info["uid"], "AN0904-audit.log-12");
        assert_eq!(info["attacks"][0]["technique"]["uid"], "T1049");
        assert_eq!(event["evidences"][0]["process"]["pid"], 7);
        assert_eq!(event["evidences"][0]["src_endpoint"]["ip"], "192.0.2.7");
    }

    #[test]
    fn people() {
        let mut out = Vec::new();
        let layout = Layout {
            width: Some(72),
            is_coloured: false,
            is_wide: false,
        };
        table(&finding(), "2025-11-24 12:00:00", layout, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "2025-11-24 12:00:00  high    33@web1  ss -t\\u{1b}[2J\n\
             \x20   ss is in UtilityNameList; uid 33 is an account of a service\n\
             \x20   (UserContextScope); started by nginx, which is in\n\
             \x20   SuspiciousParentProcesses\n\
             \x20   AN0904, /logs/audit.log:12, by nginx, from 192.0.2.7\n"
        );
    }
}
