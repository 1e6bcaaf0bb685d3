//! The kernel tests on other kernels, each in a virtual machine of its own. `cargo xtask test` has
//! made everything ready.

use std::process::Command;

/// Runs the kernel tests on one of the kernels of `cargo xtask vm`.
fn kernel(name: &str) {
    let xtask = std::env::var_os("XTASK").unwrap_or_else(|| panic!("run `cargo xtask test`"));
    let status = Command::new(xtask)
        .args(["vm", "--prepared", name])
        .status()
        .unwrap_or_else(|error| panic!("cannot run xtask: {error}"));
    assert!(status.success());
}

#[test]
fn kernel_5_10() {
    kernel("5.10");
}

#[test]
fn kernel_6_1() {
    kernel("6.1");
}

#[test]
fn kernel_6_12() {
    kernel("6.12");
}

#[test]
fn kernel_newest() {
    kernel("newest");
}
