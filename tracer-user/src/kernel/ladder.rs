//! Which hooks can report which fact, best first.
//!
//! Read as a table: for each [`Fact`] its rungs. `load` attaches, for each fact, the best rung that
//! the running kernel grants.

mod looks;
mod rungs;
mod shared;

use std::fmt;

pub use self::{
    rungs::{
        EXISTING_FILES, EXISTING_TCP, EXISTING_UDP, SWEEP_ENDS, SWEEP_FLOWS, UPDATE_ELEMENTS,
        UPDATE_FLOWS,
    },
    shared::Arguments,
};

/// Something that is to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// Outbound attempts.
    Connect,
    /// Attempts that fail before anything leaves this host.
    Refusal,
    /// Inbound connections taken by a process.
    Accept,
    /// Listeners.
    Listen,
    /// TCP states, and with them how connections end.
    State,
    /// Sockets of kinds that are not followed.
    Socket,
    /// Who closes.
    Close,
    /// The end of a socket.
    Destroy,
    /// The lives of processes.
    Process,
    /// Cgroups that are made.
    Cgroup,
    /// Connections and listeners that are older than tracing.
    Existing,
    /// Connections that stay open.
    Update,
    /// UDP sockets and the flows of their datagrams.
    Datagram,
    /// Who opens or reads the lists of sockets in `/proc`.
    ProcNet,
    /// Who asks for sockets over netlink.
    Dump,
    /// Who lists the descriptors of many processes.
    FdSweep,
    /// Who goes through sockets with an iterator of BPF.
    Iterator,
    /// What of this goes through `io_uring`.
    IoUring,
}

impl Fact {
    /// All facts, in the order in which they are attached: first what fills the memory of the
    /// others.
    pub const ALL: [Self; 13] = [
        Self::Process,
        Self::Cgroup,
        Self::Destroy,
        Self::Close,
        Self::Listen,
        Self::Socket,
        Self::Accept,
        Self::Refusal,
        Self::Connect,
        Self::State,
        Self::Datagram,
        Self::Existing,
        Self::Update,
    ];

    /// What tells of discovery; only where that is asked for.
    pub const DISCOVERY: [Self; 5] = [
        Self::ProcNet,
        Self::Dump,
        Self::FdSweep,
        Self::Iterator,
        Self::IoUring,
    ];

