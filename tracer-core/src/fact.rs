//! What the machine has to say beside its frames.
//!
//! Whatever conntracer reads of the host while it runs enters through here and nowhere else; a
//! recording keeps each fact in its place between the frames.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::clock::Anchor;

/// Something that was read of the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// Which machine it is.
    Host(Host),
    /// What the clocks say.
    Clock(Anchor),
    /// How tracing was set up.
    Tracing(Tracing),
    /// The host's accounts: `/etc/passwd`.
    Users(Vec<Account>),
    /// Registered names of ports: `/etc/services`.
    Services(Vec<Service>),
    /// Addresses of the host, in all network namespaces that were seen so far.
    Addresses(Vec<IpAddr>),
    /// Networks the user declared.
    Networks(Networks),
    /// A process, as `/proc` shows it.
    Process(Process),
    /// A cgroup and its path.
    Cgroup(Cgroup),
}

/// A machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Release of its kernel.
    pub kernel: String,
    /// Names this boot.
    pub boot_id: String,
    /// Names the installation; empty where there is none.
    pub machine_id: String,
}

/// How tracing was set up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracing {
    /// Version of conntracer.
    pub version: String,
    /// Which hook reports which fact.
    pub hooks: Vec<Hook>,
    /// The programs as the kernel has them.
    pub programs: Vec<Program>,
    /// SHA-256 of the kernel object, hexadecimal.
    pub object_sha256: String,
    /// What this kernel kept us from doing, in sentences.
    pub degraded: Vec<String>,
}

/// A fact and the kind of hook that reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// The fact, e.g. `accept`.
    pub name: String,
    /// The kind of hook, e.g. `fexit`.
    pub via: String,
}

/// A program in the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// What the kernel computed over its instructions.
    pub tag: String,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// User id.
    pub uid: u32,
    /// Name.
    pub name: String,
}

/// A registered name of a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Port.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Name.
    pub name: String,
}

/// Networks the user declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Networks {
    /// `--internal-cidr`
    pub internal: Vec<IpNet>,
    /// `--external-cidr`
    pub external: Vec<IpNet>,
}

/// A process, as `/proc` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Start, in ticks of 10 ms since boot.
    pub start_ticks: u64,
    /// Its parent's process id; zero: none.
    pub parent: u32,
    /// Name.
    pub name: String,
    /// Path of the executable; empty if it cannot be read.
    pub exe: String,
    /// The executable has no name any more.
    pub exe_deleted: bool,
    /// Arguments; `None` if they cannot be read.
    pub args: Option<Vec<String>>,
    /// There were more.
    pub args_truncated: bool,
    /// Controlling terminal; empty: none.
    pub tty: String,
}

/// A cgroup and its path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    /// kernfs id.
    pub id: u64,
    /// Of a version 1 hierarchy.
    pub is_v1: bool,
    /// Path in its hierarchy.
    pub path: String,
}

/// What attribution would like to know before it deals with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// Who is this process?
    Process {
        /// Process id.
        pid: u32,
        /// Start, in ticks of 10 ms since boot; a process of another start is another one.
        start_ticks: u64,
    },
    /// What is the path of this cgroup?
    Cgroup {
        /// kernfs id.
        id: u64,
        /// Of a version 1 hierarchy.
        is_v1: bool,
    },
    /// Which addresses does this network namespace have?
    Namespace {
        /// Inode number.
        netns: u32,
        /// A process that is in it.
        pid: u32,
    },
}
