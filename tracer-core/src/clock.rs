//! From the kernel's clock to the calendar.

use jiff::{
    Timestamp,
    tz::{Offset, TimeZone},
};
use serde::{Deserialize, Serialize, Serializer};

/// What the clocks said at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub boot_ns: u64,
    /// `CLOCK_REALTIME` at the same moment, nanoseconds since 1970 UTC.
    pub utc_ns: i64,
    /// Seconds that local time is ahead of UTC.
    pub offset_s: i32,
    /// Abbreviation of the time zone, e.g. `CET`.
    pub zone: String,
}

impl Anchor {
    /// UTC of a moment of the kernel's clock, nanoseconds since 1970.
    fn utc_ns(&self, boot_ns: u64) -> i128 {
        i128::from(self.utc_ns) + i128::from(boot_ns) - i128::from(self.boot_ns)
    }
}

/// How far two anchors may differ before it is called a step of the clock: more than what NTP slews
/// between two of them.
const STEP_NS: i128 = 500_000_000;

/// Turns times of the kernel into UTC.
#[derive(Clone, Debug)]
pub struct Clock {
    first: Anchor,
    newest: Anchor,
}

impl Clock {
    /// A clock with its first anchor.
    #[must_use]
    pub fn new(anchor: Anchor) -> Self {
        Self {
            newest: anchor.clone(),
            first: anchor,
        }
    }

    /// Takes a newer anchor. How far the wall clock was stepped, nanoseconds, if it was.
    pub fn retake(&mut self, anchor: Anchor) -> Option<i128> {
        let step = anchor.utc_ns(anchor.boot_ns) - self.newest.utc_ns(anchor.boot_ns);
        self.newest = anchor;
        (step.abs() > STEP_NS).then_some(step)
    }

    /// The anchor that tracing began with.
    #[must_use]
    pub fn first(&self) -> &Anchor {
        &self.first
    }

    /// Nanoseconds since boot as UTC, with nanoseconds.
    #[must_use]
    pub fn utc(&self, boot_ns: u64) -> String {
        format!("{:.9}", self.timestamp(boot_ns))
    }

    /// Nanoseconds since boot as a time of the calendar.
    #[must_use]
    pub fn timestamp(&self, boot_ns: u64) -> Timestamp {
        timestamp(self.newest.utc_ns(boot_ns))
    }

    /// When a process was started, given in ticks of 10 ms since boot, as `/proc` counts them. By
    /// the first anchor, so that a process keeps its start time though the clock is set.
    #[must_use]
    pub fn start_time(&self, ticks: u64) -> String {
        let boot_ns = ticks.saturating_mul(NS_PER_TICK);
        format!("{:.2}", timestamp(self.first.utc_ns(boot_ns)))
    }

    /// Hour, minute, second and milliseconds of a UTC time in the zone of the traced host.
    #[must_use]
    pub fn local_time(&self, utc: &str) -> String {
        self.local(utc, "%H:%M:%S%.3f")
    }

    /// Hour, minute and second of a UTC time in the zone of the traced host.
    #[must_use]
    pub fn local_second(&self, utc: &str) -> String {
        self.local(utc, "%H:%M:%S")
    }

    /// The day of a UTC time in the zone of the traced host.
    #[must_use]
    pub fn local_date(&self, utc: &str) -> String {
        self.local(utc, "%Y-%m-%d")
    }

    /// Day, hour, minute and second of a UTC time in the zone of the traced host.
    #[must_use]
    pub fn local_day(&self, utc: &str) -> String {
        self.local(utc, "%Y-%m-%d %H:%M:%S")
    }

    fn local(&self, utc: &str, form: &str) -> String {
        let Ok(time) = utc.parse::<Timestamp>() else {
            return utc.to_owned();
        };
        let zone = Offset::from_seconds(self.first.offset_s).map_or(TimeZone::UTC, TimeZone::fixed);
        time.to_zoned(zone).strftime(form).to_string()
    }

    /// The zone of the traced host, e.g. `CET (+01:00)`.
    #[must_use]
    pub fn zone(&self) -> String {
        let seconds = self.first.offset_s;
        let sign = if seconds < 0 { '-' } else { '+' };
        let minutes = seconds.unsigned_abs() / 60;
        let (hours, minutes) = (minutes / 60, minutes % 60);
        format!("{} ({sign}{hours:02}:{minutes:02})", self.first.zone)
    }
}

/// Length of the ticks in which `/proc/PID/stat` counts (`USER_HZ` is 100 on every architecture).
pub const NS_PER_TICK: u64 = 10_000_000;

/// Writes a time as all times of records are: RFC 3339, UTC, with nanoseconds.
pub(crate) fn nanoseconds<S: Serializer>(
    time: &Timestamp,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.9}"))
}

fn timestamp(utc_ns: i128) -> Timestamp {
    Timestamp::from_nanosecond(utc_ns).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor(boot_ns: u64, utc_ns: i64) -> Anchor {
        Anchor {
            boot_ns,
            utc_ns,
            offset_s: 3600,
            zone: "CET".into(),
        }
    }

    #[test]
    fn times_have_nanoseconds_and_are_utc() {
        let clock = Clock::new(anchor(1_000, 1_700_000_000_000_001_000));
        assert_eq!(clock.utc(1_001), "2023-11-14T22:13:20.000001001Z");
        assert_eq!(clock.start_time(0), "2023-11-14T22:13:20.00Z");
        assert_eq!(clock.local_time(&clock.utc(1_000)), "23:13:20.000");
        assert_eq!(clock.zone(), "CET (+01:00)");
    }

    #[test]
    fn a_step_of_the_wall_clock_is_noticed_and_slewing_is_not() {
        let mut clock = Clock::new(anchor(0, 1_700_000_000_000_000_000));
        let later = |step: i64| anchor(60_000_000_000, 1_700_000_060_000_000_000 + step);
        assert_eq!(clock.retake(later(30_000_000)), None);
        assert_eq!(
            clock.retake(later(-3_600_000_000_000)),
            Some(-3_600_030_000_000)
        );
        assert_eq!(clock.utc(60_000_000_000), "2023-11-14T21:14:20.000000000Z");
    }
}
