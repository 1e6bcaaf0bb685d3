//! Who has descriptors of a socket, as `/proc` shows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::MetadataExt as _,
};

use procfs::process::{FDTarget, Process};
use tracer_core::fact::Holder;

use super::{cgroups::Hierarchies, processes};

/// The processes that hold sockets of these inode numbers.
pub fn of_sockets(inodes: &BTreeSet<u64>) -> BTreeMap<u64, Vec<Holder>> {
    let mut found: BTreeMap<u64, Vec<Holder>> = BTreeMap::new();
    if inodes.is_empty() {
        return found;
    }
    let hierarchies = Hierarchies::find();
    for pid in processes::ids() {
        let process = i32::try_from(pid)
            .ok()
            .and_then(|pid| Process::new(pid).ok());
        let Some(process) = process else {
            continue;
        };
        let held: BTreeSet<u64> = &sockets_of(&process) & inodes;
        if held.is_empty() {
            continue;
        }
        // It may be gone by now.
        let Some(holder) = holder(&process, &hierarchies) else {
            continue;
        };
        for inode in held {
            found.entry(inode).or_default().push(holder.clone());
        }
    }
    found
}

fn sockets_of(process: &Process) -> BTreeSet<u64> {
    let descriptors = process.fd().into_iter().flatten().flatten();
    descriptors
        .filter_map(|descriptor| match descriptor.target {
            FDTarget::Socket(inode) => Some(inode),
            _ => None,
        })
        .collect()
}

fn holder(process: &Process, hierarchies: &Hierarchies) -> Option<Holder> {
    let stat = process.stat().ok()?;
    let status = process.status().ok()?;
    let number = |id: i32| u32::try_from(id).unwrap_or_default();
    let pid = number(stat.pid);
    // The last of them is the one inside.
    let ns_pid = status.nstgid.as_ref().and_then(|ids| ids.last().copied());
    let (cgroup, is_cgroup_v1) = cgroup(process, hierarchies).unwrap_or_default();
    Some(Holder {
        pid,
        ns_pid: ns_pid.map_or(pid, number),
        start_ticks: stat.starttime,
        name: stat.comm,
        session: number(stat.session),
        uid: status.ruid,
        gid: status.rgid,
        euid: status.euid,
        auid: audit(process, "loginuid"),
        audit_session: audit(process, "sessionid"),
        cgroup,
        is_cgroup_v1,
    })
}

/// What the audit subsystem notes; unset where the kernel has none.
fn audit(process: &Process, name: &str) -> u32 {
    let path = format!("/proc/{}/{name}", process.pid());
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.trim().parse().unwrap_or(u32::MAX)
}

/// The id of the cgroup that the kernel half would tell, and whether that is of a version 1 hierarchy: it
/// is where the process is in the root of the unified one only.
fn cgroup(process: &Process, hierarchies: &Hierarchies) -> Option<(u64, bool)> {
    let cgroups = process.cgroups().ok()?;
    let path_in = |hierarchy: u32| {
        let mut paths = cgroups.0.iter().filter(|one| one.hierarchy == hierarchy);
        paths.next().map(|one| one.pathname.as_str())
    };
    let v1 = hierarchies.v1_controller().and_then(|v1| {
        let directory = hierarchies.v1_directory(path_in(v1.number)?)?;
        (directory != v1.mount).then_some(directory)
    });
    let unified = path_in(0).and_then(|path| hierarchies.directory(path));
    let is_root = unified.as_deref() == hierarchies.unified();
    let (directory, is_v1) = match (unified, v1) {
        (unified, Some(v1)) if unified.is_none() || is_root => (v1, true),
        (unified, _) => (unified?, false),
    };
    // Its inode number.
    Some((std::fs::metadata(directory).ok()?.ino(), is_v1))
}
