//! The benchmark: what tracing costs.

use crate::{
    build,
    command::{as_root, root, run as call},
};

/// Builds and runs it, as root.
pub fn run(args: &[String]) -> anyhow::Result<()> {
    build::run()?;
    build::test_programs(&["--release"])?;
    let bench = root()
        .join("target")
        .join(build::TARGET)
        .join("release/bench");
    call(as_root(bench).args(args))
}
