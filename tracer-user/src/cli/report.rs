//! Flags of `report`.

use std::path::PathBuf;

use clap::Args;

use super::{
    EnrichFiles, HistoryArgs, NetworkArgs, SelectionArgs, Shown, VoiceArgs, config::ConfigArgs,
    groups::heading,
};

/// Flags of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// What it is of.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Files that say something of other hosts.
    #[command(flatten)]
    pub enrich: EnrichFiles,
    /// Which networks are internal.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// Of when it is: of a history, or of what is in the files.
    #[command(flatten)]
    pub history: HistoryArgs,
    /// Arguments of processes: full, none, or redacted
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "redacted",
        hide_possible_values = true,
        help_heading = heading::OUTPUT
    )]
    pub args: Shown,
    /// How much is said.
    #[command(flatten)]
    pub voice: VoiceArgs,
    /// From recordings and `-o json` of traces and snapshots, of one host or of several; - is stdin
    #[arg(
        long,
        conflicts_with = "history",
        value_name = "FILE",
        num_args = 1..,
        help_heading = heading::FILES
    )]
    pub from: Vec<PathBuf>,
    /// Write to a file that only its owner can read, instead of stdout
    #[arg(long, value_name = "FILE", help_heading = heading::FILES)]
    pub output_file: Option<PathBuf>,
    /// Overwrite files that exist
    #[arg(long, help_heading = heading::FILES, hide_short_help = true)]
    pub force: bool,
    /// Of secrets in arguments, and of who may look at connections.
    #[command(flatten)]
    pub config: ConfigArgs,
}
