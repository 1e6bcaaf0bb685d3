//! `cargo xtask`: setup, build, run, test, vm, bench, stress, fuzz, coverage, exercise. People and CI use nothing else.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a tool for the terminal")]

mod bench;
mod bpf;
mod build;
mod check;
mod command;
mod coverage;
mod exercise;
mod fuzz;
mod kubernetes;
mod packages;
mod setup;
mod stress;
mod suite;
mod test;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Sets up, builds, runs and tests conntracer
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Make this machine able to build the kernel object
    Setup,
    /// Build one static file
    Build,
    /// Build and run, as root; arguments after -- go to conntracer
    Run {
        /// Arguments of conntracer
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Formatting and lints
    Check,
    /// Set up and run every test: unit, replay, on this kernel, and on others in virtual machines
    Test {
        /// Leave out the virtual machines
        #[arg(long)]
        no_vm: bool,
        /// Arguments of cargo nextest
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Run the kernel tests on other kernels, in virtual machines
    Vm(vm::Args),
    /// Measure what tracing costs
    Bench(bench::Args),
    /// Open and close as fast as the machine can while many sockets are open; nothing must be mixed
    Stress(stress::Args),
    /// Feed every reader of foreign formats with anything
    Fuzz(fuzz::Args),
    /// Write the table of docs/coverage.md anew, from what the tests see in the virtual machines
    Coverage(coverage::Args),
    /// Record the intrusion of docs/exercise.md anew, in a virtual machine
    Exercise(exercise::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Setup => setup::run(),
        Task::Build => setup::run().and_then(|()| build::run()),
        Task::Run { args } => setup::run().and_then(|()| build::run_as_root(&args)),
        Task::Check => setup::run().and_then(|()| check::run()),
        Task::Test { no_vm, args } => test::run(!no_vm, &args),
        Task::Vm(args) => vm::run(&args),
        Task::Bench(args) => setup::run().and_then(|()| bench::run(&args)),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Coverage(args) => coverage::run(&args),
        Task::Exercise(args) => exercise::run(&args),
        Task::Stress(args) => setup::run().and_then(|()| stress::run(&args)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
