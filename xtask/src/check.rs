//! Formatting and lints, of both halves.

use anyhow::Context as _;

use crate::{
    bpf,
    command::{cargo, root, run as call},
};

/// Checks everything that can be checked without running it.
pub fn run() -> anyhow::Result<()> {
    call(cargo().args(["fmt", "--all", "--check"]))?;
    call(cargo().args(["fmt", "--check", "--manifest-path", "fuzz/Cargo.toml"]))?;
    call(cargo().args([
        "clippy",
        "--workspace",
        "--exclude=tracer-ebpf",
        "--all-targets",
        "--",
        "--deny=warnings",
    ]))?;
    kernel_half()
}

/// The kernel half, by the compiler that builds it. It has no clippy, whose lints see the shared
/// crate; what is left is the compiler's own.
fn kernel_half() -> anyhow::Result<()> {
    let toolchain = bpf::find()
        .map_err(anyhow::Error::msg)
        .context("cannot check the kernel half")?;
    let mut check = toolchain.cargo("check");
    check
        .args(["--release", "--locked", "--target-dir"])
        .arg(root().join("target/bpf-check"))
        .current_dir(root());
    let flags = check
        .get_envs()
        .find(|(name, _)| *name == "CARGO_ENCODED_RUSTFLAGS")
        .and_then(|(_, flags)| flags)
        .map(|flags| flags.to_string_lossy().into_owned())
        .unwrap_or_default();
    check.env(
        "CARGO_ENCODED_RUSTFLAGS",
        format!("{flags}\u{1f}-Dwarnings"),
    );
    call(&mut check)
}
