//! Runs of our programs that the kernel skipped.
//!
//! Since 5.12 it does not run a tracing program where one runs already, and counts that. A program
//! that was skipped has seen nothing, so this is loss, unless its twin did its work.

use std::os::fd::{AsFd as _, AsRawFd as _};

use aya::Ebpf;

use super::ladder::Program;

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
        let can_lose = programs.iter().filter(|program| program.name != HARMLESS);
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
    fn skipped_runs_are_read_from_the_description() {
        let fdinfo = "pos:\t0\nprog_type:\t26\nrun_cnt:\t7\nrecursion_misses:\t12\n";
        assert_eq!(skipped(fdinfo), 12);
        assert_eq!(skipped("pos:\t0\n"), 0);
    }
}
