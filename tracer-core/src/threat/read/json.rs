//! Feeds in JSON: a document, or a value a line.
//!
//! Spamhaus' lists (<https://www.spamhaus.org/drop/drop_v4.json>), exports and answers of `ThreatFox`
//! (<https://threatfox.abuse.ch/api/>), warninglists of MISP (<https://github.com/MISP/misp-warninglists>),
//! and plain lists; events of MISP and bundles of STIX are read beside this.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{
    super::feed::{About, Gathering, Kind, Place, Role, cut},
    misp, row, stix,
};
use crate::logs::Unreadable;

type Object = Map<String, Value>;

/// Whether a text that begins so is JSON: a list of addresses may begin with a bracket, too.
pub fn is_json(begin: &str) -> bool {
    match begin.split_at_checked(1) {
        Some(("{", rest)) => rest.trim_start().starts_with(['"', '}']),
        Some(("[", rest)) => rest.trim_start().starts_with(['{', '"', '[', ']']),
        _ => false,
    }
}

/// Reads a document, or a value a line.
pub fn read(text: &str, gathering: &mut Gathering) -> Result<&'static str, Unreadable> {
    match serde_json::from_str(text) {
        Ok(document) => self::document(&document, gathering),
        Err(_) if is_a_line_each(text) => Ok(lines(text, gathering)),
        Err(error) => Err(Unreadable(format!("broken JSON: {error}"))),
    }
}

fn is_a_line_each(text: &str) -> bool {
    // One of the first two, for the first may be what is broken; of a document of many lines, neither is
    // an object by itself.
    let mut first = text.lines().filter(|line| !line.trim().is_empty()).take(2);
    let is_object = |line: &str| serde_json::from_str::<Object>(line).is_ok();
    text.trim_start().starts_with('{') && first.any(is_object)
}

/// A value a line: a line that is broken takes nothing else with it.
fn lines(text: &str, gathering: &mut Gathering) -> &'static str {
    let mut format = None;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let place = Place::Line(number);
        match serde_json::from_str::<Object>(line) {
            Ok(object) => match self::object(&object, place, gathering) {
                Ok(found) => format = format.or(Some(found)),
                Err(why) => gathering.problem(place, || why.0),
            },
            Err(error) => gathering.problem(place, || format!("broken JSON: {error}")),
        }
    }
    format.unwrap_or("json")
}

fn document(value: &Value, gathering: &mut Gathering) -> Result<&'static str, Unreadable> {
    match value {
        Value::Object(object) => self::object(object, Place::Entry("value", 1), gathering),
        Value::Array(all) => items(all, gathering),
        _ => Err(Unreadable::new("JSON, but neither an object nor a list")),
    }
}

/// A list: of texts, of rows, of events.
fn items(all: &[Value], gathering: &mut Gathering) -> Result<&'static str, Unreadable> {
    let mut result = Err(Unreadable::new("a list in JSON with nothing known in it"));
    for (number, value) in (1..).zip(all) {
        let place = Place::Entry("entry", number);
        let read = match value {
            Value::String(text) => {
                gathering.take(place, text, &About::default());
                Ok("json")
            }
            Value::Object(object) => self::object(object, place, gathering),
            _ => Err(Unreadable::new("neither a text nor an object")),
        };
        match (read, &result) {
            (Ok(format), Err(_)) => result = Ok(format),
            (Ok(_), Ok(_)) => {}
            (Err(why), _) => {
                if result.is_err() {
                    result = Err(why.clone());
                }
                gathering.problem(place, || why.0);
            }
        }
    }
    result
}

/// An object, by what is in it.
fn object(
    object: &Object,
    place: Place,
    gathering: &mut Gathering,
) -> Result<&'static str, Unreadable> {
    let is_type = |kind: &str| object.get("type").is_some_and(|found| found == kind);
    let list = |key: &str| object.get(key).and_then(Value::as_array);
    if misp::is_event(object) {
        misp::event(object, place, gathering);
        return Ok(misp::FORMAT);
    }
    if let Some(response) = object.get("response") {
        return misp::response(response, gathering);
    }
    if let Some(objects) = list("objects") {
        stix::objects(objects.iter().filter_map(Value::as_object), gathering);
        return Ok(stix::FORMAT);
    }
    if object.contains_key("spec_version") || object.contains_key("pattern") {
        stix::objects(std::iter::once(object), gathering);
        return Ok(stix::FORMAT);
    }
    if let Some(list) = list("list") {
        return warninglist(object, list, gathering);
    }
    if is_type("metadata") {
        return Ok(SPAMHAUS);
    }
    if let Some(rows) = list("data") {
        self::rows(rows.iter(), gathering);
        return Ok(THREATFOX);
    }
    if object.keys().any(|key| row::is_value(key)) {
        row::take(gathering, place, &|name| cell(object, name));
        let is_spamhaus = object.contains_key("cidr") && object.contains_key("sblid");
        return Ok(if is_spamhaus { SPAMHAUS } else { "json" });
    }
    if is_export(object) {
        let rows = object.values().filter_map(Value::as_array).flatten();
        self::rows(rows, gathering);
        return Ok(THREATFOX);
    }
    let keys: Vec<&str> = object.keys().map(String::as_str).take(8).collect();
    let why = format!(
        "JSON of no known format, with the keys {}",
        cut(&keys.join(", "))
    );
    Err(Unreadable(why))
}

const SPAMHAUS: &str = "spamhaus";
const THREATFOX: &str = "threatfox";

/// Whether it is what `ThreatFox` exports: lists of rows by number.
fn is_export(object: &Object) -> bool {
    let is_row = |row: &Value| row.get("ioc_value").is_some();
    let mut lists = object.values();
    lists.any(|list| list.as_array().is_some_and(|rows| rows.iter().any(is_row)))
}

fn rows<'a>(rows: impl Iterator<Item = &'a Value>, gathering: &mut Gathering) {
    for (number, row) in (1..).zip(rows) {
        let place = Place::Entry("entry", number);
        match row.as_object() {
            Some(object) => row::take(gathering, place, &|name| cell(object, name)),
            None => gathering.problem(place, || "no object".into()),
        }
    }
}

/// What an object has under a name.
fn cell<'a>(object: &'a Object, name: &str) -> Option<Cow<'a, str>> {
    match object.get(name)? {
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(Cow::Borrowed(text.trim())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        other => Some(Cow::Owned(other.to_string())),
    }
}

/// A warninglist of MISP: what is known and harmless, or at least no indicator.
fn warninglist(
    object: &Object,
    list: &[Value],
    gathering: &mut Gathering,
) -> Result<&'static str, Unreadable> {
    if gathering.role == Role::Bad {
        return Err(Unreadable::new(
            "a warninglist of MISP, which says what is harmless: it can only be an allow-list",
        ));
    }
    let kind = match object.get("type").and_then(Value::as_str) {
        Some("cidr") => Kind::Address,
        Some("hostname") => Kind::Domain,
        Some("string") | None => Kind::Any,
        Some(other) => {
            let why = format!("a warninglist of type {}, which is not read", cut(other));
            return Err(Unreadable(why));
        }
    };
    let label = object.get("name").and_then(Value::as_str);
    let about = About {
        kind,
        label,
        ..About::default()
    };
    for (number, value) in (1..).zip(list) {
        let place = Place::Entry("entry", number);
        match value.as_str() {
            Some(text) => gathering.take(place, text, &about),
            None => gathering.problem(place, || "no text".into()),
        }
    }
    Ok("warninglist")
}
