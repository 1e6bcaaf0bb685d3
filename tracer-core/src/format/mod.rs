//! Records as they are shown.

mod bounded;
mod columns;
mod csv;
pub(crate) mod cut;
mod ecs;
mod ends;
pub mod findings;
pub mod flows;
pub mod hosts;
mod indicators;
mod json;
mod machine;
pub mod nemesis;
mod object;
mod ocsf;
pub(crate) mod place;
pub(crate) mod quantity;
pub(crate) mod table;

pub use self::{
    bounded::Bounded,
    columns::Choice,
    csv::Csv,
    ecs::Ecs,
    json::Json,
    nemesis::Nemesis,
    ocsf::Ocsf,
    table::{Layout, Table},
};
use crate::{clock::Clock, record::Record};

/// A way to write records.
pub trait Format {
    /// Appends one record, complete with its line end.
    fn write(&mut self, record: &Record, clock: &Clock, out: &mut Vec<u8>);

    /// Appends what it kept back: no record follows.
    fn end(&mut self, _out: &mut Vec<u8>) {}
}
