//! How records are shown.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tracer_core::format::Choice;
use tracing::Level;

use super::{groups::heading, values};

/// How records are shown.
#[derive(Debug, Args)]
#[command(next_help_heading = heading::OUTPUT)]
pub struct OutputArgs {
    /// Format of the output
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: OutputFormat,
    /// Colours, and how much is said.
    #[command(flatten)]
    pub tone: ToneArgs,
    /// Write to a file that only its owner can read, instead of stdout
    #[arg(long, value_name = "FILE", help_heading = heading::FILES)]
    pub output_file: Option<PathBuf>,
    /// Overwrite files that exist
    #[arg(long, help_heading = heading::FILES, hide_short_help = true)]
    pub force: bool,
}

/// Colours, and how much is said: of all that is shown, wherever it goes.
#[derive(Debug, Args)]
#[command(next_help_heading = heading::OUTPUT)]
pub struct ToneArgs {
    /// Colours in tables
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        hide_short_help = true
    )]
    pub color: Colour,
    /// How much is said.
    #[command(flatten)]
    pub voice: VoiceArgs,
}

/// How much is said on stderr.
#[derive(Debug, Args)]
#[command(next_help_heading = heading::OUTPUT)]
pub struct VoiceArgs {
    /// On stderr, errors and loss only
    #[arg(short, long)]
    pub quiet: bool,
    /// On stderr also the hooks, what is selected by which rules, and the totals each minute
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,
}

impl VoiceArgs {
    /// What is said, and all that is graver.
    pub fn level(&self) -> Level {
        match (self.quiet, self.verbose) {
            (true, _) => Level::ERROR,
            (_, true) => Level::INFO,
            _ => Level::WARN,
        }
    }
}

/// What the table of records has.
#[derive(Debug, Args)]
#[command(next_help_heading = heading::OUTPUT)]
pub struct TableArgs {
    #[arg(
        long,
        value_name = "NAMES",
        allow_hyphen_values = true,
        value_parser = values::parse::<Choice>,
        help = columns()
    )]
    pub columns: Option<Choice>,
}

/// The help of `--columns`.
fn columns() -> String {
    let names: Vec<&str> = Choice::names().collect();
    format!(
        "Columns of the table, of {}; +NAME adds one to those that fit, -NAME takes one away",
        names.join(", ")
    )
}

/// Formats of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Columns that fit the terminal
    Table,
    /// All columns
    Wide,
    /// One JSON object a line
    Json,
    /// Comma-separated values under a row of headings
    Csv,
    /// Elastic Common Schema 9.4, one JSON object a line
    Ecs,
    /// OCSF 1.8, Network Activity (4001), one JSON object a line
    Ocsf,
    /// Nemesis 1.x, messages of `network_connection`, one JSON object a line
    Nemesis,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
