//! `conntracer trace`

use std::{
    io::{IsTerminal as _, Write},
    path::Path,
    time::Duration,
};

use tracer_core::{
    clock::Anchor,
    fact::{Fact, Tracing},
    format::{Format, Json, Layout, Table},
    pipeline::Pipeline,
    recording::{Header, Recorded},
    scope::Scopes,
    select::Compiled,
};
use tracing::{info, warn};

use super::{Ending, session::Session};
use crate::{
    cli::{Colour, OutputArgs, OutputFormat, Surroundings, TraceArgs},
    host::{
        Machine, addresses,
        clock::{Clock as _, SystemClock},
        etc, namespaces,
    },
    kernel::{
        drain::{Kernel, ending_signals},
        load::{self, Attached, Request},
        log::KernelLog,
        object,
    },
    output::{file, recorder::Recorder, sink::Sink, terminal},
    privileges,
};

/// Traces live.
pub fn run(args: &TraceArgs) -> anyhow::Result<Ending> {
    privileges::check()?;
    let users = etc::users();
    let selection = args.selection.resolve(&Surroundings {
        users: &users,
        is_live: true,
    })?;
    let networks = args.networks.networks();
    let kernel_selects = selection.may_drop_in_kernel() && !args.records_everything();
    let compiled = if kernel_selects {
        let own = addresses::of_namespace(std::process::id());
        selection.compile(&Scopes::new(&own, &networks))
    } else {
        Compiled::default()
    };
    let mut clock = SystemClock::new();
    let anchor = clock.anchor();
    let pipeline = Pipeline::new(selection, kernel_selects, anchor.clone()).limited_to(args.count);
    // Opened before anything is loaded, so that a wrong name costs nothing.
    let recorder = recorder(args, anchor)?;
    let sink = live_sink(args)?;
    // Threads made from here on leave the signals to the draining.
    ending_signals().thread_block()?;
    let mut attached = load::attach(&Request {
        policy: &args.hooks,
        selection: &compiled,
        ring_bytes: args.buffer.0,
        log_level: args.kernel_log.number(),
    })?;
    let tracing = tracing_fact(&attached);
    for hook in &tracing.hooks {
        info!("{} through {}", hook.name, hook.via);
    }
    for sentence in &tracing.degraded {
        warn!("{sentence}");
    }
    let log = KernelLog::open(&mut attached.ebpf, args.kernel_log)?;
    let session = Session {
        source: Kernel::start(attached, &compiled, log)?,
        host: Machine::new(),
        clock,
        pipeline,
        sink,
        recorder,
        duration: args.duration.map(Duration::from),
    };
    session.run(vec![Fact::Tracing(tracing), Fact::Networks(networks)])
}

/// How tracing was set up.
fn tracing_fact(attached: &Attached) -> Tracing {
    let mut degraded = attached.degraded();
    degraded.extend(namespaces::limits());
    Tracing {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        hooks: attached.hooks(),
        programs: attached.programs(),
        object_sha256: object::sha256(),
        degraded,
    }
}

fn recorder(args: &TraceArgs, anchor: Anchor) -> anyhow::Result<Option<Recorder>> {
    let Some(path) = &args.record else {
        return Ok(None);
    };
    let selection = if args.records_everything() {
        Recorded::Everything
    } else {
        Recorded::Selected(args.selection.words())
    };
    let header = Header {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        selection,
        clock: anchor,
    };
    Recorder::create(path, args.output.force, &header).map(Some)
}

/// Where records go: nowhere if stdout is taken by the recording.
fn live_sink(args: &TraceArgs) -> anyhow::Result<Option<Sink<Box<dyn Write>>>> {
    let is_stdout_taken = args.record.as_deref() == Some(Path::new("-"));
    if is_stdout_taken && args.output.output_file.is_none() {
        return Ok(None);
    }
    sink(&args.output).map(Some)
}

/// Where records go, in which format.
pub fn sink(args: &OutputArgs) -> anyhow::Result<Sink<Box<dyn Write>>> {
    let (writer, name): (Box<dyn Write>, String) = match &args.output_file {
        Some(path) => {
            let file = file::create(path, args.force)?;
            (Box::new(file), path.display().to_string())
        }
        None => (Box::new(std::io::stdout()), "stdout".to_owned()),
    };
    let layout = layout(args);
    let format: Box<dyn Format> = match args.output {
        OutputFormat::Json => Box::new(Json),
        OutputFormat::Table | OutputFormat::Wide => Box::new(Table::new(layout)),
    };
    Ok(Sink::new(format, writer, &name))
}

fn layout(args: &OutputArgs) -> Layout {
    let is_terminal = args.output_file.is_none() && std::io::stdout().is_terminal();
    let is_coloured = match args.color {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => is_terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    };
    Layout {
        width: is_terminal.then(terminal::width),
        is_coloured,
        is_wide: args.output == OutputFormat::Wide,
    }
}
