//! Audit logs of Google Cloud: an entry a line, as an export has them, or the list of
//! `gcloud logging read --format=json`.
//!
//! Format: <https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog>,
//! <https://cloud.google.com/dotnet/docs/reference/Google.Cloud.Logging.V2/latest/Google.Cloud.Logging.V2.LogEntryOperation>

use serde_json::Value;

use super::{
    Reader, Unreadable,
    json::{self, needed, said},
    operations::Operations,
    recent::Seen,
};
use crate::discovery::{Act, Actor, Analytic, Origin, What};

/// What the type of an audit log ends with.
const AUDIT: &str = "google.cloud.audit.AuditLog";
/// Where somebody is named, the most telling first.
const NAMES: [&str; 2] = [
    "protoPayload.authenticationInfo.principalEmail",
    "protoPayload.authenticationInfo.principalSubject",
];

/// Reads entries.
pub fn reader() -> impl Reader<Act> {
    Operations::new(act, is_new)
}

/// Whether a value is an entry of an audit log.
pub fn recognises(value: &Value) -> bool {
    json::text(value, "protoPayload.@type").is_some_and(|kind| kind.ends_with(AUDIT))
}

/// Whether an act is the first of its operation.
fn is_new(seen: &mut Seen, act: &Act) -> bool {
    match (&act.what, &act.actor.session) {
        (What::Call(method), Some(operation)) => seen.insert((&act.host, operation, method)),
        _ => true,
    }
}

/// What an entry says. Other logs are kept in entries too.
fn act(entry: &Value, origin: &Origin) -> Result<Option<Act>, Unreadable> {
    if !recognises(entry) {
        let is_entry = json::text(entry, "logName").is_some();
        let error = Unreadable::new("not an entry of a log");
        return is_entry.then_some(None).ok_or(error);
    }
    let project = said(entry, "resource.labels.project_id");
    let project = project.or_else(|| json::text(entry, "logName").and_then(project_of));
    Ok(Some(Act {
        analytic: Analytic::Iaas,
        time: json::time(needed(entry, "timestamp")?)?,
        host: project.unwrap_or_default(),
        what: What::Call(needed(entry, "protoPayload.methodName")?.to_owned()),
        actor: Actor {
            user: NAMES.into_iter().find_map(|path| said(entry, path)),
            session: said(entry, "operation.id"),
            via: said(
                entry,
                "protoPayload.requestMetadata.callerSuppliedUserAgent",
            ),
            from: said(entry, "protoPayload.requestMetadata.callerIp"),
            ..Actor::default()
        },
        origin: origin.clone(),
    }))
}

/// The project, folder or organization that a log is of: `projects/web/logs/...`.
fn project_of(log: &str) -> Option<String> {
    log.split('/').nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{super::cloudtrail::tests::read, *};

    const LOG: &str = include_str!("../../../../tests/fixtures/discovery/gcp.json");

    const ACTS: [&str; 3] = [
        "2025-11-22T08:00:00.123456789Z | web | v1.compute.networks.list | alice@example.com | - | \
         google-cloud-sdk gcloud/450.0.0 | 198.51.100.7",
        "2025-11-22T08:00:05Z | web | v1.compute.instances.insert | \
         build@web.iam.gserviceaccount.com | operation-1763798405000-1 | Terraform/1.6 | 198.51.100.8",
        "2025-11-22T08:00:30Z | db | google.iam.admin.v1.CreateServiceAccount | \
         principal://iam.googleapis.com/pool/subject/bob | - | - | -",
    ];

    #[test]
    fn acts_of_lines() {
        let (acts, unreadable) = read(&mut reader(), LOG);
        let lines = [1, 2, 5].into_iter().zip(ACTS);
        assert_eq!(
            acts,
            lines
                .map(|(line, act)| format!("{line} | {act}"))
                .collect::<Vec<_>>()
        );
        assert_eq!(
            unreadable.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
            [6, 7]
        );
    }

    #[test]
    fn a_list_begins_with_the_newest() {
        let mut entries: Vec<&str> = LOG.lines().take(5).collect();
        entries.reverse();
        let (acts, unreadable) = read(&mut reader(), &format!("[\n{}\n]", entries.join(",\n")));
        let lines = [6, 5, 2].into_iter().zip(ACTS);
        let expected = lines.map(|(line, act)| format!("{line} | {act}"));
        assert_eq!(acts, expected.collect::<Vec<_>>());
        assert_eq!(unreadable, []);
    }
}
