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

use std::path::Path;

pub use self::{
    book::Book,
    queue::{Settings, Standing},
    retention::{Keep, prune},
    row::nanoseconds,
    write::{Handle, Progress, Writer},
};

/// How large a history is with what is not yet in its place (the WAL), in bytes. What is not there has none.
pub fn size(path: &Path) -> u64 {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let of = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    of(path) + of(Path::new(&wal))
}

#[cfg(test)]
mod tests;
