//! Every test.

use anyhow::{Context as _, ensure};

use crate::{
    build::{self, statically},
    command::{cargo, command, has, run as call},
    exercise, kubernetes, packages, setup, vm,
};

/// What the tests need beside conntracer: network namespaces, a firewall, containers, what reads manual
/// pages, what shows connections, a browser for reports, what Python keeps packages in, and what exports flows.
const TOOLS: [&str; 13] = [
    "iproute2",
    "nftables",
    "podman",
    "runc",
    "groff-base",
    "net-tools",
    "lsof",
    "busybox-static",
    "conntrack",
    "python3-minimal",
    "python3-venv",
    "chromium",
    "softflowd",
];
/// Kernels that must have been tested.
const KERNELS_MIN: usize = 3;
/// Rungs that a kernel may not grant: what the kernel tests call each, and its `--hooks`.
const RUNGS: [(&str, &str); 3] = [
    ("fexit", "fentry,accept=fexit"),
    ("kprobe", "kprobe"),
    ("kretprobe", "kprobe,accept=kretprobe"),
];

/// Sets up and runs the tests; `args` go to the test runner.
pub fn run(with_vm: bool, args: &[String]) -> anyhow::Result<()> {
    setup::run()?;
    packages::install(&TOOLS)?;
    let kubernetes = kubernetes::prepare()?;
    runner()?;
    build::run()?;
    let kernels = if with_vm { vm::prepare()? } else { Vec::new() };
    let mut left_out: Vec<String> = vm::KERNELS
        .iter()
        .filter(|wanted| !kernels.iter().any(|kernel| kernel.name == wanted.name))
        .map(|kernel| format!("binary(vm) & test(={})", kernel.test()))
        .collect();
    if !kernels.iter().any(|kernel| kernel.name == exercise::KERNEL) {
        left_out.push("binary(vm) & test(=exercise)".to_owned());
    }
    for (name, why) in refused_rungs()? {
        println!("rung {name:<9} NOT TESTED on this kernel: {why}");
        left_out.push(format!("binary(kernel) & test(/::{name}$/)"));
    }
    vm::report(&kernels);
    if with_vm {
        let is_old = kernels.iter().any(|kernel| kernel.is_older_than(6, 2));
        ensure!(
            kernels.len() >= KERNELS_MIN && is_old,
            "at least {KERNELS_MIN} kernels must be tested, one of them older than 6.2"
        );
    }
    let mut nextest = cargo();
    statically(nextest.args(["nextest", "run", "--workspace", "--exclude=tracer-ebpf"]))
        .env("CONNTRACER", build::binary())
        .env("XTASK", std::env::current_exe()?)
        .env("KUSTOMIZE", kubernetes.kustomize)
        .env("KUBERNETES_VENV", kubernetes.venv);
    if !left_out.is_empty() {
        let filter = format!("not ({})", left_out.join(" | "));
        nextest.args(["--filterset", &filter]);
    }
    call(nextest.args(args))
}

/// The rungs that this kernel does not grant, and why.
fn refused_rungs() -> anyhow::Result<Vec<(&'static str, String)>> {
    let mut refused = Vec::new();
    for (name, hooks) in RUNGS {
        let output = command(build::binary())
            .args(["doctor", "-o", "json", "--hooks", hooks])
            .output()
            .context("cannot run conntracer")?;
        let findings: serde_json::Value =
            serde_json::from_slice(&output.stdout).context("doctor does not speak JSON")?;
        if let Some(error) = findings.get("error").and_then(serde_json::Value::as_str) {
            refused.push((name, error.to_owned()));
        }
    }
    Ok(refused)
}

/// The test runner.
fn runner() -> anyhow::Result<()> {
    if has("cargo-nextest") {
        return Ok(());
    }
    println!("setup: building cargo-nextest");
    call(cargo().args(["install", "cargo-nextest", "--locked"]))
}
