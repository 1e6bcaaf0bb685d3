//! Flags of `history`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{
    HistoryPlace, VoiceArgs,
    config::ConfigArgs,
    examples,
    groups::heading,
    values::{Duration, Size},
};

/// Flags of `history`.
#[derive(Debug, Args)]
pub struct HistoryCommandArgs {
    /// What is done with it.
    #[command(subcommand)]
    pub what: HistoryCommand,
}

/// What can be done with a history.
#[derive(Debug, Subcommand)]
pub enum HistoryCommand {
    /// What it has, since when, how large it is, and when nothing was recorded
    #[command(
        after_help = examples::HISTORY_INFO.short,
        after_long_help = examples::HISTORY_INFO.long
    )]
    Info(InfoArgs),
    /// Remove what is old, at once; no agent may be writing to it
    #[command(
        after_help = examples::HISTORY_PRUNE.short,
        after_long_help = examples::HISTORY_PRUNE.long
    )]
    Prune(PruneArgs),
    /// Write a copy of it as it is now, while an agent goes on writing
    #[command(
        after_help = examples::HISTORY_EXPORT.short,
        after_long_help = examples::HISTORY_EXPORT.long
    )]
    Export(ExportHistoryArgs),
    /// Add what recordings and `-o json` of one host tell, in the order of time; no agent may be writing to it
    #[command(
        after_help = examples::HISTORY_IMPORT.short,
        after_long_help = examples::HISTORY_IMPORT.long
    )]
    Import(ImportArgs),
    /// Whether the file is whole, and its sums are those of its connections
    #[command(
        after_help = examples::HISTORY_VERIFY.short,
        after_long_help = examples::HISTORY_VERIFY.long
    )]
    Verify(VerifyArgs),
}

/// Which history it is.
#[derive(Debug, Args)]
pub struct WhichArgs {
    /// Where it is.
    #[command(flatten)]
    pub place: HistoryPlace,
    /// What is declared once for all.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// How much is said.
    #[command(flatten)]
    pub voice: VoiceArgs,
}

/// Flags of `history info`.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// Which one.
    #[command(flatten)]
    pub which: WhichArgs,
    /// Format of the output
    #[arg(short, long, value_name = "FORMAT", default_value = "table", help_heading = heading::OUTPUT)]
    pub output: InfoFormat,
}

/// Formats of `history info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InfoFormat {
    /// Lines for people
    Table,
    /// One JSON object
    Json,
}

/// Flags of `history prune`.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Which one.
    #[command(flatten)]
    pub which: WhichArgs,
    /// Remove connections and findings that are older than this; sums stay as the configuration says
    #[arg(long, value_name = "TIME", help_heading = heading::HISTORY)]
    pub keep: Option<Duration>,
    /// Remove the oldest until it is not larger than this
    #[arg(long, value_name = "SIZE", help_heading = heading::HISTORY)]
    pub max_size: Option<Size>,
}

/// Flags of `history export`.
#[derive(Debug, Args)]
pub struct ExportHistoryArgs {
    /// Which one.
    #[command(flatten)]
    pub which: WhichArgs,
    /// Where the copy goes: a file that only its owner can read
    #[arg(long, value_name = "FILE", help_heading = heading::FILES)]
    pub output_file: PathBuf,
    /// Overwrite a file that exists
    #[arg(long, help_heading = heading::FILES)]
    pub force: bool,
}

/// Flags of `history import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Which one; it is made if there is none.
    #[command(flatten)]
    pub which: WhichArgs,
    /// Recordings, and what was written with `-o json`; - is stdin
    #[arg(long, value_name = "FILE", num_args = 1.., required = true, help_heading = heading::FILES)]
    pub from: Vec<PathBuf>,
}

/// Flags of `history verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Which one.
    #[command(flatten)]
    pub which: WhichArgs,
}

impl HistoryCommandArgs {
    /// How much is said.
    pub fn voice(&self) -> &VoiceArgs {
        let which = match &self.what {
            HistoryCommand::Info(args) => &args.which,
            HistoryCommand::Prune(args) => &args.which,
            HistoryCommand::Export(args) => &args.which,
            HistoryCommand::Import(args) => &args.which,
            HistoryCommand::Verify(args) => &args.which,
        };
        &which.voice
    }
}
