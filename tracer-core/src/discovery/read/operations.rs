//! Events of clouds of which an operation has several: one for its beginning and one for its end.

use std::mem;

use serde_json::Value;

use super::{
    Reader, Unreadable,
    json::{self, Told, Values},
    recent::Seen,
};
use crate::discovery::{Act, Origin};

/// How many acts of one list are put in order.
const ACTS_MAX: usize = 1 << 18;

/// Reads them: of each operation the first that was.
#[derive(Debug)]
pub struct Operations {
    values: Values,
    /// What a document that is not at its end has told: a list has the newest first.
    found: Vec<Act>,
    seen: Seen,
    read: fn(&Value, &Origin) -> Result<Option<Act>, Unreadable>,
    is_new: fn(&mut Seen, &Act) -> bool,
}

impl Operations {
    /// `read`: what an event says. `is_new`: whether an act is the first of its operation.
    pub fn new(
        read: fn(&Value, &Origin) -> Result<Option<Act>, Unreadable>,
        is_new: fn(&mut Seen, &Act) -> bool,
    ) -> Self {
        Self {
            values: Values::default(),
            found: Vec::new(),
            seen: Seen::default(),
            read,
            is_new,
        }
    }

    fn take(&mut self, told: Told, acts: &mut Vec<Act>) -> Result<(), Unreadable> {
        let (found, result) = json::each(told, self.read);
        self.found.extend(found);
        if !self.values.is_open() || self.found.len() > ACTS_MAX {
            let mut found = mem::take(&mut self.found);
            found.sort_by_key(|act| act.time);
            let is_new = |act: &Act| (self.is_new)(&mut self.seen, act);
            acts.extend(found.into_iter().filter(is_new));
        }
        result
    }
}

impl Reader<Act> for Operations {
    fn line(&mut self, line: &str, origin: &Origin, acts: &mut Vec<Act>) -> Result<(), Unreadable> {
        let told = self.values.line(line, origin);
        self.take(told, acts)
    }

    fn end(&mut self, acts: &mut Vec<Act>) -> Result<(), Unreadable> {
        let told = self.values.end();
        self.take(told, acts)
    }
}
