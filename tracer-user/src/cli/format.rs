//! Flags of what records show, and of what the formats of others need to know.

use std::{str::FromStr, time::Duration as StdDuration};

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde::Deserialize;
use tracer_core::{
    format::nemesis::message::{Expiration, Profile},
    redact::Arguments,
};

use super::{
    Config, OutputFormat, UsageError,
    groups::heading,
    values::{self, Duration},
};

/// Rows of a message, unless something else is said.
pub const BATCH: usize = 1000;

/// What of the arguments of processes is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// All
    Full,
    /// All but what looks like a password, a token or a key
    Redacted,
    /// None
    None,
}

impl Shown {
    /// What is shown, with the secrets that the configuration declares.
    ///
    /// # Errors
    /// If no expression can be made of them.
    pub fn arguments(self, config: &Config) -> anyhow::Result<Arguments> {
        Ok(match self {
            Self::Full => Arguments::Full,
            Self::Redacted => Arguments::Redacted(Box::new(config.redactor()?)),
            Self::None => Arguments::None,
        })
    }
}

/// What records show, and what a format needs to know.
#[derive(Debug, Args)]
#[command(next_help_heading = heading::OUTPUT)]
pub struct FormatArgs {
    /// Arguments of processes: full, none, or redacted [default: full; with -o nemesis: redacted]
    #[arg(long, value_name = "WHAT", hide_possible_values = true)]
    pub args: Option<Shown>,
    /// What is said in messages of Nemesis.
    #[command(flatten)]
    pub nemesis: NemesisArgs,
}

impl FormatArgs {
    /// What is shown of arguments.
    pub fn shown(&self, output: OutputFormat) -> Shown {
        self.args.unwrap_or(if output == OutputFormat::Nemesis {
            Shown::Redacted
        } else {
            Shown::Full
        })
    }

    /// Flags of a format that is not written make no sense.
    ///
    /// # Errors
    /// If there are any.
    pub fn check(&self, output: OutputFormat) -> Result<(), UsageError> {
        if output == OutputFormat::Nemesis || self.nemesis.is_empty() {
            return Ok(());
        }
        Err(not_nemesis())
    }
}

fn not_nemesis() -> UsageError {
    let why = "--nemesis-…: these flags are for `-o nemesis` and `export nemesis`";
    UsageError(why.to_owned())
}

/// What is said in messages of Nemesis.
#[derive(Debug, Args)]
#[command(next_help_heading = heading::OUTPUT)]
pub struct NemesisArgs {
    /// What is said in each.
    #[command(flatten)]
    pub profile: ProfileArgs,
    /// Rows of Nemesis for every change of a TCP state, not only for the latest one
    #[arg(id = "nemesis-states", long = "nemesis-states", hide_short_help = true)]
    pub states: bool,
}

/// What is said in each message of Nemesis.
#[derive(Debug, Args)]
#[command(next_help_heading = heading::OUTPUT)]
pub struct ProfileArgs {
    /// The project of messages of Nemesis [default: conntracer]
    #[arg(id = "nemesis-project", long = "nemesis-project", value_name = "NAME", value_parser = named, hide_short_help = true)]
    pub project: Option<String>,
    /// When Nemesis may forget them: a date, a time, or how long after their time [default: 100d]
    #[arg(id = "nemesis-expiration", long = "nemesis-expiration", value_name = "WHEN", value_parser = values::parse::<When>, hide_short_help = true)]
    pub expiration: Option<When>,
}

impl NemesisArgs {
    fn is_empty(&self) -> bool {
        self.profile.is_empty() && !self.states
    }
}

impl ProfileArgs {
    fn is_empty(&self) -> bool {
        self.project.is_none() && self.expiration.is_none()
    }

    /// Flags of a format that is not written make no sense.
    ///
    /// # Errors
    /// If there are any.
    pub fn check(&self, output: OutputFormat) -> Result<(), UsageError> {
        if output == OutputFormat::Nemesis || self.is_empty() {
            return Ok(());
        }
        Err(not_nemesis())
    }

    /// What is said in messages of so many rows at most.
    pub fn profile(&self, rows_max: usize) -> Profile {
        let project = self.project.as_deref().unwrap_or("conntracer");
        let expiration = self.expiration.unwrap_or(When::DEFAULT);
        Profile {
            project: project.to_owned(),
            expiration: expiration.0,
            rows_max,
        }
    }
}

/// A point in time, e.g. `2027-02-28`, `2027-02-28T12:00:00Z`, or a time after another: `100d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When(Expiration);

impl When {
    const DEFAULT: Self = Self(Expiration::After(SignedDuration::from_hours(100 * 24)));
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(after) = after(text) {
            return Ok(Self(Expiration::After(after)));
        }
        let at = text.parse::<Timestamp>().ok().or_else(|| midnight(text));
        at.map(|at| Self(Expiration::At(at))).ok_or_else(|| {
            format!("`{text}` is no date such as 2027-02-28, time such as 2027-02-28T12:00:00Z, or length of time such as 100d")
        })
    }
}

fn after(text: &str) -> Option<SignedDuration> {
    if let Some(days) = text.strip_suffix('d') {
        let hours = days.parse::<u32>().ok()?.checked_mul(24)?;
        return Some(SignedDuration::from_hours(hours.into()));
    }
    let duration = StdDuration::from(text.parse::<Duration>().ok()?);
    duration.try_into().ok()
}

fn midnight(text: &str) -> Option<Timestamp> {
    let date = text.parse::<Date>().ok()?;
    // `T…` without a zone would be read as a date, too.
    let is_date = text.len() == date.to_string().len();
    let midnight = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
    is_date.then_some(midnight)
}

fn named(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains('\0') {
        return Err("a project has a name".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiration_is_a_date_a_time_or_a_length_of_time() {
        let when = |text: &str| text.parse::<When>().map(|when| when.0);
        let at = |text: &str| Ok(Expiration::At(text.parse().unwrap()));
        assert_eq!(when("2027-02-28"), at("2027-02-28T00:00:00Z"));
        assert_eq!(when("2027-02-28T12:00:00Z"), at("2027-02-28T12:00:00Z"));
        let hours = |hours| Ok(Expiration::After(SignedDuration::from_hours(hours)));
        assert_eq!(when("100d"), hours(2400));
        assert_eq!(when("36h"), hours(36));
        for wrong in ["soon", "2027-02-30", "-1d", "2027-02-28T12:00:00", ""] {
            assert!(when(wrong).is_err(), "{wrong}");
        }
    }
}
