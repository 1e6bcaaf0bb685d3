//! When it was.

use jiff::{
    SignedDuration, Timestamp,
    civil::DateTime,
    tz::{Offset, TimeZone},
};

use super::{
    super::Around,
    column::{Column, ELAPSED, GENERATED, Line, STARTED},
};
use crate::{flows::Stage, logs::Unreadable};

/// How PAN-OS writes times, of the firewall's zone.
const PLAIN: &str = "%Y/%m/%d %H:%M:%S";
/// How it writes them for CEF and LEEF.
const FOR_CEF: &str = "%b %d %Y %H:%M:%S%.f";
/// The words for UTC there.
const UTC: [&str; 2] = ["GMT", "UTC"];
/// Offsets of zones are multiples of it.
const STEP_SECONDS: i64 = 15 * 60;
/// Two writings of one time differ by no more than what both round off, and a wait between them.
const SLACK: SignedDuration = SignedDuration::from_secs(2);

/// When a flow was, to its last packet.
pub fn span(
    line: &Line<'_>,
    stage: Option<Stage>,
    around: &Around,
) -> Result<(Timestamp, Option<Timestamp>), Unreadable> {
    let around = in_zone(line, around);
    let elapsed = line.number::<u32>(ELAPSED)?;
    let elapsed = elapsed.map(|seconds| SignedDuration::from_secs(seconds.into()));
    let is_going_on = stage == Some(Stage::Start);
    let too_far = || line.wrong(ELAPSED, "the time is out of range");
    if let Some(start) = at(line, STARTED, &around)? {
        let elapsed = elapsed.filter(|_| !is_going_on);
        let end = elapsed.map(|elapsed| start.checked_add(elapsed).map_err(|_| too_far()));
        return Ok((start, end.transpose()?));
    }
    let told = match at(line, GENERATED, &around)? {
        Some(told) => told,
        None => received(line, &around)?,
    };
    let elapsed = elapsed.filter(|_| !is_going_on);
    let Some(elapsed) = elapsed else {
        return Ok((told, None));
    };
    let start = told.checked_sub(elapsed).map_err(|_| too_far())?;
    Ok((start, Some(told)))
}

/// The time in a column.
fn at(line: &Line<'_>, column: Column, around: &Around) -> Result<Option<Timestamp>, Unreadable> {
    let read = |text| moment(text, around).map_err(|error| line.wrong(column, &error.0));
    line.get(column).map(read).transpose()
}

/// When the device's log had it.
fn received(line: &Line<'_>, around: &Around) -> Result<Timestamp, Unreadable> {
    let (plain, zoned) = match line {
        Line::Columns(columns) => (Some(columns.receive), None),
        Line::Keys(keys) => keys.received(),
    };
    let text = zoned.or(plain).ok_or_else(|| Unreadable::new("no time"))?;
    moment(text, around)
}

/// `around` with the firewall's zone, where one time in a line is written with a zone and without.
fn in_zone(line: &Line<'_>, around: &Around) -> Around {
    let zone = match line {
        Line::Columns(columns) => {
            let local = line.get(GENERATED).and_then(|text| civil(text).ok());
            // Where the High Resolution Timestamp is depends on the version; nothing else looks like it.
            let mut zoned = columns.appended().filter_map(|text| text.parse().ok());
            local.and_then(|local| zoned.find_map(|zoned| zone(local, zoned)))
        }
        Line::Keys(keys) => {
            let (local, zoned) = keys.received();
            let local = local.and_then(|text| civil(text).ok());
            let zoned = zoned.and_then(|text| with_zone(text).ok().flatten());
            local
                .zip(zoned)
                .and_then(|(local, zoned)| zone(local, zoned))
        }
    };
    Around {
        zone: zone.unwrap_or_else(|| around.zone.clone()),
        ..around.clone()
    }
}

/// The zone in which clocks show one time at a moment, if there is one.
fn zone(local: DateTime, moment: Timestamp) -> Option<TimeZone> {
    let utc = Offset::UTC.to_timestamp(local).ok()?;
    let ahead = utc.duration_since(moment);
    let steps = (ahead.as_secs() + STEP_SECONDS / 2).div_euclid(STEP_SECONDS);
    let seconds = steps * STEP_SECONDS;
    let is_exact = (ahead - SignedDuration::from_secs(seconds)).abs() <= SLACK;
    let offset = Offset::from_seconds(i32::try_from(seconds).ok()?).ok()?;
    is_exact.then(|| TimeZone::fixed(offset))
}

/// A moment, however it is written.
fn moment(text: &str, around: &Around) -> Result<Timestamp, Unreadable> {
    match with_zone(text)? {
        Some(moment) => Ok(moment),
        None => around.moment(civil(text)?),
    }
}

/// The moment of a text that has a zone or needs none.
fn with_zone(text: &str) -> Result<Option<Timestamp>, Unreadable> {
    if let Ok(moment) = text.parse() {
        return Ok(Some(moment));
    }
    if let Ok(milliseconds) = text.parse() {
        let moment = Timestamp::from_millisecond(milliseconds);
        return moment.map(Some).map_err(|_| no_time(text));
    }
    let Some(local) = UTC.into_iter().find_map(|word| text.strip_suffix(word)) else {
        return Ok(None);
    };
    let moment = Offset::UTC.to_timestamp(civil(local)?);
    moment.map(Some).map_err(|_| no_time(text))
}

/// What a clock showed.
pub fn civil(text: &str) -> Result<DateTime, Unreadable> {
    let text = text.trim();
    let read = |form| DateTime::strptime(form, text).ok();
    let found = [PLAIN, FOR_CEF].into_iter().find_map(read);
    found.ok_or_else(|| no_time(text))
}

fn no_time(text: &str) -> Unreadable {
    Unreadable(format!("not a time: `{text}`"))
}
