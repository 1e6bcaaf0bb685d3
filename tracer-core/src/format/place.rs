//! Where a host is: for people, and as the Elastic Common Schema has it.
//!
//! Fields: <https://www.elastic.co/docs/reference/ecs/ecs-geo>, <https://www.elastic.co/docs/reference/ecs/ecs-as>

use super::object::Object;
use crate::{
    geo::{As, Geo},
    text::printable,
};

/// Country and autonomous system, for people.
pub fn words(geo: Option<&Geo>, network: Option<&As>) -> String {
    let country = geo.and_then(|geo| geo.country.as_ref());
    let country = country.map(ToString::to_string);
    let words: Vec<String> = country
        .into_iter()
        .chain(network.map(ToString::to_string))
        .collect();
    printable(&words.join(" "))
}

/// `geo`
pub fn geo(geo: Option<&Geo>) -> Object {
    let Some(geo) = geo else {
        return Object::default();
    };
    Object::default()
        .known("country_iso_code", geo.country.as_deref())
        .known("continent_code", geo.continent.as_deref())
        .known("region_iso_code", geo.region.as_deref())
        .known("city_name", geo.city.as_deref())
}

/// `as`
pub fn network(network: Option<&As>) -> Object {
    let Some(network) = network else {
        return Object::default();
    };
    let organization = Object::default().known("name", network.organization.as_deref());
    Object::default()
        .with("number", network.number)
        .part("organization", organization)
}
