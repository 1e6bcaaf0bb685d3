//! The kernel tests on other kernels: QEMU boots each with an initramfs that holds nothing but the
//! static file under test and the static files that test it.

mod initramfs;
mod kernels;
mod modules;
mod qemu;

use std::path::PathBuf;

use anyhow::{Context as _, ensure};

pub use self::{
    kernels::{KERNELS, Kernel, RUNGS},
    qemu::DATA,
};
use crate::{build, command::root, packages, setup};

/// Flags of `cargo xtask vm`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Kernels to run: 5.10, 6.1, 6.12, newest; none: all
    kernels: Vec<String>,
    /// Use what is built and fetched already
    #[arg(long)]
    prepared: bool,
    /// On each kernel all tests on all rungs, not its share of those that take long
    #[arg(long, conflicts_with = "test")]
    whole: bool,
    /// Arguments of the test program, e.g. part of the name of a test
    #[arg(last = true)]
    test: Vec<String>,
}

impl Args {
    /// What the first process of a machine is told.
    fn words(&self, kernel: &Kernel) -> Vec<String> {
        if !self.test.is_empty() {
            return self.test.clone();
        }
        let rungs = if self.whole { &RUNGS } else { kernel.own_rungs };
        let words = ["share"].into_iter().chain(rungs.iter().copied());
        words.map(str::to_owned).collect()
    }
}

/// What the virtual machines need.
const TOOLS: [&str; 4] = ["qemu-system-x86", "cpio", "dpkg", "xz-utils"];

/// Runs the kernel tests on the kernels that were asked for.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let kernels = ready(args.prepared)?;
    let is_wanted = |kernel: &&Kernel| {
        args.kernels.is_empty() || args.kernels.iter().any(|name| name == kernel.name)
    };
    let wanted: Vec<&Kernel> = kernels.iter().filter(is_wanted).collect();
    ensure!(!wanted.is_empty(), "no such kernel is here");
    let mut failed = Vec::new();
    for kernel in wanted {
        println!("vm: Linux {}", kernel.version);
        if !qemu::run(kernel, &args.words(kernel), &console_path(kernel.name))? {
            failed.push(kernel.version.clone());
        }
    }
    ensure!(
        failed.is_empty(),
        "tests failed on Linux {}",
        failed.join(", ")
    );
    Ok(())
}

/// Runs tests on all kernels, whether they pass or not: what stood on the console of each.
pub fn consoles(is_prepared: bool, tests: &[String]) -> anyhow::Result<Vec<String>> {
    let mut consoles = Vec::new();
    for kernel in ready(is_prepared)? {
        let (_, console) = console_of(&kernel, tests, kernel.name)?;
        consoles.push(console);
    }
    Ok(consoles)
}

/// Has the first process do on one kernel what the word says: what stood on the console.
pub fn console(is_prepared: bool, name: &str, word: &str) -> anyhow::Result<String> {
    let kernels = ready(is_prepared)?;
    let kernel = kernels.iter().find(|kernel| kernel.name == name);
    let (has_passed, console) = console_of(
        kernel.context("the kernel is not here")?,
        &[word.to_owned()],
        word,
    )?;
    ensure!(has_passed, "it has failed");
    Ok(console)
}

/// Whether it passed, and what stood on the console, which is kept under a name.
fn console_of(kernel: &Kernel, words: &[String], name: &str) -> anyhow::Result<(bool, String)> {
    println!("vm: Linux {}", kernel.version);
    let path = console_path(name);
    let has_passed = qemu::run(kernel, words, &path)?;
    let console = std::fs::read_to_string(&path);
    let console = console.with_context(|| format!("cannot read {}", path.display()))?;
    Ok((has_passed, console))
}

/// Where what stands on a console goes.
fn console_path(name: &str) -> PathBuf {
    root().join(format!("target/vm/{name}.log"))
}

/// The kernels that are here; everything else is made ready, too, unless it is.
fn ready(is_prepared: bool) -> anyhow::Result<Vec<Kernel>> {
    if is_prepared {
        return Ok(kernels::cached());
    }
    setup::run()?;
    build::run()?;
    prepare()
}

/// Fetches the kernels and builds the initramfs. The kernels that could be had.
pub fn prepare() -> anyhow::Result<Vec<Kernel>> {
    packages::install(&TOOLS)?;
    let kernels = kernels::fetch();
    let test_program = build::kernel_tests(&[])?;
    initramfs::build(&test_program)?;
    Ok(kernels)
}

/// Says which kernels were tested and which were not.
pub fn report(kernels: &[Kernel]) {
    for wanted in &KERNELS {
        match kernels.iter().find(|kernel| kernel.name == wanted.name) {
            Some(kernel) => println!("kernel {:<7} Linux {}", wanted.name, kernel.version),
            None => println!(
                "kernel {:<7} NOT TESTED: it cannot be had any more",
                wanted.name
            ),
        }
    }
}
