//! Where addresses are, and whose: databases in MMDB, which the user brings.
//!
//! Vendors lay them out in their own ways, so fields are tried, and no vendor is assumed. Only external
//! addresses are looked up: of all others a database can only be wrong.
//!
//! Format: <https://maxmind.github.io/MaxMind-DB/>

mod database;
mod layout;
#[cfg(test)]
mod tests;

use std::{fmt, net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};

pub use self::database::Database;
use crate::scope::Scope;

/// Where an address is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geo {
    /// ISO 3166 code of the country where it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Arc<str>>,
    /// That of the country where it is registered, if that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_country: Option<Arc<str>>,
    /// Code of the continent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continent: Option<Arc<str>>,
    /// Code of the state or province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Arc<str>>,
    /// Name of the city.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<Arc<str>>,
    /// What it is said to hide behind: `vpn`, `tor`, `proxy`, `residential_proxy`, `hosting`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anonymous: Vec<Arc<str>>,
}

/// The autonomous system that it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct As {
    /// Its number.
    pub number: u32,
    /// Who runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<Arc<str>>,
}

impl fmt::Display for As {
    /// `AS64500 Example`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AS{}", self.number)?;
        let mut organization = self.organization.iter();
        organization.try_for_each(|name| write!(f, " {name}"))
    }
}

/// What is known of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Where it is.
    pub geo: Option<Geo>,
    /// Whose it is.
    pub network: Option<As>,
}

impl Place {
    /// The same, with what another database says besides.
    fn or(self, other: Self) -> Self {
        Self {
            geo: match (self.geo, other.geo) {
                (Some(one), Some(other)) => Some(Geo {
                    country: one.country.or(other.country),
                    registered_country: one.registered_country.or(other.registered_country),
                    continent: one.continent.or(other.continent),
                    region: one.region.or(other.region),
                    city: one.city.or(other.city),
                    anonymous: if one.anonymous.is_empty() {
                        other.anonymous
                    } else {
                        one.anonymous
                    },
                }),
                (one, other) => one.or(other),
            },
            network: self.network.or(other.network),
        }
    }
}

/// Databases, in the order in which they are believed.
#[derive(Debug, Default)]
pub struct Databases(pub Vec<Arc<Database>>);

impl Databases {
    /// What they say of an address. The first that says something is believed.
    #[must_use]
    pub fn place(&self, ip: IpAddr, scope: Scope) -> Place {
        if scope != Scope::External {
            return Place::default();
        }
        let ip = ip.to_canonical();
        let places = self.0.iter().map(|database| database.place(ip));
        places.fold(Place::default(), Place::or)
    }
}
