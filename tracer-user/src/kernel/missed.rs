//! Runs of our programs that the kernel skipped.
//!
//! Since 5.12 it does not run a tracing program where one runs already, and counts that. A program
//! that was skipped has seen nothing, so this is loss, unless its twin did its work.

use std::os::fd::{AsFd as _, AsRawFd as _};

use aya::Ebpf;

use super::{
    ladder::{Hook, Program},
    version,
};

/// The program whose skipped runs lose nothing: it looks after what others have missed.
const HARMLESS: &str = "destroy_tp_btf";

/// Skipped runs, so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Of hooks of connections.
    pub connections: u64,
    /// Of hooks of processes and cgroups.
    pub processes: u64,
}

/// Where the kernel counts skipped runs.
pub struct Meter {
    hooks: Vec<Counted>,
}

/// A program and its twin.
struct Counted {
    is_of_processes: bool,
    /// The files in which the kernel describes them.
    descriptions: Vec<String>,
}

impl Meter {
    /// A meter for the programs that are in place.
    pub fn new(ebpf: &Ebpf, programs: &[Program]) -> Self {
        let description = |name: &str| {
            let descriptor = ebpf.program(name)?.fd().ok()?.as_fd().as_raw_fd();
            Some(format!("/proc/self/fdinfo/{descriptor}"))
        };
        let counted = |program: &Program| Counted {
            is_of_processes: is_of_processes(program.name),
            descriptions: program.names().filter_map(description).collect(),
        };
        let is_preempted = !version::tracepoints_are_not_preempted();
        let can_lose = programs
            .iter()
            .filter(|program| program.name != HARMLESS && can_lose(program, is_preempted));
        Self {
            hooks: can_lose.map(counted).collect(),
        }
    }

    /// The counts of now. Of a program with a twin a call is lost only if both were skipped: not more
    /// often than the one that was skipped less.
    pub fn read(&self) -> Missed {
        let mut missed = Missed::default();
        for hook in &self.hooks {
            let read = |path: &String| skipped(&std::fs::read_to_string(path).unwrap_or_default());
            let count = hook.descriptions.iter().map(read).min().unwrap_or_default();
            if hook.is_of_processes {
                missed.processes += count;
            } else {
                missed.connections += count;
            }
        }
        missed
    }
}

/// Whether a call can find both a program and its twin running already. At a tracepoint that takes another
/// task: the only one to interrupt a program there otherwise is a softirq, which interrupts one of them,
/// and which none interrupts.
fn can_lose(program: &Program, tracepoints_are_preempted: bool) -> bool {
    let is_at_tracepoint = matches!(program.hook, Hook::TpBtf(_));
    program.again.is_none() || !is_at_tracepoint || tracepoints_are_preempted
}

/// Whether a program tells of processes or cgroups.
fn is_of_processes(name: &str) -> bool {
    ["exec_", "fork_", "exit_", "cgroup_"]
        .iter()
        .any(|start| name.starts_with(start))
}

/// `recursion_misses` in the kernel's description of a program; none before 5.12.
fn skipped(fdinfo: &str) -> u64 {
    fdinfo
        .lines()
        .find_map(|line| line.strip_prefix("recursion_misses:"))
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twin_at_a_tracepoint_makes_up_for_all_where_nothing_preempts_it() {
        let at = |hook, again| Program {
            name: "state_tp_btf",
            again,
            hook,
            made_for: None,
        };
        let tracepoint = Hook::TpBtf("inet_sock_set_state");
        assert!(!can_lose(&at(tracepoint, Some("state_again")), false));
        assert!(can_lose(&at(tracepoint, Some("state_again")), true));
        assert!(can_lose(&at(tracepoint, None), false));
        let function = Hook::Fentry("tcp_connect");
        assert!(can_lose(&at(function, Some("connect_again")), false));
    }

    #[test]
    fn skipped_runs_are_read_from_the_description() {
        let fdinfo = "pos:\t0\nprog_type:\t26\nrun_cnt:\t7\nrecursion_misses:\t12\n";
        assert_eq!(skipped(fdinfo), 12);
        assert_eq!(skipped("pos:\t0\n"), 0);
    }
}
