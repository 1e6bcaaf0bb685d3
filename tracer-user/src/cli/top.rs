//! Flags of `top`.

use clap::Args;

use super::{
    DetailArgs, EnrichArgs, FindingArgs, LiveArgs, NetworkArgs, SelectionArgs, ToneArgs, WatchArgs,
    groups::heading, values::Duration,
};

/// Flags of `top`.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// What is shown.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Files that say something of other hosts.
    #[command(flatten)]
    pub enrich: EnrichArgs,
    /// Which networks are internal.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// Colours, and what is said before the screen is there and after it.
    #[command(flatten)]
    pub tone: ToneArgs,
    /// What is found out of each process.
    #[command(flatten)]
    pub details: DetailArgs,
    /// Read bytes and states of open connections that often; 0s: never
    #[arg(
        long,
        value_name = "TIME",
        default_value = "5s",
        help_heading = heading::OUTPUT,
        hide_short_help = true
    )]
    pub update_interval: Duration,
    /// Show every TCP state change at once, and in the timeline of a connection
    #[arg(long, help_heading = heading::OUTPUT, hide_short_help = true)]
    pub states: bool,
    /// Whether who looks at connections is told, too.
    #[command(flatten)]
    pub findings: FindingArgs,
    /// For how long.
    #[command(flatten)]
    pub watch: WatchArgs,
    /// How the kernel is looked at.
    #[command(flatten)]
    pub live: LiveArgs,
}
