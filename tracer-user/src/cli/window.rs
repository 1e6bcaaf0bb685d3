//! Times that a user names: a moment, or how long ago.

use std::{path::PathBuf, str::FromStr};

use clap::Args;
use jiff::{SignedDuration, Timestamp, ToSpan as _, Zoned, civil};

use super::{
    Config, UsageError,
    groups::heading,
    values::{self, Duration},
};

/// Where an agent keeps its history, if nothing else is said.
const DEFAULT: &str = "/var/lib/conntracer/history.db";

/// From when until when.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = heading::HISTORY)]
pub struct WindowArgs {
    /// From this time on: 2026-11-20T03:10:00Z, "2026-11-20 03:10", 03:10, 2h (ago), today, yesterday
    #[arg(long, value_name = "TIME", value_parser = values::parse::<When>)]
    pub since: Option<When>,
    /// Until before this time [default: now]
    #[arg(long, value_name = "TIME", value_parser = values::parse::<When>)]
    pub until: Option<When>,
}

/// What is asked of a history.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = heading::HISTORY)]
pub struct HistoryArgs {
    /// From when until when.
    #[command(flatten)]
    pub window: WindowArgs,
    /// Which history is asked.
    #[command(flatten)]
    pub place: HistoryPlace,
}

/// Where a history is.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = heading::HISTORY)]
pub struct HistoryPlace {
    /// The history that an agent keeps, or a copy of it [default: /var/lib/conntracer/history.db]
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
}

impl HistoryPlace {
    /// Where it is. A flag wins over the configuration.
    pub fn path(&self, config: &Config) -> PathBuf {
        let path = self.history.as_ref().or(config.history_path());
        path.map_or_else(|| PathBuf::from(DEFAULT), PathBuf::clone)
    }
}

impl HistoryArgs {
    /// Whether anything is asked of one.
    pub fn is_given(&self) -> bool {
        self.window.is_given() || self.place.history.is_some()
    }
}

/// Flags that are of a live run, with whether they are given: of a history they ask nothing.
///
/// # Errors
/// If one is given.
pub fn not_of_a_history(flags: &[(&str, bool)]) -> Result<(), UsageError> {
    let given = flags.iter().find(|(_, is_given)| *is_given);
    given.map_or(Ok(()), |(flag, _)| {
        let why = format!("{flag}: of what a history has, that cannot be asked");
        Err(UsageError(why))
    })
}

/// A window of time: what happened at `since` belongs to it, what happened at `until` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first moment; `None`: the beginning of all.
    pub since: Option<Timestamp>,
    /// The moment behind its last; `None`: the end of all.
    pub until: Option<Timestamp>,
}

impl Window {
    /// Whether what was there from one time to another was there in it.
    pub fn has(&self, from: Timestamp, to: Timestamp) -> bool {
        self.since.is_none_or(|since| to >= since) && self.until.is_none_or(|until| from < until)
    }
}

impl WindowArgs {
    /// Whether one was asked for.
    pub fn is_given(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// The window, seen from now.
    ///
    /// # Errors
    /// If it ends before it begins, or a time is too far away to be told.
    pub fn resolve(&self, now: &Zoned) -> Result<Window, UsageError> {
        let at = |when: &Option<When>| when.map(|when| when.resolve(now)).transpose();
        let since = at(&self.since)?;
        let until = at(&self.until)?.or_else(|| since.map(|_| now.timestamp()));
        match (since, until) {
            (Some(since), Some(until)) if since >= until => Err(UsageError(format!(
                "--since: {since} is not before {until}, where the window ends"
            ))),
            _ => Ok(Window { since, until }),
        }
    }
}

/// A time as it was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At a moment.
    At(Timestamp),
    /// At a moment of this time zone.
    Local(civil::DateTime),
    /// At this time today.
    Today(civil::Time),
    /// So long ago.
    Ago(SignedDuration),
    /// When the day began that was so many days ago.
    Day(i8),
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text {
            "now" => return Ok(Self::Ago(SignedDuration::ZERO)),
            "today" => return Ok(Self::Day(0)),
            "yesterday" => return Ok(Self::Day(1)),
            _ => {}
        }
        let ago = text.strip_suffix(" ago").unwrap_or(text);
        if let Some(ago) = length(ago) {
            return Ok(Self::Ago(ago));
        }
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        // A date alone is the beginning of its day. A date and time would also do as a time.
        if let Ok(local) = text.parse() {
            return Ok(Self::Local(local));
        }
        text.parse().map(Self::Today).map_err(|_| {
            format!(
                "`{text}` is no time such as 2026-11-20T03:10:00Z, 2026-11-20 03:10, 03:10, 2h or yesterday"
            )
        })
    }
}

