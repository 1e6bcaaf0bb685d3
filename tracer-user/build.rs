//! Compiles the kernel object, so that the binary embeds it and never one older than its source.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

#[path = "../xtask/src/bpf.rs"]
mod bpf;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for input in [
        "tracer-ebpf",
        "tracer-abi",
        "Cargo.toml",
        "Cargo.lock",
        "xtask/src/bpf.rs",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    println!("cargo::rerun-if-env-changed=CONNTRACER_BPF_RUSTC");
    if env::var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok("x86_64") {
        println!("cargo::error=conntracer supports x86_64 only");
        return;
    }
    if let Err(why) = compile(&root) {
        println!("cargo::error={why}; run `cargo xtask setup`");
    }
}

fn compile(root: &Path) -> Result<(), String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("there is no OUT_DIR")?);
    let target_dir = out.join("bpf");
    let toolchain = bpf::find()?;
    let status = toolchain
        .cargo("build")
        .args(["--release", "--locked", "--target-dir"])
        .arg(&target_dir)
        .current_dir(root)
        .status()
        .map_err(|error| format!("cannot run cargo for the kernel object: {error}"))?;
    if !status.success() {
        return Err("the kernel object does not compile".to_owned());
    }
    let built = target_dir.join(bpf::TARGET).join("release/conntracer-ebpf");
    strip(&built, &out.join("conntracer-ebpf"))
}

/// Takes out the debug information: the kernel reads BTF, and it is three quarters of the file. On a
/// machine without LLVM's tools the whole file is embedded.
fn strip(from: &Path, to: &Path) -> Result<(), String> {
    let is_stripped = objcopies().into_iter().any(|objcopy| {
        Command::new(objcopy)
            .arg("--strip-debug")
            .args([from, to])
            .status()
            .is_ok_and(|status| status.success())
    });
    if is_stripped {
        return Ok(());
    }
    std::fs::copy(from, to)
        .map(|_| ())
        .map_err(|error| format!("cannot copy {}: {error}", from.display()))
}

/// LLVM's objcopy under the names distributions give it, newest first.
fn objcopies() -> Vec<String> {
    let versioned = (20..40)
        .rev()
        .map(|version| format!("llvm-objcopy-{version}"));
    versioned.chain(["llvm-objcopy".to_owned()]).collect()
}
