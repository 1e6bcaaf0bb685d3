//! What a log does not say: of which zone its times are, and of which year.

use std::{cell::Cell, rc::Rc, sync::Arc};

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

use crate::logs::Unreadable;

/// What readers are told that lines do not say.
#[derive(Clone, Debug)]
pub struct Around {
    /// `--tz`: of times without one.
    pub zone: TimeZone,
    /// `--year`: of times without one.
    pub year: Option<i16>,
    /// `--fields`: columns of a log without a header.
    pub fields: Option<Arc<str>>,
    /// When it is read: logs tell of the past.
    pub now: Now,
}

/// The time at which lines are read, for all who share it: whoever reads for long moves it on.
#[derive(Clone, Debug)]
pub struct Now(Rc<Cell<Timestamp>>);

impl Now {
    /// It is later now.
    pub fn set(&self, now: Timestamp) {
        self.0.set(now);
    }
}

impl From<Timestamp> for Now {
    fn from(now: Timestamp) -> Self {
        Self(Rc::new(Cell::new(now)))
    }
}

impl Around {
    /// The moment of a time without a zone. Of a time that a clock shows twice, the earlier one.
    ///
    /// # Errors
    /// If it is out of range.
    pub fn moment(&self, time: DateTime) -> Result<Timestamp, Unreadable> {
        let ambiguous = self.zone.to_ambiguous_timestamp(time);
        let moment = ambiguous.compatible();
        moment.map_err(|error| Unreadable(format!("not a time: {error}")))
    }

    /// The moment of a time without a year, of `zone` or, without one, of `--tz`: in the year that is told, else in the last one that puts it
    /// no more than a day into the future, for clocks of devices go wrong.
    ///
    /// # Errors
    /// If there is no such day.
    pub fn moment_of_day(
        &self,
        (month, day): (i8, i8),
        time: Time,
        zone: Option<&TimeZone>,
    ) -> Result<Timestamp, Unreadable> {
        let around = Self {
            zone: zone.unwrap_or(&self.zone).clone(),
            ..self.clone()
        };
        let of = |year: i16| {
            let date = Date::new(year, month, day);
            let date = date.map_err(|error| Unreadable(format!("not a day: {error}")))?;
            around.moment(date.to_datetime(time))
        };
        if let Some(year) = self.year {
            return of(year);
        }
        let now = self.now.0.get();
        let latest = now
            .checked_add(SignedDuration::from_hours(24))
            .unwrap_or(now);
        let this = latest.to_zoned(around.zone.clone()).year();
        // The 29th of February is in one year of four, and not in 1900 or 2100.
        let mut years = (0..=8).map(|back| of(this - back));
        let past = years.find(|moment| moment.as_ref().is_ok_and(|moment| *moment <= latest));
        past.unwrap_or_else(|| of(this))
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::Offset;

    use super::*;

    fn around(year: Option<i16>, now: &str) -> Around {
        Around {
            zone: TimeZone::fixed(Offset::constant(2)),
            year,
            fields: None,
            now: now.parse::<Timestamp>().unwrap().into(),
        }
    }

    #[test]
    fn a_time_without_a_zone_is_of_the_one_that_is_told() {
        let around = around(None, "2026-01-02T00:00:00Z");
        let time = "2018-11-30T16:09:07".parse().unwrap();
        let moment = around.moment(time).unwrap();
        assert_eq!(moment.to_string(), "2018-11-30T14:09:07Z");
    }

    #[test]
    fn a_time_without_a_year_is_of_the_past() {
        let noon = Time::constant(12, 0, 0, 0);
        let told = |around: &Around, day| around.moment_of_day(day, noon, None).unwrap();
        let january = around(None, "2026-01-02T00:00:00Z");
        for (day, expected) in [
            ((12, 31), "2025-12-31T10:00:00Z"),
            ((1, 1), "2026-01-01T10:00:00Z"),
            ((1, 2), "2026-01-02T10:00:00Z"),
            ((1, 4), "2025-01-04T10:00:00Z"),
            ((2, 29), "2024-02-29T10:00:00Z"),
        ] {
            assert_eq!(told(&january, day).to_string(), expected);
        }
        let of_year = around(Some(2013), "2026-01-02T00:00:00Z");
        assert_eq!(told(&of_year, (4, 29)).to_string(), "2013-04-29T10:00:00Z");
        let utc = of_year.moment_of_day((4, 29), noon, Some(&TimeZone::UTC));
        assert_eq!(utc.unwrap().to_string(), "2013-04-29T12:00:00Z");
        assert!(january.moment_of_day((2, 30), noon, None).is_err());
    }
}
