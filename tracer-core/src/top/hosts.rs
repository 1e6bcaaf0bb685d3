//! The rows of hosts: which columns there is room for, and what names a row.

use std::net::IpAddr;

use super::column::{Known, fit};
use crate::{
    clock::Clock,
    format::{
        cut::Cut,
        hosts::cells::Column::{
            self, Arrow, Connections, Destination, Failed, Home, Last, Name, Process, Protocol,
            Service, Source, State, Threat, Total, User, Where,
        },
    },
    hosts::{Row, Sort},
    protocol::Protocol as Spoken,
    scope::Scope,
};

/// Columns in the order in which they are shown, with what they need.
const SHOWN: [(Column, usize); 16] = [
    (Source, 15),
    (Arrow, 2),
    (Destination, 21),
    (Protocol, 5),
    (Service, 10),
    (Name, 20),
    (Where, 20),
    (Threat, 20),
    (State, 11),
    (Connections, 8),
    (Failed, 12),
    (Total, 15),
    (Process, 13),
    (User, 10),
    (Last, 9),
    (Home, 18),
];

/// What matters most first: what there is room for is shown.
const WANTED: [Column; 16] = [
    Destination,
    Source,
    Arrow,
    Threat,
    Connections,
    Total,
    Process,
    Failed,
    User,
    Protocol,
    State,
    Name,
    Where,
    Last,
    Service,
    Home,
];

/// Columns that get the room that is left, in this order, and how much of it.
const GROWING: [(Column, usize); 6] = [
    (Process, 11),
    (Threat, 20),
    (Source, 24),
    (Destination, 26),
    (Name, 20),
    (Where, 12),
];

/// In which order rows can be shown.
pub const SORTS: [(Sort, &str); 6] = [
    (Sort::Bytes, "bytes"),
    (Sort::Connections, "connections"),
    (Sort::Failed, "failed"),
    (Sort::LastSeen, "last seen"),
    (Sort::FirstSeen, "first seen"),
    (Sort::Destination, "destination"),
];

/// What names a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowName {
    /// Without a source it is a listener.
    has_source: bool,
    source: Option<IpAddr>,
    destination: (Option<IpAddr>, Option<u16>),
    protocol: Spoken,
    netns: Option<u32>,
}

impl From<&Row> for RowName {
    fn from(row: &Row) -> Self {
        Self {
            has_source: row.source.is_some(),
            source: row.source.as_ref().and_then(|source| source.ip),
            destination: (row.destination.ip, row.destination.port),
            protocol: row.protocol,
            netns: row.netns,
        }
    }
}

/// The columns that there is room for, and how wide they are.
pub fn columns(known: Known, width: usize) -> Vec<(Column, usize)> {
    let is_known = |column: &Column| match column {
        Threat => known.threats,
        Where => known.places,
        _ => true,
    };
    let wanted: Vec<Column> = WANTED.into_iter().filter(is_known).collect();
    fit(&SHOWN, &wanted, &GROWING, width)
}

/// What a column says of a row where there is so much room.
pub fn cell(column: Column, row: &Row, clock: &Clock, room: usize) -> String {
    let text = column.cell(row, clock, room);
    let cut = match column {
        // What tells addresses of one network apart is at their end.
        Source | Destination | Name => Cut::Beginning,
        _ => Cut::End,
    };
    cut.apply(&text, room)
}

/// Whether it is about a host that is external.
pub fn is_external(row: &Row) -> bool {
    row.scope == Some(Scope::External)
}

/// What a filter is looked for in, in lower case.
pub fn words(row: &Row, clock: &Clock) -> String {
    let texts = SHOWN.map(|(column, _)| column.cell(row, clock, usize::MAX));
    texts.join(" ").to_lowercase()
}
