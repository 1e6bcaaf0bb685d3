//! Flows as others tell them: firewalls, routers, clouds and sensors, by what they log or export.
//!
//! Whatever the format, a [`Flow`] comes out, so that the logs of all can be asked the same questions.

pub mod attribute;
pub mod export;
mod flow;
pub mod ip;
mod named;
pub mod read;
mod rules;
mod selected;

pub use self::{
    flow::{Action, Amount, End, Flow, Format, Icmp, Nat, Origin, Packet, Side, Stage, TcpFlags},
    named::Named,
    rules::Rules,
    selected::{Accounts, NotOfFlows, Selected},
};
