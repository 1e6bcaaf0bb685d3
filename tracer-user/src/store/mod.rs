//! The history of a host: what an agent keeps of connections, in an embedded database.
//!
//! One writes ([`Writer`]), anybody reads. What the tables mean is in `schema.sql`.

mod book;
mod dictionary;
mod lock;
mod open;
pub mod read;
mod rollup;
mod row;
pub mod schema;
#[cfg(test)]
mod tests;
