//! Flags of `trace`.

use clap::Args;

use super::{
    DetailArgs, EnrichArgs, FindingArgs, FormatArgs, HistoryArgs, LiveArgs, RecordArgs, ShowArgs,
    TableArgs, WatchArgs, groups::heading, values::Duration,
};

/// Flags of `trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// What is shown, and how.
    #[command(flatten)]
    pub show: ShowArgs,
    /// What files say of other hosts.
    #[command(flatten)]
    pub enrich: EnrichArgs,
    /// What is found out of each process.
    #[command(flatten)]
    pub details: DetailArgs,
    /// Of a table.
    #[command(flatten)]
    pub table: TableArgs,
    /// Of arguments, and of messages.
    #[command(flatten)]
    pub format: FormatArgs,
    /// Whether who looks at connections is told, too.
    #[command(flatten)]
    pub findings: FindingArgs,
    /// Tell of connections that stay open, that often; 0s: never
    #[arg(
        long,
        value_name = "TIME",
        default_value = "60s",
        help_heading = heading::OUTPUT,
        hide_short_help = true
    )]
    pub update_interval: Duration,
    /// Tell of every TCP state change of a connection
    #[arg(long, help_heading = heading::OUTPUT, hide_short_help = true)]
    pub states: bool,
    /// Stop after this many records about connections
    #[arg(long, value_name = "N", help_heading = heading::OUTPUT)]
    pub count: Option<u64>,
    /// For how long.
    #[command(flatten)]
    pub watch: WatchArgs,
    /// What happened before, from a history.
    #[command(flatten)]
    pub history: HistoryArgs,
    /// The recording that is made.
    #[command(flatten)]
    pub recording: RecordArgs,
    /// How the kernel is looked at.
    #[command(flatten)]
    pub live: LiveArgs,
}
