//! What is made of the command line: completions and manual pages.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use tracer_tests::{conntracer, scratch::Scratch};

use crate::program::{run, text};

const COMMANDS: [&str; 11] = [
    "trace",
    "replay",
    "snapshot",
    "hosts",
    "report",
    "agent",
    "history",
    "export",
    "doctor",
    "completions",
    "man",
];

/// What bash offers for the last of these words.
fn offered(words: &[&str]) -> Vec<String> {
    let scratch = Scratch::new();
    let script = scratch.file("conntracer.bash");
    let output = run(&["completions", "bash"]);
    assert_eq!(output.status.code(), Some(0));
    std::fs::write(&script, &output.stdout).unwrap();
    let at = words.len() - 1;
    let ask = format!(
        ". {script}; COMP_WORDS=({}); COMP_CWORD={at}; \
         _conntracer conntracer '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words[at],
        words[at - 1]
    );
    let output = Command::new("bash").args(["-c", &ask]).output().unwrap();
    assert_eq!(text(&output.stderr), "", "{ask}");
    text(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_flags_and_values() {
    assert_eq!(offered(&["conntracer", "snap"]), ["snapshot"]);
    assert_eq!(offered(&["conntracer", "self"]), [""]);
    assert_eq!(offered(&["conntracer", "hosts", "--watc"]), ["--watch"]);
    assert_eq!(
        offered(&["conntracer", "hosts", "--not-remote-p"]),
        ["--not-remote-port"]
    );
    assert_eq!(
        offered(&["conntracer", "hosts", "--sort", "la"]),
        ["last-seen"]
    );
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let script = text(&output.stdout);
        for command in COMMANDS {
            assert!(script.contains(command), "{shell}: {command}");
        }
        assert!(script.contains("new-only"), "{shell}");
        assert!(!script.contains("self-test-peer"), "{shell}");
    }
    let output = run(&["completions", "tcsh"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("tcsh"));
}

/// A page as a terminal shows it.
fn read(page: &[u8]) -> String {
    // As `man` calls it, but that lines are long enough for no word to be hyphenated.
    let mut groff = Command::new("groff")
        .args(["-ww", "-man", "-Tascii", "-P-c", "-rLL=400n"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    groff.stdin.take().unwrap().write_all(page).unwrap();
    let output = groff.wait_with_output().unwrap();
    assert_eq!(text(&output.stderr), "");
    // It strikes over what is bold, and under what is slanted.
    let mut shown = String::new();
    for c in text(&output.stdout).chars() {
        if c == '\u{8}' {
            shown.pop();
        } else {
            shown.push(c);
        }
    }
    shown
}

#[test]
fn every_command_has_a_page_that_says_what_help_says() {
    for command in COMMANDS {
        let output = run(&["man", command]);
        assert_eq!(output.status.code(), Some(0), "{command}");
        let page = read(&output.stdout);
        assert!(page.contains(&format!("conntracer-{command}(1)")), "{page}");
        let help = run(&[command, "--help"]);
        let help = text(&help.stdout);
        let flags = help.split_whitespace().filter(|word| {
            word.starts_with("--")
                && word[2..]
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c == '-')
        });
        for flag in flags {
            assert!(page.contains(flag), "{command} {flag}: {page}");
        }
        assert!(page.contains("Examples:"), "{page}");
    }
}

#[test]
fn the_page_of_all_names_every_command_and_helps_with_every_flag() {
    let output = run(&["man"]);
    let page = read(&output.stdout);
    for command in COMMANDS {
        assert!(page.contains(&format!("conntracer-{command}(1)")), "{page}");
    }
    assert!(
        page.contains("User who logged in, kept through sudo"),
        "{page}"
    );
    assert!(!page.contains("self-test-peer"), "{page}");
    let output = run(&["man", "nothing"]);
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(
        message.contains("`nothing` is none of trace, "),
        "{message}"
    );
    assert!(!message.contains("self-test-peer"), "{message}");
}

#[test]
fn a_page_that_nobody_reads_to_its_end_is_no_failure() {
    let piped = format!(
        "set -o pipefail; {} man | head -1 > /dev/null",
        conntracer().display()
    );
    let status = Command::new("bash").args(["-c", &piped]).status().unwrap();
    assert!(status.success());
}
