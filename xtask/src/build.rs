//! Building one static file, and running it.

use std::{path::PathBuf, process::Command};

use crate::command::{as_root, cargo, root, run as call};

/// The target that can be linked statically with what every Rust toolchain brings.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Has cargo link statically.
pub fn statically(command: &mut Command) -> &mut Command {
    command.args(["--target", TARGET]).env(
        "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
        "-Ctarget-feature=+crt-static",
    )
}

/// Builds the static file.
pub fn run() -> anyhow::Result<()> {
    call(statically(cargo().args([
        "build",
        "--release",
        "--package",
        "tracer-user",
    ])))?;
    println!("{}", binary().display());
    Ok(())
}

/// Where the static file is.
pub fn binary() -> PathBuf {
    root()
        .join("target")
        .join(TARGET)
        .join("release/conntracer")
}

/// Builds and runs, as root.
pub fn run_as_root(args: &[String]) -> anyhow::Result<()> {
    call(statically(cargo().args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "tracer-user",
    ])))?;
    let status = as_root(binary()).args(args).status()?;
    // Its own exit code is the answer.
    std::process::exit(status.code().unwrap_or(1));
}
