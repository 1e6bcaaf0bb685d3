//! Values of flags that clap does not know.

use std::str::FromStr;

use serde::Deserialize;

/// For `value_parser`, which wants a function.
pub fn parse<T: FromStr>(text: &str) -> Result<T, T::Err> {
    text.parse()
}

/// A length of time, e.g. `30s`, `5m`, `1h30m`, `14d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Duration(std::time::Duration);

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no length of time such as 30s, 5m or 1h30m");
        if let Some(days) = text.strip_suffix('d') {
            let days: u32 = days.parse().map_err(|_| wrong())?;
            let hours = u64::from(days) * 24;
            return Ok(Self(std::time::Duration::from_hours(hours)));
        }
        let duration: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
        duration.try_into().map(Self).map_err(|_| wrong())
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl TryFrom<String> for Duration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A size of a file, e.g. `512M`, `2G`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Size(pub u64);

/// With less nothing could be kept.
const SIZE_MIN: u64 = 16 << 20;

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        number_of_bytes(text)
            .filter(|bytes| *bytes >= SIZE_MIN)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no size such as 512M or 2G, of 16M at least"))
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A number with a unit.
fn number_of_bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match text.get(digits.len()..)? {
        "" | "B" => 1,
        "K" | "KB" | "KiB" => 1 << 10,
        "M" | "MB" | "MiB" => 1 << 20,
        "G" | "GB" | "GiB" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// What Kubernetes calls a node: as names of hosts are, in small letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeName(String);

/// Characters of the longest name of a node.
const NODE_NAME_MAX: usize = 253;

impl FromStr for NodeName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_label = |label: &str| {
            label.starts_with(is_alphanumeric)
                && label.ends_with(is_alphanumeric)
                && label.chars().all(|c| is_alphanumeric(c) || c == '-')
        };
        let is_name = text.len() <= NODE_NAME_MAX && text.split('.').all(is_label);
        is_name
            .then(|| Self(text.to_owned()))
            .ok_or_else(|| format!("`{text}` is no name of a node such as worker-1.example.com"))
    }
}

impl AsRef<str> for NodeName {
    fn as_ref(&self) -> &str {
        &self.0
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
        let bytes = number_of_bytes(text)
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
    fn sizes_of_files_are_what_they_say() {
        let size = |text: &str| text.parse::<Size>().map(|size| size.0);
        assert_eq!(size("2G"), Ok(2 << 30));
        assert_eq!(size("100M"), Ok(100 << 20));
        for wrong in ["", "2T", "1M", "-1G", "99999999999999999999G"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_of_nodes() {
        for right in ["worker-1", "10.0.0.7", "ip-10-0-0-7.eu.example.com"] {
            let node = right.parse::<NodeName>();
            assert_eq!(node.as_ref().map(AsRef::as_ref), Ok(right));
        }
        let long = "n".repeat(254);
        for wrong in [
            "",
            "a..b",
            "-a",
            "Worker",
            "a,spec.nodeName!=a",
            "a b",
            &long,
        ] {
            assert!(wrong.parse::<NodeName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn lengths_of_time() {
        let time = |text: &str| text.parse::<Duration>().map(std::time::Duration::from);
        assert_eq!(time("30s"), Ok(std::time::Duration::from_secs(30)));
        assert_eq!(time("1h30m"), Ok(std::time::Duration::from_mins(90)));
        assert_eq!(time("14d"), Ok(std::time::Duration::from_hours(14 * 24)));
        assert!(time("-3d").is_err());
        assert!(time("-3s").is_err());
        assert!(time("soon").is_err());
    }
}
