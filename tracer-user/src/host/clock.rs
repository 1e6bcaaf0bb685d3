//! The clocks.

use jiff::{Timestamp, tz::TimeZone};
use nix::time::{ClockId, clock_gettime};
use tracer_core::clock::Anchor;

/// The door to the clocks.
pub trait Clock {
    /// What the clocks say now.
    fn anchor(&mut self) -> Anchor;

    /// Nanoseconds since boot, suspended time included.
    fn boot_ns(&mut self) -> u64 {
        self.anchor().boot_ns
    }
}

/// The clocks of this machine.
pub struct SystemClock {
    zone: TimeZone,
}

impl SystemClock {
    /// The clocks, in the time zone of the machine.
    pub fn new() -> Self {
        Self {
            zone: TimeZone::system(),
        }
    }
}

/// How often the clocks are compared: the closest pair of readings counts.
const READINGS: usize = 5;

impl Clock for SystemClock {
    fn anchor(&mut self) -> Anchor {
        let (_, boot_ns, utc_ns) = (0..READINGS)
            .map(|_| {
                let before = nanoseconds(ClockId::CLOCK_BOOTTIME);
                let utc_ns = nanoseconds(ClockId::CLOCK_REALTIME);
                let after = nanoseconds(ClockId::CLOCK_BOOTTIME);
                (after - before, before + (after - before) / 2, utc_ns)
            })
            .min()
            .unwrap_or_default();
        let time = Timestamp::from_nanosecond(i128::from(utc_ns)).unwrap_or_default();
        let local = self.zone.to_offset_info(time);
        Anchor {
            boot_ns: u64::try_from(boot_ns).unwrap_or_default(),
            utc_ns,
            offset_s: local.offset().seconds(),
            zone: local.abbreviation().to_owned(),
        }
    }

    fn boot_ns(&mut self) -> u64 {
        boot_ns()
    }
}

/// Nanoseconds since boot, suspended time included.
pub fn boot_ns() -> u64 {
    u64::try_from(nanoseconds(ClockId::CLOCK_BOOTTIME)).unwrap_or_default()
}

/// A clock's reading. These clocks exist since 2.6.39 and cannot fail.
fn nanoseconds(clock: ClockId) -> i64 {
    clock_gettime(clock).map_or(0, |time| time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}
