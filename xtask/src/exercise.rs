//! The recording of `docs/exercise.md` and `docs/guide.md`: an intrusion that is staged in a virtual machine.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, ensure};

use crate::{command::root, vm};

/// On which kernel.
pub const KERNEL: &str = "6.12";
/// What it becomes.
const RECORDING: &str = "docs/exercise/intrusion.rec";

/// Flags of `cargo xtask exercise`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Use what is built and fetched already
    #[arg(long)]
    prepared: bool,
    /// Where the recording goes, in place of the one that comes with the pages
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Stages it, and keeps the recording.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let console = vm::console(args.prepared, KERNEL, "exercise")?;
    let mut recording = Vec::new();
    for (_, digits) in console.lines().filter_map(|line| line.split_once(vm::DATA)) {
        recording.extend(bytes_of(digits.trim())?);
    }
    ensure!(!recording.is_empty(), "nothing was recorded");
    let path = args.output.clone();
    let path = path.unwrap_or_else(|| root().join(RECORDING));
    let name = path.display();
    fs::write(&path, &recording).with_context(|| format!("cannot write {name}"))?;
    println!("{name}: {} bytes", recording.len());
    Ok(())
}

/// What stands there in hexadecimal digits.
fn bytes_of(digits: &str) -> anyhow::Result<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
        .collect()
}
