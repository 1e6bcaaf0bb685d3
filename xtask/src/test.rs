//! Every test.

use anyhow::ensure;

use crate::{
    build::{self, statically},
    command::{cargo, has, run as call},
    packages, setup, vm,
};

/// What the tests need beside conntracer: containers, network namespaces, a firewall.
const TOOLS: [&str; 3] = ["iproute2", "nftables", "runc"];
/// Kernels that must have been tested.
const KERNELS_MIN: usize = 3;

/// Sets up and runs the tests; `args` go to the test runner.
pub fn run(with_vm: bool, args: &[String]) -> anyhow::Result<()> {
    setup::run()?;
    packages::install(&TOOLS)?;
    runner()?;
    build::run()?;
    let kernels = if with_vm { vm::prepare()? } else { Vec::new() };
    let mut left_out: Vec<String> = vm::KERNELS
        .iter()
        .filter(|wanted| !kernels.iter().any(|kernel| kernel.name == wanted.name))
        .map(|kernel| format!("binary(vm) & test(={})", kernel.test()))
        .collect();
    if !with_vm {
        left_out.push("binary(vm)".to_owned());
    }
    let mut nextest = cargo();
    statically(nextest.args(["nextest", "run", "--workspace", "--exclude=tracer-ebpf"]))
        .env("CONNTRACER", build::binary())
        .env("XTASK", std::env::current_exe()?);
    if !left_out.is_empty() {
        let filter = format!("not ({})", left_out.join(" | "));
        nextest.args(["--filterset", &filter]);
    }
    let result = call(nextest.args(args));
    if with_vm {
        vm::report(&kernels);
        let is_old = kernels.iter().any(|kernel| kernel.is_older_than(6, 2));
        ensure!(
            kernels.len() >= KERNELS_MIN && is_old,
            "at least {KERNELS_MIN} kernels must be tested, one of them older than 6.2"
        );
    }
    result
}

/// The test runner.
fn runner() -> anyhow::Result<()> {
    if has("cargo-nextest") {
        return Ok(());
    }
    println!("setup: building cargo-nextest");
    call(cargo().args(["install", "cargo-nextest", "--locked"]))
}
