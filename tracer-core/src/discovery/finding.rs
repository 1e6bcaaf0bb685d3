//! What is told of discovery: `discovery` records.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{Act, Analytic, Origin, TECHNIQUE, What, act};
use crate::executable::base_name;

/// Discovery of network connections.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// When it was done first.
    #[serde(serialize_with = "nanoseconds")]
    pub time: Timestamp,
    /// `discovery`.
    pub event: &'static str,
    /// Position in this output, from 1, without gaps.
    pub seq: u64,
    /// Where it was done.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// What was done.
    pub behaviours: Vec<Behaviour>,
    /// `T1049`.
    pub technique: &'static str,
    /// The analytic that found it.
    pub analytic: Analytic,
    /// Its platform.
    pub platform: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Why it is one, and why it matters so much.
    pub reasons: Vec<String>,
    /// What the log says of it.
    pub details: Details,
    /// How often it was done again shortly after.
    #[serde(skip_serializing_if = "is_zero")]
    pub repeat: u64,
    /// By which process.
    #[serde(skip_serializing_if = "Process::is_unknown")]
    pub process: Process,
    /// By whom.
    #[serde(skip_serializing_if = "User::is_unknown")]
    pub user: User,
    /// Which line says so.
    pub origin: Origin,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// A utility was executed, or typed.
    UtilityExec,
    /// A list of `/proc/net` was named.
    ProcNetRead,
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
            Self::SockDestroy => "sock_destroy",
            Self::ScriptQuery => "script_query",
            Self::ApiQuery => "api_query",
        }
    }
}

/// How much it matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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

/// What a log says of it, beside process and user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Details {
    /// What fits the element by which it was found.
    pub matched: String,
    /// The operation that was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Through what it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// From where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What names the session in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Privilege level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privilege: Option<u8>,
    /// Container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

/// A process, as a log knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Process id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Name of the executable, or of the command.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Path of the executable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    /// Arguments, the name first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
    /// Who started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
}

/// Who started a process, as a log knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parent {
    /// Process id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Name of the executable.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Path of the executable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    /// Command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// A user, as a log knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct User {
    /// User id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Name of the user, role or principal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// User id of the account that logged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auid: Option<u32>,
}

impl Finding {
    /// Of an act.
    pub(super) fn of(act: &Act, matched: &str, behaviours: Vec<Behaviour>) -> Self {
        let actor = &act.actor;
        Self {
            time: act.time,
            event: "discovery",
            seq: 0,
            host: act.host.clone(),
            behaviours,
            technique: TECHNIQUE,
            analytic: act.analytic,
            platform: act.analytic.platform(),
            severity: Severity::default(),
            reasons: Vec::new(),
            details: Details {
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
            },
            repeat: 0,
            process: Process::of(act),
            user: User {
                uid: actor.uid,
                name: actor.user.clone(),
                auid: actor.auid,
            },
            origin: act.origin.clone(),
        }
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

fn nanoseconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.9}"))
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
