//! Feeds every reader of foreign formats with anything.
//!
//! The targets are those of cargo-fuzz, and are built without it: the flags of its instrumentation are the stable
//! compiler's too, and it would have to be built first.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    thread,
};

use anyhow::{Context as _, bail, ensure};

use crate::{
    build,
    command::{cargo, root, run as call},
    packages,
};

/// What counts the edges that an input takes, and what it is compared with.
const FLAGS: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
];
/// Inputs to begin with, by what the name of a target begins with: of the fixtures of tests.
const SEEDS: [(&str, &str); 7] = [
    ("export", "netflow"),
    ("sflow", "netflow"),
    ("threat", "threat"),
    ("people", "threat"),
    ("geo", "mmdb"),
    ("discovery", "discovery"),
    ("record", "story.json"),
];
/// All others read logs.
const LOGS: &str = "flows";

/// Flags of `cargo xtask fuzz`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How long each target runs
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// How many run at a time
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Those of `fuzz/targets` that run [default: all]
    targets: Vec<String>,
}

/// Builds them and runs them. A crash is an error, which names the input.
pub fn run(args: &Args) -> anyhow::Result<()> {
    packages::install(&["g++"])?;
    build()?;
    let all = targets()?;
    if let Some(unknown) = args.targets.iter().find(|name| !all.contains(name)) {
        bail!("there is no target `{unknown}`, only {}", all.join(", "));
    }
    let wanted = all
        .into_iter()
        .filter(|name| args.targets.is_empty() || args.targets.contains(name));
    let waiting = Mutex::new(wanted.collect::<Vec<_>>());
    let crashed = Mutex::new(Vec::new());
    let next = || waiting.lock().ok().and_then(|mut names| names.pop());
    thread::scope(|scope| {
        for _ in 0..args.jobs.max(1) {
            scope.spawn(|| {
                while let Some(name) = next() {
                    match fuzz(&name, args.seconds) {
                        Ok(line) => println!("fuzz {name:<12} {line}"),
                        Err(why) => {
                            println!("fuzz {name:<12} {why:#}");
                            crashed
                                .lock()
                                .into_iter()
                                .for_each(|mut all| all.push(name.clone()));
                        }
                    }
                }
            });
        }
    });
    let crashed = crashed.into_inner().unwrap_or_default();
    ensure!(
        crashed.is_empty(),
        "inputs were found on which these fail: {}",
        crashed.join(", ")
    );
    Ok(())
}

fn build() -> anyhow::Result<()> {
    let mut build = cargo();
    build
        .args([
            "build",
            "--quiet",
            "--release",
            "--locked",
            "--manifest-path",
        ])
        .arg(directory().join("Cargo.toml"))
        // With a target, the flags are not those of build scripts.
        .args(["--target", build::TARGET, "--target-dir"])
        .arg(built())
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"));
    call(&mut build)
}

fn directory() -> PathBuf {
    root().join("fuzz")
}

fn built() -> PathBuf {
    root().join("target/fuzz")
}

/// Their names: each is a file.
fn targets() -> anyhow::Result<Vec<String>> {
    let files = fs::read_dir(directory().join("targets")).context("there are no targets")?;
    let mut names = Vec::new();
    for file in files {
        let path = file?.path();
        names.extend(
            path.file_stem()
                .map(|stem| stem.to_string_lossy().into_owned()),
        );
    }
    names.sort_unstable();
    Ok(names)
}

/// Runs one. What libFuzzer says at the end.
fn fuzz(name: &str, seconds: u32) -> anyhow::Result<String> {
    let work = built().join("work").join(name);
    let corpus = work.join("corpus");
    fs::create_dir_all(&corpus)?;
    let seeds = SEEDS.iter().find(|(begin, _)| name.starts_with(begin));
    let seeds = seeds.map_or(LOGS, |(_, seeds)| seeds);
    copy(&root().join("tests/fixtures").join(seeds), &corpus)?;
    let program = built().join(build::TARGET).join("release").join(name);
    let output = Command::new(program)
        .arg(format!("-max_total_time={seconds}"))
        .args([
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-max_len=65536",
            "-print_final_stats=1",
        ])
        .arg(format!("-artifact_prefix={}/", work.display()))
        .arg(&corpus)
        .stdin(Stdio::null())
        .output()
        .context("cannot be run")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let stat = |what: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(what));
        line.map_or("?", str::trim).to_owned()
    };
    if output.status.success() {
        let (runs, rate) = (
            stat("stat::number_of_executed_units:"),
            stat("stat::average_exec_per_sec:"),
        );
        return Ok(format!("{runs} inputs, {rate}/s"));
    }
    // What failed, and which input it was.
    let said: Vec<&str> = said
        .lines()
        .filter(|line| {
            ["panicked", "ERROR", "Test unit"]
                .iter()
                .any(|word| line.contains(word))
        })
        .collect();
    bail!("{}: {}", output.status, said.join("; "))
}

/// Copies a file, or those of a directory.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let files = if from.is_dir() {
        fs::read_dir(from)?
            .map(|file| Ok(file?.path()))
            .collect::<std::io::Result<Vec<_>>>()?
    } else {
        vec![from.to_owned()]
    };
    for file in files {
        let name = file.file_name().context("a file has a name")?;
        fs::copy(&file, to.join(name))
            .with_context(|| format!("cannot copy {}", file.display()))?;
    }
    Ok(())
}
