//! The fields that name an owner.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Word, is_false};
use crate::{
    container::{Container, Pod},
    executable::Flags,
    process,
};

/// Who used a socket: the fields that name the owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The process.
    pub process: Arc<Process>,
    /// Its user.
    pub user: User,
    /// Its cgroup.
    pub cgroup: Cgroup,
    /// Its systemd unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Its container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// Its Kubernetes pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Pod>,
}

/// So many owners are recognised without a look at what is in them.
const RECOGNISED_MAX: usize = 1 << 13;

/// What was found out of owners: by where they are in memory, which they do not leave as long as they are here.
#[derive(Debug)]
pub struct ByOwner<T>(HashMap<usize, (Arc<Owner>, T)>);

impl<T> Default for ByOwner<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> ByOwner<T> {
    /// What was found out of one.
    #[must_use]
    pub fn get(&self, owner: &Arc<Owner>) -> Option<&T> {
        let place = Arc::as_ptr(owner).addr();
        self.0.get(&place).map(|(_, found)| found)
    }

    /// Remembers it. Where there are too many, all others are forgotten.
    pub fn note(&mut self, owner: &Arc<Owner>, found: T) {
        if self.0.len() >= RECOGNISED_MAX {
            self.0.clear();
        }
        let place = Arc::as_ptr(owner).addr();
        self.0.insert(place, (owner.clone(), found));
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Thread id.
    pub tid: u32,
    /// Process id inside its pid namespace, where that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ns_pid: Option<u32>,
    /// Name of the process; empty: it gave itself none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Path of the executable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    /// Arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// There were more arguments.
    #[serde(default, skip_serializing_if = "is_false")]
    pub args_truncated: bool,
    /// When it was started.
    pub start_time: String,
    /// Controlling terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
    /// Who started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// What is odd about the executable.
    #[serde(flatten)]
    pub flags: Flags,
    /// SHA-256 of the executable, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_hashed: Option<Word>,
    /// What names it on this boot.
    #[serde(skip)]
    pub key: process::Key,
}

/// Who started a process, as it was then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Process id.
    pub pid: u32,
    /// Name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Path of the executable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    /// Arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// When it was started.
    pub start_time: String,
}

/// One of several processes that hold a socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// An ancestor of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ancestor {
    /// Process id.
    pub pid: u32,
    /// Name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Path of the executable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Real user id, in the initial user namespace.
    pub uid: u32,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where the name is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_from: Option<NameFrom>,
    /// Real group id.
    pub gid: u32,
    /// Effective user id, where that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub euid: Option<u32>,
    /// User id of the account that logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auid: Option<u32>,
    /// Name of the account that logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// Audit session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u32>,
}

/// Whose accounts name a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameFrom {
    /// The host's.
    Host,
    /// Those of the root that the process has, which is not the host's.
    Container,
    /// Those that another device knows, which tells of a flow.
    Device,
}

/// A cgroup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    /// kernfs id.
    pub id: u64,
    /// Path in its hierarchy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}
