//! Runs of our programs that the kernel skipped.
//!
//! Since 5.12 it does not run a tracing program where one runs already, and counts that. A program
//! that was skipped has seen nothing, so this is loss, unless another program did its work.

use std::os::fd::{AsFd as _, AsRawFd as _};

use aya::Ebpf;
use tracer_abi::Nested;

/// Programs whose skipped runs lose nothing: what they do is done all the same.
const HARMLESS: [&str; 3] = ["state_nested", "sys_exit_nested", "destroy_tp_btf"];
/// The programs whose skipped runs another one makes up for.
const NESTED: [(&str, u32); Nested::COUNT as usize] = [
    ("state_tp_btf", Nested::STATE),
    ("sys_exit_tp_btf", Nested::SYS_EXIT),
];

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
    /// Name of each program, and the file in which the kernel describes it.
    programs: Vec<(String, String)>,
}

impl Meter {
    /// A meter for the programs that are loaded.
    pub fn new(ebpf: &Ebpf) -> Self {
        let programs = ebpf.programs().filter_map(|(name, program)| {
            let descriptor = program.fd().ok()?.as_fd().as_raw_fd();
            Some((name.to_owned(), format!("/proc/self/fdinfo/{descriptor}")))
        });
        Self {
            programs: programs.collect(),
        }
    }

    /// The counts of now. `caught`: by [`Nested`] hook, how often the second program did the work of
    /// the first.
    pub fn read(&self, caught: &[u64]) -> Missed {
        let mut missed = Missed::default();
        let harmless = |name: &str| HARMLESS.contains(&name);
        for (name, path) in self.programs.iter().filter(|(name, _)| !harmless(name)) {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let count = skipped(&text).saturating_sub(made_up_for(name, caught));
            if is_of_processes(name) {
                missed.processes += count;
            } else {
                missed.connections += count;
            }
        }
        missed
    }
}

/// How many of a program's skipped runs another one made up for.
fn made_up_for(program: &str, caught: &[u64]) -> u64 {
    let hook = NESTED.iter().find(|(name, _)| *name == program);
    hook.and_then(|(_, hook)| caught.get(*hook as usize))
        .copied()
        .unwrap_or_default()
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
