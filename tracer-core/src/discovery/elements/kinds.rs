//! What elements are made of.

use jiff::{SignedDuration, Timestamp, civil, tz::Offset};
use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, de::Error as _};

/// A regular expression, for which upper and lower case are the same.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Expression(Regex);

impl TryFrom<String> for Expression {
    type Error = regex_lite::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let regex = RegexBuilder::new(&text).case_insensitive(true).build();
        regex.map(Self)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Expression {
    /// Those of our own. A test sees that each is one.
    pub(super) fn list(all: &[&str]) -> Vec<Self> {
        let each = all.iter().map(|one| Self::try_from((*one).to_owned()));
        each.filter_map(Result::ok).collect()
    }

    /// What of a text it fits.
    #[must_use]
    pub fn find<'a>(&self, text: &'a str) -> Option<&'a str> {
        self.0.find(text).map(|found| found.as_str())
    }
}

/// Patterns with `*` and `?`, for which upper and lower case are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Globs(Vec<glob::Pattern>);

impl<'de> Deserialize<'de> for Globs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let pattern = |text: &String| {
            glob::Pattern::new(text)
                .map_err(|error| D::Error::custom(format!("`{text}` is no pattern: {error}")))
        };
        texts
            .iter()
            .map(pattern)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl Globs {
    /// Those of our own. A test sees that each is one.
    pub(super) fn of(all: &[&str]) -> Self {
        let each = all.iter().map(|one| glob::Pattern::new(one));
        Self(each.filter_map(Result::ok).collect())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them fits all of a text.
    #[must_use]
    pub fn fit(&self, text: &str) -> bool {
        let options = glob::MatchOptions {
            case_sensitive: false,
            ..glob::MatchOptions::default()
        };
        self.0.iter().any(|one| one.matches_with(text, options))
    }
}

/// So many within a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// How many.
    pub count: usize,
    /// Within which time.
    pub within: SignedDuration,
}

impl Threshold {
    /// So many within a time.
    #[must_use]
    pub fn new(count: usize, within: SignedDuration) -> Self {
        Self { count, within }
    }
}

/// When administrators are expected to work.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminWindow {
    /// On which days.
    pub days: Vec<Day>,
    /// From which time of the day.
    pub from: civil::Time,
    /// Until which; earlier than `from`: of the next day.
    pub to: civil::Time,
    /// How many minutes the clock of the host is ahead of UTC.
    pub utc_offset_minutes: i32,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl From<civil::Weekday> for Day {
    fn from(day: civil::Weekday) -> Self {
        match day {
            civil::Weekday::Monday => Self::Monday,
            civil::Weekday::Tuesday => Self::Tuesday,
            civil::Weekday::Wednesday => Self::Wednesday,
            civil::Weekday::Thursday => Self::Thursday,
            civil::Weekday::Friday => Self::Friday,
            civil::Weekday::Saturday => Self::Saturday,
            civil::Weekday::Sunday => Self::Sunday,
        }
    }
}

impl Default for AdminWindow {
    /// Working days, from seven to seven, UTC.
    fn default() -> Self {
        Self {
            days: vec![
                Day::Monday,
                Day::Tuesday,
                Day::Wednesday,
                Day::Thursday,
                Day::Friday,
            ],
            from: civil::time(7, 0, 0, 0),
            to: civil::time(19, 0, 0, 0),
            utc_offset_minutes: 0,
        }
    }
}

impl AdminWindow {
    /// Whether a moment is in it.
    #[must_use]
    pub fn has(&self, moment: Timestamp) -> bool {
        let offset = Offset::from_seconds(self.utc_offset_minutes.saturating_mul(60));
        let local = offset.unwrap_or(Offset::UTC).to_datetime(moment);
        let (time, day) = (local.time(), local.weekday());
        let is_early = time < self.to;
        if self.from <= self.to {
            return self.is_on(day) && self.from <= time && is_early;
        }
        // What is early belongs to the night of the day before.
        (self.is_on(day) && self.from <= time) || (self.is_on(day.previous()) && is_early)
    }

    fn is_on(&self, day: civil::Weekday) -> bool {
        self.days.contains(&Day::from(day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_may_go_over_midnight() {
        let window = |from: &str, to: &str| AdminWindow {
            days: vec![Day::Monday],
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            utc_offset_minutes: 60,
        };
        let has = |window: &AdminWindow, time: &str| window.has(time.parse().unwrap());
        let day = window("08:00", "18:00");
        // 2025-11-24 is a Monday.
        assert!(has(&day, "2025-11-24T07:00:00Z"));
        assert!(!has(&day, "2025-11-24T17:00:00Z"));
        assert!(!has(&day, "2025-11-25T09:00:00Z"));
        let night = window("22:00", "04:00");
        assert!(has(&night, "2025-11-24T21:30:00Z"));
        assert!(has(&night, "2025-11-25T02:59:00Z"));
        assert!(!has(&night, "2025-11-24T02:59:00Z"));
        assert!(!has(&night, "2025-11-24T12:00:00Z"));
    }
}
