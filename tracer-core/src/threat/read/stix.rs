//! Bundles of STIX 2.1
//! (<https://docs.oasis-open.org/cti/stix/v2.1/os/stix-v2.1-os.html>), of which the indicators are read.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    super::feed::{About, Gathering, Place, cut},
    pattern,
};

/// What the format is called.
pub const FORMAT: &str = "stix";

type Object = Map<String, Value>;

/// Takes the objects of a bundle.
pub fn objects<'a>(objects: impl Iterator<Item = &'a Object> + Clone, gathering: &mut Gathering) {
    let newest = newest(objects.clone());
    for (number, object) in (1..).zip(objects) {
        let place = Place::Entry("object", number);
        let kind = text(object, "type").unwrap_or_default();
        if kind != "indicator" {
            gathering.skip(&format!("object of type {kind}"));
        } else if is_outdated(object, &newest) {
            gathering.skip("older version");
        } else if object.get("revoked") == Some(&Value::Bool(true)) {
            gathering.skip("revoked");
        } else if let Err(why) = indicator(object, place, gathering) {
            gathering.problem(place, || why);
        }
    }
}

/// Of each object with versions, when the newest was made: a collection may have all of them, and the
/// newest may revoke it.
fn newest<'a>(objects: impl Iterator<Item = &'a Object>) -> HashMap<&'a str, Timestamp> {
    let mut newest = HashMap::new();
    for (id, modified) in objects.filter_map(version) {
        let known = newest.entry(id).or_insert(modified);
        *known = modified.max(*known);
    }
    newest
}

fn version(object: &Object) -> Option<(&str, Timestamp)> {
    let id = text(object, "id").filter(|id| id.starts_with("indicator--"))?;
    Some((id, text(object, "modified")?.parse().ok()?))
}

fn is_outdated(object: &Object, newest: &HashMap<&str, Timestamp>) -> bool {
    let of = version(object);
    of.is_some_and(|(id, modified)| newest.get(id).is_some_and(|newest| modified < *newest))
}

fn text<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str()
}

fn indicator(object: &Object, place: Place, gathering: &mut Gathering) -> Result<(), String> {
    // STIX 2.0 has no type of patterns: all are its own.
    let kind = text(object, "pattern_type").unwrap_or("stix");
    if kind != "stix" {
        gathering.skip(&format!("pattern of type {kind}"));
        return Ok(());
    }
    let written = text(object, "pattern").ok_or("an indicator without a pattern")?;
    let about = About {
        label: text(object, "name"),
        confidence: confidence(object),
        valid_from: time(object, "valid_from")?,
        valid_until: time(object, "valid_until")?,
        ..About::default()
    };
    let meaning = match pattern::read(written) {
        Ok(meaning) => meaning,
        Err(pattern::Error::NotSupported(what)) => {
            gathering.skip(&format!("pattern with {what}"));
            return Ok(());
        }
        Err(pattern::Error::Broken(why)) => {
            return Err(format!("pattern `{}`: {why}", cut(written)));
        }
    };
    for why in &meaning.refused {
        gathering.skip(&format!("pattern with {why}"));
    }
    for meant in &meaning.alternatives {
        let (kind, port) = (meant.kind, meant.port);
        match &meant.host {
            Some(host) => gathering.take(
                place,
                host,
                &About {
                    kind,
                    port,
                    ..about
                },
            ),
            None => gathering.skip("pattern without an address or a name"),
        }
    }
    Ok(())
}

fn confidence(object: &Object) -> Option<u8> {
    u8::try_from(object.get("confidence")?.as_u64()?).ok()
}

/// A time, if there is one. One that cannot be read is no reason to hold for ever.
fn time(object: &Object, key: &str) -> Result<Option<Timestamp>, String> {
    let Some(value) = object.get(key).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let parsed = value.as_str().and_then(|text| text.parse().ok());
    parsed.map(Some).ok_or_else(|| format!("{key} is no time"))
}
