//! Values of flags that clap does not know.

use std::str::FromStr;

/// For `value_parser`, which wants a function.
pub fn parse<T: FromStr>(text: &str) -> Result<T, T::Err> {
    text.parse()
}

/// A length of time, e.g. `30s`, `5m`, `1h30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(std::time::Duration);

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no length of time such as 30s, 5m or 1h30m");
        let duration: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
        duration.try_into().map(Self).map_err(|_| wrong())
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

/// A size of memory that a ring can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u32);

/// A ring is at least a page.
const BYTES_MIN: u64 = 4096;
/// The largest power of two in a map's size.
const BYTES_MAX: u64 = 1 << 30;

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = match text.get(digits.len()..) {
            Some("" | "B") => 1,
            Some("K" | "KB" | "KiB") => 1 << 10,
            Some("M" | "MB" | "MiB") => 1 << 20,
            Some("G" | "GB" | "GiB") => 1 << 30,
            _ => 0,
        };
        let bytes = digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(unit))
            .filter(|bytes| (1..=BYTES_MAX).contains(bytes))
            .ok_or_else(|| format!("`{text}` is no size such as 512K or 4M, up to 1G"))?;
        let bytes = bytes.max(BYTES_MIN).next_power_of_two();
        u32::try_from(bytes).map(Self).map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up_to_what_a_ring_can_have() {
        let bytes = |text: &str| text.parse::<Bytes>().map(|bytes| bytes.0);
        assert_eq!(bytes("4M"), Ok(4 << 20));
        assert_eq!(bytes("5000"), Ok(8192));
        assert_eq!(bytes("1"), Ok(4096));
        assert_eq!(bytes("3MiB"), Ok(4 << 20));
        for wrong in ["", "M", "0", "2G", "4X", "-1"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lengths_of_time() {
        let time = |text: &str| text.parse::<Duration>().map(std::time::Duration::from);
        assert_eq!(time("30s"), Ok(std::time::Duration::from_secs(30)));
        assert_eq!(time("1h30m"), Ok(std::time::Duration::from_mins(90)));
        assert!(time("-3s").is_err());
        assert!(time("soon").is_err());
    }
}
