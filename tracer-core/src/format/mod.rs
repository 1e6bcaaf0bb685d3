//! Records as they are shown.

mod columns;
mod json;
mod table;

pub use self::{
    json::Json,
    table::{Layout, Table},
};
use crate::{clock::Clock, record::Record};

/// A way to write records.
pub trait Format {
    /// Appends one record, complete with its line end.
    fn write(&mut self, record: &Record, clock: &Clock, out: &mut Vec<u8>);
}
