//! Events of MISP (<https://www.misp-standard.org/rfc/misp-standard-core.html>).
//!
//! Only attributes that are for detection are indicators; the others are what an analyst noted around
//! them. `first_seen` and `last_seen` say when something was observed, not how long it holds.

use serde_json::{Map, Value};

use super::{
    super::feed::{About, Gathering, Place},
    kinds,
};
use crate::logs::Unreadable;

/// What the format is called.
pub const FORMAT: &str = "misp";

type Object = Map<String, Value>;

/// Whether it is an event, or has one in it.
pub fn is_event(object: &Object) -> bool {
    let has_attributes = object.get("Attribute").is_some_and(Value::is_array);
    has_attributes || object.get("Event").is_some_and(Value::is_object)
}

/// What a server answers: events, or attributes.
pub fn response(response: &Value, gathering: &mut Gathering) -> Result<&'static str, Unreadable> {
    let events = match response {
        Value::Array(events) => events.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut is_any = false;
    for (number, value) in (1..).zip(events) {
        let place = Place::Entry("event", number);
        match value.as_object().filter(|object| is_event(object)) {
            Some(object) => {
                is_any = true;
                event(object, place, gathering);
            }
            None => gathering.problem(place, || "no event of MISP".into()),
        }
    }
    if is_any {
        return Ok(FORMAT);
    }
    Err(Unreadable::new("a response without an event of MISP"))
}

/// Takes an event, or what it is in.
pub fn event(object: &Object, place: Place, gathering: &mut Gathering) {
    let event = object
        .get("Event")
        .and_then(Value::as_object)
        .unwrap_or(object);
    let label = event.get("info").and_then(Value::as_str);
    let own = list(event, "Attribute");
    let objects = list(event, "Object").filter_map(|object| {
        let is_there = !flag(object.get("deleted"));
        is_there.then(|| object.get("Attribute")?.as_array())?
    });
    for (number, value) in (1..).zip(own.chain(objects.flatten())) {
        let place = within(place, number);
        attribute(value, place, label, gathering);
    }
}

/// Of the only event the attribute is told, of others the event.
fn within(place: Place, number: u64) -> Place {
    match place {
        Place::Entry("value" | "event", 1) => Place::Entry("attribute", number),
        other => other,
    }
}

fn list<'a>(object: &'a Object, key: &str) -> impl Iterator<Item = &'a Value> {
    let found = object.get(key).and_then(Value::as_array);
    found.map(Vec::as_slice).unwrap_or_default().iter()
}

fn attribute(value: &Value, place: Place, label: Option<&str>, gathering: &mut Gathering) {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    if flag(value.get("deleted")) {
        return gathering.skip("deleted");
    }
    if !flag(value.get("to_ids")) {
        return gathering.skip(kinds::NOT_FOR_DETECTION);
    }
    let (Some(kind), Some(written)) = (text("type"), text("value")) else {
        return gathering.problem(place, || "an attribute without type or value".into());
    };
    // An answer with single attributes has the event in each.
    let info = || value.pointer("/Event/info").and_then(Value::as_str);
    let about = About {
        label: label.or_else(info),
        ..About::default()
    };
    kinds::take(gathering, place, kind, written, &about);
}

/// A flag, as older servers write it, too.
fn flag(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(is_so)) => *is_so,
        Some(Value::Number(number)) => number.as_u64() == Some(1),
        Some(Value::String(text)) => kinds::is_true(text),
        _ => false,
    }
}
