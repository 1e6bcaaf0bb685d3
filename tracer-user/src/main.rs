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

use crate::{
    cli::{Cli, Command, OutputArgs, UsageError},
    run::Ending,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = match &cli.command {
        None => Some(&cli.trace.output),
        Some(Command::Trace(args)) => Some(&args.output),
        Some(Command::Replay(args)) => Some(&args.output),
        Some(Command::Doctor(_)) => None,
    };
    speak(output);
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

/// Messages for people go to stderr.
fn speak(output: Option<&OutputArgs>) {
    let level = match output {
        Some(output) if output.quiet => Level::ERROR,
        Some(output) if output.verbose => Level::INFO,
        _ => Level::WARN,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false)
        .without_time()
        .init();
}

fn complain(message: &str) {
    // There is nobody left to tell if this fails.
    let _ = writeln!(std::io::stderr(), "conntracer: {message}");
}
