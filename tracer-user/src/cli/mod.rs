//! The command line: what was typed, and what it means.

mod selection;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use tracer_core::fact::Networks;

pub use self::{
    selection::{SelectionArgs, Surroundings},
    values::{Bytes, Duration},
};
use crate::kernel::{log::Level, policy::Policy};

/// The user asked for something that makes no sense: exit code 2.
#[derive(Debug)]
pub struct UsageError(pub String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Which hosts does this machine talk to, on which port, by which process, user and container
///
/// Without a command it traces. Values of one flag are alternatives, different flags must all match.
#[derive(Debug, Parser)]
#[command(
    name = "conntracer",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Example: conntracer --external --not-process sshd"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of `trace`.
    #[command(flatten)]
    pub trace: TraceArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Stream connections as they happen
    #[command(after_help = "Example: conntracer trace --port 443,8000-8100 -o json")]
    Trace(Box<TraceArgs>),
    /// Trace over a recording made with --record, without root and on any machine
    #[command(after_help = "Example: conntracer replay case.rec --external")]
    Replay(Box<ReplayArgs>),
    /// What this kernel allows, which hook is used for what, and what to do about what is missing
    #[command(after_help = "Example: conntracer doctor -o json")]
    Doctor(DoctorArgs),
}

/// Flags of `trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// What is shown.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Which networks are internal.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// How it is shown.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Stop after this time, e.g. 30s or 5m
    #[arg(long, value_name = "TIME", help_heading = "Limits")]
    pub duration: Option<Duration>,
    /// Stop after this many records about connections
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub count: Option<u64>,
    /// Record everything that is seen, to be replayed; - is stdout
    #[arg(long, value_name = "FILE", help_heading = "Recording")]
    pub record: Option<PathBuf>,
    /// Record only what is selected in the kernel
    #[arg(long, requires = "record", help_heading = "Recording")]
    pub record_selected: bool,
    /// Which hooks to use: auto, fentry, kprobe or tracepoint, or FACT=HOOK for one fact
    #[arg(
        long,
        value_name = "HOOKS",
        default_value = "auto",
        value_parser = values::parse::<Policy>,
        help_heading = "Kernel"
    )]
    pub hooks: Policy,
    /// Size of the ring between the kernel and this process, rounded up to a power of two
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "4M",
        help_heading = "Kernel"
    )]
    pub buffer: Bytes,
    /// Diagnostics of the kernel programs, on stderr
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "off",
        help_heading = "Kernel"
    )]
    pub kernel_log: Level,
}

impl TraceArgs {
    /// The recording gets what the selection drops, too.
    pub fn records_everything(&self) -> bool {
        self.record.is_some() && !self.record_selected
    }
}

/// Flags of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The recording; - is stdin
    pub file: PathBuf,
    /// What is shown.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Which networks are internal, in place of those that were recorded.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// How it is shown.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Stop after this many records about connections
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub count: Option<u64>,
}

/// Which networks are internal.
#[derive(Debug, Args)]
#[command(next_help_heading = "External addresses")]
pub struct NetworkArgs {
    /// Networks that are internal though their addresses are public
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub internal_cidr: Vec<IpNet>,
    /// Networks that are external though they are private, or internal
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub external_cidr: Vec<IpNet>,
}

impl NetworkArgs {
    /// The networks.
    pub fn networks(&self) -> Networks {
        Networks {
            internal: self.internal_cidr.clone(),
            external: self.external_cidr.clone(),
        }
    }

    /// Whether any were given.
    pub fn is_empty(&self) -> bool {
        self.internal_cidr.is_empty() && self.external_cidr.is_empty()
    }
}

/// How records are shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Format of the output
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: OutputFormat,
    /// Write to a file that only its owner can read, instead of stdout
    #[arg(long, value_name = "FILE")]
    pub output_file: Option<PathBuf>,
    /// Overwrite files that exist
    #[arg(long)]
    pub force: bool,
    /// Colours in tables
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Colour,
    /// On stderr, errors and loss only
    #[arg(short, long)]
    pub quiet: bool,
    /// On stderr, hooks and other details
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,
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

/// Flags of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Format of the output
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: DoctorFormat,
    /// Which hooks to try: auto, fentry, kprobe or tracepoint, or FACT=HOOK for one fact
    #[arg(
        long,
        value_name = "HOOKS",
        default_value = "auto",
        value_parser = values::parse::<Policy>
    )]
    pub hooks: Policy,
}

/// Formats of the doctor's findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// For people
    Text,
    /// One JSON object
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_it_traces() {
        let cli = Cli::try_parse_from(["conntracer", "--port", "443", "-o", "json"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.trace.output.output, OutputFormat::Json);
    }
}
