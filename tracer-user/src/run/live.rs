//! What all commands do that look at the running kernel.

use std::{
    io::{IsTerminal as _, Write},
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use tracer_core::{
    clock::Anchor,
    discovery::Elements,
    fact::{Fact, Tracing},
    format::{Csv, Ecs, Format, Json, Layout, Nemesis, Ocsf, Table},
    pipeline::Pipeline,
    record::Event,
    recording::{Header, Recorded},
    redact::{Arguments, REDACTED},
    scope::Scopes,
    select::Compiled,
};
use tracing::{info, warn};

use super::{
    Ending, NOTES,
    enrich::Enriching,
    session::{Reload, Session, Until},
};
use crate::{
    cli::{
        BATCH, Colour, Config, FormatArgs, LiveArgs, NetworkArgs, OutputArgs, OutputFormat,
        RecordArgs, SelectionArgs, Surroundings, TableArgs, UsageError,
    },
    host::{
        Machine, accounts, addresses,
        clock::{Clock as _, SystemClock},
        namespaces,
        pods::Pods,
    },
    kernel::{
        cross_check::Checker,
        drain::Kernel,
        interrupts::ending_signals,
        ladder,
        load::{self, Attached, Request},
        log::KernelLog,
        object,
    },
    output::{
        file,
        lines::Lines,
        recorder::Recorder,
        sink::{RecordSink, Sink},
        terminal,
    },
    privileges,
};

/// What is wanted of the running kernel.
pub struct Live<'a> {
    /// What is to be known.
    pub facts: &'a [ladder::Fact],
    /// What is shown.
    pub selection: &'a SelectionArgs,
    /// What files say of other hosts.
    pub enriching: Enriching,
    /// Which networks are internal.
    pub networks: &'a NetworkArgs,
    /// What is declared once for all.
    pub config: &'a Config,
    /// Where records go.
    pub output: Output<'a>,
    /// How the kernel is looked at.
    pub kernel: &'a LiveArgs,
    /// The recording that is made.
    pub record: Option<Recording<'a>>,
    /// How many records about connections are written at most.
    pub count: Option<u64>,
    /// When open connections are updated.
    pub updates: Updates,
    /// How long there is no datagram before a flow is over.
    pub udp_idle: Duration,
    /// Every TCP state change is told.
    pub states: bool,
    /// Who looks at connections is told, by these elements.
    pub discovery: Option<Elements>,
    /// What was there before is compared with what others list.
    pub cross_check: bool,
    /// Executables are hashed.
    pub hash: bool,
    /// The pods of this node, if an API server is asked for them.
    pub pods: Option<Pods>,
    /// When it ends, if nobody ends it.
    pub until: Until,
    /// What is configured can be read again while it runs.
    pub reload: Option<Box<dyn Reload>>,
}

/// When the counters of open connections are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updates {
    /// Never.
    Never,
    /// Every so often, of those that are open for that long.
    Every(Duration),
    /// At the end, of all.
    AtEnd,
}

impl Updates {
    /// Every so often; no time at all: never.
    pub fn every(interval: Duration) -> Self {
        if interval.is_zero() {
            Self::Never
        } else {
            Self::Every(interval)
        }
    }

    fn interval(self) -> Option<Duration> {
        match self {
            Self::Every(interval) => Some(interval),
            Self::Never | Self::AtEnd => None,
        }
    }

    /// How long those are open at least that are told.
    fn least_age(self) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::Every(interval) => Some(interval),
            Self::AtEnd => Some(Duration::ZERO),
        }
    }
}

/// Where records go.
pub enum Output<'a> {
    /// They are written as the user wants it.
    Shown(&'a OutputArgs, &'a TableArgs, &'a FormatArgs),
    /// This process takes them itself.
    Taken(Box<dyn RecordSink>),
}

/// A recording to make.
pub struct Recording<'a> {
    /// Where; `-`: stdout.
    pub path: &'a Path,
    /// Of what is selected only.
    pub is_selected: bool,
    /// In place of a file that exists.
    pub force: bool,
}

impl<'a> Recording<'a> {
    /// The one that is asked for, if one is.
    pub fn of(args: &'a RecordArgs, output: &OutputArgs) -> Option<Self> {
        args.record.as_deref().map(|path| Self {
            path,
            is_selected: args.record_selected,
            force: output.force,
        })
    }
}

