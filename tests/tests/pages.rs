//! What stands under a command of a page is what the command writes.
//!
//! `UPDATE_PAGES=1` writes it there anew.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tracer_core::text::hex;
use tracer_tests::conntracer;

/// A block of a command, and the one of what it writes.
const COMMAND: &str = "```sh\n";
const OUTPUT: &str = "```text\n";
const END: &str = "```\n";
/// How the line begins that says what the recording ends with.
const NOTED: &str = "The hash that he noted: `";
/// Lines that are the same under every table, and are said once.
const LEFT_OUT: [&str; 3] = ["conntracer ", "not covered: ", "addresses: "];
/// What the lines of JSON have that are the first and the last of every run.
const AROUND: [&str; 2] = [r#""event":"start""#, r#""event":"stop""#];

fn docs() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).join("docs")
}

/// What a command writes, run where the recording is.
fn output_of(command: &str) -> String {
    let words = command.strip_prefix("conntracer ").unwrap();
    let output = Command::new(conntracer())
        .args(words.split(' '))
        .current_dir(docs().join("exercise"))
        .env("TZ", "UTC")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let is_shown = |line: &&str| {
        !LEFT_OUT.iter().any(|begin| line.starts_with(begin))
            && !AROUND.iter().any(|part| line.contains(part))
    };
    let lines = text.lines().filter(is_shown);
    lines.map(|line| line.to_owned() + "\n").collect()
}

/// The line that says what the recording ends with.
fn noted() -> String {
    let recording = std::fs::read(docs().join("exercise/intrusion.rec")).unwrap();
    let last = recording.last_chunk::<32>().unwrap();
    format!("{NOTED}{}`\n", hex(last))
}

/// The page with what its commands write now, and how many there are.
fn now(page: &str) -> (String, usize) {
    let lines = page.split_inclusive('\n');
    let lines = lines.map(|line| {
        if line.starts_with(NOTED) {
            noted()
        } else {
            line.to_owned()
        }
    });
    let page: String = lines.collect();
    let mut parts = page.split(COMMAND);
    let mut now = parts.next().unwrap().to_owned();
    let mut count = 0;
    for part in parts {
        let (command, rest) = part.split_once('\n').unwrap();
        now.extend([COMMAND, command, "\n"]);
        if !command.starts_with("conntracer ") {
            now.push_str(rest);
            continue;
        }
        let (between, rest) = rest.split_once(OUTPUT).unwrap();
        let (_, rest) = rest.split_once(END).unwrap();
        let output = output_of(command);
        assert!(!output.is_empty(), "{command} writes nothing");
        now.extend([between, OUTPUT, &output, END, rest]);
        count += 1;
    }
    (now, count)
}

fn is_true(name: &str, least: usize) {
    let path = docs().join(name);
    let page = std::fs::read_to_string(&path).unwrap();
    let (now, count) = now(&page);
    assert!(count >= least, "{name} has changed its form");
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(path, now).unwrap();
        return;
    }
    for (stands, is) in page.lines().zip(now.lines()) {
        assert_eq!(stands, is, "{name}; UPDATE_PAGES=1 writes it anew");
    }
    assert_eq!(page, now);
}

#[test]
fn the_guide() {
    is_true("guide.md", 9);
}

#[test]
fn the_exercise() {
    is_true("exercise.md", 10);
}

#[test]
fn discovery() {
    is_true("discovery.md", 1);
}
