//! The history of a host: what an agent keeps of connections, in an embedded database.
//!
//! One writes ([`Writer`]), anybody reads. What the tables mean is in `schema.sql`.

mod book;
mod dictionary;
mod lock;
mod open;
mod queue;
pub mod read;
mod retention;
mod rollup;
mod row;
mod schema;
mod sweep;
mod write;

pub use self::{
    book::Book,
    queue::Settings,
    retention::{Keep, prune},
    row::nanoseconds,
    write::{Handle, Progress, Writer},
};
#[cfg(test)]
mod tests;
