//! In which order rows are shown, and what they are grouped by.

use std::{
    cmp::{Ordering, Reverse},
    collections::HashMap,
};

use super::row::{Moved, Row};

/// What rows are grouped by. A connection is in the row of its group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// Nothing.
    #[default]
    None,
    /// The address of the other host.
    External,
    /// The user who used the connection last.
    User,
    /// The name of the process that did.
    Process,
    /// The container it is in.
    Container,
}

impl Grouping {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "",
            Self::External => "external",
            Self::User => "user",
            Self::Process => "process",
            Self::Container => "container",
        }
    }
}

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// What has moved most, both ways.
    #[default]
    Bytes,
    /// Most connections.
    Connections,
    /// Most failed attempts.
    Failed,
    /// Seen last.
    LastSeen,
    /// Seen first.
    FirstSeen,
    /// The lowest address and port of the destination.
    Destination,
}

/// By how much a row comes first: a bigger one does.
type Weight = (Reverse<bool>, u128, Reverse<String>, String);

impl Sort {
    fn weight(self, row: &Row) -> u128 {
        match self {
            Self::Bytes => {
                let moved = row.bytes_total.or(row.bytes);
                moved.map_or(0, Moved::both)
            }
            Self::Connections => row.connections.into(),
            Self::Failed => row.failed.values().map(|count| u128::from(*count)).sum(),
            Self::LastSeen | Self::FirstSeen | Self::Destination => 0,
        }
    }

    /// Of rows that belong together: what they weigh together.
    fn weigh(self, rows: &[&Row]) -> Weight {
        let is_unused = rows.iter().all(|row| row.source.is_none());
        let sum = rows.iter().map(|row| self.weight(row)).sum();
        let first = rows.iter().map(|row| row.first_seen.clone()).min();
        let last = rows.iter().map(|row| row.last_seen.clone()).max();
        let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
        match self {
            Self::FirstSeen => (Reverse(is_unused), sum, Reverse(first), last),
            Self::LastSeen => (Reverse(is_unused), sum, Reverse(String::new()), last),
            _ => (
                Reverse(is_unused),
                sum,
                Reverse(String::new()),
                String::new(),
            ),
        }
    }
}

/// Puts rows in order: groups by what is in them, and rows within their group. Listeners that nobody used
/// come last.
pub fn arrange(rows: &mut [Row], sort: Sort) {
    let mut members: HashMap<&str, Vec<&Row>> = HashMap::new();
    for row in &*rows {
        if let Some(group) = &row.group {
            members.entry(&group.name).or_default().push(row);
        }
    }
    let groups: HashMap<String, Weight> = members
        .into_iter()
        .map(|(name, rows)| (name.to_owned(), sort.weigh(&rows)))
        .collect();
    rows.sort_by(|one, other| {
        let of_groups = match (&one.group, &other.group) {
            (Some(one), Some(other)) => {
                let by_weight = groups.get(&other.name).cmp(&groups.get(&one.name));
                by_weight.then_with(|| one.name.cmp(&other.name))
            }
            _ => Ordering::Equal,
        };
        of_groups
            .then_with(|| sort.weigh(&[other]).cmp(&sort.weigh(&[one])))
            .then_with(|| one.place().cmp(&other.place()))
    });
}
