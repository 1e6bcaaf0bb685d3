//! One indicator, and a hit on it.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::text::printable;

/// What is said to be bad.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// An address, or many; IPv4-mapped ones are IPv4.
    Network(IpNet),
    /// A name, in lower case and without the dot at its end.
    Domain {
        /// The name.
        name: Arc<str>,
        /// Names below it are meant, too: only where the feed writes `*.` or `.` before it. Without a list
        /// of public suffixes nobody knows whether `co.uk` or `example.com` belongs to one owner.
        below: bool,
    },
}

/// What a feed says is bad, and what it says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indicator {
    /// The addresses, or the name.
    pub what: What,
    /// Only with this port.
    pub port: Option<u16>,
    /// Malware family, number of a listing, name of an event.
    pub label: Option<Arc<str>>,
    /// How sure the feed is, of 100.
    pub confidence: Option<u8>,
    /// Since when it is published as valid.
    pub valid_from: Option<Timestamp>,
    /// When it is no longer valid.
    pub valid_until: Option<Timestamp>,
    /// What the feed writes, no longer defanged, where that is more than `what` and `port` say: a range, a
    /// URL.
    pub written: Option<Arc<str>>,
}

impl Indicator {
    /// The indicator as a text.
    #[must_use]
    pub fn text(&self) -> Arc<str> {
        if let Some(written) = &self.written {
            return written.clone();
        }
        let text = match &self.what {
            What::Network(network) => network_text(*network, self.port),
            What::Domain { name, below } => {
                let before = if *below { "*." } else { "" };
                let port = self.port.map(|port| format!(":{port}"));
                format!("{before}{name}{}", port.unwrap_or_default())
            }
        };
        text.into()
    }

    /// Whether it holds at a time.
    ///
    /// Only the end of its validity counts. `valid_from` is usually when the indicator was published, which
    /// is after somebody has met it: a responder asks about just these connections.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        self.valid_until.is_none_or(|until| at < until)
    }
}

/// A network; of a single address only that.
fn network_text(network: IpNet, port: Option<u16>) -> String {
    let is_one = network.prefix_len() == network.max_prefix_len();
    match (network.addr(), port) {
        (IpAddr::V6(address), Some(port)) if is_one => format!("[{address}]:{port}"),
        (address, Some(port)) if is_one => format!("{address}:{port}"),
        (address, None) if is_one => address.to_string(),
        (_, Some(port)) => format!("{network} port {port}"),
        (_, None) => network.to_string(),
    }
}

/// An indicator that was met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// Name of the feed.
    pub feed: Arc<str>,
    /// The indicator, no longer defanged.
    pub indicator: Arc<str>,
    /// The port that the indicator asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Malware family, number of a listing, name of an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Arc<str>>,
    /// How sure the feed is, of 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<u8>,
    /// Since when it is published as valid, which may be after it was met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// When it is no longer valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
}

impl Hit {
    /// What was met, one behind the other, in as little room as tables have: of feeds the name of the file.
    #[must_use]
    pub fn texts(hits: &[Self]) -> String {
        let short = |hit: &Self| {
            let name = hit.feed.rsplit_once('/').map(|(_, name)| name);
            hit.of(name.unwrap_or(&hit.feed))
        };
        let texts: Vec<String> = hits.iter().map(short).collect();
        printable(&texts.join(" "))
    }

    /// The feed and the indicator, and what the feed calls it: for people.
    #[must_use]
    pub fn text(&self) -> String {
        self.of(&self.feed)
    }

    fn of(&self, feed: &str) -> String {
        let indicator = &self.indicator;
        match &self.label {
            Some(label) => format!("{feed}:{indicator}({label})"),
            None => format!("{feed}:{indicator}"),
        }
    }

    /// On an indicator of a feed.
    pub(super) fn on(feed: &Arc<str>, indicator: &Indicator) -> Self {
        Self {
            feed: feed.clone(),
            indicator: indicator.text(),
            port: indicator.port,
            label: indicator.label.clone(),
            confidence: indicator.confidence,
            valid_from: indicator.valid_from,
            valid_until: indicator.valid_until,
        }
    }
}
