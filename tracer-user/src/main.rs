//! `conntracer`: which hosts does this machine talk to, on which port, by which process, user and
//! container.

mod cli;
mod host;
mod kernel;
mod output;
mod privileges;
mod run;

use std::{io::Write as _, process::ExitCode};

use clap::Parser as _;
use tracing::Level;
use tracing_subscriber::{
    filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::{
    cli::{Cli, Command, OutputArgs, UsageError},
    kernel::log::{KERNEL_TARGET, Level as KernelLevel},
    run::Ending,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match &cli.command {
        None => speak(Some(&cli.trace.output), cli.trace.kernel_log),
        Some(Command::Trace(args)) => speak(Some(&args.output), args.kernel_log),
        Some(Command::Replay(args)) => speak(Some(&args.output), KernelLevel::Off),
        Some(Command::Doctor(_)) => speak(None, KernelLevel::Off),
    }
    let result = match &cli.command {
        None => run::trace::run(&cli.trace),
        Some(Command::Trace(args)) => run::trace::run(args),
        Some(Command::Replay(args)) => run::replay::run(args),
        Some(Command::Doctor(args)) => run::doctor::run(args),
    };
    match result {
        Ok(ending) => ending.into(),
        Err(error) if error.is::<UsageError>() => {
            complain(&format!("{error:#}"));
            ExitCode::from(2)
        }
        Err(error) => {
            complain(&format!("{error:#}"));
            Ending::Failed.into()
        }
    }
}

/// Messages for people go to stderr, and what the kernel programs have to say.
fn speak(output: Option<&OutputArgs>, kernel: KernelLevel) {
    let level = match output {
        Some(output) if output.quiet => Level::ERROR,
        Some(output) if output.verbose => Level::INFO,
        _ => Level::WARN,
    };
    let shown = Targets::new()
        .with_default(level)
        .with_target(KERNEL_TARGET, kernel.filter());
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false)
        .without_time();
    tracing_subscriber::registry()
        .with(shown)
        .with(layer)
        .init();
}

fn complain(message: &str) {
    // There is nobody left to tell if this fails.
    let _ = writeln!(std::io::stderr(), "conntracer: {message}");
}
