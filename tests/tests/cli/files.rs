//! Files that conntracer writes, and disks that are full.

use std::os::unix::fs::PermissionsExt as _;

use tracer_tests::{
    netns::Netns,
    peer::{self, Peer},
    rung::Rung,
    scratch::Scratch,
    tracer::Tracer,
};

use crate::program::{run, text};

/// Runs for a moment with these flags: exit code and what it said.
fn moment(flags: &[&str]) -> (Option<i32>, String) {
    let netns = Netns::new();
    let inode = netns.inode().to_string();
    let limits = ["--quiet", "--netns", &inode, "--duration", "1ms"];
    let output = run(&[&limits[..], flags].concat());
    (output.status.code(), text(&output.stderr).to_owned())
}

/// The flags that name a file.
const FLAGS: [&str; 2] = ["--output-file", "--record"];

#[test]
fn a_file_is_for_its_owner_only() {
    let scratch = Scratch::new();
    for flag in FLAGS {
        let path = scratch.file(flag);
        assert_eq!(moment(&[flag, &path]), (Some(0), String::new()));
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert!(metadata.len() > 0);
    }
}

#[test]
fn a_file_that_exists_is_kept_unless_forced() {
    let scratch = Scratch::new();
    for flag in FLAGS {
        let path = scratch.file(flag);
        std::fs::write(&path, "precious").unwrap();
        let expected = format!("conntracer: {path} exists; --force overwrites it\n");
        assert_eq!(moment(&[flag, &path]), (Some(1), expected));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        assert_eq!(moment(&[flag, &path, "--force"]), (Some(0), String::new()));
        assert!(!std::fs::read(&path).unwrap().starts_with(b"precious"));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_file_that_cannot_be_made_is_named() {
    let scratch = Scratch::new();
    for flag in FLAGS {
        let path = scratch.file("nowhere/records");
        let (code, message) = moment(&[flag, &path]);
        assert_eq!(code, Some(1));
        let expected = format!("conntracer: cannot write {path}: No such file or directory");
        assert!(message.starts_with(&expected), "{message}");
    }
}

#[test]
fn the_file_has_what_stdout_would_have() {
    let scratch = Scratch::new();
    let path = scratch.file("records");
    let netns = Netns::new();
    let inode = netns.inode().to_string();
    let flags = ["-o", "json", "--netns", &inode, "--duration", "1ms"];
    let output = run(&[&flags[..], &["--output-file", &path]].concat());
    assert_eq!(text(&output.stdout), "");
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.ends_with('\n'), "{written}");
    assert_eq!(written.lines().count(), 2, "{written}");
}

#[test]
fn a_full_device_is_named() {
    for (flags, place) in [
        (["--output-file", "/dev/full", "--force"], "/dev/full"),
        (
            ["--record", "/dev/full", "--force"],
            "the recording to /dev/full",
        ),
    ] {
        let (code, message) = moment(&flags);
        let full = "No space left on device (os error 28)";
        let to = if place == "/dev/full" { "to " } else { "" };
        assert_eq!(
            message,
            format!("conntracer: cannot write {to}{place}: {full}\n")
        );
        assert_eq!(code, Some(1));
    }
    let mode = std::fs::metadata("/dev/full").unwrap().permissions().mode();
    assert_ne!(mode & 0o777, 0o600, "a device was taken for a file");
}

#[test]
fn a_disk_that_fills_up_is_named() {
    let scratch = Scratch::new();
    let path = scratch.file("records");
    // The first record names these networks, and so is longer than the disk is large.
    let networks: Vec<String> = (0..250).map(|i| format!("10.0.{i}.0/24")).collect();
    let flags = ["-o", "json", "--output-file", &path];
    let networks = ["--internal-cidr", &networks.join(",")];
    let (code, message) = scratch.when_tiny(|| moment(&[&flags[..], &networks].concat()));
    let full = "No space left on device (os error 28)";
    assert_eq!(
        message,
        format!("conntracer: cannot write to {path}: {full}\n")
    );
    assert_eq!(code, Some(1));
}

#[test]
fn tracing_goes_on_without_its_recording() {
    let netns = Netns::new();
    let scratch = Scratch::new();
    let path = scratch.file("case.rec");
    let flags = ["--record", &path];
    let tracer = scratch.when_tiny(|| Tracer::on(Rung::Auto, &netns, &flags));
    let mut server = Peer::start(&netns, &["serve", "127.0.0.1:0", "1", "10", "10"]);
    let port = server.port();
    let client = peer::run(
        &netns,
        &["connect", &format!("127.0.0.1:{port}"), "10", "10"],
    );
    server.finish();
    tracer.event("close", port, client);
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    let expected = format!(
        "cannot write the recording to {path}: No space left on device (os error 28); the \
         recording ends here, tracing goes on"
    );
    assert!(finished.stderr.contains(&expected), "{}", finished.stderr);
    assert_eq!(finished.status.code(), Some(1));
}

#[test]
fn a_configuration_that_makes_no_sense_is_named_with_line_and_key() {
    let scratch = Scratch::new();
    let path = scratch.file("config.toml");
    for (config, place) in [
        (
            "\n[networks]\ninternal = 7\n",
            "line 3, key `networks.internal`: ",
        ),
        ("[network]\n", "line 1, key `network`: unknown field"),
        ("[networks\n", "line 1: "),
    ] {
        std::fs::write(&path, config).unwrap();
        let expected = format!("conntracer: the configuration {path}, {place}");
        let (status, said) = moment(&["--config", &path]);
        assert_eq!(status, Some(1), "{said}");
        assert!(said.starts_with(&expected), "{said}");
    }
    let directory = scratch.file("");
    for unreadable in ["/nowhere/config.toml", &directory] {
        let (status, said) = moment(&["--config", unreadable]);
        assert_eq!(status, Some(1), "{said}");
        let expected = format!("cannot read the configuration {unreadable}: ");
        assert!(said.contains(&expected), "{said}");
    }
}
