//! The times that devices, and the daemons that write for them, put before their lines.
//!
//! A time without an offset from UTC is taken for UTC: which zone a device or daemon was set to is not in
//! its log, and an abbreviation of a zone names several.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
    tz::Offset,
};

use crate::logs::MONTHS;

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// How much newer than now a line may be, by clocks and zones that differ.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// A 29th of February is within so many years.
const YEARS: i16 = 8;

/// What a line says of when it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// All of it.
    At(Timestamp),
    /// All but the year.
    Yearless {
        /// The month, from 1.
        month: i8,
        /// The day of the month, from 1.
        day: i8,
        /// The time of the day.
        time: Time,
    },
}

impl When {
    /// The time. A year that is not written is the last in which the line was not in the future of
    /// `now`; without `now` it is not known.
    pub fn resolve(self, now: Option<Timestamp>) -> Option<Timestamp> {
        let (month, day, time) = match self {
            Self::At(time) => return Some(time),
            Self::Yearless { month, day, time } => (month, day, time),
        };
        let newest = now?.checked_add(AHEAD).ok()?;
        let year = Offset::UTC.to_datetime(newest).year();
        let mut years = (year.saturating_sub(YEARS)..=year).rev();
        years.find_map(|year| {
            let date = Date::new(year, month, day).ok()?;
            utc(date.to_datetime(time)).filter(|time| *time <= newest)
        })
    }
}

/// A time that is written without an offset.
fn utc(time: DateTime) -> Option<Timestamp> {
    Offset::UTC.to_timestamp(time).ok()
}

/// The time that words begin with, and how many of them it takes.
pub fn leading(words: &[&str]) -> Option<(When, usize)> {
    iso(words).or_else(|| named_month(words))
}

/// The time that a text is, all of it.
pub fn all_of(text: &str) -> Option<When> {
    let words: Vec<&str> = text.split_whitespace().take(8).collect();
    let (when, taken) = leading(&words)?;
    (taken == words.len()).then_some(when)
}

/// `2025-11-22T08:00:00Z`, `2025-11-22 08:00:00` or `2025-11-22 08:00:00 +0000`.
fn iso(words: &[&str]) -> Option<(When, usize)> {
    let first = words.first()?;
    if !first.starts_with(|digit: char| digit.is_ascii_digit()) || !first.contains('-') {
        return None;
    }
    if let Ok(time) = first.trim_end_matches(':').parse() {
        return Some((When::At(time), 1));
    }
    let date: Date = first.parse().ok()?;
    let (time, is_end) = time_of_day(words.get(1)?)?;
    let time = date.to_datetime(time);
    let offset = words.get(2).filter(|_| !is_end).and_then(|word| {
        let written = format!("{time}{word}");
        word.starts_with(['+', '-'])
            .then(|| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", written).ok())?
    });
    match offset {
        Some(time) => Some((When::At(time), 3)),
        None => Some((When::At(utc(time)?), 2)),
    }
}

/// `Wed Nov 22 08:00:00 2025`, `Nov 22 2025 08:00:00.123 UTC:`, `2025 Nov 22 08:00:00`, all of them with
/// or without the year. IOS puts a `*` or `.` before a time that it doubts.
fn named_month(words: &[&str]) -> Option<(When, usize)> {
    let mut at = 0;
    let mut year = words.first().and_then(|word| year_of(word));
    if year.is_some() || WEEKDAYS.contains(words.first()?) {
        at += 1;
    }
    let name = words.get(at)?.trim_start_matches(['*', '.']);
    let month = MONTHS.iter().position(|month| *month == name)?;
    let month = i8::try_from(month).ok()?.checked_add(1)?;
    let day: i8 = words.get(at + 1)?.parse().ok()?;
    at += 2;
    if let Some(found) = words.get(at).and_then(|word| year_of(word)) {
        year = Some(found);
        at += 1;
    }
    let (time, is_end) = time_of_day(words.get(at)?)?;
    at += 1;
    if year.is_none() && !is_end {
        year = words.get(at).and_then(|word| year_of(word));
        at += usize::from(year.is_some());
    }
    at += usize::from(!is_end && words.get(at).is_some_and(|word| is_zone(word)));
    let when = match year {
        Some(year) => When::At(utc(Date::new(year, month, day).ok()?.to_datetime(time))?),
        None => When::Yearless { month, day, time },
    };
    Some((when, at))
}

fn year_of(word: &str) -> Option<i16> {
    let is_year = word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    is_year.then(|| word.parse().ok())?
}

/// A time of the day, and whether a colon ends it.
fn time_of_day(word: &str) -> Option<(Time, bool)> {
    let time = word.trim_end_matches(':');
    if time.matches(':').count() != 2 {
        return None;
    }
    Some((time.parse().ok()?, time.len() < word.len()))
}

/// An abbreviation that ends the time of a device: `UTC:`.
fn is_zone(word: &str) -> bool {
    word.strip_suffix(':').is_some_and(|zone| {
        (3..=5).contains(&zone.len()) && zone.bytes().all(|byte| byte.is_ascii_uppercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_they_are_written() {
        let now = "2026-01-10T00:00:00Z".parse().ok();
        for (text, words, expected) in [
            (
                "2025-11-22T09:00:00.5+01:00 r1",
                1,
                "2025-11-22T08:00:00.5Z",
            ),
            ("2025-11-22 08:00:00 r1", 2, "2025-11-22T08:00:00Z"),
            ("2025-11-22 08:00:00 +0100", 3, "2025-11-22T07:00:00Z"),
            // The day of the week is not held against the date.
            ("Mon Nov 22 08:00:00 2025", 5, "2025-11-22T08:00:00Z"),
            (
                "*Nov  2 2025 08:00:00.123 UTC: x",
                5,
                "2025-11-02T08:00:00.123Z",
            ),
            ("2025 Nov 22 08:00:00 UTC: %AAA", 5, "2025-11-22T08:00:00Z"),
            ("Nov 22 08:00:00 r1", 3, "2025-11-22T08:00:00Z"),
            ("Jan 10 08:00:00: x", 3, "2026-01-10T08:00:00Z"),
            ("Feb 29 08:00:00 r1", 3, "2024-02-29T08:00:00Z"),
        ] {
            let split: Vec<&str> = text.split_whitespace().collect();
            let (when, taken) = leading(&split).unwrap();
            let time = when.resolve(now).map(|time| time.to_string());
            assert_eq!((taken, time.as_deref()), (words, Some(expected)), "{text}");
        }
        for text in [
            "",
            "Nov",
            "Nov 32 08:00:00 2025",
            "Nov 22 2025",
            "08:00:00",
            "2025-11-22",
        ] {
            let split: Vec<&str> = text.split_whitespace().collect();
            assert_eq!(leading(&split), None, "{text}");
        }
        assert_eq!(all_of("Nov 22 08:00:00").unwrap().resolve(None), None);
        assert_eq!(all_of("Nov 22 08:00:00 r1"), None);
    }
}
