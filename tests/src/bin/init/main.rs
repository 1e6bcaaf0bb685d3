//! The first process of a virtual machine: mounts what a Linux has, runs the kernel tests, says how
//! they ended, and turns the machine off. Its arguments go to the test program; `share` and
//! rungs stands for a kernel's share of them, and `exercise` stages the intrusion of the exercise, whose
//! programs are this one under other names.
#![expect(clippy::print_stdout, reason = "the console is all there is")]

mod exercise;

use std::{fs, process::Command};

use anyhow::Context as _;
use nix::{
    kmod::{ModuleInitFlags, finit_module},
    mount::{MsFlags, mount},
    sys::reboot::{RebootMode, reboot},
};
use tracer_tests::kernel_is_at_least;

fn main() -> anyhow::Result<()> {
    if std::process::id() != 1 {
        return exercise::act();
    }
    let verdict = match run() {
        Ok(true) => "passed",
        Ok(false) => "failed",
        Err(error) => {
            println!("init: {error:#}");
            "failed"
        }
    };
    println!("verdict: {verdict}");
    // Does not return; if it does, the kernel ends with its first process.
    let _ = reboot(RebootMode::RB_POWER_OFF);
    Ok(())
}

fn run() -> anyhow::Result<bool> {
    set_up()?;
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((word, _)) if word == "exercise" => exercise::stage(),
        Some((word, rungs)) if word == "share" => share(rungs),
        _ => kernel_tests(&words, at_once()),
    }
}

/// Those that start a conntracer of their own, on some rungs, and all that share one. Not at once, for
/// the shared ones make the floods of the others ten times slower.
fn share(rungs: &[String]) -> anyhow::Result<bool> {
    let own: Vec<String> = rungs.iter().map(|rung| format!("own::{rung}")).collect();
    // A kernel runs no program of a probe while a BPF system call is under way on that CPU, and some count
    // that nowhere: a conntracer that another test starts would take records from this one.
    let is_probed = rungs.iter().any(|rung| rung.ends_with("probe"));
    let threads = if is_probed { 1 } else { at_once() };
    let have_passed = kernel_tests(&own, threads)?;
    let shared = ["--skip".to_owned(), "own::".to_owned()];
    Ok(kernel_tests(&shared, at_once())? && have_passed)
}

/// How many tests run at once. From 7.0 on a task that comes in between finds a program dead that another one
/// runs, on the same CPU (docs/coverage.md); two tests at once would take records from each other.
fn at_once() -> u32 {
    if kernel_is_at_least(7, 0) { 1 } else { 2 }
}

/// Loads the modules of the kernel that came along, in their order.
fn load_modules() -> anyhow::Result<()> {
    let Ok(directory) = fs::read_dir("/modules") else {
        return Ok(());
    };
    let mut paths: Vec<_> = directory.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let module = fs::File::open(&path)?;
        finit_module(&module, c"", ModuleInitFlags::empty())
            .with_context(|| format!("cannot load {}", path.display()))?;
    }
    Ok(())
}

fn kernel_tests(args: &[String], threads: u32) -> anyhow::Result<bool> {
    let status = Command::new("/kernel-tests")
        .arg(format!("--test-threads={threads}"))
        .args(["-Zunstable-options", "--report-time"])
        .args(args)
        .env("CONNTRACER", "/conntracer")
        // It would take an hour.
        .env("FLOOD", "1000")
        .env("PEER", "/peer")
        .env("RUST_BACKTRACE", "1")
        // What reports the times is not stable.
        .env("RUSTC_BOOTSTRAP", "1")
        .status()
        .context("cannot run the tests")?;
    Ok(status.success())
}

fn set_up() -> anyhow::Result<()> {
    for (kind, at) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("devtmpfs", "/dev"),
        ("tmpfs", "/tmp"),
        ("cgroup2", "/sys/fs/cgroup"),
        ("bpf", "/sys/fs/bpf"),
        ("securityfs", "/sys/kernel/security"),
    ] {
        mount(Some(kind), at, Some(kind), MsFlags::empty(), None::<&str>)
            .with_context(|| format!("cannot mount {at}"))?;
    }
    fs::create_dir_all("/etc")?;
    fs::write(
        "/etc/passwd",
        "root:x:0:0::/:\nalice:x:1000:1000::/:\nweb:x:1234:1234::/:\n",
    )?;
    fs::write("/etc/services", "http 80/tcp\n")?;
    nix::unistd::sethostname("testhost")?;
    load_modules()
}