impl Live<'_> {
    /// The recording gets what the selection drops, too.
    fn records_everything(&self) -> bool {
        self.record
            .as_ref()
            .is_some_and(|record| !record.is_selected)
    }

    /// The kernel half drops nothing. What a cross-check finds is held against all that it found, and how
    /// much a finding of discovery matters depends on what the same session did beside it.
    fn needs_everything(&self) -> bool {
        self.records_everything() || self.cross_check || self.discovery.is_some()
    }

    /// Flags that make no sense together.
    fn check(&self) -> Result<(), UsageError> {
        let is_selected = |record: &Recording<'_>| record.is_selected;
        if self.discovery.is_some() && self.record.as_ref().is_some_and(is_selected) {
            let why = "--record-selected: how much a finding of discovery matters depends on what was not selected";
            return Err(UsageError(why.to_owned()));
        }
        if self.discovery.is_none() && self.selection.wants_findings() {
            return Err(no_findings());
        }
        Ok(())
    }

    /// What is to be known.
    fn facts(&self) -> Vec<ladder::Fact> {
        let discovery = self.discovery.is_some();
        let discovery = ladder::Fact::DISCOVERY.into_iter().filter(|_| discovery);
        self.facts.iter().copied().chain(discovery).collect()
    }
}

/// Findings are asked for where none are told.
pub fn no_findings() -> UsageError {
    let why =
        "--event: `discovery` is told by `trace`, `top`, `replay` and the command `discovery` only";
    UsageError(why.to_owned())
}

/// Looks at the running kernel.
pub fn run(args: Live<'_>) -> anyhow::Result<Ending> {
    args.check()?;
    privileges::check()?;
    let users = accounts::of_host();
    let selection = args.enriching.select(args.selection.resolve(&Surroundings {
        users: &users,
        is_live: true,
        may_have_more_users: false,
    })?);
    if selection.events.contains(&Event::State) && !args.states {
        let why = "--event: `state` is told by `trace --states` only";
        return Err(UsageError(why.to_owned()).into());
    }
    let enrichment = args.enriching.now();
    let networks = args.config.networks(args.networks);
    let kernel_selects = selection.may_drop_in_kernel() && !args.needs_everything();
    let compiled = if kernel_selects {
        let own = addresses::of_own_namespace();
        let indicators = enrichment.as_ref().map(|one| &one.indicators);
        selection.compile(&Scopes::new(&own, &networks), indicators)
    } else {
        Compiled::default()
    };
    let mut clock = SystemClock::new();
    let anchor = clock.anchor();
    let mut pipeline = Pipeline::new(selection, kernel_selects, anchor.clone())
        .limited_to(args.count)
        .hashing(args.hash)
        .discovering(args.discovery.clone());
    if let Some(enrichment) = enrichment {
        pipeline.enrich(enrichment);
    }
    // Opened before anything is loaded, so that a wrong name costs nothing.
    let recorder = recorder(&args, anchor)?;
    let wanted = args.facts();
    let sink = match args.output {
        Output::Taken(sink) => Some(sink),
        Output::Shown(output, table, format) => {
            format.check(output.output)?;
            let record = args.record.as_ref();
            if is_stdout_taken(output, record) {
                None
            } else {
                Some(Box::new(sink(output, table, format, args.config)?) as Box<dyn RecordSink>)
            }
        }
    };
    // Threads made from here on leave the signals to the one that listens.
    ending_signals().thread_block()?;
    let mut attached = load::attach(&Request {
        facts: &wanted,
        policy: &args.kernel.hooks,
        selection: &compiled,
        ring_bytes: args.kernel.buffer.0,
        idle_ms: milliseconds(args.udp_idle),
        update_ms: args.updates.least_age().map_or(u32::MAX, milliseconds),
        states: args.states,
        log_level: args.kernel.kernel_log.number(),
    })?;
    let (namespaces, mut sentences) = namespaces::enterable();
    let checker = args.cross_check.then(|| {
        let (checker, limits) = Checker::new(&attached);
        sentences.extend(limits);
        checker
    });
    let tracing = tracing_fact(&attached, sentences);
    for sentence in &tracing.degraded {
        warn!("{sentence}");
    }
    let log = KernelLog::open(&mut attached.ebpf, args.kernel.kernel_log)?;
    let session = Session {
        source: Kernel::start(
            attached,
            &compiled,
            checker,
            log,
            args.updates == Updates::AtEnd,
            args.reload.is_some(),
        )?,
        host: Machine::new(args.hash, args.pods)
            .context("cannot hash executables")?
            .called(args.kernel.host_name.as_deref()),
        clock,
        pipeline,
        sink,
        recorder,
        namespaces,
        until: args.until,
        update_interval: args.updates.interval(),
        reload: args.reload,
        enriching: args.enriching,
    };
    let mut facts = vec![Fact::Tracing(tracing), Fact::Networks(networks)];
    let names = args.config.names();
    if !names.is_empty() {
        facts.push(Fact::Names(names));
    }
    session.run(facts)
}

