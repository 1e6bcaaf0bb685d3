//! Runs of our programs that the kernel skipped.
//!
//! Since 5.12 it does not run a tracing program where one runs already, and counts that. A program
//! that was skipped has seen nothing, so this is loss, unless another program did its work.

use std::os::fd::{AsFd as _, AsRawFd as _};

use aya::{
    Ebpf,
    maps::{MapData, PerCpuArray},
};
use tracer_abi::Nesting;

/// Programs whose skipped runs lose nothing: what they do is done all the same.
const HARMLESS: [&str; 2] = ["state_nested", "destroy_tp_btf"];
/// The program whose skipped runs `state_nested` makes up for.
const NESTED: &str = "state_tp_btf";

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
    nesting: PerCpuArray<MapData, [u8; size_of::<Nesting>()]>,
}

impl Meter {
    /// A meter for the programs that are loaded.
    pub fn new(ebpf: &Ebpf, nesting: PerCpuArray<MapData, [u8; size_of::<Nesting>()]>) -> Self {
        let programs = ebpf.programs().filter_map(|(name, program)| {
            let descriptor = program.fd().ok()?.as_fd().as_raw_fd();
            Some((name.to_owned(), format!("/proc/self/fdinfo/{descriptor}")))
        });
        Self {
            programs: programs.collect(),
            nesting,
        }
    }

    /// The counts of now.
    pub fn read(&self) -> Missed {
        let mut missed = Missed::default();
        let harmless = |name: &str| HARMLESS.contains(&name);
        for (name, path) in self.programs.iter().filter(|(name, _)| !harmless(name)) {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let mut count = skipped(&text);
            if name == NESTED {
                count = count.saturating_sub(self.caught());
            }
            if is_of_processes(name) {
                missed.processes += count;
            } else {
                missed.connections += count;
            }
        }
        missed
    }

    /// How often the second program did the work of the first.
    fn caught(&self) -> u64 {
        let cells = self.nesting.get(&0, 0);
        let caught = |bytes: &[u8; size_of::<Nesting>()]| {
            let nesting: Nesting = zerocopy::transmute!(*bytes);
            nesting.caught
        };
        cells.map_or(0, |cells| cells.iter().map(caught).sum())
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
