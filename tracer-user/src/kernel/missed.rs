//! Runs of our programs that the kernel skipped.
//!
//! Since 5.12 it does not run a tracing program where one runs already, and counts that. A program
//! that was skipped has seen nothing, so this is loss, unless a second one did its work.

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

/// Where the kernel counts skipped runs: the files in which it describes our programs.
pub struct Meter {
    connections: Vec<String>,
    processes: Vec<String>,
}

impl Meter {
    /// A meter for the programs that are in place. The second programs at a hook are not among them:
    /// what they are skipped for, the first have dealt with or are counted for.
    pub fn new(ebpf: &Ebpf, programs: &[Program]) -> Self {
        let can_lose = programs.iter().filter(|program| program.name != HARMLESS);
        let (processes, connections): (Vec<&Program>, Vec<&Program>) =
            can_lose.partition(|program| is_of_processes(program.name));
        let description = |program: &Program| {
            let loaded = ebpf.program(program.name)?;
            let descriptor = loaded.fd().ok()?.as_fd().as_raw_fd();
            Some(format!("/proc/self/fdinfo/{descriptor}"))
        };
        Self {
            connections: connections.into_iter().filter_map(description).collect(),
            processes: processes.into_iter().filter_map(description).collect(),
        }
    }

    /// The counts of now. `covered`: for how many calls a second program did the work of the first.
    pub fn read(&self, covered: u64) -> Missed {
        Missed {
            connections: sum(&self.connections).saturating_sub(covered),
            processes: sum(&self.processes),
        }
    }
}

fn sum(descriptions: &[String]) -> u64 {
    let read = |path: &String| skipped(&std::fs::read_to_string(path).unwrap_or_default());
    descriptions.iter().map(read).sum()
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
