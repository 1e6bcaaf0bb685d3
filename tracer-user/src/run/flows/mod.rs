//! `conntracer flows`: what other devices tell.

mod attribute;
mod capture;
mod deal;
mod follow;
pub mod judge;
mod lines;
mod listen;
pub mod out;
mod packets;
mod problems;
pub mod read;

use super::Ending;
use crate::cli::{FlowsArgs, FlowsCommand};

/// Does it.
pub fn run(args: &FlowsArgs) -> anyhow::Result<Ending> {
    match &args.command {
        FlowsCommand::Read(args) if args.follow => follow::run(args),
        FlowsCommand::Read(args) => read::run(args),
        FlowsCommand::Attribute(args) => attribute::run(args),
        FlowsCommand::Listen(args) => listen::run(args),
    }
}
