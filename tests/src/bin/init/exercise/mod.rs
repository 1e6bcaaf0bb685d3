//! The intrusion of `docs/exercise.md`: a web server is broken into while conntracer records.
//!
//! Everything happens in a machine that has no network. The addresses of all hosts are on its loopback
//! device, and what is not the web server itself is in a cgroup that is left out of the recording, so
//! that it holds what the web server sees: `web1`, 10.0.0.5. Nothing here does harm: a program under
//! the name of `curl` or `bash` is this one, and moves as many bytes as that would.

mod outside;
mod roles;
mod stage;
mod wire;

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
};

use anyhow::{Context as _, bail};

pub use self::stage::stage;

/// The host that is broken into.
const WEB: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));
/// Its database.
const DATABASE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 20));
/// Who answers questions about names.
const RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
/// From where the administrator works.
const ADMIN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));
/// From where it is broken into, and where the way back ends.
const INTRUDER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 66));
/// Where the data goes.
const DROP: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 99));
/// Where the script comes from that a job fetches.
const SCRIPTS: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 77));
/// Where updates come from: asked for as regularly as a beacon is sent.
const UPDATES: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 10));
/// What the intruder calls himself.
const INTRUDERS_NAME: &str = "cdn-sync.example";

/// Plays the part that the name of the program says.
pub fn act() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (path, words) = words.split_first().context("no name")?;
    let name = Path::new(path).file_name().and_then(|name| name.to_str());
    match name.context("no name")? {
        "outside" => outside::run(),
        "nginx" => roles::nginx(),
        "sshd" => roles::sshd(),
        "bash" => roles::bash(words),
        "curl" => roles::curl(words),
        "ssh" => roles::ssh(words),
        "kworkerd" => roles::kworkerd(),
        "python3" => roles::python(words),
        "update-agent" => roles::update_agent(),
        other => bail!("nobody plays {other}"),
    }
}
