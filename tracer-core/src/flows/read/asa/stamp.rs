//! The times in headers of syslog.
//!
//! Formats: RFC 3164 and RFC 5424, and `logging timestamp` of Cisco's "ASA Series Command Reference", which
//! puts the year behind the day, and with `show-timezone` the name of the zone behind the time.

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::{Offset, TimeZone},
};

use crate::{
    flows::read::Around,
    logs::{MONTHS, Unreadable},
};

/// Names of zones, and minutes from UTC. Names are ambiguous, and an administrator may choose any: these
/// are meant almost everywhere as in North America and Europe. CEDT and EEDT are Cisco's own.
const ZONES: [(&str, i32); 31] = [
    ("UTC", 0),
    ("GMT", 0),
    ("WET", 0),
    ("WEST", 60),
    ("BST", 60),
    ("CET", 60),
    ("MET", 60),
    ("CEST", 120),
    ("CEDT", 120),
    ("MEST", 120),
    ("EET", 120),
    ("EEST", 180),
    ("EEDT", 180),
    ("MSK", 180),
    ("NST", -210),
    ("NDT", -150),
    ("AST", -240),
    ("ADT", -180),
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
    ("AKST", -540),
    ("AKDT", -480),
    ("HST", -600),
    ("HDT", -540),
    ("Z", 0),
];

/// A time, as far as it is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Stamp {
    /// All of it.
    At(Timestamp),
    /// What a clock shows.
    Local {
        /// Its year, if that is written.
        year: Option<i16>,
        /// Month and day, from 1.
        day: (i8, i8),
        /// The time of the day.
        time: Time,
        /// The zone, if it has a name that is known.
        zone: Option<TimeZone>,
    },
}

impl Stamp {
    /// The time that words begin with, and how many of them it takes.
    pub fn leading(words: &[&str]) -> Option<(Self, usize)> {
        iso(words).or_else(|| named_month(words))
    }

    /// The moment. What is not written is as `around` says.
    ///
    /// # Errors
    /// If there is no such time.
    pub fn moment(self, around: &Around) -> Result<Timestamp, Unreadable> {
        match self {
            Self::At(time) => Ok(time),
            Self::Local {
                year: None,
                day,
                time,
                zone,
            } => around.moment_of_day(day, time, zone.as_ref()),
            Self::Local {
                year: Some(year),
                day: (month, day),
                time,
                zone,
            } => {
                let date = Date::new(year, month, day);
                let date = date.map_err(|error| Unreadable(format!("not a day: {error}")))?;
                let time = date.to_datetime(time);
                match zone {
                    None => around.moment(time),
                    Some(zone) => in_zone(zone, around).moment(time),
                }
            }
        }
    }
}

fn in_zone(zone: TimeZone, around: &Around) -> Around {
    Around {
        zone,
        ..around.clone()
    }
}

/// `2018-06-27T12:17:46Z`, with any offset or none, or `2018-06-27 12:17:46`.
fn iso(words: &[&str]) -> Option<(Stamp, usize)> {
    let first = words.first()?.trim_end_matches(':');
    if !first.starts_with(|digit: char| digit.is_ascii_digit()) || !first.contains('-') {
        return None;
    }
    if let Ok(time) = first.parse() {
        return Some((Stamp::At(time), 1));
    }
    if first.contains('T') {
        return Some((local(first.parse().ok()?), 1));
    }
    let date: Date = first.parse().ok()?;
    let (time, _) = time_of_day(words.get(1)?)?;
    Some((local(date.to_datetime(time)), 2))
}

fn local(time: DateTime) -> Stamp {
    Stamp::Local {
        year: Some(time.year()),
        day: (time.month(), time.day()),
        time: time.time(),
        zone: None,
    }
}

/// `Apr 29 2013 12:59:50 EDT:`, with or without the year, which may be behind the time, and the zone.
fn named_month(words: &[&str]) -> Option<(Stamp, usize)> {
    let name = words.first()?.trim_start_matches(':');
    let month = MONTHS.iter().position(|month| *month == name)?;
    let month = i8::try_from(month).ok()?.checked_add(1)?;
    let day: i8 = words.get(1)?.parse().ok()?;
    let mut year = words.get(2).and_then(|word| year_of(word));
    let mut at = if year.is_some() { 3 } else { 2 };
    let (time, mut is_end) = time_of_day(words.get(at)?)?;
    at += 1;
    if year.is_none() && !is_end {
        let word = words.get(at).copied().unwrap_or_default();
        year = year_of(word.trim_end_matches(':'));
        at += usize::from(year.is_some());
        is_end = year.is_some() && word.ends_with(':');
    }
    let zone_word = words.get(at).filter(|_| !is_end);
    let zone_word = zone_word.filter(|word| is_zone(word, words.get(at + 1).copied()));
    at += usize::from(zone_word.is_some());
    let stamp = Stamp::Local {
        year,
        day: (month, day),
        time,
        zone: zone_word.and_then(|word| zone(word)),
    };
    Some((stamp, at))
}

