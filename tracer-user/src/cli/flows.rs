//! Flags of `flows`.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::{ArgGroup, Args, Subcommand};
use jiff::tz::{Offset, TimeZone};
use tracer_core::{flows::read::Kind, logs};

use super::{
    EnrichArgs, HistoryArgs, LiveArgs, ProfileArgs, ShowArgs, Shown, VoiceArgs, WindowArgs,
    examples, groups::heading, values::Duration,
};

/// Flags of `flows`.
#[derive(Debug, Args)]
pub struct FlowsArgs {
    /// What is done.
    #[command(subcommand)]
    pub command: FlowsCommand,
}

impl FlowsArgs {
    /// How much is said.
    pub fn voice(&self) -> &VoiceArgs {
        match &self.command {
            FlowsCommand::Read(args) => &args.out.show.output.tone.voice,
            FlowsCommand::Listen(args) => &args.out.show.output.tone.voice,
            FlowsCommand::Attribute(args) => &args.out.show.output.tone.voice,
        }
    }
}

impl FlowsArgs {
    /// How the kernel is looked at, if it is.
    pub fn live(&self) -> Option<&LiveArgs> {
        match &self.command {
            FlowsCommand::Attribute(args) if args.live => Some(&args.kernel),
            _ => None,
        }
    }
}

/// What is shown of flows, and how.
#[derive(Debug, Args)]
pub struct FlowOutArgs {
    /// What files say of the ends.
    #[command(flatten)]
    pub enrich: EnrichArgs,
    /// Which, and where to.
    #[command(flatten)]
    pub show: ShowArgs,
    /// What is said in messages of Nemesis.
    #[command(flatten)]
    pub nemesis: ProfileArgs,
}

/// What is done with flows of other devices.
#[derive(Debug, Subcommand)]
pub enum FlowsCommand {
    /// Read logs and exports of firewalls, routers and sensors in one form
    #[command(
        after_help = examples::FLOWS_READ.short,
        after_long_help = examples::FLOWS_READ.long
    )]
    Read(Box<ReadFlowsArgs>),
    /// Receive what firewalls, routers and sensors send, in one form
    #[command(
        after_help = examples::FLOWS_LISTEN.short,
        after_long_help = examples::FLOWS_LISTEN.long
    )]
    Listen(Box<ListenFlowsArgs>),
    /// Say which process of this host made each flow, by what was recorded
    #[command(
        after_help = examples::FLOWS_ATTRIBUTE.short,
        after_long_help = examples::FLOWS_ATTRIBUTE.long
    )]
    Attribute(Box<AttributeFlowsArgs>),
}

/// Flags of `flows read`.
#[derive(Debug, Args)]
pub struct ReadFlowsArgs {
    /// Logs, captures, files of export packets, or directories of them; - is stdin
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Go on reading what is appended to logs, and logs that take their place, until Ctrl-C
    #[arg(long, help_heading = heading::FILES)]
    pub follow: bool,
    /// Stop to follow after this time, e.g. 30s or 5m
    #[arg(long, value_name = "TIME", requires = "follow", help_heading = heading::FILES)]
    pub duration: Option<Duration>,
    /// From when until when.
    #[command(flatten)]
    pub window: WindowArgs,
    /// What lines do not say.
    #[command(flatten)]
    pub log: FlowLogArgs,
    /// What is shown, and how.
    #[command(flatten)]
    pub out: FlowOutArgs,
}

/// Flags of `flows listen`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("listen").args(["netflow", "sflow", "syslog"]).required(true).multiple(true))]
pub struct ListenFlowsArgs {
    #[arg(long, help = "Where NetFlow 5 and 9, IPFIX and NSEL come by UDP, e.g. 0.0.0.0:2055", value_name = "ADDRESS:PORT", value_delimiter = ',', help_heading = heading::LIVE)]
    pub netflow: Vec<SocketAddr>,
    /// Where sFlow comes by UDP, e.g. 0.0.0.0:6343
    #[arg(long, value_name = "ADDRESS:PORT", value_delimiter = ',', help_heading = heading::LIVE)]
    pub sflow: Vec<SocketAddr>,
    /// Where logs come as syslog, by UDP and by TCP, e.g. 0.0.0.0:514
    #[arg(long, value_name = "ADDRESS:PORT", value_delimiter = ',', help_heading = heading::LIVE)]
    pub syslog: Vec<SocketAddr>,
    /// Stop after this time, e.g. 30s or 5m
    #[arg(long, value_name = "TIME", help_heading = heading::LIVE)]
    pub duration: Option<Duration>,
    /// What lines do not say.
    #[command(flatten)]
    pub log: FlowLogArgs,
    /// What is shown, and how.
    #[command(flatten)]
    pub out: FlowOutArgs,
}