/// How tracing was set up.
fn tracing_fact(attached: &Attached, sentences: Vec<String>) -> Tracing {
    let mut degraded = attached.degraded();
    degraded.extend(sentences);
    degraded.extend(namespaces::limits());
    Tracing {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        hooks: attached.hooks(),
        programs: attached.programs(),
        object_sha256: object::sha256(),
        degraded,
    }
}

/// What the kernel half calculates with.
fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

fn recorder(args: &Live<'_>, anchor: Anchor) -> anyhow::Result<Option<Recorder>> {
    let Some(record) = &args.record else {
        return Ok(None);
    };
    let selection = if args.records_everything() {
        Recorded::Everything
    } else {
        Recorded::Selected(args.enriching.words(args.selection))
    };
    let header = Header {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        selection,
        clock: anchor,
    };
    Recorder::create(record.path, record.force, &header).map(Some)
}

/// The recording takes stdout, so that nothing is shown.
fn is_stdout_taken(output: &OutputArgs, record: Option<&Recording<'_>>) -> bool {
    output.output_file.is_none() && record.is_some_and(|record| record.path == Path::new("-"))
}

/// What is exported shows no secrets unless that is asked for, and says so.
pub fn say_what_is_shown(arguments: &Arguments) {
    match arguments {
        Arguments::Full => {}
        Arguments::Redacted(_) => info!(
            target: NOTES,
            "what looks like a secret in arguments is left out ({REDACTED}); --args full shows it, --args none shows no arguments"
        ),
        Arguments::None => info!(target: NOTES, "arguments are left out"),
    }
}

/// Where output goes, and what that is called.
pub fn writer(args: &OutputArgs) -> anyhow::Result<(Box<dyn Write>, String)> {
    Ok(match &args.output_file {
        Some(path) => {
            let file = file::create(path, args.force)?;
            (Box::new(file), path.display().to_string())
        }
        None => (Box::new(std::io::stdout()), "stdout".to_owned()),
    })
}

/// Where records go, in which format.
pub fn sink(
    args: &OutputArgs,
    table: &TableArgs,
    what: &FormatArgs,
    config: &Config,
) -> anyhow::Result<Sink<Box<dyn Write>>> {
    let is_table = matches!(args.output, OutputFormat::Table | OutputFormat::Wide);
    if table.columns.is_some() && !is_table {
        let why = "--columns: only a table has them; -o table or wide";
        return Err(UsageError(why.to_owned()).into());
    }
    let arguments = what.shown(args.output).arguments(config)?;
    let (writer, name) = writer(args)?;
    let layout = layout(args);
    let format: Box<dyn Format> = match args.output {
        OutputFormat::Json => Box::new(Json),
        OutputFormat::Csv => Box::new(Csv::default()),
        OutputFormat::Ecs => Box::new(Ecs::default()),
        OutputFormat::Ocsf => Box::new(Ocsf::default()),
        OutputFormat::Nemesis => {
            say_what_is_shown(&arguments);
            let profile = what.nemesis.profile.profile(BATCH);
            Box::new(Nemesis::new(
                profile,
                what.nemesis.states,
                // The sink takes out of them what is not to be shown.
                Arguments::Full,
            ))
        }
        OutputFormat::Table | OutputFormat::Wide => {
            let columns = table.columns.clone().unwrap_or_default();
            Box::new(Table::with_columns(layout, &columns))
        }
    };
    Ok(Sink::new(Lines::new(format, arguments), writer, &name))
}

/// Whether there are colours, on what can have them or cannot.
pub fn is_coloured(wanted: Colour, can_have: bool) -> bool {
    match wanted {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => can_have && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    }
}

/// How a table is laid out.
pub fn layout(args: &OutputArgs) -> Layout {
    let is_terminal = args.output_file.is_none() && std::io::stdout().is_terminal();
    Layout {
        width: is_terminal.then(terminal::width),
        is_coloured: is_coloured(args.tone.color, is_terminal),
        is_wide: args.output == OutputFormat::Wide,
    }
}
