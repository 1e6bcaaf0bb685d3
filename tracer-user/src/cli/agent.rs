//! Flags of `agent`.

use std::net::SocketAddr;

use clap::Args;

use super::{
    Config, DetailArgs, HistoryPlace, LiveArgs, NetworkArgs, SelectionArgs, StreamArgs, VoiceArgs,
    WatchArgs,
    groups::heading,
    values::{Duration, NodeName, Size},
};
use crate::store::Settings;

/// Flags of `agent`.
#[derive(Debug, Args)]
pub struct AgentArgs {
    /// What is kept.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Which networks are internal.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// Where it is kept, and for how long.
    #[command(flatten)]
    pub kept: KeepArgs,
    /// What is streamed beside.
    #[command(flatten)]
    pub stream: StreamArgs,
    /// Count what has moved of connections that stay open, that often; 0s: never
    #[arg(
        long,
        value_name = "TIME",
        default_value = "60s",
        help_heading = heading::HISTORY,
        hide_short_help = true
    )]
    pub update_interval: Duration,
    /// Do not keep who looks at the connections of this host
    #[arg(long, help_heading = heading::HISTORY, hide_short_help = true)]
    pub no_discovery: bool,
    /// Serve /healthz, /readyz and /metrics there, over plain HTTP
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = heading::SERVER)]
    pub health: Option<SocketAddr>,
    /// Ask the API server for the pods of this node, for names that the node's files lack
    #[arg(long, value_name = "NODE", help_heading = heading::LIVE, hide_short_help = true)]
    pub pods_of_node: Option<NodeName>,
    /// How much is said.
    #[command(flatten)]
    pub voice: VoiceArgs,
    /// What is found out of each process.
    #[command(flatten)]
    pub details: DetailArgs,
    /// For how long.
    #[command(flatten)]
    pub watch: WatchArgs,
    /// How the kernel is looked at.
    #[command(flatten)]
    pub live: LiveArgs,
}

/// Where the history is, and how much is kept.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = heading::HISTORY)]
pub struct KeepArgs {
    /// Where it is.
    #[command(flatten)]
    pub place: HistoryPlace,
    /// How long each connection is kept; sums of them longer [default: 14d]
    #[arg(long, value_name = "TIME")]
    pub keep: Option<Duration>,
    /// How large it may become: then the oldest is removed [default: 2G]
    #[arg(long, value_name = "SIZE")]
    pub max_size: Option<Size>,
}

impl KeepArgs {
    /// What is kept, and for how long.
    ///
    /// # Errors
    /// If no expression can be made of the names of secrets.
    pub fn settings(&self, config: &Config) -> anyhow::Result<Settings> {
        config.history_settings(self.keep, self.max_size)
    }
}
