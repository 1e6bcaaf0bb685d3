//! Recordings, and what is made of them on any machine.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

mod arguments;
mod changed;
mod cut;
mod elsewhere;
mod golden;
mod hidden;
mod run;
mod selection;
mod story;