fn year_of(word: &str) -> Option<i16> {
    let is_year = word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    is_year.then(|| word.parse().ok())?
}

/// A time of the day, and whether a colon ends it.
fn time_of_day(word: &str) -> Option<(Time, bool)> {
    let time = word.trim_end_matches(':');
    let is_time = time.matches(':').count() == 2;
    let parsed = is_time.then(|| time.parse().ok())??;
    Some((parsed, time.len() < word.len()))
}

/// Whether a word names a zone: a colon ends it, or a host is behind it. Of a name that is not known, as `AEST`,
/// the times are taken to be of `--tz`: who reads the log may say what was meant. Almost all names of zones
/// end in `T`.
fn is_zone(word: &str, next: Option<&str>) -> bool {
    let name = word.trim_end_matches(':');
    let is_known = zone(name).is_some();
    let is_like = (3..=5).contains(&name.len())
        && name.ends_with('T')
        && name.bytes().all(|byte| byte.is_ascii_uppercase());
    // A host may be called `EAST`: then nothing but a colon apart from it, or a program, is behind it.
    let is_host = |next: &str| !next.starts_with(':') && !next.contains('[');
    let is_in_place = name.len() < word.len() || next.map_or(is_known, is_host);
    (is_known || is_like) && is_in_place
}

fn zone(word: &str) -> Option<TimeZone> {
    let word = word.trim_end_matches(':');
    let (_, minutes) = ZONES.iter().find(|(name, _)| *name == word)?;
    let offset = Offset::from_seconds(minutes * 60).ok()?;
    Some(TimeZone::fixed(offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Option<(String, usize)> {
        let around = Around {
            zone: TimeZone::fixed(Offset::constant(2)),
            year: None,
            fields: None,
            now: "2026-01-02T00:00:00Z".parse::<Timestamp>().unwrap().into(),
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let (stamp, taken) = Stamp::leading(&words)?;
        let moment = stamp.moment(&around).ok()?;
        Some((moment.to_string(), taken))
    }

    #[test]
    fn times_of_every_form() {
        for (text, expected, taken) in [
            ("Apr 29 2013 12:59:50:", "2013-04-29T10:59:50Z", 4),
            ("Apr  9 12:59:50 fw1", "2025-04-09T10:59:50Z", 3),
            // Of the year that is over, not of the one that has begun.
            ("Dec 31 23:59:59 fw1", "2025-12-31T21:59:59Z", 3),
            ("Jan  1 00:00:01 fw1", "2025-12-31T22:00:01Z", 3),
            ("Apr 29 2013 09:34:34 EDT:", "2013-04-29T13:34:34Z", 5),
            ("Apr 29 09:34:34 EDT:", "2025-04-29T13:34:34Z", 4),
            ("Apr 29 2013 09:34:34 CEST: x", "2013-04-29T07:34:34Z", 5),
            ("Apr 29 2013 09:34:34 AEST: x", "2013-04-29T07:34:34Z", 5),
            ("Apr 29 2013 09:34:34: EDT", "2013-04-29T07:34:34Z", 4),
            ("Apr 29 09:34:34.250 2013: x", "2013-04-29T07:34:34.25Z", 4),
            ("2018-06-27T12:17:46Z", "2018-06-27T12:17:46Z", 1),
            ("2018-06-27T12:17:46+05:30:", "2018-06-27T06:47:46Z", 1),
            ("2018-06-27T12:17:46.5 fw1", "2018-06-27T10:17:46.5Z", 1),
            ("2018-06-27 12:17:46 fw1", "2018-06-27T10:17:46Z", 2),
        ] {
            assert_eq!(moment(text), Some((expected.to_owned(), taken)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "Apr",
            "Apr 29",
            "Apr 29 2013",
            "Apr x 12:59:50",
            "Apr 29 12:59",
            "Apr 29 25:59:50",
            "Feb 30 2013 12:59:50",
            "2018-06-27",
            "2018-06-27Tx",
            "10-0-0-1 12:00:00",
            "fw1 12:00:00",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
