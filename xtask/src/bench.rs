//! The benchmark: what tracing costs.

use crate::{
    build,
    command::{as_root, root, run as call},
};

/// Flags of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Programs that are built in less time, for numbers that mean nothing
    #[arg(long)]
    debug: bool,
    /// Arguments of the benchmark
    #[arg(last = true)]
    bench: Vec<String>,
}

/// Builds and runs it, as root.
pub fn run(args: &Args) -> anyhow::Result<()> {
    build::run()?;
    build::test_programs(build::optimized(!args.debug))?;
    let directory = if args.debug { "debug" } else { "release" };
    let programs = root().join("target").join(build::TARGET).join(directory);
    call(as_root(programs.join("bench")).args(&args.bench))
}
