//! Flags of `replay`.

use std::path::PathBuf;

use clap::Args;

use super::{EnrichArgs, FindingArgs, FormatArgs, ShowArgs, TableArgs, groups::heading};

/// Flags of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The recording; - is stdin
    pub file: PathBuf,
    /// What is shown, and how; networks in place of those that were recorded.
    #[command(flatten)]
    pub show: ShowArgs,
    /// What files say of other hosts.
    #[command(flatten)]
    pub enrich: EnrichArgs,
    /// Of a table.
    #[command(flatten)]
    pub table: TableArgs,
    /// Of arguments, and of messages.
    #[command(flatten)]
    pub format: FormatArgs,
    /// Whether who looks at connections is told, too.
    #[command(flatten)]
    pub findings: FindingArgs,
    /// Stop after this many records about connections
    #[arg(long, value_name = "N", help_heading = heading::OUTPUT)]
    pub count: Option<u64>,
    /// Show it though it may have been changed: do not look at its hashes
    #[arg(long, help_heading = heading::FILES)]
    pub no_verify: bool,
}
