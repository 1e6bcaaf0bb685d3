//! conntracer at its edges: its command line, its output, its files, its end.
//!
//! Each test that traces does so in a network namespace of its own.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

mod discovery;
mod doctor;
mod endings;
mod files;
mod flags;
mod generated;
mod hostile;
mod hosts;
mod nemesis;
mod privileges;
mod program;
mod schema;
mod self_test;
mod shown;
mod table;
mod top;
mod usage;