/// Flags of `flows attribute`.
#[derive(Debug, Args)]
pub struct AttributeFlowsArgs {
    /// Logs, captures, files of export packets, or directories of them; - is stdin
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What lines do not say.
    #[command(flatten)]
    pub log: FlowLogArgs,
    /// What the host has recorded: its history.
    #[command(flatten)]
    pub history: HistoryArgs,
    /// Recordings and `-o json` of traces of this host, in place of its history
    #[arg(
        long,
        conflicts_with = "history",
        value_name = "FILE",
        value_delimiter = ',',
        help_heading = heading::FILES
    )]
    pub from: Vec<PathBuf>,
    /// What this host does now in place of its history: what is open, and with --duration all that happens meanwhile
    #[arg(long, conflicts_with_all = ["from", "history", "since", "until"], help_heading = heading::LIVE)]
    pub live: bool,
    /// Trace for this time before logs are read, e.g. 30s or 5m
    #[arg(long, value_name = "TIME", requires = "live", help_heading = heading::LIVE)]
    pub duration: Option<Duration>,
    /// By how much times may differ, beside what clocks are apart
    #[arg(long, value_name = "TIME", default_value = "5s", help_heading = heading::SELECTING)]
    pub tolerance: Duration,
    /// Addresses that this host has, beside those that were recorded
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', help_heading = heading::SELECTING)]
    pub address: Vec<IpAddr>,
    /// In place of flows, the connections to external addresses of which the logs do not tell
    #[arg(long, help_heading = heading::SELECTING)]
    pub unlogged: bool,
    /// Arguments of processes: full, none, or redacted
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "redacted",
        hide_possible_values = true,
        help_heading = heading::OUTPUT
    )]
    pub args: Shown,
    /// What is shown, and how.
    #[command(flatten)]
    pub out: FlowOutArgs,
    /// How the kernel is looked at; where the history is, and secrets in arguments.
    #[command(flatten)]
    pub kernel: LiveArgs,
}

/// What lines of flow logs do not say.
#[derive(Debug, Args)]
#[command(next_help_heading = heading::FILES)]
pub struct FlowLogArgs {
    #[arg(long, value_name = "FORMAT", value_parser = logs::named::<Kind>, help = formats())]
    pub format: Option<Kind>,
    /// Time zone of times that are written without one: a name, e.g. Europe/Berlin, or an offset, e.g. +02:00
    #[arg(long, value_name = "ZONE", default_value = "UTC", allow_hyphen_values = true, value_parser = zone)]
    pub tz: TimeZone,
    /// Columns of logs without a header, as `srcaddr dstaddr`, or as the format of a flow log of AWS is written
    #[arg(
        long,
        value_name = "NAMES",
        requires = "format",
        hide_short_help = true
    )]
    pub fields: Option<String>,
    /// Year of times that are written without one [default: the last in which they are past]
    #[arg(long, value_name = "YEAR")]
    pub year: Option<i16>,
}

/// The help of `--format`.
fn formats() -> String {
    let words = logs::words::<Kind>();
    format!(
        "What format logs have: {words} [default: what each looks like]; packets say it themselves"
    )
}

/// A zone that this machine knows, or an offset.
fn zone(text: &str) -> Result<TimeZone, String> {
    if let Some(offset) = offset(text) {
        return Ok(TimeZone::fixed(offset));
    }
    TimeZone::get(text).map_err(|_| {
        format!("this machine knows no time zone `{text}`: an offset such as +02:00 needs none")
    })
}

fn offset(text: &str) -> Option<Offset> {
    if matches!(text, "UTC" | "Z") {
        return Some(Offset::UTC);
    }
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, text.get(1..)?),
        b'-' => (-1, text.get(1..)?),
        _ => return None,
    };
    let (hours, minutes) = digits
        .split_once(':')
        .or_else(|| digits.split_at_checked(2))
        .unwrap_or((digits, ""));
    let minutes = if minutes.is_empty() { "0" } else { minutes };
    let (hours, minutes): (u8, u8) = (hours.parse().ok()?, minutes.parse().ok()?);
    let seconds = i32::from(hours) * 3600 + i32::from(minutes) * 60;
    let is_one = hours <= 18 && minutes < 60;
    Offset::from_seconds(sign * seconds).ok().filter(|_| is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_names_or_offsets() {
        for (text, seconds) in [
            ("UTC", 0),
            ("+02:00", 7200),
            ("-0330", -12600),
            ("+2", 7200),
        ] {
            let offset = offset(text).unwrap();
            assert_eq!(offset.seconds(), seconds, "{text}");
        }
        for text in ["+19:00", "+02:60", "+x", "EDT", "", "+"] {
            assert_eq!(offset(text), None, "{text}");
        }
        let error = zone("Middle/Earth").unwrap_err();
        assert!(error.contains("+02:00"), "{error}");
    }
}
