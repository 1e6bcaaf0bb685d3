//! The door to the outside: where records and recordings are written.

pub mod file;
pub mod recorder;
pub mod sink;
pub mod terminal;
