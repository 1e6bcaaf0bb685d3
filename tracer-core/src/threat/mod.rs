//! Indicators of compromise: what feeds say is bad, and which connections and names meet it.
//!
//! A feed is a file that the user names. [`read`] says what one holds, whatever its format, and
//! [`Indicators`] answers for all of them together. Two rules hold throughout. A feed is never made to say
//! more than it does: what is understood by half is left out and counted. And in doubt a hit is told
//! rather than kept silent: a responder can put it aside, and cannot see what was never shown.

mod feed;
mod index;
mod indicator;
mod indicators;
mod names;
mod read;
mod value;

#[cfg(test)]
mod tests;

pub use self::{
    feed::{Feed, First, Problem},
    indicator::{Hit, Indicator, What},
    indicators::{Indicators, Options},
    read::{read, read_allowed},
};
