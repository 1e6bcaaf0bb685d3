//! Indicators that were met, as schemas of others have them.
//!
//! Fields: <https://www.elastic.co/docs/reference/ecs/ecs-threat> (`threat.enrichments`),
//! <https://schema.ocsf.io/1.8.0/objects/osint>.

use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;

use super::object::Object;
use crate::threat::Hit;

/// What indicators the two ends have met, source first.
#[derive(Clone, Copy, Debug)]
pub struct Met<'a> {
    /// By the source.
    pub source: At<'a>,
    /// By the destination.
    pub destination: At<'a>,
}

/// One end, and what it has met.
#[derive(Clone, Copy, Debug, Default)]
pub struct At<'a> {
    /// Its address.
    pub ip: Option<IpAddr>,
    /// What it has met.
    pub hits: &'a [Hit],
}

impl Met<'_> {
    /// `threat` of the Elastic Common Schema.
    pub fn ecs(&self) -> Object {
        let of = |end: At<'_>, name: &'static str| -> Vec<Object> {
            let hits = end.hits.iter();
            hits.map(|hit| enrichment(hit, end.ip, name)).collect()
        };
        let source = of(self.source, "source");
        let destination = of(self.destination, "destination");
        Object::default().list("enrichments", source.into_iter().chain(destination))
    }

    /// `osint` of the profile of that name of the Open Cybersecurity Schema Framework.
    pub fn osint(&self) -> Vec<Object> {
        let source = self.source.hits.iter();
        let source = source.map(|hit| osint(hit, "src_endpoint"));
        let destination = self.destination.hits.iter();
        let destination = destination.map(|hit| osint(hit, "dst_endpoint"));
        source.chain(destination).collect()
    }
}

/// What an indicator is, by how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An address, with a port or without one.
    Address(IpAddr),
    /// Several of them: that is the first.
    Addresses(IpAddr),
    /// Something at a host.
    Url,
    /// A name.
    Domain,
}

impl Kind {
    fn of(indicator: &str) -> Self {
        let one = |text: &str| {
            let ip = text.parse::<IpAddr>().ok();
            ip.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
        };
        if let Some(ip) = one(indicator) {
            return Self::Address(ip);
        }
        // A network, a range, `network port 443`.
        let first = indicator.split(['/', '-', ' ']).next();
        match first.and_then(one) {
            Some(ip) => Self::Addresses(ip),
            None if indicator.contains("://") => Self::Url,
            None => Self::Domain,
        }
    }

    /// The word of STIX.
    fn stix(self) -> &'static str {
        match self {
            Self::Address(ip) | Self::Addresses(ip) if ip.is_ipv4() => "ipv4-addr",
            Self::Address(_) | Self::Addresses(_) => "ipv6-addr",
            Self::Url => "url",
            Self::Domain => "domain-name",
        }
    }
}

fn enrichment(hit: &Hit, ip: Option<IpAddr>, end: &str) -> Object {
    let indicator = &*hit.indicator;
    let kind = Kind::of(indicator);
    let (address, field, atomic) = match kind {
        Kind::Address(of) => (Some(of), "ip", ip.unwrap_or(of).to_string()),
        Kind::Addresses(of) => (None, "ip", ip.unwrap_or(of).to_string()),
        Kind::Url | Kind::Domain => (None, "domain", indicator.to_owned()),
    };
    let told = Object::default()
        .with("type", kind.stix())
        .with("name", indicator)
        .known("ip", address.map(|ip| ip.to_string()))
        .known("port", hit.port)
        .with("provider", &*hit.feed)
        .known("description", hit.label.as_deref())
        .known("confidence", hit.confidence.map(confidence));
    let matched = Object::default()
        .with("type", "indicator_match_rule")
        .with("field", format!("{end}.{field}"))
        .with("atomic", atomic);
    Object::default()
        .with("indicator", told)
        .with("matched", matched)
}

/// The scale of STIX 2.1, appendix A.
fn confidence(of_100: u8) -> &'static str {
    match of_100 {
        0 => "None",
        1..30 => "Low",
        30..70 => "Medium",
        _ => "High",
    }
}

