//! Flags of `export`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{
    LiveArgs, NemesisArgs, NetworkArgs, SelectionArgs, Shown, VoiceArgs, examples, format::BATCH,
    groups::heading, values::Duration,
};

/// Flags of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Where to.
    #[command(subcommand)]
    pub to: ExportTo,
}

impl ExportArgs {
    /// How the kernel is looked at.
    pub fn live(&self) -> &LiveArgs {
        let ExportTo::Nemesis(args) = &self.to;
        &args.live
    }

    /// How much is said.
    pub fn voice(&self) -> &VoiceArgs {
        let ExportTo::Nemesis(args) = &self.to;
        &args.voice
    }
}

/// The servers that are known.
#[derive(Debug, Subcommand)]
pub enum ExportTo {
    /// Post connections to Nemesis, no row twice
    #[command(after_help = examples::EXPORT.short, after_long_help = examples::EXPORT.long)]
    Nemesis(Box<NemesisExport>),
}

/// Flags of `export nemesis`. `--user` is the account at the server, as with every client of one.
#[derive(Debug, Args)]
#[command(
    mut_arg("user", |user| user.long("process-user")),
    mut_arg("not-user", |user| user.long("not-process-user"))
)]
pub struct NemesisExport {
    /// What is posted.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Which networks are internal.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// From recordings and `-o json` of traces and snapshots, of one host or of several; - is stdin
    #[arg(
        long,
        value_name = "FILE",
        num_args = 1..,
        conflicts_with_all = ["duration", "hooks", "buffer", "kernel_log"],
        help_heading = heading::FILES
    )]
    pub from: Vec<PathBuf>,
    /// Watch for this time, e.g. 30s or 5m, and post all that was seen
    #[arg(long, value_name = "TIME", help_heading = heading::LIVE)]
    pub duration: Option<Duration>,
    /// What is said in messages.
    #[command(flatten)]
    pub nemesis: NemesisArgs,
    /// Where it is posted.
    #[command(flatten)]
    pub server: ServerArgs,
    /// Arguments of processes: full, none, or redacted
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "redacted",
        hide_possible_values = true,
        help_heading = heading::OUTPUT
    )]
    pub args: Shown,
    /// Rows that are posted at once, at most
    #[arg(
        long,
        value_name = "N",
        default_value_t = BATCH,
        value_parser = batch,
        help_heading = heading::SERVER,
        hide_short_help = true
    )]
    pub batch: usize,
    /// Print what would be posted, and connect to nobody
    #[arg(long, help_heading = heading::OUTPUT)]
    pub dry_run: bool,
    /// How much is said.
    #[command(flatten)]
    pub voice: VoiceArgs,
    /// How the kernel is looked at.
    #[command(flatten)]
    pub live: LiveArgs,
}

/// Where it is posted, and what was posted before.
#[derive(Debug, Args)]
#[command(next_help_heading = heading::SERVER)]
pub struct ServerArgs {
    /// 1: data of the type `network_connection`; 2: the same as a file, for that server has no such type
    #[arg(
        long,
        value_name = "VERSION",
        default_value = "1",
        hide_short_help = true
    )]
    pub nemesis_api: Api,
    /// Where the server is: what comes before /api, e.g. `https://nemesis.example:7443`
    #[arg(long, value_name = "URL", required_unless_present = "dry_run")]
    pub url: Option<String>,
    /// The account there
    #[arg(
        long = "user",
        value_name = "NAME",
        required_unless_present = "dry_run"
    )]
    pub account: Option<String>,
    /// A file with its password, in place of `CONNTRACER_NEMESIS_PASSWORD`
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Certificates to trust in place of the built-in ones, in PEM
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "insecure",
        hide_short_help = true
    )]
    pub ca: Option<PathBuf>,
    /// Believe any server that it is the right one, or post without TLS
    #[arg(long, hide_short_help = true)]
    pub insecure: bool,
    /// What was posted, so that nothing is posted twice [default: beside the first file of --from]
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub journal: Option<PathBuf>,
    /// Post again what may have been taken, though nobody knows
    #[arg(long, hide_short_help = true)]
    pub repost_unknown: bool,
}

/// The versions of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Api {
    /// 1.x
    #[value(name = "1")]
    One,
    /// 2.x
    #[value(name = "2")]
    Two,
}

fn batch(text: &str) -> Result<usize, String> {
    let rows = text
        .parse()
        .ok()
        .filter(|rows| (1..=100_000).contains(rows));
    rows.ok_or_else(|| format!("`{text}` is no number of rows from 1 to 100000"))
}
