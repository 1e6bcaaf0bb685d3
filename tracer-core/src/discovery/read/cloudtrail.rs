//! Events of AWS `CloudTrail`: files of many in `Records`, or one a line.
//!
//! Format:
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>,
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>

use serde_json::Value;

use super::{
    Reader, Unreadable,
    json::{self, needed, said},
};
use crate::discovery::{Act, Actor, Analytic, Origin, What};

/// What stands behind the name of a service.
const SUFFIXES: [&str; 2] = [".amazonaws.com", ".amazonaws.com.cn"];
/// Where an identity is, the most telling first.
const IDENTITY: [&str; 4] = [
    "userIdentity.arn",
    "userIdentity.userName",
    "userIdentity.invokedBy",
    "userIdentity.type",
];

/// Reads events.
pub fn reader() -> impl Reader<Act> {
    json::Events::new(act)
}

/// Whether a value is such an event.
pub fn recognises(value: &Value) -> bool {
    ["eventVersion", "eventTime", "eventSource", "eventName"]
        .into_iter()
        .all(|key| json::text(value, key).is_some())
}

/// What an event says. An insight is what AWS makes of many calls, and not a call.
fn act(event: &Value, origin: &Origin) -> Result<Option<Act>, Unreadable> {
    if json::text(event, "eventType") == Some("AwsCloudTrailInsight") {
        return Ok(None);
    }
    let source = needed(event, "eventSource")?;
    let name = needed(event, "eventName")?;
    let service = SUFFIXES
        .into_iter()
        .find_map(|suffix| source.strip_suffix(suffix));
    let host = ["recipientAccountId", "awsRegion"].map(|key| json::text(event, key));
    let host: Vec<&str> = host.into_iter().flatten().collect();
    Ok(Some(Act {
        analytic: Analytic::Iaas,
        time: json::time(needed(event, "eventTime")?)?,
        host: host.join("/"),
        what: What::Call(format!("{}:{name}", service.unwrap_or(source))),
        actor: Actor {
            user: IDENTITY.into_iter().find_map(|path| said(event, path)),
            session: said(event, "userIdentity.accessKeyId"),
            via: said(event, "userAgent"),
            from: said(event, "sourceIPAddress"),
            ..Actor::default()
        },
        origin: origin.clone(),
    }))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const LOG: &str = include_str!("../../../../tests/fixtures/discovery/cloudtrail.json");

    /// Acts in a line each: line of the log, time, host, operation, user, session, via, from; and which
    /// lines cannot be read.
    pub fn read(reader: &mut dyn Reader<Act>, log: &str) -> (Vec<String>, Vec<(u64, String)>) {
        let (mut acts, mut unreadable) = (Vec::new(), Vec::new());
        for (line, text) in (1..).zip(log.lines()) {
            let origin = Origin {
                file: "x".into(),
                line,
            };
            if let Err(error) = reader.line(text, &origin, &mut acts) {
                unreadable.push((line, error.to_string()));
            }
        }
        if let Err(error) = reader.end(&mut acts) {
            unreadable.push((0, error.to_string()));
        }
        let told = acts.into_iter().map(|act| {
            let actor = act.actor;
            assert_eq!(act.analytic, Analytic::Iaas);
            let What::Call(operation) = act.what else {
                panic!("{:?}", act.what)
            };
            let others = Actor {
                user: None,
                session: None,
                via: None,
                from: None,
                ..actor.clone()
            };
            assert_eq!(others, Actor::default());
            [
                Some(act.origin.line.to_string()),
                Some(act.time.to_string()),
                Some(act.host),
                Some(operation),
                actor.user,
                actor.session,
                actor.via,
                actor.from,
            ]
            .map(|field| field.unwrap_or_else(|| "-".to_owned()))
            .join(" | ")
        });
        (told.collect(), unreadable)
    }

    #[test]
    fn acts_of_a_file() {
        let (acts, unreadable) = read(&mut reader(), LOG);
        assert_eq!(
            acts,
            [
                "2 | 2025-11-22T08:00:00Z | 111122223333/eu-west-1 | ec2:DescribeNetworkInterfaces | \
                 arn:aws:iam::111122223333:user/alice | AKIAIOSFODNN7EXAMPLE | aws-cli/2.15.0 | 198.51.100.7",
                "8 | 2025-11-22T08:00:05Z | 111122223333/eu-west-1 | s3:PutObject | \
                 arn:aws:sts::111122223333:assumed-role/deploy/build | - | - | 198.51.100.8",
                "13 | 2025-11-22T08:00:10Z | 111122223333/us-east-1 | sts:AssumeRole | \
                 autoscaling.amazonaws.com | - | autoscaling.amazonaws.com | autoscaling.amazonaws.com",
            ]
        );
        assert_eq!(unreadable, [(18, "no eventName".to_owned())]);
    }

    #[test]
    fn an_event_a_line() {
        let line = r#"{"eventVersion": "1.08", "eventTime": "2025-11-22T08:00:00Z", "eventSource": "ec2.amazonaws.com", "eventName": "DescribeVpcs", "userIdentity": {"type": "Root"}}"#;
        let log = format!("{line}\n{{\"eventTime\": \"never\"}}\nnothing\n{line}\n");
        let (acts, unreadable) = read(&mut reader(), &log);
        assert_eq!(
            acts,
            [1, 4].map(|at| format!(
                "{at} | 2025-11-22T08:00:00Z |  | ec2:DescribeVpcs | Root | - | - | -"
            ))
        );
        assert_eq!(
            unreadable.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
            [2, 3]
        );
        assert!(recognises(&serde_json::from_str(line).unwrap()));
    }

    #[test]
    fn the_clouds_are_told_apart() {
        use super::super::{azure, gcp};
        let logs = [
            LOG,
            include_str!("../../../../tests/fixtures/discovery/azure.json"),
            include_str!("../../../../tests/fixtures/discovery/azure-exported.json"),
            include_str!("../../../../tests/fixtures/discovery/gcp.json"),
        ];
        let recognised = logs.map(|log| {
            let mut values = json::Values::default();
            let origin = Origin {
                file: "x".into(),
                line: 1,
            };
            let mut events = log
                .lines()
                .flat_map(|line| values.line(line, &origin).events);
            let (_, event) = events.next().unwrap();
            [
                recognises(&event),
                azure::recognises(&event),
                gcp::recognises(&event),
            ]
        });
        assert_eq!(
            recognised,
            [
                [true, false, false],
                [false, true, false],
                [false, true, false],
                [false, false, true],
            ]
        );
    }
}