/// A length of time, in which a day has 24 hours and a week seven days.
fn length(text: &str) -> Option<SignedDuration> {
    if let Some(weeks) = text.strip_suffix('w') {
        let weeks: u32 = weeks.parse().ok()?;
        return Some(SignedDuration::from_hours(i64::from(weeks) * 24 * 7));
    }
    // 16:34:46 is a time of day, though a length can be written so, too.
    let length: Duration = text.parse().ok().filter(|_| !text.contains(':'))?;
    std::time::Duration::from(length).try_into().ok()
}

impl When {
    /// The moment that is meant, seen from now.
    ///
    /// # Errors
    /// If it is too far away to be told.
    pub fn resolve(self, now: &Zoned) -> Result<Timestamp, UsageError> {
        let zone = now.time_zone();
        let local = |local: civil::DateTime| local.to_zoned(zone.clone()).map(|at| at.timestamp());
        let at = match self {
            Self::At(at) => Ok(at),
            Self::Local(date_time) => local(date_time),
            Self::Today(time) => local(now.date().to_datetime(time)),
            Self::Ago(ago) => now.timestamp().checked_sub(ago),
            Self::Day(days) => now
                .date()
                .checked_sub(days.days())
                .and_then(|day| local(day.to_datetime(civil::Time::midnight()))),
        };
        at.map_err(|why| UsageError(format!("a time that cannot be told: {why}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        "2026-11-22T15:30:00+01:00[Europe/Berlin]".parse().unwrap()
    }

    fn at(text: &str) -> String {
        let when: When = text.parse().unwrap();
        when.resolve(&now()).unwrap().to_string()
    }

    #[test]
    fn times_are_typed_in_many_ways() {
        for (typed, meant) in [
            ("2026-11-20T03:10:00Z", "2026-11-20T03:10:00Z"),
            ("2026-11-20T03:10:00+02:00", "2026-11-20T01:10:00Z"),
            ("2026-11-20 03:10", "2026-11-20T02:10:00Z"),
            ("2026-11-20T03:10:05", "2026-11-20T02:10:05Z"),
            ("2026-11-20", "2026-11-19T23:00:00Z"),
            ("03:10", "2026-11-22T02:10:00Z"),
            ("03:10:05", "2026-11-22T02:10:05Z"),
            ("2h", "2026-11-22T12:30:00Z"),
            ("2h ago", "2026-11-22T12:30:00Z"),
            ("90m", "2026-11-22T13:00:00Z"),
            ("1h30m", "2026-11-22T13:00:00Z"),
            ("30d", "2026-10-23T14:30:00Z"),
            ("2w", "2026-11-08T14:30:00Z"),
            ("today", "2026-11-21T23:00:00Z"),
            ("yesterday", "2026-11-20T23:00:00Z"),
            ("now", "2026-11-22T14:30:00Z"),
        ] {
            assert_eq!(at(typed), meant, "{typed}");
        }
    }

    #[test]
    fn what_is_no_time_is_said() {
        for wrong in ["", "soon", "25:00", "2026-13-01", "-2h", "tomorrow"] {
            let error = wrong.parse::<When>().unwrap_err();
            assert!(
                error.starts_with(&format!("`{wrong}` is no time such as")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_window_begins_before_it_ends() {
        let window = |since: &str, until: &str| {
            let when = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
            WindowArgs {
                since: when(since),
                until: when(until),
            }
            .resolve(&now())
        };
        let day = window("yesterday", "today").unwrap();
        assert_eq!(day.until.unwrap().to_string(), "2026-11-21T23:00:00Z");
        assert!(window("", "today").unwrap().since.is_none());
        // What there is, whether or not that goes on until now.
        assert!(window("", "").unwrap().until.is_none());
        let error = window("1h", "2h").unwrap_err().to_string();
        assert!(error.contains("is not before"), "{error}");
    }
}
