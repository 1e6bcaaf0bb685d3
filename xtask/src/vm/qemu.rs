//! One run of one kernel, under software emulation.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::{Kernel, initramfs};
use crate::command::command;

/// How long a run may take.
const DEADLINE: Duration = Duration::from_mins(15);
/// The line in which init says how the tests ended.
const VERDICT: &str = "verdict: ";

/// Boots the kernel and shows what the tests say. Whether they passed.
pub fn run(kernel: &Kernel, args: &[String]) -> anyhow::Result<bool> {
    // With a host thread for each CPU, one that meets an instruction that the other is patching may get
    // its trap so late that the kernel takes it for a bug: 7.x oopses with `int3`, now and then before
    // anything of ours runs.
    let accelerator = if kernel.is_older_than(7, 0) {
        "tcg,thread=multi"
    } else {
        "tcg,thread=single"
    };
    let append = format!(
        "console=ttyS0 quiet panic=-1 oops=panic -- {}",
        args.join(" ")
    );
    let mut machine = command("timeout")
        .arg(DEADLINE.as_secs().to_string())
        .arg("qemu-system-x86_64")
        .args([
            "-accel",
            accelerator,
            "-cpu",
            "max",
            "-smp",
            "2",
            "-m",
            "2048",
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
        .arg(initramfs::path())
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
    let mut verdict = None;
    for line in BufReader::new(console).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).trim_end().to_owned();
        match line.strip_prefix(VERDICT) {
            Some(word) => verdict = Some(word == "passed"),
            None => println!("  {line}"),
        }
    }
    machine.wait()?;
    println!("vm: {} s", began.elapsed().as_secs());
    Ok(verdict.unwrap_or(false))
}
