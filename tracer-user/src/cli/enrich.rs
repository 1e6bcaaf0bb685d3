//! Files that say something of other hosts.

use std::path::PathBuf;

use clap::Args;

use super::groups::heading;

/// Files that say something of other hosts, and whether only what meets an indicator is asked for.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = heading::SELECTING)]
pub struct EnrichArgs {
    /// The files.
    #[command(flatten)]
    pub files: EnrichFiles,
    /// Only what meets an indicator of a feed
    #[arg(long, hide_short_help = true)]
    pub threat: bool,
}

/// Files that say something of other hosts.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = heading::SELECTING)]
pub struct EnrichFiles {
    /// Lists of bad addresses and names: plain, netset, Spamhaus, abuse.ch, MISP, STIX 2.1, CSV; `threat` says what was met
    #[arg(
        long,
        value_name = "FILE",
        value_delimiter = ',',
        hide_short_help = true
    )]
    pub feed: Vec<PathBuf>,
    /// Lists of addresses and names that no feed is asked about, and warning lists of MISP
    #[arg(
        long,
        value_name = "FILE",
        value_delimiter = ',',
        hide_short_help = true
    )]
    pub allow: Vec<PathBuf>,
    /// Databases of addresses, in MMDB: country, city, autonomous system of other hosts
    #[arg(
        long,
        value_name = "FILE",
        value_delimiter = ',',
        hide_short_help = true
    )]
    pub geo: Vec<PathBuf>,
    /// A table of accounts, in CSV: account, name, department, networks (that it is expected to speak with)
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub accounts: Option<PathBuf>,
}

impl EnrichFiles {
    /// All of them.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let lists = self.feed.iter().chain(&self.allow).chain(&self.geo);
        lists.chain(&self.accounts)
    }
}
