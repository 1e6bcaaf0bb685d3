//! What is told of discovery: `discovery` records.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Act, Analytic, Origin, TECHNIQUE, What, act};
use crate::{
    executable::base_name,
    record::{Ancestor, Event, Head, Owner, Word, is_false, is_zero},
};

/// Discovery of network connections: a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// When it was done first; `discovery`; its place in this output; where it was done.
    #[serde(flatten)]
    pub head: Head,
    /// What was done.
    pub behaviours: Vec<Behaviour>,
    /// `T1049`.
    pub technique: Word,
    /// The analytic that found it.
    pub analytic: Analytic,
    /// Its platform.
    pub platform: Word,
    /// How much it matters.
    pub severity: Severity,
    /// Why it is one, and why it matters so much.
    pub reasons: Vec<String>,
    /// What else is known of it.
    pub details: Details,
    /// The working directory of who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Inode number of the network namespace of who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<u32>,
    /// How often it was done again shortly after.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeat: u64,
    /// By whom.
    #[serde(flatten)]
    pub who: Who,
    /// Which line of a log says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// Who did it. The first that has all it needs is the one, where it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Who {
    /// As the kernel has shown it.
    Seen {
        /// The process, its user, its container.
        #[serde(flatten)]
        owner: Arc<Owner>,
        /// From the parent up to the session leader.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ancestry: Vec<Ancestor>,
    },
    /// As a log knows it.
    Logged {
        /// By which process.
        #[serde(default, skip_serializing_if = "Process::is_unknown")]
        process: Process,
        /// By whom.
        #[serde(default, skip_serializing_if = "User::is_unknown")]
        user: User,
    },
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// A utility was executed, or typed.
    UtilityExec,
    /// A list of `/proc/PID/net` was opened or read; in a log: was named.
    ProcNetRead,
    /// Sockets were asked for over `NETLINK_SOCK_DIAG`.
    SockDiagDump,
    /// The descriptors of many other processes were listed.
    FdSweep,
    /// The connections that netfilter tracks were asked for.
    ConntrackDump,
    /// An iterator of BPF went through sockets.
    SocketIterator,
    /// Sockets of others were destroyed.
    SockDestroy,
    /// A script asked for connections.
    ScriptQuery,
    /// An interface of a host, device or cloud was asked.
    ApiQuery,
}

impl Behaviour {
    /// The word of the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::UtilityExec => "utility_exec",
            Self::ProcNetRead => "proc_net_read",
            Self::SockDiagDump => "sock_diag_dump",
            Self::FdSweep => "fd_sweep",
            Self::ConntrackDump => "conntrack_dump",
            Self::SocketIterator => "socket_iterator",
            Self::SockDestroy => "sock_destroy",
            Self::ScriptQuery => "script_query",
            Self::ApiQuery => "api_query",
        }
    }
}

/// How much it matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is ordinary.
    #[default]
    Info,
    /// It is a little odd.
    Low,
    /// Somebody should look.
    Medium,
    /// Somebody should look now.
    High,
}

impl Severity {
    /// All, the least first.
    pub const ALL: [Self; 4] = [Self::Info, Self::Low, Self::Medium, Self::High];

    /// The word of the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// One step more.
    #[must_use]
    pub fn raised(self) -> Self {
        match self {
            Self::Info => Self::Low,
            Self::Low => Self::Medium,
            Self::Medium | Self::High => Self::High,
        }
    }
}

/// What is known of it, beside process and user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// What fits the element by which it was found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub matched: String,
    /// The lists of `/proc/PID/net` that were looked at, by name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub files: BTreeSet<String>,
    /// The dumps that were asked for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub dumps: BTreeSet<Dump>,
    /// What iterators went through.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub iterators: BTreeSet<String>,
    /// Of how many other processes the descriptors were listed, at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swept: Option<u32>,
    /// The network namespaces whose connections were listed, where one is not the actor's.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub netns: BTreeSet<u32>,
    /// Some of it was done through `io_uring`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub io_uring: bool,
    /// It is the first time that this program did so for this account and container.
    #[serde(default, skip_serializing_if = "is_false")]
    pub first_seen: bool,
    /// The operation that was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Through what it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What names the session in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Privilege level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privilege: Option<u8>,
    /// Container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

/// A dump over netlink that was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dump {
    /// The address family: `ipv4`, `ipv6`, `unix`, `packet`, or its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// The protocol: its name, or its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The TCP states that were asked for, if not all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<Word>,
}

