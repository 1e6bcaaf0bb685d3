//! The kernel tests on other kernels, each in a virtual machine of its own. `cargo xtask test` has
//! made everything ready.

use std::process::Command;

use tracer_tests::{conntracer, scratch::Scratch};

/// Has `cargo xtask` do something.
fn xtask(words: &[&str]) {
    let xtask = std::env::var_os("XTASK").unwrap_or_else(|| panic!("run `cargo xtask test`"));
    let status = Command::new(xtask)
        .args(words)
        .status()
        .unwrap_or_else(|error| panic!("cannot run xtask: {error}"));
    assert!(status.success());
}

/// Runs the kernel tests on one of the kernels of `cargo xtask vm`.
fn kernel(name: &str) {
    xtask(&["vm", "--prepared", name]);
}

#[test]
fn exercise() {
    let scratch = Scratch::new();
    let recording = scratch.file("intrusion.rec");
    xtask(&["exercise", "--prepared", "--output", &recording]);
    let output = Command::new(conntracer())
        .args(["hosts", "--from", &recording, "--external", "-o", "csv"])
        .output()
        .unwrap_or_else(|error| panic!("cannot run conntracer: {error}"));
    // Under a line of headings, as many rows as in docs/exercise.md.
    let rows = String::from_utf8_lossy(&output.stdout);
    assert_eq!(rows.lines().count(), 1 + 11, "{rows}");
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
