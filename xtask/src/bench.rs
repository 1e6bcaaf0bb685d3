//! The benchmark: what tracing costs.

use crate::{
    build::{self, statically},
    command::{as_root, cargo, root, run as call},
};

/// Builds and runs it, as root.
pub fn run(args: &[String]) -> anyhow::Result<()> {
    build::run()?;
    call(statically(cargo().args([
        "build",
        "--release",
        "--package",
        "tracer-tests",
        "--bins",
    ])))?;
    let bench = root()
        .join("target")
        .join(build::TARGET)
        .join("release/bench");
    call(as_root(bench).args(args))
}
