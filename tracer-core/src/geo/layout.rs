//! The layouts of vendors: nested (`MaxMind`, DB-IP) and flat (`IPinfo`, and others that give codes alone).

use std::sync::Arc;

use serde::Deserialize;

use super::{As, Geo, Place};

/// Bytes of a name, at most.
const NAME_MAX: usize = 256;

/// What databases say of a network, by all names that vendors have for it.
#[derive(Debug, Default, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "as databases have them")]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Entry<'a> {
    country: Option<Area<'a>>,
    country_code: Option<&'a str>,
    registered_country: Option<Area<'a>>,
    continent: Option<Area<'a>>,
    continent_code: Option<&'a str>,
    subdivisions: Vec<Area<'a>>,
    region: Option<Area<'a>>,
    city: Option<Area<'a>>,
    autonomous_system_number: Option<Number<'a>>,
    autonomous_system_organization: Option<&'a str>,
    asn: Option<Number<'a>>,
    as_name: Option<&'a str>,
    is_anonymous_vpn: bool,
    is_tor_exit_node: bool,
    is_public_proxy: bool,
    is_residential_proxy: bool,
    is_hosting_provider: bool,
}

/// The number of an autonomous system, as a number of any size or as `AS64500`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Number<'a> {
    Number(u64),
    Text(&'a str),
}

impl Number<'_> {
    fn value(&self) -> Option<u32> {
        match self {
            Self::Number(number) => u32::try_from(*number).ok(),
            Self::Text(text) => text.trim_start_matches(['A', 'S', 'a', 's']).parse().ok(),
        }
    }
}

/// An area: with all that is said of it, or only its name or code.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Area<'a> {
    Text(&'a str),
    Whole {
        iso_code: Option<&'a str>,
        code: Option<&'a str>,
        #[serde(borrow)]
        names: Option<Names<'a>>,
    },
}

#[derive(Debug, Deserialize)]
struct Names<'a> {
    en: Option<&'a str>,
}

impl<'a> Area<'a> {
    /// Its code. A text that stands alone is one if it is as short as codes are.
    fn code(&self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(*text).filter(|text| text.len() == 2),
            Self::Whole { iso_code, code, .. } => iso_code.or(*code),
        }
    }

    fn name(&self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(*text),
            Self::Whole { names, .. } => names.as_ref()?.en,
        }
    }
}

impl From<Entry<'_>> for Place {
    fn from(entry: Entry<'_>) -> Self {
        let code = |area: &Option<Area<'_>>| upper(area.as_ref()?.code()?);
        let country = entry
            .country_code
            .and_then(upper)
            .or_else(|| code(&entry.country));
        let registered = code(&entry.registered_country);
        let region = entry.subdivisions.first().or(entry.region.as_ref());
        let region = region.and_then(|area| area.code().or_else(|| area.name()));
        let geo = Geo {
            registered_country: registered.filter(|code| country.as_ref() != Some(code)),
            country,
            continent: entry
                .continent_code
                .and_then(upper)
                .or_else(|| code(&entry.continent)),
            region: region.and_then(text),
            city: entry.city.as_ref().and_then(Area::name).and_then(text),
            anonymous: entry.anonymous().map(Arc::from).collect(),
        };
        Self {
            geo: Some(geo).filter(|geo| *geo != Geo::default()),
            network: entry.network(),
        }
    }
}

impl Entry<'_> {
    fn network(&self) -> Option<As> {
        let number = self.autonomous_system_number.as_ref();
        Some(As {
            number: number.or(self.asn.as_ref())?.value()?,
            organization: self
                .autonomous_system_organization
                .or(self.as_name)
                .and_then(text),
        })
    }

    fn anonymous(&self) -> impl Iterator<Item = &'static str> {
        let words = [
            (self.is_anonymous_vpn, "vpn"),
            (self.is_tor_exit_node, "tor"),
            (self.is_public_proxy, "proxy"),
            (self.is_residential_proxy, "residential_proxy"),
            (self.is_hosting_provider, "hosting"),
        ];
        words
            .into_iter()
            .filter(|(is_so, _)| *is_so)
            .map(|(_, word)| word)
    }
}

/// A code.
fn upper(code: &str) -> Option<Arc<str>> {
    text(&code.to_ascii_uppercase())
}

/// A name that says something, and is no longer than names are.
fn text(text: &str) -> Option<Arc<str>> {
    let text = text.trim();
    let end = text.floor_char_boundary(NAME_MAX);
    text.get(..end)
        .filter(|text| !text.is_empty())
        .map(Arc::from)
}
