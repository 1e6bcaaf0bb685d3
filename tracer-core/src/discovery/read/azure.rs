//! The activity log of Azure: as its interfaces give it (`az monitor activity-log list`), and as it is
//! exported, where names are others and operations are in capitals.
//!
//! Format: <https://learn.microsoft.com/en-us/azure/azure-monitor/essentials/activity-log-schema>

use jiff::{Timestamp, civil::DateTime, tz::Offset};
use serde_json::Value;

use super::{
    Reader, Unreadable,
    json::{self, said},
    operations::Operations,
    recent::Seen,
};
use crate::discovery::{Act, Actor, Analytic, Origin, What};

/// Categories of what Azure says by itself, and not of what somebody did.
const OF_AZURE: [&str; 7] = [
    "ServiceHealth",
    "ResourceHealth",
    "Alert",
    "Autoscale",
    "Recommendation",
    "Security",
    "Policy",
];
/// Where claims are.
const CLAIMS: [&str; 2] = ["claims", "identity.claims"];
/// The claims that name somebody, the most telling first.
const NAMES: [&str; 2] = [
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
    "appid",
];

/// Reads events.
pub fn reader() -> impl Reader<Act> {
    Operations::new(act, is_new)
}

/// Whether a value is such an event.
pub fn recognises(value: &Value) -> bool {
    let is_listed = json::text(value, "operationName.value").is_some()
        && json::text(value, "eventTimestamp").is_some();
    let is_exported = json::text(value, "operationName").is_some()
        && json::text(value, "time").is_some()
        && json::text(value, "resourceId")
            .and_then(subscription)
            .is_some();
    is_listed || is_exported
}

/// Whether an act is the first of its operation.
fn is_new(seen: &mut Seen, act: &Act) -> bool {
    match (&act.what, &act.actor.session) {
        (What::Call(operation), Some(session)) => {
            seen.insert((session, operation.to_ascii_lowercase()))
        }
        _ => true,
    }
}

/// What an event says.
fn act(event: &Value, origin: &Origin) -> Result<Option<Act>, Unreadable> {
    let category = either(event, ["category.value", "category"]);
    if category.is_some_and(|category| OF_AZURE.contains(&category)) {
        return Ok(None);
    }
    let operation = either(event, ["operationName.value", "operationName"]);
    let operation = operation.ok_or_else(|| Unreadable::new("no operationName"))?;
    let written = either(event, ["eventTimestamp", "time"]);
    let written = written.ok_or_else(|| Unreadable::new("no time"))?;
    let host = json::text(event, "resourceId").and_then(subscription);
    let host = host.or_else(|| json::text(event, "subscriptionId"));
    let from = either(event, ["httpRequest.clientIpAddress", "callerIpAddress"]);
    Ok(Some(Act {
        analytic: Analytic::Iaas,
        time: time(written)?,
        host: host.unwrap_or_default().to_ascii_lowercase(),
        what: What::Call(operation.to_owned()),
        actor: Actor {
            user: said(event, "caller").or_else(|| claimed(event)),
            session: said(event, "correlationId"),
            from: from.map(str::to_owned),
            ..Actor::default()
        },
        origin: origin.clone(),
    }))
}

/// The text at the first of two paths that has one.
fn either<'a>(event: &'a Value, paths: [&str; 2]) -> Option<&'a str> {
    let mut found = paths.into_iter().filter_map(|path| json::text(event, path));
    found.find(|text| !text.is_empty())
}

/// Who it was by his claims.
fn claimed(event: &Value) -> Option<String> {
    let claims = CLAIMS.into_iter().find_map(|path| json::at(event, path))?;
    let name = NAMES
        .into_iter()
        .find_map(|name| claims.get(name)?.as_str());
    name.filter(|name| !name.is_empty()).map(str::to_owned)
}

/// The subscription of a resource: `/subscriptions/<id>/resourceGroups/...`, in capitals or not.
fn subscription(resource: &str) -> Option<&str> {
    let mut parts = resource.trim_start_matches('/').split('/');
    let is_one = parts.next()?.eq_ignore_ascii_case("subscriptions");
    parts.next().filter(|id| is_one && !id.is_empty())
}

/// A time; some services leave out that it is UTC.
fn time(text: &str) -> Result<Timestamp, Unreadable> {
    json::time(text).or_else(|error| {
        let time = text
            .parse()
            .and_then(|time: DateTime| Offset::UTC.to_timestamp(time));
        time.map_err(|_| error)
    })
}

#[cfg(test)]
mod tests {
    use super::{super::cloudtrail::tests::read, *};

    #[test]
    fn acts_of_a_list() {
        let log = include_str!("../../../../tests/fixtures/discovery/azure.json");
        let (acts, unreadable) = read(&mut reader(), log);
        assert_eq!(
            acts,
            [
                "9 | 2025-11-22T08:00:00.1234567Z | 00000000-0000-0000-0000-00000000000a | \
                 Microsoft.Network/networkWatchers/topology/action | alice@example.com | \
                 00000000-0000-0000-0000-0000000000c1 | - | 198.51.100.7",
                "16 | 2025-11-22T08:01:00Z | 00000000-0000-0000-0000-00000000000a | \
                 Microsoft.Storage/storageAccounts/write | 00000000-0000-0000-0000-0000000000a1 | \
                 00000000-0000-0000-0000-0000000000c2 | - | -",
            ]
        );
        assert_eq!(unreadable, [(15, "no operationName".to_owned())]);
    }

    #[test]
    fn acts_of_what_is_exported() {
        let log = include_str!("../../../../tests/fixtures/discovery/azure-exported.json");
        let (acts, unreadable) = read(&mut reader(), log);
        assert_eq!(
            acts,
            [
                "1 | 2025-11-22T08:00:00.1234567Z | 00000000-0000-0000-0000-00000000000a | \
                 MICROSOFT.NETWORK/NETWORKWATCHERS/TOPOLOGY/ACTION | alice@example.com | \
                 00000000-0000-0000-0000-0000000000c1 | - | 198.51.100.7",
                "3 | 2025-11-22T08:02:00Z | 00000000-0000-0000-0000-00000000000a | \
                 MICROSOFT.COMPUTE/VIRTUALMACHINES/WRITE | 00000000-0000-0000-0000-0000000000a1 | \
                 00000000-0000-0000-0000-0000000000c3 | - | 198.51.100.8",
            ]
        );
        assert_eq!(
            unreadable.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
            [5]
        );
    }
}
