//! Flags of `doctor`.

use clap::{Args, ValueEnum};

use super::{groups::heading, values};
use crate::kernel::policy::Policy;

/// Flags of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Also make connections of every kind in a scratch network namespace, and say which are reported
    #[arg(long, help_heading = heading::LIVE)]
    pub self_test: bool,
    /// Format of the output
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = heading::OUTPUT
    )]
    pub output: DoctorFormat,
    /// Which hooks to try: auto, fentry, kprobe or tracepoint, or FACT=HOOK for one fact
    #[arg(
        long,
        value_name = "HOOKS",
        default_value = "auto",
        value_parser = values::parse::<Policy>,
        help_heading = heading::KERNEL
    )]
    pub hooks: Policy,
}

/// Flags of the process that the self-test traces.
#[derive(Debug, Args)]
pub struct PeerArgs {
    /// Only use the connection that is the standard input
    #[arg(long)]
    pub inherited: bool,
}

/// Formats of the doctor's findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// For people
    Text,
    /// One JSON object
    Json,
}
