//! Lists of ports and ranges.

use std::{fmt, ops::RangeInclusive, str::FromStr};

/// Ports, e.g. `443,8000-8100`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports(pub Vec<RangeInclusive<u16>>);

impl Ports {
    /// Whether the port is one of them.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|range| range.contains(&port))
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',')
            .map(range)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let port = |port: &str| {
        port.trim().parse::<u16>().map_err(|_| {
            let text = text.trim();
            format!("`{text}` is neither a port between 0 and 65535 nor a range such as 8000-8100")
        })
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(text)?, port(text)?),
    };
    if first > last {
        return Err(format!("the range {first}-{last} is empty"));
    }
    Ok(first..=last)
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let (first, last) = (range.start(), range.end());
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_ranges() {
        let ports: Ports = "443, 8000-8100".parse().unwrap();
        assert!(ports.contains(443) && ports.contains(8000) && ports.contains(8100));
        assert!(!ports.contains(444) && !ports.contains(8101));
        assert_eq!(ports.to_string(), "443,8000-8100");
    }

    #[test]
    fn what_is_no_port_is_named() {
        let error = |text: &str| text.parse::<Ports>().unwrap_err();
        for wrong in ["http", "65536", "-1", "80-", ""] {
            let named = format!("`{wrong}` is neither a port");
            assert!(error(wrong).starts_with(&named), "{}", error(wrong));
        }
        assert_eq!(error("90-80"), "the range 90-80 is empty");
    }
}
