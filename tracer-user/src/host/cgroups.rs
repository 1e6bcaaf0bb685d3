//! The cgroup hierarchies that are mounted.

use std::{
    os::unix::fs::{DirEntryExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use tracer_core::fact::Cgroup;

/// The version 1 controllers whose cgroups tell containers apart, best first.
const V1_CONTROLLERS: [&str; 4] = ["memory", "pids", "cpu", "cpuset"];

/// A version 1 controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V1Controller {
    /// Its name.
    pub name: String,
    /// Number of its hierarchy.
    pub number: u32,
    /// Where it is mounted.
    pub mount: PathBuf,
}

/// The hierarchies that tell what a process belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hierarchies {
    unified: Option<PathBuf>,
    v1: Option<V1Controller>,
}

impl Hierarchies {
    /// Finds what is mounted in this process's view.
    pub fn find() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self::parse(&read("/proc/self/mountinfo"), &read("/proc/cgroups"))
    }

    fn parse(mountinfo: &str, controllers: &str) -> Self {
        let mounts: Vec<Mount> = mountinfo.lines().filter_map(Mount::parse).collect();
        let v1 = V1_CONTROLLERS.iter().find_map(|name| {
            let mount = mounts
                .iter()
                .find(|mount| mount.kind == "cgroup" && mount.options.contains(name))?;
            Some(V1Controller {
                name: (*name).to_owned(),
                number: hierarchy_of(controllers, name)?,
                mount: mount.path.clone(),
            })
        });
        let unified = mounts
            .into_iter()
            .find(|mount| mount.kind == "cgroup2")
            .map(|mount| mount.path);
        Self { unified, v1 }
    }

    /// Where the unified hierarchy is mounted.
    pub fn unified(&self) -> Option<&Path> {
        self.unified.as_deref()
    }

    /// The version 1 controller to fall back on.
    pub fn v1_controller(&self) -> Option<&V1Controller> {
        self.v1.as_ref()
    }

    /// All cgroups of these hierarchies.
    pub fn walk(&self) -> Vec<Cgroup> {
        let mut found = Vec::new();
        if let Some(unified) = &self.unified {
            walk(unified, false, &mut found);
        }
        if let Some(v1) = &self.v1 {
            walk(&v1.mount, true, &mut found);
        }
        found
    }

    /// The path of a cgroup; `None` if it is gone.
    pub fn path_of(&self, id: u64, is_v1: bool) -> Option<String> {
        self.walk()
            .into_iter()
            .find(|cgroup| cgroup.id == id && cgroup.is_v1 == is_v1)
            .map(|cgroup| cgroup.path)
    }
}

/// Directories are cgroups; their inode numbers are the kernel's ids.
fn walk(root: &Path, is_v1: bool, found: &mut Vec<Cgroup>) {
    let Ok(id) = std::fs::metadata(root).map(|directory| directory.ino()) else {
        return;
    };
    let mut open = vec![(id, root.to_path_buf())];
    while let Some((id, directory)) = open.pop() {
        let below = directory.strip_prefix(root).unwrap_or(&directory);
        found.push(Cgroup {
            id,
            is_v1,
            path: format!("/{}", below.to_string_lossy()),
        });
        // A cgroup may be gone by now.
        let Ok(entries) = std::fs::read_dir(&directory) else {
            continue;
        };
        let children = entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| (entry.ino(), entry.path()));
        open.extend(children);
    }
}

/// The number of a controller's hierarchy in `/proc/cgroups`; `None` where it is on the unified one.
fn hierarchy_of(controllers: &str, name: &str) -> Option<u32> {
    controllers.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let is_it = fields.next()? == name;
        let number: u32 = fields.next()?.parse().ok()?;
        (is_it && number != 0).then_some(number)
    })
}

/// A line of `/proc/self/mountinfo`.
struct Mount<'a> {
    path: PathBuf,
    kind: &'a str,
    options: Vec<&'a str>,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let path = before.split(' ').nth(4)?;
        let mut fields = after.split(' ');
        let kind = fields.next()?;
        let options = fields.nth(1)?.split(',').collect();
        Some(Self {
            path: PathBuf::from(unescape(path)),
            kind,
            options,
        })
    }
}

/// Blanks in paths are written as octal escapes.
fn unescape(path: &str) -> String {
    path.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 25 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw,nsdelegate
32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:11 - cgroup cgroup rw,cpu,cpuacct
33 30 0:29 / /sys/fs/cgroup/pids rw shared:12 - cgroup cgroup rw,pids
";
    const CONTROLLERS: &str = "\
#subsys_name\thierarchy\tnum_cgroups\tenabled
cpu\t3\t10\t1
pids\t4\t10\t1
memory\t0\t10\t1
";

    #[test]
    fn a_hybrid_host_has_both() {
        let found = Hierarchies::parse(HYBRID, CONTROLLERS);
        assert_eq!(found.unified(), Some(Path::new("/sys/fs/cgroup/unified")));
        let v1 = found.v1_controller().unwrap();
        assert_eq!((v1.name.as_str(), v1.number), ("pids", 4));
    }

    #[test]
    fn a_unified_host_has_one() {
        let mounts = "35 24 0:30 / /sys/fs/cg\\040roup rw - cgroup2 cgroup2 rw\n";
        let found = Hierarchies::parse(mounts, "memory\t0\t1\t1\n");
        assert_eq!(found.unified(), Some(Path::new("/sys/fs/cg roup")));
        assert_eq!(found.v1_controller(), None);
    }
}
