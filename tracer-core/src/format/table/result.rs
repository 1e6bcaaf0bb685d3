//! What came of it.

use unicode_width::UnicodeWidthStr as _;

use crate::{
    format::{
        cut::Cut,
        quantity::{size, time},
    },
    names::NameSource,
    outcome::Outcome,
    record::{Connection, Endpoint, Event},
    text::printable,
    threat::Hit,
};

/// A name of which less is left than this says nothing.
const NAME_LEAST: usize = 8;

/// Outcome, errno, bytes and times, as far as there is room, and if `is_named` what the peer is called. The
/// first of them is said in any case.
pub fn result(connection: &Connection, room: Option<usize>, is_named: bool) -> String {
    // With how much they matter: bytes and times more than an end as it should be, or than an errno
    // that says again what the outcome says.
    let mut parts = Vec::new();
    parts.extend(hidden(connection).map(|text| (0, text)));
    parts.extend(threat(connection).map(|text| (0, text)));
    if let Some(outcome) = connection.outcome {
        let is_ordinary = outcome == Outcome::Finished;
        parts.push((if is_ordinary { 3 } else { 0 }, outcome.word().to_owned()));
        parts.extend(connection.error.clone().map(|error| (4, error)));
    }
    if matches!(connection.head.event, Event::Existing | Event::Update)
        && let Some(state) = connection.state.as_deref()
        && state != "ESTABLISHED"
    {
        parts.push((0, state.to_owned()));
    }
    if let (Some(old), Some(new)) = (&connection.old_state, &connection.state) {
        parts.push((0, new.to_string()));
        parts.push((1, format!("from {old}")));
    }
    if let Some(requested) = connection.requested {
        parts.push((1, format!("asked for {requested}")));
    }
    if let Some(translated) = connection.translated {
        parts.push((1, format!("went to {translated}")));
    }
    if connection.accepted == Some(false) {
        parts.push((1, "never accepted".to_owned()));
    }
    parts.extend(moved(connection).map(|text| (1, text)));
    parts.extend(lasted(connection).map(|text| (2, text)));
    while parts.len() > 1
        && let Some(room) = room
        && taken(&parts) > room + 1
        && let Some((least, _)) = parts.iter().enumerate().max_by_key(|(_, part)| part.0)
    {
        parts.remove(least);
    }
    let left = room.map_or(usize::MAX, |room| room.saturating_sub(taken(&parts)));
    let name = name(connection).filter(|name| is_named && left >= name.width().min(NAME_LEAST));
    parts.extend(name.map(|name| (5, Cut::Beginning.apply(&name, left))));
    let texts: Vec<String> = parts.into_iter().map(|(_, text)| text).collect();
    texts.join(" ")
}

/// Columns of the terminal that these take, with a blank behind each.
fn taken(parts: &[(u8, String)]) -> usize {
    parts.iter().map(|(_, text)| text.width() + 1).sum()
}

/// How it ended, and the errno that says so.
pub fn outcome(connection: &Connection) -> String {
    let outcome = connection.outcome.map(|outcome| outcome.word().to_owned());
    let words = [outcome, connection.error.clone()];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// What was sent and received.
pub fn moved(connection: &Connection) -> Option<String> {
    let bytes = connection.bytes?;
    Some(format!("{}/{}", size(bytes.sent), size(bytes.received)))
}

/// How long it took.
pub fn lasted(connection: &Connection) -> Option<String> {
    connection.duration_us.or(connection.latency_us).map(time)
}

/// The indicators that the other end meets, if it meets any.
fn threat(connection: &Connection) -> Option<String> {
    let hits = &connection.remote.as_ref()?.threat;
    (!hits.is_empty()).then(|| format!("THREAT {}", Hit::texts(hits)))
}

/// Who does not list the socket, if that is anybody.
fn hidden(connection: &Connection) -> Option<String> {
    let names = connection.hidden_from.iter().map(|source| source.name());
    let names: Vec<&str> = names.collect();
    (!names.is_empty()).then(|| format!("HIDDEN from {}", names.join(", ")))
}

/// What the peer is called.
pub fn name(connection: &Connection) -> Option<String> {
    connection
        .remote
        .as_ref()
        .and_then(told_name)
        .map(printable)
}

/// Not that this host is `localhost`.
pub(crate) fn told_name(remote: &Endpoint) -> Option<&str> {
    let is_said = remote.name_source != Some(NameSource::HostsFile) || !remote.ip.is_loopback();
    remote.name.as_deref().filter(|_| is_said)
}
