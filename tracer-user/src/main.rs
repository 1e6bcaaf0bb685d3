//! `conntracer`: which hosts does this machine talk to, on which port, by which process, user and
//! container.

mod cli;
mod host;
mod kernel;
mod output;
mod privileges;
mod run;
mod store;

use std::{io::Write as _, process::ExitCode};

use clap::Parser as _;
use tracing::Level;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::{
    cli::{Cli, Command, UsageError},
    kernel::log::{KERNEL_TARGET, Level as KernelLevel},
    output::screen::Messages,
    run::{Ending, LOSS, NOTES},
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let (level, loss) = match cli.voice() {
        Some(voice) => (voice.level(), LevelFilter::ERROR),
        // What others tell of loss and warn of is what the doctor finds.
        None => (Level::ERROR, LevelFilter::OFF),
    };
    let kernel = cli.live().map_or(KernelLevel::Off, |live| live.kernel_log);
    speak(level, loss, kernel);
    let result = match &cli.command {
        None => run::trace::run(&cli.trace),
        Some(Command::Trace(args)) => run::trace::run(args),
        Some(Command::Snapshot(args)) => run::snapshot::run(args),
        Some(Command::Hosts(args)) => run::hosts::run(args),
        Some(Command::Top(args)) => run::top::run(args),
        Some(Command::Replay(args)) => run::replay::run(args),
        Some(Command::Report(args)) => run::report::run(args),
        Some(Command::Discovery(args)) => run::discovery::run(args),
        Some(Command::Flows(args)) => run::flows::run(args),
        Some(Command::Export(args)) => run::export::run(args),
        Some(Command::History(args)) => run::history::command(args),
        Some(Command::Agent(args)) => run::agent::run(args),
        Some(Command::Doctor(args)) => run::doctor::run(args),
        Some(Command::Completions(args)) => run::generate::completions(args),
        Some(Command::Man(args)) => run::generate::man(args),
        Some(Command::SelfTestPeer(args)) => run::self_test::peer::run(args),
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
fn speak(level: Level, loss: LevelFilter, kernel: KernelLevel) {
    let notes = if level == Level::ERROR {
        level
    } else {
        Level::INFO
    };
    let shown = Targets::new()
        .with_default(level)
        .with_target(NOTES, notes)
        .with_target(LOSS, loss)
        .with_target(KERNEL_TARGET, kernel.filter())
        // What it says of failures is said by who asks, once and escaped.
        .with_target("kube", LevelFilter::OFF);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(Messages)
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
