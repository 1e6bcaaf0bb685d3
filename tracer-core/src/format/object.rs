//! Objects of JSON for the formats of others, in which what is not known is absent.

use serde::Serialize;
use serde_json::{Map, Value};

/// An object that is put together. Its keys come out in the order of the alphabet.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Object(Map<String, Value>);

impl Object {
    /// With a value that is known.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// With a value, if it is known.
    #[must_use]
    pub fn known(self, key: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// With a text, unless it is empty.
    #[must_use]
    pub fn text(self, key: &str, text: &str) -> Self {
        self.known(key, (!text.is_empty()).then(|| text.to_owned()))
    }

    /// With an object, if there is anything in it.
    #[must_use]
    pub fn part(self, key: &str, part: Self) -> Self {
        self.known(key, (!part.0.is_empty()).then_some(part))
    }

    /// With a list, if there is anything in it.
    #[must_use]
    pub fn list<T: Into<Value>>(self, key: &str, items: impl IntoIterator<Item = T>) -> Self {
        let items: Vec<Value> = items.into_iter().map(Into::into).collect();
        self.known(key, (!items.is_empty()).then_some(items))
    }

    /// With a value as the contract of records writes it, unless that is nothing.
    #[must_use]
    pub fn own(self, key: &str, value: &impl Serialize) -> Self {
        // What a record has, JSON can say.
        let value = serde_json::to_value(value).unwrap_or_default();
        let is_nothing = match &value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(items) => items.is_empty(),
            _ => false,
        };
        if is_nothing {
            self
        } else {
            self.with(key, value)
        }
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_absent() {
        let object = Object::default()
            .with("a", 1)
            .known("b", None::<u32>)
            .part("c", Object::default())
            .part("d", Object::default().with("e", "f"))
            .list("g", Vec::<u32>::new())
            .list("h", [2])
            .own("i", &None::<u32>)
            .own("j", &false)
            .own("k", &Some(3));
        let value = Value::from(object);
        assert_eq!(
            value,
            serde_json::json!({"a": 1, "d": {"e": "f"}, "h": [2], "k": 3})
        );
    }
}
