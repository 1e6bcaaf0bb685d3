//! Flags of `snapshot`.

use clap::Args;

use super::{DetailArgs, FormatArgs, LiveArgs, RecordArgs, ShowArgs, TableArgs, groups::heading};

/// Flags of `snapshot`.
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// What is shown, and how.
    #[command(flatten)]
    pub show: ShowArgs,
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
    /// The recording that is made.
    #[command(flatten)]
    pub recording: RecordArgs,
    /// How the kernel is looked at.
    #[command(flatten)]
    pub live: LiveArgs,
}
