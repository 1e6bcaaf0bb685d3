//! The stress test at its whole size.

use crate::{
    build,
    command::{as_root, run as call},
};

/// Its name among the kernel tests.
const TEST: &str = "stress::under_stress_nothing_is_mixed::own::auto";

/// Flags of `cargo xtask stress`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How long processes open and close
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// How many sockets are open all the time
    #[arg(long, default_value_t = 100_000)]
    sockets: u32,
    /// Programs that are built in less time, and make less of it
    #[arg(long)]
    debug: bool,
}

/// Builds and runs it, as root.
pub fn run(args: &Args) -> anyhow::Result<()> {
    build::run()?;
    // Optimized: what looks at the records must be as fast as what writes them.
    let flags = build::optimized(!args.debug);
    build::test_programs(flags)?;
    let tests = build::kernel_tests(flags)?;
    let variables = [
        format!("CONNTRACER={}", build::binary().display()),
        format!("STRESS_SECONDS={}", args.seconds),
        format!("STRESS_SOCKETS={}", args.sockets),
    ];
    let mut stress = as_root("env");
    call(
        stress
            .args(variables)
            .arg(tests)
            .args(["--exact", TEST, "--nocapture"]),
    )
}
