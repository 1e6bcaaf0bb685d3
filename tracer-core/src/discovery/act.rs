//! What a log says that somebody did.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    Analytic,
    finding::{Behaviour, Details},
};
use crate::{executable::Flags, logs::Origin};

/// Something that somebody did, by which he may have learned of connections, or which says more when it
/// is done beside that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Whose elements it is held against.
    pub analytic: Analytic,
    /// When it was done.
    pub time: Timestamp,
    /// On which host, device or account of a cloud; empty: the log does not say.
    pub host: String,
    /// What was done.
    pub what: What,
    /// By whom.
    pub actor: Actor,
    /// Which line says so.
    pub origin: Origin,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A program was executed, or a command typed. Its arguments, the name of the command first, one
    /// argument each where the log keeps them apart, and otherwise the words of the line.
    Command(Vec<String>),
    /// A script was run: its text.
    Script(String),
    /// An interface was called: the operation, as its provider names it.
    Call(String),
    /// A process looked at connections, as the kernel has shown it.
    Seen(Box<Sights>),
    /// Nothing was learned of connections, but it says more when done beside that.
    Beside(Beside),
}

/// What the kernel has shown of a process that looked at connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sights {
    /// Its arguments, if they are known.
    pub args: Vec<String>,
    /// What it did.
    pub behaviours: BTreeSet<Behaviour>,
    /// What is known of that.
    pub details: Details,
    /// What is odd about its executable.
    pub flags: Flags,
    /// The image of its container.
    pub image: Option<String>,
    /// The processes that it descends from, the parent first: id, and path of the executable.
    pub ancestors: Vec<(u32, Option<String>)>,
}

/// What says more when it is done beside discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Beside {
    /// A connection to another host was opened.
    Connection,
    /// The memory of the keeper of credentials was opened.
    Credentials,
    /// A process had more privileges than the one that started it.
    Privilege,
}

impl Beside {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Connection, Self::Credentials, Self::Privilege];

    /// What was done, as a sentence has it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Connection => "opened a connection to another host",
            Self::Credentials => "looked at credentials",
            Self::Privilege => "gained privileges",
        }
    }
}

/// Who did it. What the log does not say is absent, or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// Process id.
    pub pid: Option<u32>,
    /// Path of the executable.
    pub exe: Option<String>,
    /// Who started the process.
    pub parent: Option<Parent>,
    /// Name of the user, role or principal.
    pub user: Option<String>,
    /// User id.
    pub uid: Option<u32>,
    /// User id of the account that logged in.
    pub auid: Option<u32>,
    /// What names the session in this log.
    pub session: Option<String>,
    /// Terminal.
    pub tty: Option<String>,
    /// Container.
    pub container: Option<String>,
    /// Privilege level, of network devices.
    pub privilege: Option<u8>,
    /// Through what the command came: `ssh`, `console`, `dcui`, `api`, `snmp`, a terminal line.
    pub via: Option<String>,
    /// From which address, or what the log has in its place.
    pub from: Option<String>,
}

/// Who started a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parent {
    /// Process id.
    pub pid: Option<u32>,
    /// Path of the executable.
    pub exe: Option<String>,
    /// Command line.
    pub command: Option<String>,
}
