//! Times that are told as milliseconds since the exporter started.

use jiff::{SignedDuration, Timestamp};

use super::message::Header;

/// How far a time may be ahead of the moment that it was sent: exporters read their clock before the
/// last packet is counted. What is further ahead is from before the counter began anew.
const AHEAD_MS: u32 = 60_000;
/// How long before the export a time from before the counter began anew may be. Exporters tell of flows
/// that last in parts, so what seems older was counted by another clock than the header: some do so.
const BEFORE_MS: u32 = 7 * 24 * 60 * 60 * 1000;

/// The time at which the exporter was up so many milliseconds. The counter has 32 bits and begins anew
/// every 49 days, so only the distance to the one of the header tells. None, if that cannot be.
pub(super) fn absolute(header: &Header, up: u32) -> Option<Timestamp> {
    let now = header.uptime?;
    let (ahead, before) = (up.wrapping_sub(now), now.wrapping_sub(up));
    let distance = match ahead <= AHEAD_MS {
        true => i64::from(ahead),
        false if up <= now || before <= BEFORE_MS => -i64::from(before),
        false => return None,
    };
    let distance = SignedDuration::from_millis(distance);
    header.exported.checked_add(distance).ok()
}

/// How long it was from one to another.
pub(super) fn between(first: u32, last: u32) -> SignedDuration {
    SignedDuration::from_millis(i64::from(last.wrapping_sub(first)))
}
