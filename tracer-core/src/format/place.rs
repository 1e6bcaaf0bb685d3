//! Where a host is: for people, and as schemas of others have it.
//!
//! Fields: <https://www.elastic.co/docs/reference/ecs/ecs-geo>, <https://www.elastic.co/docs/reference/ecs/ecs-as>,
//! <https://schema.ocsf.io/1.8.0/objects/location>, <https://schema.ocsf.io/1.8.0/objects/autonomous_system>

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

/// `geo` of ECS
pub fn geo(geo: Option<&Geo>) -> Object {
    let Some(geo) = geo else {
        return Object::default();
    };
    Object::default()
        .known("country_iso_code", geo.country.as_deref())
        .known("continent_code", geo.continent.as_deref())
        .known("region_iso_code", region_code(geo))
        .known("region_name", region_name(geo))
        .known("city_name", geo.city.as_deref())
}

/// `location` of OCSF
pub fn location(geo: Option<&Geo>) -> Object {
    let Some(geo) = geo else {
        return Object::default();
    };
    Object::default()
        .known("country", geo.country.as_deref())
        .known("region", region_code(geo))
        .known("city", geo.city.as_deref())
}

/// ISO 3166-2, with the country: databases have it without.
fn region_code(geo: &Geo) -> Option<String> {
    let region = geo.region.as_deref().filter(|region| is_code(region))?;
    Some(format!("{}-{region}", geo.country.as_deref()?))
}

/// Of databases that have no codes.
fn region_name(geo: &Geo) -> Option<&str> {
    geo.region.as_deref().filter(|region| !is_code(region))
}

fn is_code(region: &str) -> bool {
    let is_of_codes = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    region.len() <= 3 && region.bytes().all(is_of_codes)
}

/// `autonomous_system` of OCSF
pub fn autonomous_system(network: Option<&As>) -> Object {
    let Some(network) = network else {
        return Object::default();
    };
    Object::default()
        .with("number", network.number)
        .known("name", network.organization.as_deref())
}

/// `as` of ECS
pub fn network(network: Option<&As>) -> Object {
    let Some(network) = network else {
        return Object::default();
    };
    let organization = Object::default().known("name", network.organization.as_deref());
    Object::default()
        .with("number", network.number)
        .part("organization", organization)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn regions_are_codes_with_their_country_or_names() {
        let of = |region: &str| {
            let geo = Geo {
                country: Some("CH".into()),
                region: Some(region.into()),
                ..Geo::default()
            };
            (
                Value::from(super::geo(Some(&geo))),
                Value::from(location(Some(&geo))),
            )
        };
        let (ecs, ocsf) = of("VD");
        assert_eq!(
            ecs,
            json!({"country_iso_code": "CH", "region_iso_code": "CH-VD"})
        );
        assert_eq!(ocsf, json!({"country": "CH", "region": "CH-VD"}));
        let (ecs, ocsf) = of("Vaud");
        assert_eq!(
            ecs,
            json!({"country_iso_code": "CH", "region_name": "Vaud"})
        );
        assert_eq!(ocsf, json!({"country": "CH"}));
    }
}
