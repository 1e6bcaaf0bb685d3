//! Flags of `discovery`, and of the commands that tell findings of it among other records.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tracer_core::{
    discovery::{self, Elements, read::Kind},
    logs,
};

use super::{
    DetailArgs, FormatArgs, HistoryArgs, LiveArgs, OutputArgs, OutputFormat, RecordArgs,
    SelectionArgs, ShowArgs, UsageError,
    config::{Config, ConfigArgs},
    examples,
    groups::heading,
    values::Duration,
};

/// Flags of `discovery`: without a subcommand, who does so now, or did while it was recorded.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DiscoveryArgs {
    /// Where else it is looked for.
    #[command(subcommand)]
    pub within: Option<DiscoveryWithin>,
    /// What is shown, and how.
    #[command(flatten)]
    pub show: ShowArgs,
    /// Only findings that matter at least so much
    #[arg(long, value_name = "LEVEL", default_value = "info", help_heading = heading::SELECTING)]
    pub severity: Severity,
    /// What is found out of each process.
    #[command(flatten)]
    pub details: DetailArgs,
    /// Of arguments.
    #[command(flatten)]
    pub format: FormatArgs,
    /// Stop after this time, e.g. 30s or 5m
    #[arg(long, value_name = "TIME", help_heading = heading::LIVE)]
    pub duration: Option<Duration>,
    /// The recording that is made.
    #[command(flatten)]
    pub recording: RecordArgs,
    /// In recordings made with --discovery or by this command, of one host or of several; - is stdin
    #[arg(
        long,
        value_name = "FILE",
        num_args = 1..,
        conflicts_with_all = ["duration", "record", "hooks", "buffer", "kernel_log", "hash"],
        help_heading = heading::FILES
    )]
    pub from: Vec<PathBuf>,
    /// Who did before, from a history.
    #[command(flatten)]
    pub history: HistoryArgs,
    /// How the kernel is looked at. The mutable elements are in the section [discovery] of the
    /// configuration.
    #[command(flatten)]
    pub live: LiveArgs,
}

impl DiscoveryArgs {
    /// How it is shown.
    pub fn output(&self) -> &OutputArgs {
        match &self.within {
            Some(DiscoveryWithin::Read(args)) => &args.output,
            None => &self.show.output,
        }
    }

    /// How it looks at the running kernel, if it does.
    pub fn live(&self) -> Option<&LiveArgs> {
        self.within.is_none().then_some(&self.live)
    }
}

/// Where discovery is looked for, if not on this host.
#[derive(Debug, Subcommand)]
pub enum DiscoveryWithin {
    /// In the logs of Windows, Linux, macOS, `ESXi`, network devices and clouds
    #[command(
        after_help = examples::DISCOVERY_READ.short,
        after_long_help = examples::DISCOVERY_READ.long
    )]
    Read(Box<ReadArgs>),
}

/// Flags of the commands that tell who looks at connections if that is asked for.
#[derive(Debug, Args)]
pub struct FindingArgs {
    /// Tell also who looks at the connections of this host (ATT&CK T1049), as --event discovery does
    #[arg(long, help_heading = heading::OUTPUT)]
    pub discovery: bool,
}

impl FindingArgs {
    /// The mutable elements by which it is told, if it is.
    pub fn elements(&self, selection: &SelectionArgs, config: &Config) -> Option<Elements> {
        (self.discovery || selection.wants_findings()).then(|| config.discovery())
    }
}

/// A format without findings makes no sense where they are asked for.
///
/// # Errors
/// If it is such a format.
pub fn check_findings(output: OutputFormat, elements: Option<&Elements>) -> Result<(), UsageError> {
    if output != OutputFormat::Nemesis || elements.is_none() {
        return Ok(());
    }
    let why = "-o: `nemesis` is of connections; findings have table, wide, json, csv, ecs and ocsf";
    Err(UsageError(why.to_owned()))
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
        value_parser = logs::named::<Kind>,
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
    let words = logs::words::<Kind>();
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

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn parsed(line: &str) -> Result<Box<DiscoveryArgs>, String> {
        match Cli::try_parse_from(line.split(' ')) {
            Ok(Cli {
                command: Some(Command::Discovery(args)),
                ..
            }) => Ok(args),
            Ok(_) => Err("another command".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn live_in_recordings_and_in_logs() {
        let live = parsed("conntracer discovery --severity high --duration 1s --hash").unwrap();
        assert!(live.live().is_some() && live.from.is_empty());
        assert_eq!(live.severity, Severity::High);
        let recorded = parsed("conntracer discovery --from a.rec - --config c.toml").unwrap();
        assert_eq!(recorded.from.len(), 2);
        let logs = parsed("conntracer discovery read audit.log -o json").unwrap();
        assert!(logs.live().is_none());
        assert_eq!(logs.output().output, OutputFormat::Json);
    }

    #[test]
    fn what_excludes_each_other() {
        for (line, word) in [
            (
                "conntracer discovery --from a.rec --duration 1s",
                "--duration",
            ),
            (
                "conntracer discovery --from a.rec --record b.rec",
                "--record",
            ),
            (
                "conntracer discovery --from a.rec --hooks kprobe",
                "--hooks",
            ),
            ("conntracer discovery --from a.rec --hash", "--hash"),
            ("conntracer discovery --port 443 read audit.log", "read"),
            ("conntracer discovery --severity grave", "--severity"),
            ("conntracer discovery read", "<FILE>"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(word), "{line}: {error}");
        }
    }

    #[test]
    fn findings_are_asked_for_by_either_flag() {
        let wants = |line: &str| {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            let args = cli.trace;
            let elements = args
                .findings
                .elements(&args.show.selection, &Config::default());
            elements.is_some()
        };
        assert!(wants("conntracer --discovery"));
        assert!(wants("conntracer --event close,discovery"));
        assert!(!wants("conntracer --not-event discovery"));
        assert!(!wants("conntracer"));
    }

    #[test]
    fn nemesis_has_no_findings() {
        let elements = Elements::default();
        assert!(check_findings(OutputFormat::Nemesis, Some(&elements)).is_err());
        assert!(check_findings(OutputFormat::Nemesis, None).is_ok());
        assert!(check_findings(OutputFormat::Csv, Some(&elements)).is_ok());
    }
}
