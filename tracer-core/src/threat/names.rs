//! Which names of a table a name is, or is below.

use std::sync::Arc;

use super::index::Entry;

/// Names and what is said of them, ascending by name.
#[derive(Clone, Debug, Default)]
pub struct Names {
    all: Vec<(Arc<str>, Entry)>,
}

impl Names {
    /// From names in any order.
    pub fn new(mut all: Vec<(Arc<str>, Entry)>) -> Self {
        all.sort_unstable();
        Self { all }
    }

    /// Whether nothing is said of any.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What is said of a name and of those it is below, the longest first, with the name of which it is said.
    /// The name is in the form in which names are compared.
    pub fn around<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, Entry)> {
        let above = |name: &&'a str| name.split_once('.').map(|(_, rest)| rest);
        std::iter::successors(Some(name), above)
            .flat_map(|name| self.of(name).map(move |entry| (name, entry)))
    }

    /// What is said of just this name.
    fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Entry> + 'a {
        let begin = self.all.partition_point(|(one, _)| one.as_ref() < name);
        self.all
            .iter()
            .skip(begin)
            .take_while(move |(one, _)| one.as_ref() == name)
            .map(|(_, entry)| *entry)
    }
}
