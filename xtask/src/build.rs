//! Building one static file, and running it.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, ensure};

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

/// Flags of cargo's for programs with optimisations, or without.
pub fn optimized(is_so: bool) -> &'static [&'static str] {
    if is_so { &["--release"] } else { &[] }
}

/// Builds the programs that tests start, with more flags of cargo's.
pub fn test_programs(flags: &[&str]) -> anyhow::Result<()> {
    let build = ["build", "--package", "tracer-tests", "--bins"];
    call(statically(cargo().args(build).args(flags)))
}

/// Builds the tests that run on a kernel, with more flags of cargo's, and finds the program they became.
pub fn kernel_tests(flags: &[&str]) -> anyhow::Result<PathBuf> {
    let mut build = cargo();
    statically(build.args([
        "test",
        "--no-run",
        "--package",
        "tracer-tests",
        "--test",
        "kernel",
    ]));
    // Cargo names the program on stderr: `Executable tests/kernel/main.rs (PATH)`.
    let output = build.args(flags).output().context("cannot run cargo")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the tests do not compile:\n{text}");
    let path = text
        .lines()
        .filter(|line| line.trim_start().starts_with("Executable"))
        .find_map(|line| line.rsplit_once('(')?.1.strip_suffix(')'))
        .context("cargo does not name the test program")?;
    Ok(root().join(path))
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
