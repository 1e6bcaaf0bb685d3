//! Flags of `snapshot`.

use clap::Args;

use super::{
    DetailArgs, EnrichArgs, FormatArgs, HistoryPlace, LiveArgs, RecordArgs, ShowArgs, TableArgs,
    When, groups::heading, values,
};

/// Flags of `snapshot`.
#[derive(Debug, Args)]
pub struct SnapshotArgs {
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
    /// Compare with the lists of netlink (ss) and /proc/net (netstat), and tell what is hidden from whom
    #[arg(long, conflicts_with = "record_selected", help_heading = heading::LIVE)]
    pub cross_check: bool,
    /// What was open at this time, from a history: 2026-11-20T03:10:00Z, "2026-11-20 03:10", 03:10, 2h (ago)
    #[arg(
        long,
        value_name = "TIME",
        value_parser = values::parse::<When>,
        help_heading = heading::HISTORY
    )]
    pub at: Option<When>,
    /// Which history is asked.
    #[command(flatten)]
    pub place: HistoryPlace,
    /// The recording that is made.
    #[command(flatten)]
    pub recording: RecordArgs,
    /// How the kernel is looked at.
    #[command(flatten)]
    pub live: LiveArgs,
}
