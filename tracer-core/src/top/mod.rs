//! A live table of connections or hosts: what it knows, what is shown of it, and how that is drawn.
//!
//! Records go into the [`Model`]; keys go to the [`View`], which takes from the model what it shows and
//! draws it. Neither knows a terminal or a clock: a frame and the time are handed in.

mod column;
mod details;
mod draw;
mod filter;
mod hosts;
mod keys;
mod list;
mod model;
mod seen;
mod status;
mod table;
#[cfg(test)]
mod tests;
mod view;

pub use self::{
    draw::Look,
    keys::{Action, Key},
    model::Model,
    view::View,
};
