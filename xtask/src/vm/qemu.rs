//! One run of one kernel, under software emulation.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::{Kernel, initramfs};
use crate::command::command;

/// How long a run may take.
const DEADLINE: Duration = Duration::from_hours(1);
/// Software emulation, one host thread for all CPUs. With a thread for each, a CPU that meets an
/// instruction that another is patching may get its trap so late that the kernel takes it for a bug
/// and oopses with `int3`, now and then before anything of ours runs.
const ACCELERATOR: &str = "tcg,thread=single";
/// Without the flags that make a kernel copy with `rep movsb`, which emulation does byte by byte: the
/// verifier copies much, and conntracer starts in two thirds of the time.
const CPU: &str = "max,-erms,-fsrm";
/// Memory in MiB, most of it for the maps of as many conntracers as run side by side in a test.
const MEMORY_MIB: &str = "4096";
/// The line in which init says how the tests ended.
const VERDICT: &str = "verdict: ";
/// How a line begins that is not for people.
pub const DATA: &str = "data: ";

/// Boots the kernel and shows what the tests say; of those that pass only to somebody who watches.
/// Whether they passed. All of it, with the seconds it came after, goes to a file.
pub fn run(kernel: &Kernel, args: &[String], path: &Path) -> anyhow::Result<bool> {
    let append = format!(
        "console=ttyS0 quiet panic=-1 oops=panic -- {}",
        args.join(" ")
    );
    let mut machine = command("timeout")
        .arg(DEADLINE.as_secs().to_string())
        .arg("qemu-system-x86_64")
        .args([
            "-accel",
            ACCELERATOR,
            "-cpu",
            CPU,
            "-smp",
            "2",
            "-m",
            MEMORY_MIB,
        ])
        .args([
            "-nographic",
            "-no-reboot",
            "-nodefaults",
            "-serial",
            "stdio",
        ])
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(initramfs::of_kernel(kernel)?)
        .args(["-append", &append])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run qemu-system-x86_64")?;
    let console = machine
        .stdout
        .take()
        .context("the machine has no console")?;
    let began = Instant::now();
    let mut log =
        fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let is_watched = io::stdout().is_terminal();
    let mut verdict = None;
    for line in BufReader::new(console).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).trim_end().to_owned();
        writeln!(log, "{:8.2} {line}", began.elapsed().as_secs_f64())?;
        match line.strip_prefix(VERDICT) {
            Some(word) => verdict = Some(word == "passed"),
            None if line.ends_with(" ... ok") && !is_watched => {}
            None if line.starts_with(DATA) => {}
            None => println!("  {line}"),
        }
    }
    machine.wait()?;
    println!("vm: {} s, {}", began.elapsed().as_secs(), path.display());
    Ok(verdict.unwrap_or(false))
}
