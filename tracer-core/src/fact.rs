//! What the machine has to say beside its frames.
//!
//! Whatever conntracer reads of the host while it runs enters through here and nowhere else; a
//! recording keeps each fact in its place between the frames.

mod container;
mod cross_check;

use std::{fmt, net::IpAddr, sync::Arc};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use self::{
    container::{Container, Pod},
    cross_check::{CrossCheck, Ends, Hidden, Holder, Listed, Source},
};
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
    /// Somebody took a program out of its place.
    Detached(Detached),
    /// The host's accounts: `/etc/passwd`.
    Users(Vec<Account>),
    /// Registered names of ports: `/etc/services`, or what is built in where there is none.
    Services(Vec<Service>),
    /// Addresses of the host, in all network namespaces that were seen so far.
    Addresses(Vec<IpAddr>),
    /// Networks the user declared.
    Networks(Networks),
    /// Names the user declared.
    Names(Vec<Named>),
    /// The hosts file of a network namespace.
    Hosts(Hosts),
    /// A process, as `/proc` shows it.
    Process(Process),
    /// A cgroup and its path.
    Cgroup(Cgroup),
    /// What its engine says of a container.
    Container(Container),
    /// What a user is called in another root than the host's.
    Resident(Resident),
    /// The hash of an executable.
    Executable(Executable),
    /// Which sockets are not in every list.
    CrossCheck(CrossCheck),
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

/// A program that somebody has taken out of its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detached {
    /// Its name.
    pub program: String,
    /// What it reported, alone or with others.
    pub hooks: Vec<Hook>,
}

impl fmt::Display for Detached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.program)?;
        for (at, hook) in self.hooks.iter().enumerate() {
            let before = if at == 0 { " of" } else { "," };
            write!(f, "{before} {} through {}", hook.name, hook.via)?;
        }
        Ok(())
    }
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

/// A name of an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The address.
    pub address: IpAddr,
    /// What it is called.
    pub name: String,
}

/// The hosts file of a network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosts {
    /// Inode number of the network namespace.
    pub netns: u32,
    /// What the file says, in its order.
    pub names: Vec<Named>,
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

/// A user of a process that has another root than the host: a container's, or one it was put in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resident {
    /// Process id.
    pub pid: u32,
    /// Start, in ticks of 10 ms since boot.
    pub start_ticks: u64,
    /// kernfs id of its cgroup.
    pub cgroup: u64,
    /// That is of a version 1 hierarchy.
    pub is_v1: bool,
    /// User id, in the initial user namespace.
    pub uid: u32,
    /// What the accounts of that root call whom the process takes for it; `None`: they know nobody.
    pub name: Option<String>,
}

/// The executable of a process, as it was when it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executable {
    /// Process id.
    pub pid: u32,
    /// Start, in ticks of 10 ms since boot.
    pub start_ticks: u64,
    /// Which of the programs that it ran was asked for.
    pub exec_id: u64,
    /// Path of the file that was hashed.
    pub path: String,
    /// What came of it.
    pub hash: Hash,
}

/// The hash of a file, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hash {
    /// SHA-256, hexadecimal.
    Sha256(String),
    /// It is larger than what is hashed.
    TooLarge,
    /// It was changed while it was read.
    Changed,
    /// It cannot be read.
    Unreadable,
}

/// What attribution would like to know before it deals with a frame.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    /// What does its engine say of the container in this cgroup?
    Container {
        /// Path of the cgroup.
        cgroup: Arc<str>,
    },
    /// What is this user called where this process lives?
    Resident {
        /// Process id.
        pid: u32,
        /// Its start, in ticks of 10 ms since boot.
        start_ticks: u64,
        /// kernfs id of its cgroup.
        cgroup: u64,
        /// That is of a version 1 hierarchy.
        is_v1: bool,
        /// User id, in the initial user namespace.
        uid: u32,
    },
    /// What is the hash of the executable of this process?
    Executable {
        /// Process id.
        pid: u32,
        /// Its start, in ticks of 10 ms since boot.
        start_ticks: u64,
        /// Which of the programs that it ran is meant.
        exec_id: u64,
    },
    /// Which addresses does this network namespace have, and what does it call others?
    Namespace {
        /// Inode number.
        netns: u32,
        /// A process that is in it.
        pid: u32,
    },
}
