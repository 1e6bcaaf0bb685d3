//! A row of named values: of a table, or an object in JSON.
//!
//! The names are those of abuse.ch (<https://feodotracker.abuse.ch/blocklist/>,
//! <https://sslbl.abuse.ch/blacklist/>, <https://threatfox.abuse.ch/export/>), of MISP's CSV, and what
//! people call such columns in their own tables.

use std::borrow::Cow;

use super::{
    super::{
        feed::{About, Gathering, Place},
        value,
    },
    kinds,
};

/// What has the value, in the order in which one is chosen where there are several.
const VALUES: [&str; 11] = [
    "ioc_value",
    "ioc",
    "indicator",
    "value",
    "dst_ip",
    "dstip",
    "ip_address",
    "ip",
    "address",
    "cidr",
    "domain",
];
const PORTS: [&str; 3] = ["dst_port", "dstport", "port"];
/// What says of which type the value is.
const TYPES: [&str; 3] = ["ioc_type", "indicator_type", "type"];
const LABELS: [&str; 9] = [
    "malware_printable",
    "malware",
    "sblid",
    "family",
    "signature",
    "threat",
    "event_info",
    "label",
    "comment",
];
const CONFIDENCES: [&str; 2] = ["confidence_level", "confidence"];
/// Whether MISP's attribute is for detection.
const FOR_DETECTION: &str = "to_ids";

/// What a row has under a name that is in lower case.
pub type Get<'a> = dyn Fn(&str) -> Option<Cow<'a, str>> + 'a;

/// The name of a column in the form in which they are compared.
pub fn folded(name: &str) -> String {
    let name = name.trim().trim_matches(['"', '\'']).trim();
    name.to_ascii_lowercase().replace([' ', '-'], "_")
}

/// Whether a value is under such a name.
pub fn is_value(name: &str) -> bool {
    VALUES.contains(&name)
}

/// Takes what a row says.
pub fn take(gathering: &mut Gathering, place: Place, get: &Get<'_>) {
    if let Some(flag) = get(FOR_DETECTION)
        && !kinds::is_true(&flag)
    {
        return gathering.skip(kinds::NOT_FOR_DETECTION);
    }
    let Some((column, value)) = first(&VALUES, get) else {
        return gathering.problem(place, || "no value".into());
    };
    let port = match first(&PORTS, get).map(|(_, port)| value::port(&port)) {
        None => None,
        Some(Ok(port)) => Some(port),
        // Without it, the indicator would mean more than the row says.
        Some(Err(why)) => return gathering.problem(place, || why),
    };
    if let Some(other) = VALUES
        .iter()
        .find(|name| **name != column && get(name).is_some())
    {
        gathering.skip(&format!("column `{other}` beside `{column}`"));
    }
    let label = first(&LABELS, get).map(|(_, label)| label);
    let confidence = first(&CONFIDENCES, get).and_then(|(_, of_100)| of_100.parse().ok());
    let about = About {
        port,
        label: label.as_deref(),
        confidence,
        ..About::default()
    };
    match first(&TYPES, get) {
        Some(("ioc_type", kind)) if kind.eq_ignore_ascii_case("url") => {
            gathering.take(place, &value, &about);
        }
        Some((_, kind)) => kinds::take(gathering, place, &kind, &value, &about),
        None => gathering.take(place, &value, &about),
    }
}

/// The first of some names that has something.
fn first<'n, 'a>(names: &[&'n str], get: &Get<'a>) -> Option<(&'n str, Cow<'a, str>)> {
    names.iter().find_map(|name| Some((*name, get(name)?)))
}
