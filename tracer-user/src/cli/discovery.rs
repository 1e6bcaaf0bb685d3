//! Flags of `discovery`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tracer_core::discovery::{self, read::Kind};

use super::{OutputArgs, config::ConfigArgs, examples, groups::heading, values};

/// Flags of `discovery`.
#[derive(Debug, Args)]
pub struct DiscoveryArgs {
    /// Where it is looked for.
    #[command(subcommand)]
    pub within: DiscoveryWithin,
}

impl DiscoveryArgs {
    /// How it is shown.
    pub fn output(&self) -> &OutputArgs {
        let DiscoveryWithin::Read(args) = &self.within;
        &args.output
    }
}

/// Where discovery is looked for.
#[derive(Debug, Subcommand)]
pub enum DiscoveryWithin {
    /// In the logs of Windows, Linux, macOS, `ESXi`, network devices and clouds
    #[command(after_help = examples::DISCOVERY.short, after_long_help = examples::DISCOVERY.long)]
    Read(Box<ReadArgs>),
}

/// Flags of `discovery read`.
#[derive(Debug, Args)]
pub struct ReadArgs {
    /// Logs, of one host or of several; - is stdin
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[arg(
        long,
        value_name = "KIND",
        value_parser = values::parse::<Kind>,
        help_heading = heading::FILES,
        help = kinds()
    )]
    pub kind: Option<Kind>,
    /// The year of times that are written without one [default: this year]
    #[arg(long, value_name = "YEAR", help_heading = heading::FILES)]
    pub year: Option<i16>,
    /// The mutable elements are in its section [discovery].
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Only findings that matter at least so much
    #[arg(long, value_name = "LEVEL", default_value = "info", help_heading = heading::SELECTING)]
    pub severity: Severity,
    /// How findings are shown.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// The help of `--kind`.
fn kinds() -> String {
    let words = Kind::ALL.map(Kind::word);
    let words = words.join(", ");
    format!("What kind of log they are: {words} [default: what each looks like]")
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Severity {
    /// All
    Info,
    /// A little odd
    Low,
    /// Somebody should look
    Medium,
    /// Somebody should look now
    High,
}

impl From<Severity> for discovery::Severity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Info,
            Severity::Low => Self::Low,
            Severity::Medium => Self::Medium,
            Severity::High => Self::High,
        }
    }
}
