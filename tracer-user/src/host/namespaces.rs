//! Namespaces, by the inode numbers that the kernel names them with.

use std::{collections::BTreeMap, os::unix::fs::MetadataExt as _};

/// Inode numbers of the namespaces the machine was booted with (`include/linux/proc_ns.h`).
const INITIAL_CGROUP: u64 = 0xEFFF_FFFB;
const INITIAL_PID: u64 = 0xEFFF_FFFC;

/// The network namespace of a process.
pub fn of(pid: u32) -> Option<u32> {
    let inode = std::fs::metadata(format!("/proc/{pid}/ns/net")).ok()?.ino();
    u32::try_from(inode).ok()
}

/// Every network namespace that has a process, with one of its processes.
pub fn all() -> BTreeMap<u32, u32> {
    let mut found = BTreeMap::new();
    for pid in super::processes::ids() {
        if let Some(netns) = of(pid) {
            found.entry(netns).or_insert(pid);
        }
    }
    found
}

/// What this process's own namespaces keep it from seeing, in sentences.
pub fn limits() -> Vec<String> {
    let is_initial = |kind: &str, inode: u64| {
        std::fs::metadata(format!("/proc/self/ns/{kind}")).is_ok_and(|ns| ns.ino() == inode)
    };
    let mut limits = Vec::new();
    if !is_initial("pid", INITIAL_PID) {
        limits.push(
            "process: conntracer runs in a pid namespace of its own, so that processes from \
             before the start cannot be looked up"
                .to_owned(),
        );
    }
    if !is_initial("cgroup", INITIAL_CGROUP) {
        limits.push(
            "cgroup: conntracer runs in a cgroup namespace of its own, so that cgroups from \
             before the start outside of it cannot be named"
                .to_owned(),
        );
    }
    limits
}
