//! Making a machine able to build the kernel object. Says what it does; a second run finds
//! everything in place.

use std::path::Path;

use anyhow::{Context as _, bail};

use crate::{
    bpf::{self, Compiler},
    command::{command, has, output, run as call},
    packages,
};

/// The linker, at the version that is known to work with these compilers.
const LINKER_VERSION: &str = "0.13.0";

/// Installs what is missing.
pub fn run() -> anyhow::Result<()> {
    let compiler = compiler()?;
    linker(&compiler)
}

/// A compiler with `core` for the bpf target: a packaged one, or the rustup nightly with sources.
fn compiler() -> anyhow::Result<Compiler> {
    if let Some(compiler) = bpf::find_compiler() {
        return Ok(compiler);
    }
    for pair in [
        ["rustc-web", "libstd-rust-web-dev-bpf"],
        ["rustc", "libstd-rust-dev-bpf"],
    ] {
        if has("apt-get") && pair.iter().all(|package| packages::is_available(package)) {
            packages::install(&pair)?;
            break;
        }
    }
    if bpf::find_compiler().is_none() && has("rustup") {
        println!("setup: installing the rustup nightly with its sources");
        call(command("rustup").args([
            "toolchain",
            "install",
            "nightly",
            "--profile=minimal",
            "--component=rust-src",
        ]))?;
    }
    bpf::find_compiler().context(
        "no rustc with `core` for the bpf target can be had here: neither packages \
         (rustc-web and libstd-rust-web-dev-bpf) nor the rustup nightly with rust-src",
    )
}

/// The linker, built against the LLVM of the compiler.
fn linker(compiler: &Compiler) -> anyhow::Result<()> {
    if let Some(linker) = bpf::find_linker()
        && output(command(linker).arg("--version"))
            .is_ok_and(|version| version.trim().ends_with(LINKER_VERSION))
    {
        return Ok(());
    }
    let llvm = llvm_version(compiler)?;
    let prefix = format!("/usr/lib/llvm-{llvm}");
    let package = format!("llvm-{llvm}-dev");
    if !Path::new(&prefix).join("bin/llvm-config").exists() && packages::is_available(&package) {
        packages::install(&[&package])?;
    }
    if Path::new(&prefix).join("bin/llvm-config").exists() {
        println!("setup: building bpf-linker {LINKER_VERSION} against LLVM {llvm}");
        return call(
            command("cargo")
                .args(["install", "bpf-linker", "--version", LINKER_VERSION])
                .args(["--locked", "--force", "--no-default-features", "--features"])
                .arg(format!("llvm-{llvm}"))
                .env("LLVM_PREFIX", &prefix)
                .env_remove("RUSTUP_TOOLCHAIN"),
        );
    }
    if has("cargo-binstall") {
        println!("setup: installing the prebuilt bpf-linker {LINKER_VERSION}");
        let name = format!("bpf-linker@{LINKER_VERSION}");
        return call(command("cargo").args(["binstall", "--no-confirm", &name]));
    }
    bail!("bpf-linker needs LLVM {llvm}: install {package}, or cargo-binstall");
}

/// The major version of the LLVM that a compiler uses.
fn llvm_version(compiler: &Compiler) -> anyhow::Result<String> {
    let mut rustc = match compiler {
        Compiler::Packaged(rustc) => command(rustc),
        Compiler::Nightly => {
            let mut rustup = command("rustup");
            rustup.args(["run", "nightly", "rustc"]);
            rustup
        }
    };
    let version = output(rustc.arg("-vV").env_remove("RUSTUP_TOOLCHAIN"))?;
    version
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))
        .and_then(|version| version.split('.').next())
        .map(str::to_owned)
        .context("rustc does not say which LLVM it uses")
}