    /// All there are.
    pub fn every() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().chain(Self::DISCOVERY)
    }

    /// Its name in `--hooks`, in `doctor` and in the `start` record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Refusal => "refusal",
            Self::Accept => "accept",
            Self::Listen => "listen",
            Self::State => "state",
            Self::Socket => "socket",
            Self::Close => "close",
            Self::Destroy => "destroy",
            Self::Process => "process",
            Self::Cgroup => "cgroup",
            Self::Existing => "existing",
            Self::Update => "update",
            Self::Datagram => "datagram",
            Self::ProcNet => "proc_net",
            Self::Dump => "dump",
            Self::FdSweep => "fd_sweep",
            Self::Iterator => "iterator",
            Self::IoUring => "io_uring",
        }
    }

    /// Without it nothing that is said would be true.
    pub fn is_essential(self) -> bool {
        matches!(
            self,
            Self::Connect | Self::State | Self::Destroy | Self::Process
        )
    }

    /// What is missing without it.
    pub fn loss(self) -> &'static str {
        match self {
            Self::Connect => "outbound connections are not seen",
            Self::Refusal => {
                "attempts that fail before anything leaves this host are not seen, such as one \
                 that a rule forbids or for which there is no route"
            }
            Self::Accept => "inbound connections are seen only when they end",
            Self::Listen => "listeners are not seen",
            Self::State => "how connections begin and end is not seen",
            Self::Socket => {
                "sockets of other kinds than TCP and UDP, such as raw ones, are not seen"
            }
            Self::Close => "a socket that was handed over is not told from one that was not",
            Self::Destroy => "sockets are never forgotten",
            Self::Process => "processes are known by name only",
            Self::Cgroup => "containers that are made while tracing may not be named",
            Self::Existing => {
                "connections from before the start are seen only when they end, and listeners from \
                 before it not at all"
            }
            Self::Datagram => "UDP is not seen",
            Self::Update => "of connections that stay open nothing is said before they end",
            Self::ProcNet => "who reads the lists of sockets in /proc is not seen",
            Self::Dump => "who asks for sockets over netlink is not seen",
            Self::FdSweep => "who lists the descriptors of other processes is not seen",
            Self::Iterator => "who goes through sockets with an iterator of BPF is not seen",
            Self::IoUring => {
                "that discovery went through io_uring is not said, and on the lowest rung it is not seen"
            }
        }
    }

    /// Its rungs, best first.
    pub fn rungs(self) -> &'static [Rung] {
        match self {
            Self::Connect => rungs::CONNECT,
            Self::Refusal => rungs::REFUSAL,
            Self::Accept => rungs::ACCEPT,
            Self::Listen => rungs::LISTEN,
            Self::State => rungs::STATE,
            Self::Socket => rungs::SOCKET,
            Self::Close => rungs::CLOSE,
            Self::Destroy => rungs::DESTROY,
            Self::Process => rungs::PROCESS,
            Self::Cgroup => rungs::CGROUP,
            Self::Existing => rungs::EXISTING,
            Self::Update => rungs::UPDATE,
            Self::Datagram => rungs::DATAGRAM,
            Self::ProcNet => looks::PROC_NET,
            Self::Dump => looks::DUMP,
            Self::FdSweep => looks::FD_SWEEP,
            Self::Iterator => looks::ITERATOR,
            Self::IoUring => looks::IO_URING,
        }
    }
}

/// A way to hook, best first; the words of `--hooks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// BPF trampolines at kernel functions: fentry and fexit.
    Fentry,
    /// Breakpoints at kernel functions: kprobe and kretprobe.
    Kprobe,
    /// Tracepoints and the hooks of cgroups: neither of the above is needed.
    Tracepoint,
}

impl Family {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::Tracepoint => "tracepoint",
        }
    }
}

/// What a program is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// At the entry of a kernel function.
    Fentry(&'static str),
    /// At the return of a kernel function that has this many parameters.
    Fexit(&'static str, usize),
    /// At the entry of a kernel function.
    Kprobe(&'static str),
    /// At the return of a kernel function.
    Kretprobe(&'static str),
    /// At a tracepoint.
    TpBtf(&'static str),
    /// At the root cgroup: TCP events.
    SockOps,
    /// At the root cgroup: sockets that are made, bound, released.
    Sock,
    /// At the root cgroup: packets that leave sockets.
    SkbEgress,
    /// At the root cgroup: packets that reach sockets.
    SkbIngress,
    /// At the root cgroup: connect, and sending to an address.
    SockAddr,
    /// Run by us over all that the kernel has of a kind.
    Iter(&'static str),
}

/// A program and where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its name in the kernel object.
    pub name: &'static str,
    /// A second program of the same body, which does the work where the kernel skips the first.
    pub again: Option<&'static str>,
    /// What it is attached to.
    pub hook: Hook,
    /// Where a tracepoint has other arguments in other kernels: for which of them it is made.
    pub made_for: Option<Arguments>,
}

/// One way to report a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// The kind of hook, in the words of the contract.
    pub via: &'static str,
    /// The way to hook.
    pub family: Family,
    /// The programs. Of several [`Hook::Fexit`] at one function only the one that fits its
    /// parameters is attached; of those that are made for the arguments of a tracepoint, those that
    /// are made for the ones it has.
    pub programs: &'static [Program],
    /// What this rung misses that the best one does not.
    pub cost: Option<&'static str>,
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.via)
    }
}

impl Program {
    /// Its name and that of its twin.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.name].into_iter().chain(self.again)
    }
}

#[cfg(test)]
mod tests;
