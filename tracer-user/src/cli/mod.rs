//! The command line: what was typed, and what it means.
//!
//! What several commands take is one group of flags ([`groups`], [`output`], [`selection`]), so that it
//! is called the same everywhere; what one takes alone is in a file of its own.

mod agent;
mod config;
mod discovery;
mod doctor;
mod enrich;
mod examples;
mod export;
mod flows;
mod format;
mod generate;
mod groups;
mod history;
mod hosts;
mod output;
mod replay;
mod report;
mod selection;
mod snapshot;
mod stream;
mod top;
mod trace;
mod values;
mod window;

use clap::{Parser, Subcommand};

pub use self::{
    agent::{AgentArgs, KeepArgs},
    config::{Config, ConfigArgs},
    discovery::{DiscoveryArgs, DiscoveryWithin, FindingArgs, ReadArgs, check_findings},
    doctor::{DoctorArgs, DoctorFormat, PeerArgs},
    enrich::{EnrichArgs, EnrichFiles},
    export::{Api, ExportArgs, ExportTo, NemesisExport, ServerArgs},
    flows::{
        AttributeFlowsArgs, FlowLogArgs, FlowOutArgs, FlowsArgs, FlowsCommand, ListenFlowsArgs,
        ReadFlowsArgs,
    },
    format::{BATCH, FormatArgs, NemesisArgs, ProfileArgs, Shown},
    generate::{CompletionsArgs, ManArgs},
    groups::{DetailArgs, LiveArgs, NetworkArgs, RecordArgs, ShowArgs, WatchArgs},
    history::{
        ExportHistoryArgs, HistoryCommand, HistoryCommandArgs, ImportArgs, InfoArgs, InfoFormat,
        PruneArgs, VerifyArgs, WhichArgs,
    },
    hosts::HostsArgs,
    output::{Colour, OutputArgs, OutputFormat, TableArgs, ToneArgs, VoiceArgs},
    replay::ReplayArgs,
    report::ReportArgs,
    selection::{SelectionArgs, Surroundings},
    snapshot::SnapshotArgs,
    stream::StreamArgs,
    top::TopArgs,
    trace::TraceArgs,
    values::Bytes,
    window::{HistoryArgs, HistoryPlace, When, Window, WindowArgs, not_of_a_history},
};

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
/// Without a command it traces.
#[derive(Debug, Parser)]
#[command(
    name = "conntracer",
    version,
    args_conflicts_with_subcommands = true,
    after_help = examples::TRACE.short,
    after_long_help = examples::TRACE.long
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
    #[command(after_help = examples::TRACE.short, after_long_help = examples::TRACE.long)]
    Trace(Box<TraceArgs>),
    /// Trace over a recording made with --record, without root and on any machine
    #[command(after_help = examples::REPLAY.short, after_long_help = examples::REPLAY.long)]
    Replay(Box<ReplayArgs>),
    /// The sockets of all network namespaces now, with their owners
    #[command(after_help = examples::SNAPSHOT.short, after_long_help = examples::SNAPSHOT.long)]
    Snapshot(Box<SnapshotArgs>),
    /// Which hosts communicate: one row for each source, destination, port and protocol
    #[command(after_help = examples::HOSTS.short, after_long_help = examples::HOSTS.long)]
    Hosts(Box<HostsArgs>),
    /// One self-contained HTML file of what recordings tell: for who decides, and who writes it down
    #[command(after_help = examples::REPORT.short, after_long_help = examples::REPORT.long)]
    Report(Box<ReportArgs>),
    /// Who looks at connections: discovery (ATT&CK T1049), on this host, in recordings, or in logs
    #[command(after_help = examples::DISCOVERY.short, after_long_help = examples::DISCOVERY.long)]
    Discovery(Box<DiscoveryArgs>),
    /// What firewalls, routers and sensors tell: their logs and exports, in one form
    #[command(after_help = examples::FLOWS.short, after_long_help = examples::FLOWS.long)]
    Flows(FlowsArgs),
    /// Post connections to a server: beside `agent --pods-of-node` the only command that makes connections of its own
    #[command(after_help = examples::EXPORT.short, after_long_help = examples::EXPORT.long)]
    Export(Box<ExportArgs>),
    /// A live table of connections or hosts on the whole terminal: sort, filter, open a row
    #[command(after_help = examples::TOP.short, after_long_help = examples::TOP.long)]
    Top(Box<TopArgs>),
    /// Look after a history: what it has, whether it is whole, a copy of it
    #[command(after_help = examples::HISTORY.short, after_long_help = examples::HISTORY.long)]
    History(HistoryCommandArgs),
    /// Keep every connection of this host in a history that can be asked later
    #[command(after_help = examples::AGENT.short, after_long_help = examples::AGENT.long)]
    Agent(Box<AgentArgs>),
    /// What this kernel allows, which hook is used for what, and what to do about what is missing
    #[command(after_help = examples::DOCTOR.short, after_long_help = examples::DOCTOR.long)]
    Doctor(DoctorArgs),
    /// What a shell needs to complete the command line
    #[command(
        after_help = examples::COMPLETIONS.short,
        after_long_help = examples::COMPLETIONS.long
    )]
    Completions(CompletionsArgs),
    /// The manual page, of all or of a command
    #[command(after_help = examples::MAN.short, after_long_help = examples::MAN.long)]
    Man(ManArgs),
    /// What the self-test traces: started by the doctor, in a network namespace of its own
    #[command(hide = true)]
    SelfTestPeer(PeerArgs),
}

