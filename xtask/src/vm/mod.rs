//! The kernel tests on other kernels: QEMU boots each with an initramfs that holds nothing but the
//! static file under test and the static files that test it.

mod initramfs;
mod kernels;
mod qemu;

use anyhow::{Context as _, ensure};

pub use self::kernels::{KERNELS, Kernel};
use crate::{build, packages, setup};

/// Flags of `cargo xtask vm`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Kernels to run: 5.10, 6.1, 6.12, newest; none: all
    kernels: Vec<String>,
    /// Use what is built and fetched already
    #[arg(long)]
    prepared: bool,
    /// Arguments of the test program, e.g. part of the name of a test
    #[arg(last = true)]
    test: Vec<String>,
}

/// What the virtual machines need.
const TOOLS: [&str; 3] = ["qemu-system-x86", "cpio", "dpkg"];

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
        if !qemu::run(kernel, &args.test)? {
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
        println!("vm: Linux {}", kernel.version);
        qemu::run(&kernel, tests)?;
        let path = qemu::console_path(&kernel);
        let console = std::fs::read_to_string(&path);
        consoles.push(console.with_context(|| format!("cannot read {}", path.display()))?);
    }
    Ok(consoles)
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
