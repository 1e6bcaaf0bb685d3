//! Which hooks can report which fact, best first.
//!
//! Read as a table: for each [`Fact`] its rungs. `load` attaches, for each fact, the best rung that
//! the running kernel grants.

use std::fmt;

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
    /// Who closes.
    Close,
    /// The end of a socket.
    Destroy,
    /// The lives of processes.
    Process,
    /// Cgroups that are made.
    Cgroup,
}

impl Fact {
    /// All facts, in the order in which they are attached: first what fills the memory of the
    /// others.
    pub const ALL: [Self; 9] = [
        Self::Process,
        Self::Cgroup,
        Self::Destroy,
        Self::Close,
        Self::Listen,
        Self::Accept,
        Self::Refusal,
        Self::Connect,
        Self::State,
    ];

    /// Its name in `--hooks`, in `doctor` and in the `start` record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Refusal => "refusal",
            Self::Accept => "accept",
            Self::Listen => "listen",
            Self::State => "state",
            Self::Close => "close",
            Self::Destroy => "destroy",
            Self::Process => "process",
            Self::Cgroup => "cgroup",
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
            Self::Close => "a socket that was handed over is not told from one that was not",
            Self::Destroy => "sockets are never forgotten",
            Self::Process => "processes are known by name only",
            Self::Cgroup => "containers that are made while tracing may not be named",
        }
    }

    /// Its rungs, best first.
    pub fn rungs(self) -> &'static [Rung] {
        match self {
            Self::Connect => CONNECT,
            Self::Refusal => REFUSAL,
            Self::Accept => ACCEPT,
            Self::Listen => LISTEN,
            Self::State => STATE,
            Self::Close => CLOSE,
            Self::Destroy => DESTROY,
            Self::Process => PROCESS,
            Self::Cgroup => CGROUP,
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
    /// At the root cgroup: the release of sockets.
    SockRelease,
    /// At the root cgroup: connect.
    SockAddr,
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
}

/// One way to report a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// The kind of hook, in the words of the contract.
    pub via: &'static str,
    /// The way to hook.
    pub family: Family,
    /// The programs. Of several [`Hook::Fexit`] at one function only the one that fits its
    /// parameters is attached.
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

const fn program(name: &'static str, hook: Hook) -> Program {
    Program {
        name,
        again: None,
        hook,
    }
}

const fn twice(name: &'static str, again: &'static str, hook: Hook) -> Program {
    Program {
        name,
        again: Some(again),
        hook,
    }
}

const fn rung(
    via: &'static str,
    family: Family,
    programs: &'static [Program],
    cost: Option<&'static str>,
) -> Rung {
    Rung {
        via,
        family,
        programs,
        cost,
    }
}

const CONNECT: &[Rung] = &[
    rung(
        "fentry",
        Family::Fentry,
        &[twice(
            "connect_fentry",
            "connect_again",
            Hook::Fentry("tcp_connect"),
        )],
        None,
    ),
    rung(
        "kprobe",
        Family::Kprobe,
        &[program("connect_kprobe", Hook::Kprobe("tcp_connect"))],
        None,
    ),
    rung(
        "sock_ops",
        Family::Tracepoint,
        &[program("connect_sockops", Hook::SockOps)],
        None,
    ),
];

const REFUSAL: &[Rung] = &[
    rung(
        "fexit",
        Family::Fentry,
        &[
            twice(
                "secure_fentry",
                "secure_again",
                Hook::Fentry("security_socket_connect"),
            ),
            twice(
                "secure_fexit",
                "secure_x_again",
                Hook::Fexit("security_socket_connect", 3),
            ),
            twice(
                "attempt_fentry",
                "attempt_again",
                Hook::Fentry("__inet_stream_connect"),
            ),
            twice(
                "attempt_fexit",
                "attempt_x_again",
                Hook::Fexit("__inet_stream_connect", 5),
            ),
        ],
        None,
    ),
    rung(
        "kretprobe",
        Family::Kprobe,
        &[
            program("secure_kprobe", Hook::Kprobe("security_socket_connect")),
            program(
                "secure_kretprob",
                Hook::Kretprobe("security_socket_connect"),
            ),
            program("attempt_kprobe", Hook::Kprobe("__inet_stream_connect")),
            program("attempt_kretpro", Hook::Kretprobe("__inet_stream_connect")),
        ],
        None,
    ),
    rung(
        "cgroup",
        Family::Tracepoint,
        &[
            program("attempt_cgroup4", Hook::SockAddr),
            program("attempt_cgroup6", Hook::SockAddr),
            twice("sys_exit_tp_btf", "sys_exit_again", Hook::TpBtf("sys_exit")),
        ],
        Some(
            "attempts through io_uring that fail before anything leaves this host are not seen, \
             nor those that a security module forbids",
        ),
    ),
];