/// A process, as a log knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Process id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Name of the executable, or of the command.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Path of the executable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    /// Arguments, the name first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
    /// Who started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
}

/// Who started a process, as a log knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Process id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Name of the executable.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Path of the executable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    /// Command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// A user, as a log knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// User id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Name of the user, role or principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// User id of the account that logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auid: Option<u32>,
}

impl Finding {
    /// Of what a log says.
    pub(super) fn of_log(act: &Act, matched: &str) -> Self {
        let actor = &act.actor;
        let details = Details {
            matched: matched.to_owned(),
            operation: match &act.what {
                What::Call(operation) => Some(operation.clone()),
                _ => None,
            },
            via: actor.via.clone(),
            from: actor.from.clone(),
            session: actor.session.clone(),
            privilege: actor.privilege,
            container: actor.container.clone(),
            ..Details::default()
        };
        let who = Who::Logged {
            process: Process::of(act),
            user: User {
                uid: actor.uid,
                name: actor.user.clone(),
                auid: actor.auid,
            },
        };
        let head = Head {
            time: format!("{:.9}", act.time),
            event: Event::Discovery,
            seq: 0,
            host: act.host.as_str().into(),
        };
        Self {
            origin: Some(act.origin.clone()),
            ..Self::new(head, act.analytic, details, who)
        }
    }

    /// Nothing is said of it yet.
    pub(crate) fn new(head: Head, analytic: Analytic, details: Details, who: Who) -> Self {
        Self {
            head,
            behaviours: Vec::new(),
            technique: TECHNIQUE.into(),
            analytic,
            platform: analytic.platform().into(),
            severity: Severity::default(),
            reasons: Vec::new(),
            details,
            cwd: None,
            netns: None,
            repeat: 0,
            who,
            origin: None,
        }
    }

    /// Who did it, if the kernel has shown it.
    #[must_use]
    pub fn owner(&self) -> Option<&Owner> {
        match &self.who {
            Who::Logged { .. } => None,
            Who::Seen { owner, .. } => Some(owner),
        }
    }

    /// The arguments in a line, if they are known.
    #[must_use]
    pub fn command_line(&self) -> Option<String> {
        match &self.who {
            Who::Logged { process, .. } => process.command_line(),
            Who::Seen { owner, .. } => owner.process.args.as_ref().map(|args| args.join(" ")),
        }
    }

    /// The name of who started the process; empty: not known.
    #[must_use]
    pub fn parent(&self) -> &str {
        match &self.who {
            Who::Logged { process, .. } => process.parent.as_ref().map_or("", |by| &by.name),
            Who::Seen { owner, .. } => owner.process.parent.as_ref().map_or("", |by| &by.name),
        }
    }

    /// Who did it, by name or by number: the name of the user, or the account that logged in.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        let (name, auid, uid) = match &self.who {
            Who::Logged { user, .. } => (&user.name, user.auid, user.uid),
            Who::Seen { owner, .. } => (&owner.user.name, owner.user.auid, Some(owner.user.uid)),
        };
        let number = auid.or(uid).map(|id| id.to_string());
        name.clone().or(number)
    }
}

impl Process {
    fn of(act: &Act) -> Self {
        let args = match &act.what {
            What::Command(args) => args.clone(),
            _ => Vec::new(),
        };
        let exe = act.actor.exe.clone();
        let path = exe.as_deref().or_else(|| args.first().map(String::as_str));
        Self {
            pid: act.actor.pid,
            name: path.map_or_else(String::new, |path| name_of(path).to_owned()),
            exe,
            args,
            tty: act.actor.tty.clone(),
            parent: act.actor.parent.as_ref().map(Parent::of),
        }
    }

    /// Its arguments in a line, if they are known.
    #[must_use]
    pub fn command_line(&self) -> Option<String> {
        (!self.args.is_empty()).then(|| self.args.join(" "))
    }

    fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

impl Parent {
    fn of(parent: &act::Parent) -> Self {
        let exe = parent.exe.as_deref();
        Self {
            pid: parent.pid,
            name: exe.map_or_else(String::new, |exe| name_of(exe).to_owned()),
            exe: parent.exe.clone(),
            command: parent.command.clone(),
        }
    }
}

impl User {
    fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// The last part of a path of Unix or of Windows.
pub(crate) fn name_of(path: &str) -> &str {
    let name = base_name(path);
    name.rsplit('\\').next().unwrap_or(name)
}
