//! The compiler and linker for the kernel object: where they are, and how they are called.
//!
//! Shared by `cargo xtask setup` and by the build script of `tracer-user`, so that both mean the
//! same machine.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Rust's name for the target.
pub const TARGET: &str = "bpfel-unknown-none";

/// A compiler that can build for the bpf target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compiler {
    /// A packaged rustc that brings `core` for the target.
    Packaged(PathBuf),
    /// The rustup nightly, which builds `core` from its sources.
    Nightly,
}

/// What builds the kernel object.
#[derive(Debug, Clone)]
pub struct Toolchain {
    pub compiler: Compiler,
    pub linker: PathBuf,
}

/// Where distributions put rustc. `CONNTRACER_BPF_RUSTC` names another one.
const PACKAGED: [&str; 1] = ["/usr/bin/rustc"];

/// Finds compiler and linker, or says what is missing.
pub fn find() -> Result<Toolchain, String> {
    let compiler = find_compiler().ok_or("no rustc here can build for the bpf target")?;
    let linker = find_linker().ok_or("bpf-linker is not installed")?;
    Ok(Toolchain { compiler, linker })
}

pub fn find_compiler() -> Option<Compiler> {
    let named = env::var_os("CONNTRACER_BPF_RUSTC").map(PathBuf::from);
    let packaged = named
        .into_iter()
        .chain(PACKAGED.map(PathBuf::from))
        .find(|rustc| has_target(rustc));
    match packaged {
        Some(rustc) => Some(Compiler::Packaged(rustc)),
        None => has_nightly_sources().then_some(Compiler::Nightly),
    }
}

/// On the path, or where cargo installs, which need not be on it.
pub fn find_linker() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(cargo_bin())
        .map(|directory| directory.join("bpf-linker"))
        .find(|file| file.is_file())
}

fn cargo_bin() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cargo")))?;
    Some(home.join("bin"))
}

/// Whether rustc brings a `core` for the target.
fn has_target(rustc: &Path) -> bool {
    let Some(directory) =
        output(Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]))
    else {
        return false;
    };
    let Ok(files) = std::fs::read_dir(directory) else {
        return false;
    };
    files.flatten().any(|file| {
        let name = file.file_name();
        name.to_string_lossy().starts_with("libcore-")
    })
}

fn has_nightly_sources() -> bool {
    let sysroot =
        output(Command::new("rustup").args(["run", "nightly", "rustc", "--print", "sysroot"]));
    sysroot.is_some_and(|root| {
        Path::new(&root)
            .join("lib/rustlib/src/rust/library/core")
            .is_dir()
    })
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.env_remove("RUSTUP_TOOLCHAIN").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

impl Toolchain {
    /// A cargo command with this compiler and linker; `subcommand` is e.g. `build`.
    pub fn cargo(&self, subcommand: &str) -> Command {
        let mut command = match &self.compiler {
            Compiler::Packaged(rustc) => {
                let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
                let mut command = Command::new(cargo);
                command.arg(subcommand).env("RUSTC", rustc);
                command
            }
            Compiler::Nightly => {
                let mut command = Command::new("rustup");
                command
                    .args(["run", "nightly", "cargo", subcommand])
                    .args(["-Z", "build-std=core"])
                    .env_remove("RUSTUP_TOOLCHAIN")
                    .env_remove("RUSTC");
                command
            }
        };
        command
            .args(["--package", "tracer-ebpf", "--target", TARGET])
            .env("CARGO_ENCODED_RUSTFLAGS", self.rustflags().join("\u{1f}"))
            // aya-ebpf and the atomic add need inline assembly for bpf.
            .env("RUSTC_BOOTSTRAP", "1");
        for inherited in [
            "RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "CARGO_BUILD_TARGET",
            "CARGO_MAKEFLAGS",
        ] {
            command.env_remove(inherited);
        }
        command
    }

    fn rustflags(&self) -> Vec<String> {
        vec![
            format!("-Clinker={}", self.linker.display()),
            "-Clink-arg=--btf".to_owned(),
            // Without the type information of every function the verifier refuses calls between
            // them; it is made from the debug information.
            "-Cdebuginfo=2".to_owned(),
            "--cfg=bpf_target_arch=\"x86_64\"".to_owned(),
        ]
    }
}