fn osint(hit: &Hit, end: &str) -> Object {
    let kind = Kind::of(&hit.indicator);
    let (id, caption, field) = match kind {
        Kind::Address(_) | Kind::Addresses(_) => (1, "IP Address", "ip"),
        Kind::Url => (5, "URL", "hostname"),
        Kind::Domain => (2, "Domain", "hostname"),
    };
    // The schema has none for no confidence at all.
    let confidence = hit.confidence.map(confidence).and_then(|word| match word {
        "Low" => Some((1, word)),
        "Medium" => Some((2, word)),
        "High" => Some((3, word)),
        _ => None,
    });
    Object::default()
        .with("value", &*hit.indicator)
        .with("type_id", id)
        .with("type", caption)
        .with("name", format!("{end}.{field}"))
        .with("vendor_name", &*hit.feed)
        .list("labels", hit.label.as_deref())
        .known("confidence_id", confidence.map(|(id, _)| id))
        .known("confidence", confidence.map(|(_, word)| word))
        .known(
            "expiration_time",
            hit.valid_until.map(Timestamp::as_millisecond),
        )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn hit(indicator: &str) -> Hit {
        Hit {
            feed: "bad.txt".into(),
            indicator: indicator.into(),
            port: None,
            label: Some("Emotet".into()),
            confidence: Some(75),
            valid_from: None,
            valid_until: Some(Timestamp::UNIX_EPOCH),
        }
    }

    #[test]
    fn indicators_are_known_by_how_they_are_written() {
        for (indicator, kind) in [
            ("203.0.113.9", "ipv4-addr"),
            ("203.0.113.9:443", "ipv4-addr"),
            ("203.0.113.0/24", "ipv4-addr"),
            ("203.0.113.0/24 port 443", "ipv4-addr"),
            ("203.0.113.1-203.0.113.9", "ipv4-addr"),
            ("2001:db8::/32", "ipv6-addr"),
            ("[2001:db8::1]:443", "ipv6-addr"),
            ("http://bad.example/x", "url"),
            ("bad-site.example", "domain-name"),
            ("*.bad.example:443", "domain-name"),
        ] {
            assert_eq!(Kind::of(indicator).stix(), kind, "{indicator}");
        }
    }

    #[test]
    fn what_was_met_is_told_of_its_end() {
        let (address, domain) = (hit("203.0.113.0/24"), hit("bad.example"));
        let met = Met {
            source: At {
                ip: None,
                hits: std::slice::from_ref(&domain),
            },
            destination: At {
                ip: Some([203, 0, 113, 9].into()),
                hits: std::slice::from_ref(&address),
            },
        };
        let threat = Value::from(met.ecs());
        assert_eq!(
            threat["enrichments"][1],
            json!({
                "indicator": {
                    "type": "ipv4-addr",
                    "name": "203.0.113.0/24",
                    "provider": "bad.txt",
                    "description": "Emotet",
                    "confidence": "High",
                },
                "matched": {
                    "type": "indicator_match_rule",
                    "field": "destination.ip",
                    "atomic": "203.0.113.9",
                },
            })
        );
        assert_eq!(
            threat["enrichments"][0]["matched"]["field"],
            "source.domain"
        );
        let osint: Vec<Value> = met.osint().into_iter().map(Value::from).collect();
        assert_eq!(
            osint[0],
            json!({
                "value": "bad.example",
                "type_id": 2,
                "type": "Domain",
                "name": "src_endpoint.hostname",
                "vendor_name": "bad.txt",
                "labels": ["Emotet"],
                "confidence_id": 3,
                "confidence": "High",
                "expiration_time": 0,
            })
        );
        assert_eq!(osint[1]["name"], "dst_endpoint.ip");
    }

    #[test]
    fn who_has_met_nothing_has_no_threat() {
        let met = Met {
            source: At::default(),
            destination: At::default(),
        };
        assert_eq!(met.ecs(), Object::default());
        assert!(met.osint().is_empty());
    }
}
