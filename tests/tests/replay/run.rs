//! Replaying, and what comes of it.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

/// Replays a recording with these flags, as nobody in particular.
pub fn replay(recording: &Path, flags: &[&str]) -> Output {
    Command::new(tracer_tests::conntracer())
        .arg("replay")
        .arg(recording)
        .args(flags)
        .env("COLUMNS", "200")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// What it says on stdout.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What it says on stderr.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