impl Cli {
    /// How much it says, if it says anything of what it does.
    pub fn voice(&self) -> Option<&VoiceArgs> {
        match &self.command {
            None => Some(&self.trace.show.output.tone.voice),
            Some(Command::Trace(args)) => Some(&args.show.output.tone.voice),
            Some(Command::Snapshot(args)) => Some(&args.show.output.tone.voice),
            Some(Command::Hosts(args)) => Some(&args.show.output.tone.voice),
            Some(Command::Top(args)) => Some(&args.tone.voice),
            Some(Command::Replay(args)) => Some(&args.show.output.tone.voice),
            Some(Command::Discovery(args)) => Some(&args.output().tone.voice),
            Some(Command::Flows(args)) => Some(args.voice()),
            Some(Command::Report(args)) => Some(&args.voice),
            Some(Command::Export(args)) => Some(args.voice()),
            Some(Command::Agent(args)) => Some(&args.voice),
            Some(Command::History(args)) => Some(args.voice()),
            Some(_) => None,
        }
    }

    /// How it looks at the running kernel, if it does as a user wants it.
    pub fn live(&self) -> Option<&LiveArgs> {
        match &self.command {
            None => Some(&self.trace.live),
            Some(Command::Trace(args)) => Some(&args.live),
            Some(Command::Snapshot(args)) => Some(&args.live),
            Some(Command::Hosts(args)) => Some(&args.live),
            Some(Command::Export(args)) => Some(args.live()),
            Some(Command::Discovery(args)) => args.live(),
            Some(Command::Top(args)) => Some(&args.live),
            Some(Command::Agent(args)) => Some(&args.live),
            Some(Command::Flows(args)) => args.live(),
            Some(_) => None,
        }
    }
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
        assert_eq!(cli.trace.show.output.output, OutputFormat::Json);
    }

    #[test]
    fn the_examples_can_be_typed() {
        let mut count = 0;
        let root = Cli::command();
        let deeper = root
            .get_subcommands()
            .flat_map(clap::Command::get_subcommands);
        let commands = root.get_subcommands().chain(deeper);
        for command in std::iter::once(&root).chain(commands) {
            let help = [command.get_after_help(), command.get_after_long_help()];
            let help = help.into_iter().flatten().map(ToString::to_string);
            let help = help.collect::<Vec<_>>().join("\n");
            let lines = help
                .lines()
                .filter_map(|line| line.split_once("conntracer "));
            for (_, flags) in lines {
                let flags = flags.split(['|', '>', ')']).next().unwrap();
                let words = std::iter::once("conntracer").chain(flags.split_whitespace());
                assert!(Cli::try_parse_from(words).is_ok(), "{flags}");
                count += 1;
            }
            assert!(command.is_hide_set() || !help.is_empty(), "{command}");
        }
        assert!(count > 15, "the examples have changed their form");
    }
}
