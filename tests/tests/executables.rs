//! What is known of executables, and of users that have another root than the host. On one kernel only: it is
//! read from `/proc`, which is the same on all.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use nix::sys::{
    memfd::{MFdFlags, memfd_create},
    stat::Mode,
};
use serde_json::Value;
use tracer_tests::{
    conntracer, netns::Netns, peer, peer::Peer, record::Record, rung::Rung, scratch::Scratch,
    tracer::Tracer, wait_until,
};

/// What coreutils makes of it.
fn sha256sum(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split(' ').next().unwrap().to_owned()
}

/// A copy of the peer that holds a listener until it is killed.
fn listening(program: &str, netns: &Netns) -> Child {
    Command::new(program)
        .args([
            "--netns",
            &netns.path(),
            "serve",
            "127.0.0.1:0",
            "1",
            "1",
            "1",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until so many sockets listen in the network namespace of a process.
fn await_listeners(count: usize, child: &Child) {
    wait_until("they listen", || {
        let sockets = std::fs::read_to_string(format!("/proc/{}/net/tcp", child.id()));
        sockets.is_ok_and(|text| text.matches(" 0A ").count() == count)
    });
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The first record of a process.
fn first_of(tracer: &Tracer, child: &Child) -> Record {
    let pid = u64::from(child.id());
    tracer.wait("record of the process", |record| {
        record.number("process.pid") == Some(pid)
    })
}

/// A program without a name in any file system.
fn anonymous() -> File {
    let mut file = File::from(memfd_create("hidden", MFdFlags::MFD_CLOEXEC).unwrap());
    file.write_all(&std::fs::read(peer()).unwrap()).unwrap();
    // What somebody could write to is not executed.
    File::open(path_of(&file)).unwrap()
}

fn path_of(file: &File) -> String {
    use std::os::fd::AsRawFd as _;

    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}

#[test]
fn executables_are_hashed_though_they_are_deleted_or_anonymous() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let copy = scratch.file("copy");
    std::fs::copy(peer(), &copy).unwrap();
    let recording = scratch.file("hashes.rec");
    let hash = sha256sum(&peer());
    let before = listening(&copy, &netns);
    let anonymous = anonymous();
    let unnamed = listening(&path_of(&anonymous), &netns);
    let flags = [
        "--hash",
        "--update-interval",
        "1s",
        "--record-selected",
        "--record",
        &recording,
    ];
    // Not before it has been executed.
    await_listeners(2, &before);
    std::fs::remove_file(&copy).unwrap();
    let tracer = Tracer::on(Rung::Auto, &netns, &flags);
    let deleted = first_of(&tracer, &before);
    let memfd = first_of(&tracer, &unnamed);
    let mut server = Peer::start(&netns, &["never-accept", "127.0.0.1:0"]);
    let target = format!("127.0.0.1:{}", server.port());
    let client = Peer::start(&netns, &["hold", &target]);
    // Its first record waits for no file of this size: those that follow have its hash.
    let fresh = tracer.wait("record with a hash", |record| {
        record.number("process.pid") == Some(client.pid())
            && record.at("process.sha256") != &Value::Null
    });
    for record in [&deleted, &memfd, &fresh] {
        assert_eq!(record.text("process.sha256"), hash, "{record:?}");
    }
    for (record, flags) in [
        (&deleted, [true, false, true]),
        (&memfd, [true, true, false]),
        (&fresh, [false, false, true]),
    ] {
        let names = ["exe_deleted", "exe_memfd", "exe_unpackaged"];
        let found = names.map(|name| record.at(&format!("process.{name}")) == true);
        assert_eq!(found, flags, "{record:?}");
    }
    client.kill();
    server.kill();
    for child in [before, unnamed] {
        end(child);
    }
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    let inode = netns.inode().to_string();
    let replay = Command::new(conntracer())
        .args(["replay", &recording, "-o", "json", "--netns", &inode])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(replay.stdout).unwrap(), finished.stdout);
}

#[test]
fn nothing_is_hashed_unasked() {
    let netns = Netns::new();
    let child = listening(&peer().to_string_lossy(), &netns);
    let tracer = Tracer::on(Rung::Auto, &netns, &[]);
    let record = first_of(&tracer, &child);
    assert_eq!(record.at("process.sha256"), &Value::Null);
    end(child);
}

#[test]
fn a_snapshot_waits_for_hashes() {
    let netns = Netns::new();
    let child = listening(&peer().to_string_lossy(), &netns);
    await_listeners(1, &child);
    let inode = netns.inode().to_string();
    let output = Command::new(conntracer())
        .args(["snapshot", "--hash", "-o", "json", "--netns", &inode])
        .output()
        .unwrap();
    let hash = sha256sum(&peer());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(&format!(r#""sha256":"{hash}""#)), "{text}");
    let output = Command::new(conntracer())
        .args(["hosts", "--hash", "-o", "json", "--netns", &inode])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(&format!(r#""sha256":["{hash}"]"#)), "{text}");
    end(child);
}

/// A connection of a process with another root, in which `etc/passwd` is made like this.
fn connect_in_root(tracer: &Tracer, netns: &Netns, make: impl Fn(&Path)) -> Record {
    let root = Scratch::new();
    std::fs::create_dir(root.path().join("etc")).unwrap();
    make(&root.path().join("etc/passwd"));
    let mut server = Peer::start(netns, &["serve", "127.0.0.1:0", "1", "10", "10"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let path = root.path().to_string_lossy();
    let words = ["--root", &path, "--uid", "1234", "hold", &target];
    let mut client = Peer::start(netns, &words);
    client.port();
    let connect = tracer.event("connect", port, client.pid());
    client.kill();
    server.kill();
    connect
}

#[test]
fn users_are_named_by_the_accounts_of_their_root() {
    let netns = Netns::new();
    let tracer = Tracer::on(Rung::Auto, &netns, &[]);
    let named = connect_in_root(&tracer, &netns, |passwd| {
        std::fs::write(passwd, "jailed:x:1234:1234::/:\n").unwrap();
    });
    assert_eq!(named.text("user.name"), "jailed");
    assert_eq!(named.text("user.name_from"), "container");
    // What is in another root, nobody can say by its path.
    assert_eq!(named.at("process.exe_unpackaged"), &Value::Null);
    // Nobody is waited for, and nothing is read out of the root.
    let hostile: [fn(&Path); 3] = [
        |passwd| nix::unistd::mkfifo(passwd, Mode::all()).unwrap(),
        |passwd| std::os::unix::fs::symlink("/etc/passwd", passwd).unwrap(),
        |passwd| std::fs::write(passwd, vec![0xff; 1 << 20]).unwrap(),
    ];
    for make in hostile {
        let record = connect_in_root(&tracer, &netns, make);
        assert_eq!(record.number("user.uid"), Some(1234));
        assert_eq!(record.at("user.name"), &Value::Null);
    }
}

#[test]
fn ports_have_names_where_there_is_no_services_database() {
    let (etc, netns) = (Scratch::new(), Netns::new());
    etc.in_place_of("/etc", || {
        let tracer = Tracer::on(Rung::Auto, &netns, &[]);
        let mut client = Peer::start(&netns, &["refused", "127.0.0.1:443"]);
        client.line();
        let failed = tracer.event("failed", 443, client.pid());
        assert_eq!(failed.text("service"), "https");
        client.finish();
    });
}

#[test]
fn a_table_says_what_is_odd_and_who_logged_in() {
    let netns = Netns::new();
    let inode = netns.inode().to_string();
    let flags = ["--netns", &inode, "--count", "1", "--event", "failed"];
    let mut shown = Command::new(conntracer())
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(shown.stdout.take().unwrap()));
    lines.next().unwrap().unwrap();
    let words = ["--login", "4242", "--uid", "1234", "refused", "127.0.0.1:9"];
    let client = Peer::start(&netns, &words);
    let row = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("failed")));
    let row = row.unwrap().unwrap();
    assert!(
        row.contains(&format!("peer({}) [unpackaged]", client.pid())),
        "{row}"
    );
    assert!(row.contains(" 1234 (4242) "), "{row}");
    client.finish();
    shown.wait().unwrap();
}
