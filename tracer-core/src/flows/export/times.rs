//! When it was, by whichever of the many clocks of a record.
//!
//! Format: RFC 5102, 5.9; the two of NTP in RFC 7011, 6.1.9 and 6.1.10.

use jiff::{SignedDuration, Timestamp};

use super::{
    element::{self as e, Element},
    message::Header,
    record::Record,
    uptime,
};
use crate::flows::{Flow, Stage};

/// Seconds from 1900, where NTP begins, to 1970.
const NTP_TO_UNIX: i64 = 2_208_988_800;

/// The elements that tell of one end of a flow's time.
struct Clock {
    seconds: Element,
    milliseconds: Element,
    ntp: [Element; 2],
    delta: Element,
    uptime: Element,
}

const START: Clock = Clock {
    seconds: e::START_SECONDS,
    milliseconds: e::START_MILLISECONDS,
    ntp: [e::START_MICROSECONDS, e::START_NANOSECONDS],
    delta: e::START_DELTA,
    uptime: e::START_UPTIME,
};
const END: Clock = Clock {
    seconds: e::END_SECONDS,
    milliseconds: e::END_MILLISECONDS,
    ntp: [e::END_MICROSECONDS, e::END_NANOSECONDS],
    delta: e::END_DELTA,
    uptime: e::END_UPTIME,
};

/// Notes when a flow was. Its time is the one of export already, which stays where nothing better is
/// known.
pub(super) fn note(flow: &mut Flow, record: &Record, header: &Header, init: Option<Timestamp>) {
    let start = START.read(record, header, init);
    let end = END.read(record, header, init);
    let event = milliseconds(record, e::OBSERVED);
    let lasted = duration(record);
    let before = |end: Timestamp| end.checked_sub(lasted?).ok();
    // What is known to be told after a time, and not when, is taken to have ended as it was told.
    let told = lasted.filter(|_| end.is_none() && event.is_none());
    let end = end.or(told.map(|_| header.exported));
    let is_first = flow.stage == Some(Stage::Start);
    let last = end.or(event.filter(|_| start.is_some() && !is_first));
    let collected = || milliseconds(record, e::COLLECTED);
    let time = start.or_else(|| end.and_then(before)).or(event);
    flow.time = time.or(end).or_else(collected).unwrap_or(flow.time);
    flow.end = last;
}

impl Clock {
    fn read(&self, record: &Record, header: &Header, init: Option<Timestamp>) -> Option<Timestamp> {
        let finest = self
            .ntp
            .into_iter()
            .find_map(|element| ntp(record, element));
        let seconds = || Timestamp::from_second(signed(record.some(self.seconds)?)?).ok();
        finest
            .or_else(|| milliseconds(record, self.milliseconds))
            .or_else(seconds)
            .or_else(|| delta(record.number(self.delta)?, header))
            .or_else(|| since_start(record, self.uptime, header, init))
    }
}

fn signed(number: u64) -> Option<i64> {
    i64::try_from(number).ok()
}

fn milliseconds(record: &Record, element: Element) -> Option<Timestamp> {
    Timestamp::from_millisecond(signed(record.some(element)?)?).ok()
}

/// Seconds of NTP and their fraction. Of microseconds, the lowest bits tell nothing, and do not harm.
fn ntp(record: &Record, element: Element) -> Option<Timestamp> {
    let number = record.some(element)?;
    let seconds = signed(number >> 32)? - NTP_TO_UNIX;
    let fraction = number & u64::from(u32::MAX);
    let nanoseconds = (fraction * 1_000_000_000) >> 32;
    Timestamp::new(seconds, i32::try_from(nanoseconds).ok()?).ok()
}

/// Microseconds before the export.
fn delta(microseconds: u64, header: &Header) -> Option<Timestamp> {
    let before = SignedDuration::from_micros(signed(microseconds)?);
    header.exported.checked_sub(before).ok()
}

/// Milliseconds since the exporter started: when that was, the header tells in version 9, and in IPFIX
/// the record itself or options that came before.
fn since_start(
    record: &Record,
    element: Element,
    header: &Header,
    init: Option<Timestamp>,
) -> Option<Timestamp> {
    let up = u32::try_from(record.number(element)?).ok()?;
    let init = milliseconds(record, e::SYSTEM_INIT).or(init);
    let after = |init: Timestamp| init.checked_add(SignedDuration::from_millis(i64::from(up)));
    match header.uptime {
        Some(_) => uptime::absolute(header, up),
        None => after(init?).ok(),
    }
}

/// How long it lasted, as is told, or as the two clocks of an exporter tell whose start is not known.
fn duration(record: &Record) -> Option<SignedDuration> {
    let told = |element, unit: fn(i64) -> SignedDuration| {
        let number = record.number(element).and_then(signed);
        number.map(unit)
    };
    let uptimes = || {
        let up = |element| u32::try_from(record.number(element)?).ok();
        Some(uptime::between(up(e::START_UPTIME)?, up(e::END_UPTIME)?))
    };
    told(e::DURATION_MILLISECONDS, SignedDuration::from_millis)
        .or_else(|| told(e::DURATION_MICROSECONDS, SignedDuration::from_micros))
        .or_else(uptimes)
}
