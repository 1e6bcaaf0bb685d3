//! What stands above the rows of a group.

use std::collections::BTreeSet;

use crate::{
    clock::Clock,
    format::quantity::{counted, size},
    hosts::{Grouping, Moved, Row, User},
    text::printable,
};

/// What a group is of; of an account also whose it is, with whom it communicated, how much, and since when.
pub fn heading(rows: &[Row], clock: &Clock) -> String {
    let Some(group) = rows.first().and_then(|row| row.group.as_ref()) else {
        return String::new();
    };
    let name = format!("{} {}", group.by, printable(&group.name));
    if group.by != Grouping::User.word() {
        return name;
    }
    let is_it = |user: &&User| user.label() == group.name;
    let users = rows.iter().flat_map(|row| &row.users);
    let profile = users.filter(is_it).find_map(|user| user.profile.as_ref());
    let person = profile.into_iter().flat_map(|profile| {
        let person = profile.name.iter().chain(&profile.department);
        person.map(|word| printable(word))
    });
    let destinations: BTreeSet<_> = rows
        .iter()
        .map(|row| (row.destination.ip, row.destination.port))
        .collect();
    let bytes = rows.iter().filter_map(|row| row.bytes).map(Moved::both);
    let bytes = u64::try_from(bytes.sum::<u128>()).unwrap_or(u64::MAX);
    let sums = [
        Some(counted(destinations.len() as u64, "destination")),
        (bytes > 0).then(|| size(bytes)),
        rows.iter()
            .map(|row| row.first_seen.as_str())
            .min()
            .map(|first| format!("first seen {}", clock.local_day(first))),
    ];
    let parts: Vec<String> = std::iter::once(name)
        .chain(person)
        .chain(sums.into_iter().flatten())
        .collect();
    parts.join(", ")
}
