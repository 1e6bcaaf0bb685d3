//! The door to the outside: where records and recordings are written.

pub mod file;
pub mod lines;
pub mod pipe;
pub mod progress;
pub mod recorder;
pub mod screen;
pub mod sink;
pub mod stdout;
pub mod tee;
pub mod terminal;
