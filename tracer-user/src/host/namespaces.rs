//! Namespaces, by the inode numbers that the kernel names them with.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::sched::{CloneFlags, setns};
use procfs::process::Process;

use super::cgroups::Hierarchies;

/// Inode numbers of the namespaces the machine was booted with (`include/linux/proc_ns.h`).
const INITIAL_CGROUP: u64 = 0xEFFF_FFFB;
const INITIAL_PID: u64 = 0xEFFF_FFFC;

/// The network namespace of the calling thread.
const OF_THREAD: &str = "/proc/thread-self/ns/net";

/// Whether the first process has another namespace of a kind (as `/proc` calls it) than this one, as far as that can
/// be told.
pub fn is_first_elsewhere(kind: &str) -> bool {
    let of = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/{kind}")).ok();
    of("1").is_some_and(|first| Some(first) != of("self"))
}

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

/// A network namespace, kept open.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// Its inode number.
    pub inode: u32,
    /// What it is entered by.
    file: Arc<File>,
}

impl Namespace {
    /// The one that the calling thread is in.
    pub fn of_thread() -> io::Result<Self> {
        let file = File::open(OF_THREAD)?;
        let inode = u32::try_from(file.metadata()?.ino()).map_err(io::Error::other)?;
        let file = Arc::new(file);
        Ok(Self { inode, file })
    }

    /// Has the calling thread enter it, unless it is there.
    pub fn enter(&self) -> nix::Result<()> {
        let is_there = std::fs::metadata(OF_THREAD);
        if is_there.is_ok_and(|now| now.ino() == u64::from(self.inode)) {
            return Ok(());
        }
        setns(&self.file, CloneFlags::CLONE_NEWNET)
    }
}

/// Every network namespace that has a process or is mounted somewhere and that can be entered, and in
/// sentences those that cannot.
pub fn enterable() -> (Vec<Namespace>, Vec<String>) {
    let (namespaces, mut sentences) = open_all();
    let refusals = refusals(&namespaces);
    let mut entered = Vec::new();
    let mut refused: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (namespace, refusal) in namespaces.into_iter().zip(refusals) {
        match refusal {
            None => entered.push(namespace),
            Some(error) => {
                let of_error = refused.entry(error.to_string()).or_default();
                of_error.push(namespace.inode);
            }
        }
    }
    let refused = refused.iter();
    sentences.extend(refused.map(|(error, inodes)| not_entered(error, inodes)));
    (entered, sentences)
}

/// So many namespaces are named in a sentence. On a node each pod has one.
const NAMED_MAX: usize = 16;

/// What is not known because they cannot be entered.
fn not_entered(error: &str, inodes: &[u32]) -> String {
    let named = inodes.iter().take(NAMED_MAX);
    let named: Vec<String> = named.map(ToString::to_string).collect();
    let more = match inodes.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (which, they) = if inodes.len() == 1 {
        ("namespace", "it")
    } else {
        ("namespaces", "they")
    };
    format!(
        "existing: what no process holds in the network {which} {}{more} is not known: {they} cannot \
         be entered: {error}",
        named.join(", ")
    )
}

/// Why each of them cannot be entered, if that is so.
fn refusals(namespaces: &[Namespace]) -> Vec<Option<nix::Error>> {
    // A thread that has entered one need not go back if it ends.
    std::thread::scope(|scope| {
        let trying = scope.spawn(|| {
            let refusal = |namespace: &Namespace| namespace.enter().err();
            namespaces.iter().map(refusal).collect()
        });
        // What is not tried here is tried when it is visited, and said then.
        let untried = |_| namespaces.iter().map(|_| None).collect();
        trying.join().unwrap_or_else(untried)
    })
}

/// Those that can be opened, and in sentences those that cannot.
fn open_all() -> (Vec<Namespace>, Vec<String>) {
    let mut found = BTreeMap::new();
    let mut refused = Vec::new();
    for (inode, path) in places() {
        if found.contains_key(&inode) {
            continue;
        }
        match File::open(&path) {
            Ok(file) => {
                let file = Arc::new(file);
                found.insert(inode, Namespace { inode, file });
            }
            Err(error) => refused.push((inode, path, error)),
        }
    }
    let sentences = refused
        .into_iter()
        .filter(|(inode, ..)| !found.contains_key(inode))
        .map(|(inode, path, error)| {
            format!(
                "existing: what no process holds in the network namespace {inode} is not known: {} \
                 cannot be opened: {error}",
                path.display()
            )
        })
        .collect();
    (found.into_values().collect(), sentences)
}

/// Where network namespaces can be opened: through a process of each, and where they are mounted.
fn places() -> Vec<(u32, PathBuf)> {
    let of_processes = all()
        .into_iter()
        .map(|(inode, pid)| (inode, PathBuf::from(format!("/proc/{pid}/ns/net"))));
    of_processes.chain(mounted()).collect()
}

/// Network namespaces that are mounted in any mount namespace, as `ip netns` and container runtimes
/// do it.
fn mounted() -> Vec<(u32, PathBuf)> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for pid in super::processes::ids() {
        let mounts = std::fs::metadata(format!("/proc/{pid}/ns/mnt")).map(|ns| ns.ino());
        if mounts.is_ok_and(|mounts| seen.insert(mounts)) {
            found.extend(mounted_for(pid));
        }
    }
    found
}

/// Those that a process sees.
fn mounted_for(pid: u32) -> Vec<(u32, PathBuf)> {
    let mounts = i32::try_from(pid)
        .ok()
        .and_then(|pid| Process::new(pid).ok()?.mountinfo().ok());
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    let place = |at: &Path| root.join(at.strip_prefix("/").unwrap_or(at));
    mounts
        .into_iter()
        .flatten()
        .filter_map(|mount| Some((inode_of(&mount.root)?, place(&mount.mount_point))))
        .collect()
}

/// The root of a mounted namespace is `net:[INODE]`.
fn inode_of(root: &str) -> Option<u32> {
    root.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
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
    if !is_initial("cgroup", INITIAL_CGROUP) && !Hierarchies::find().lead_out() {
        limits.push(
            "cgroup: conntracer runs in a cgroup namespace of its own, so that cgroups from \
             before the start outside of it cannot be named"
                .to_owned(),
        );
    }
    limits
}