const ACCEPT: &[Rung] = &[
    rung(
        "fentry",
        Family::Fentry,
        &[twice(
            "accept_fentry",
            "accept_again",
            Hook::Fentry("security_sock_graft"),
        )],
        None,
    ),
    rung(
        "kprobe",
        Family::Kprobe,
        &[program(
            "accept_kprobe",
            Hook::Kprobe("security_sock_graft"),
        )],
        None,
    ),
    rung(
        "fexit",
        Family::Fentry,
        &[
            twice(
                "accept_fexit4",
                "accept_again4",
                Hook::Fexit("inet_csk_accept", 4),
            ),
            twice(
                "accept_fexit2",
                "accept_again2",
                Hook::Fexit("inet_csk_accept", 2),
            ),
        ],
        Some(
            "what threads take that were already waiting in accept at the start is seen only when \
             it ends",
        ),
    ),
    rung(
        "kretprobe",
        Family::Kprobe,
        &[program(
            "accept_kretprobe",
            Hook::Kretprobe("inet_csk_accept"),
        )],
        Some(
            "what threads take that were already waiting in accept at the start is seen only when \
             it ends, and so is some of it where many threads wait at once",
        ),
    ),
    rung(
        "tp_btf",
        Family::Tracepoint,
        &[twice(
            "sys_exit_tp_btf",
            "sys_exit_again",
            Hook::TpBtf("sys_exit"),
        )],
        Some("what io_uring takes is seen only when it ends"),
    ),
];

const LISTEN: &[Rung] = &[
    rung(
        "fexit",
        Family::Fentry,
        &[twice(
            "listen_fexit",
            "listen_again",
            Hook::Fexit("inet_listen", 2),
        )],
        None,
    ),
    rung(
        "sock_ops",
        Family::Tracepoint,
        &[program("listen_sockops", Hook::SockOps)],
        None,
    ),
];

const STATE: &[Rung] = &[rung(
    "tp_btf",
    Family::Tracepoint,
    &[twice(
        "state_tp_btf",
        "state_again",
        Hook::TpBtf("inet_sock_set_state"),
    )],
    None,
)];

const CLOSE: &[Rung] = &[
    rung(
        "fentry",
        Family::Fentry,
        &[twice(
            "close_fentry",
            "close_again",
            Hook::Fentry("tcp_close"),
        )],
        None,
    ),
    rung(
        "kprobe",
        Family::Kprobe,
        &[program("close_kprobe", Hook::Kprobe("tcp_close"))],
        None,
    ),
    rung(
        "cgroup",
        Family::Tracepoint,
        &[program("close_cgroup", Hook::SockRelease)],
        None,
    ),
];

const DESTROY: &[Rung] = &[rung(
    "tp_btf",
    Family::Tracepoint,
    &[program("destroy_tp_btf", Hook::TpBtf("tcp_destroy_sock"))],
    None,
)];

const PROCESS: &[Rung] = &[rung(
    "tp_btf",
    Family::Tracepoint,
    &[
        program("exec_tp_btf", Hook::TpBtf("sched_process_exec")),
        program("fork_tp_btf", Hook::TpBtf("sched_process_fork")),
        program("exit_tp_btf", Hook::TpBtf("sched_process_exit")),
    ],
    None,
)];

const CGROUP: &[Rung] = &[rung(
    "tp_btf",
    Family::Tracepoint,
    &[program("cgroup_tp_btf", Hook::TpBtf("cgroup_mkdir"))],
    None,
)];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_kernel_can_tell_the_programs_apart() {
        const KEPT: usize = 15;
        let names: HashSet<&str> = Fact::ALL
            .iter()
            .flat_map(|fact| fact.rungs())
            .flat_map(|rung| rung.programs)
            .flat_map(Program::names)
            .collect();
        let kept: HashSet<&str> = names
            .iter()
            .map(|name| name.get(..KEPT).unwrap_or(name))
            .collect();
        assert_eq!(names.len(), kept.len());
    }

    #[test]
    fn every_fact_has_a_rung_without_kprobes_and_trampolines() {
        for fact in Fact::ALL {
            assert!(
                fact.rungs()
                    .iter()
                    .any(|rung| rung.family == Family::Tracepoint),
                "{}",
                fact.name()
            );
        }
    }
}
