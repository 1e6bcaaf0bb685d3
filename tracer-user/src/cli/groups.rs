//! Flags that several commands take.

use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;
use tracer_core::fact::Networks;

use super::{
    Bytes, OutputArgs, SelectionArgs,
    config::ConfigArgs,
    values::{self, Duration},
};
use crate::kernel::{log::Level, policy::Policy};

/// What `--help` puts flags under: the same flag is under the same heading everywhere.
pub mod heading {
    /// What is shown.
    pub const SELECTING: &str = "Selecting";
    /// How it is shown.
    pub const OUTPUT: &str = "Output";
    /// When, and for how long, something is looked at.
    pub const LIVE: &str = "Live";
    /// What is asked of what an agent kept.
    pub const HISTORY: &str = "History";
    /// Where it is posted, and how; what is served.
    pub const SERVER: &str = "Server";
    /// What is read and written.
    pub const FILES: &str = "Files";
    /// How it gets out of the kernel.
    pub const KERNEL: &str = "Kernel";
}

/// Flags of every command that shows connections.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// What is shown.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Which networks are internal.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// How it is shown.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Which networks are internal.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = heading::SELECTING)]
pub struct NetworkArgs {
    /// Networks that are internal though their addresses are public
    #[arg(
        long,
        value_name = "CIDR",
        value_delimiter = ',',
        hide_short_help = true
    )]
    pub internal_cidr: Vec<IpNet>,
    /// Networks that are external though they are private, or internal
    #[arg(
        long,
        value_name = "CIDR",
        value_delimiter = ',',
        hide_short_help = true
    )]
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

/// Flags of every command that looks at the running kernel.
#[derive(Debug, Args)]
#[command(next_help_heading = heading::KERNEL)]
pub struct LiveArgs {
    /// What is declared once for all.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// What `host` says in records: the name of the node, in a container [default: the host name]
    #[arg(
        long,
        value_name = "NAME",
        value_parser = clap::builder::NonEmptyStringValueParser::new(),
        hide_short_help = true,
        help_heading = heading::OUTPUT
    )]
    pub host_name: Option<String>,
    /// Which hooks to use: auto, fentry, kprobe or tracepoint, or FACT=HOOK for one fact
    #[arg(
        long,
        value_name = "HOOKS",
        default_value = "auto",
        value_parser = values::parse::<Policy>,
        hide_short_help = true
    )]
    pub hooks: Policy,
    /// Size of the ring between the kernel and this process, rounded up to a power of two
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "4M",
        hide_short_help = true
    )]
    pub buffer: Bytes,
    /// Diagnostics of the kernel programs, on stderr
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "off",
        hide_short_help = true
    )]
    pub kernel_log: Level,
}

/// Flags of the commands that show what is found out of each process.
#[derive(Debug, Args)]
pub struct DetailArgs {
    /// Add the SHA-256 of the executable of each process that has a socket, if it is not larger than 256 MiB
    #[arg(long, hide_short_help = true, help_heading = heading::OUTPUT)]
    pub hash: bool,
}

/// Flags of the commands that tell what happens as it happens: for how long.
#[derive(Debug, Args)]
#[command(next_help_heading = heading::LIVE)]
pub struct WatchArgs {
    /// Stop after this time, e.g. 30s or 5m
    #[arg(long, value_name = "TIME")]
    pub duration: Option<Duration>,
    /// A flow of UDP datagrams is over when there was none for so long
    #[arg(
        long,
        value_name = "TIME",
        default_value = "60s",
        hide_short_help = true
    )]
    pub udp_idle: Duration,
}

/// Flags of the commands that make recordings.
#[derive(Debug, Args)]
#[command(next_help_heading = heading::FILES)]
pub struct RecordArgs {
    /// Record everything that is seen, to be replayed; - is stdout
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Record only what is selected in the kernel
    #[arg(long, requires = "record", hide_short_help = true)]
    pub record_selected: bool,
}
