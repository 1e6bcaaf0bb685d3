//! Flags of `hosts`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tracer_core::hosts::{Grouping, Sort};

use super::{
    DetailArgs, EnrichArgs, FlowLogArgs, HistoryArgs, LiveArgs, ShowArgs, groups::heading,
    values::Duration,
};

/// Flags of `hosts`.
#[derive(Debug, Args)]
pub struct HostsArgs {
    /// What is shown, and how.
    #[command(flatten)]
    pub show: ShowArgs,
    /// What files say of other hosts.
    #[command(flatten)]
    pub enrich: EnrichArgs,
    /// What is found out of each process.
    #[command(flatten)]
    pub details: DetailArgs,
    /// Rows of each user, process or container [default with --external: of each external address]
    #[arg(long, value_name = "WHAT", help_heading = heading::OUTPUT)]
    pub by: Option<By>,
    /// What comes first
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "bytes",
        help_heading = heading::OUTPUT
    )]
    pub sort: SortBy,
    /// Watch for this time, e.g. 30s or 5m, and show all that was seen
    #[arg(long, value_name = "TIME", help_heading = heading::LIVE)]
    pub duration: Option<Duration>,
    /// Show what is seen until Ctrl-C, or for --duration, and keep it up to date on the terminal
    #[arg(
        long,
        conflicts_with_all = ["from", "output_file"],
        help_heading = heading::LIVE
    )]
    pub watch: bool,
    /// From recordings, `-o json` of traces and snapshots, of one host or of several, and flow logs; - is stdin
    #[arg(
        long,
        value_name = "FILE",
        num_args = 1..,
        conflicts_with_all = ["duration", "hooks", "buffer", "kernel_log", "config", "hash"],
        help_heading = heading::FILES
    )]
    pub from: Vec<PathBuf>,
    /// What lines of flow logs do not say.
    #[command(flatten)]
    pub log: FlowLogArgs,
    /// What was seen before, from a history.
    #[command(flatten)]
    pub history: HistoryArgs,
    /// How the kernel is looked at.
    #[command(flatten)]
    pub live: LiveArgs,
}

impl HostsArgs {
    /// What rows are grouped by.
    pub fn grouping(&self) -> Grouping {
        match self.by {
            Some(By::User) => Grouping::User,
            Some(By::Process) => Grouping::Process,
            Some(By::Container) => Grouping::Container,
            None if self.show.selection.wants_external() => Grouping::External,
            None => Grouping::None,
        }
    }
}

/// What rows are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Who used the connection last
    User,
    /// The name of the process that did
    Process,
    /// The container that is in
    Container,
}

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    /// What has moved most, since the connections opened
    Bytes,
    /// Most connections
    Connections,
    /// Most failed attempts
    Failed,
    /// Seen last
    LastSeen,
    /// Seen first
    FirstSeen,
    /// The lowest address and port
    Destination,
}

impl From<SortBy> for Sort {
    fn from(by: SortBy) -> Self {
        match by {
            SortBy::Bytes => Self::Bytes,
            SortBy::Connections => Self::Connections,
            SortBy::Failed => Self::Failed,
            SortBy::LastSeen => Self::LastSeen,
            SortBy::FirstSeen => Self::FirstSeen,
            SortBy::Destination => Self::Destination,
        }
    }
}
