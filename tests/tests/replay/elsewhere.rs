//! A replay reads nothing of the machine it runs on.

use std::process::{Command, Stdio};

use tracer_core::text::hex;
use tracer_tests::{
    netns::Netns,
    peer::{self, Peer},
    scratch::Scratch,
    tracer::Tracer,
};

use crate::run::{replay, stderr, stdout};

/// Makes connections of several kinds, and returns once they are over.
fn make_traffic(netns: &Netns, tracer: &Tracer) {
    let mut server = Peer::start(netns, &["serve", "127.0.0.1:0", "1", "10", "20"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let words = [
        "--name",
        "97,27,91,51,49,109",
        "--uid",
        "1234",
        "connect",
        &target,
        "20",
        "10",
    ];
    let client = peer::run(netns, &words);
    server.finish();
    peer::run(netns, &["refused", "127.0.0.1:9"]);
    let mut unreachable = Peer::start(netns, &["refused", "192.0.2.1:80"]);
    unreachable.line();
    let pid = unreachable.pid();
    unreachable.finish();
    tracer.event("close", port, client);
    tracer.wait("failed", |record| {
        record.event() == "failed" && record.number("process.pid") == Some(pid)
    });
}

/// As `root` of another name, on a host of another name, with nothing but the program and the
/// recording to be seen. Its exit code and what it writes.
fn replay_elsewhere(scratch: &Scratch, flags: &str) -> (Option<i32>, String) {
    let root = scratch.path().join("root");
    std::fs::create_dir_all(root.join("etc")).unwrap();
    std::fs::copy(tracer_tests::conntracer(), root.join("conntracer")).unwrap();
    std::fs::copy(scratch.path().join("live.rec"), root.join("live.rec")).unwrap();
    std::fs::write(
        root.join("etc/passwd"),
        "nobody:x:0:0::/:\nelse:x:1234:1234::/:\n",
    )
    .unwrap();
    let script = format!(
        "hostname elsewhere && exec chroot {} /conntracer replay /live.rec -o json {flags}",
        root.display()
    );
    let output = Command::new("unshare")
        .args(["--uts", "sh", "-c", &script])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (output.status.code(), stdout(&output))
}

#[test]
fn a_replay_in_an_empty_root_gives_the_same_bytes() {
    let scratch = Scratch::new();
    let netns = Netns::new();
    let inode = netns.inode().to_string();
    let recording = scratch.path().join("live.rec");
    let tracer = Tracer::start(&["--netns", &inode, "--record", &recording.to_string_lossy()]);
    make_traffic(&netns, &tracer);
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    // What the recording ends with is said, to be noted elsewhere.
    let bytes = std::fs::read(&recording).unwrap();
    let note = format!(
        "ends with the hash {}",
        hex(bytes.last_chunk::<32>().unwrap())
    );
    assert!(finished.stderr.contains(&note), "{}", finished.stderr);
    let mut replay = Command::new(tracer_tests::conntracer());
    let output = replay.arg("replay").arg(&recording).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&note), "{said}");
    let live = (finished.status.code(), finished.stdout);
    assert!(live.1.lines().count() >= 8, "{}", live.1);
    assert_eq!(
        replay_elsewhere(&scratch, &format!("--netns {inode}")),
        live
    );
}

#[test]
fn a_recording_of_what_is_selected_says_so() {
    let scratch = Scratch::new();
    let netns = Netns::new();
    let inode = netns.inode().to_string();
    let recording = scratch.path().join("live.rec");
    let tracer = Tracer::start(&[
        "--netns",
        &inode,
        "--record-selected",
        "--record",
        &recording.to_string_lossy(),
    ]);
    make_traffic(&netns, &tracer);
    let live = tracer.stop();
    let bytes = std::fs::read(&recording).unwrap();
    let header = String::from_utf8_lossy(&bytes);
    let header = header.lines().nth(1).unwrap();
    assert!(header.contains(&format!("--netns {inode}")), "{header}");
    // Without a selection the replay shows all that is in it, which is what was selected.
    let output = replay(&recording, &["-o", "json"]);
    assert_eq!(
        output.status.code(),
        live.status.code(),
        "{}",
        stderr(&output)
    );
    let replayed = stdout(&output);
    let ids = |text: &str| {
        let records = text.lines().map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            format!("{}{}", record["event"], record["id"])
        });
        records.collect::<Vec<String>>()
    };
    assert_eq!(ids(&replayed), ids(&live.stdout));
    // With the same selection it is the same to the byte.
    let again = replay(&recording, &["-o", "json", "--netns", &inode]);
    assert_eq!(stdout(&again), live.stdout);
    // Another one says what it cannot show.
    let other = replay(&recording, &["--port", "1"]);
    assert!(stderr(&other).contains("WARN"), "{}", stderr(&other));
}

#[test]
fn a_recording_to_stdout_leaves_nothing_behind() {
    let netns = Netns::new();
    let inode = netns.inode().to_string();
    let words = [
        "--netns",
        &inode,
        "--record-selected",
        "--record",
        "-",
        "--duration",
        "1s",
    ];
    let mut trace = Command::new(tracer_tests::conntracer())
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let replay = Command::new(tracer_tests::conntracer())
        .args(["replay", "-", "-o", "json"])
        .stdin(trace.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(trace.wait().unwrap().success());
    assert!(replay.status.success(), "{}", stderr(&replay));
    let records = stdout(&replay);
    assert!(
        records
            .lines()
            .next()
            .unwrap()
            .contains(r#""event":"start""#)
    );
    assert!(
        records
            .lines()
            .last()
            .unwrap()
            .contains(r#""event":"stop""#)
    );
}
