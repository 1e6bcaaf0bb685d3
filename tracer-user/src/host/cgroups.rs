//! The cgroup hierarchies that are mounted.
//!
//! A container has a cgroup namespace of its own, in which nothing is to be seen but what is below its own cgroup. All is seen
//! where the machine's hierarchies are mounted beside, or as the first process of the machine has them.

use std::{
    os::unix::fs::{DirEntryExt as _, MetadataExt as _},
    path::{Component, Path, PathBuf},
};

use tracer_core::fact::Cgroup;

use super::namespaces;

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
    /// Where the cgroup namespace of this process begins in each of them, by which `/proc` tells cgroups;
    /// empty: at their roots.
    begin: PathBuf,
    v1_begin: PathBuf,
}

impl Hierarchies {
    /// Finds what is mounted.
    pub fn find() -> Self {
        let own = Self::seen_by("self", Wanted::Own);
        let mut all = Self::seen_by("self", Wanted::Whole);
        if all == own {
            if !namespaces::is_first_elsewhere("cgroup") {
                return own;
            }
            all = Self::seen_by("1", Wanted::Whole).below(Path::new("/proc/1/root"));
            if !all.unified().is_some_and(Path::is_dir) {
                return own;
            }
        }
        all.begin = begin(own.unified(), all.unified());
        let mount = |all: &Self| all.v1.as_ref().map(|v1| v1.mount.clone());
        all.v1_begin = begin(mount(&own).as_deref(), mount(&all).as_deref());
        all
    }

    /// What a process has mounted.
    fn seen_by(process: &str, wanted: Wanted) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let mountinfo = read(&format!("/proc/{process}/mountinfo"));
        Self::parse(&mountinfo, &read("/proc/cgroups"), wanted)
    }

    /// The same, below a root.
    fn below(mut self, root: &Path) -> Self {
        let below = |path: &mut PathBuf| *path = root.join(path.strip_prefix("/").unwrap_or(path));
        self.unified.iter_mut().for_each(below);
        self.v1.iter_mut().for_each(|v1| below(&mut v1.mount));
        self
    }

    fn parse(mountinfo: &str, controllers: &str, wanted: Wanted) -> Self {
        let mut mounts: Vec<Mount> = mountinfo.lines().filter_map(Mount::parse).collect();
        // Of several that lead as far, the first.
        mounts.sort_by_key(|mount| match wanted {
            Wanted::Own => mount.above,
            Wanted::Whole => usize::MAX - mount.above,
        });
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
        Self {
            unified,
            v1,
            ..Self::default()
        }
    }

    /// Whether this process has a cgroup namespace of its own, and sees what is outside of it.
    pub fn lead_out(&self) -> bool {
        !self.begin.as_os_str().is_empty()
    }

    /// Where the unified hierarchy is mounted.
    pub fn unified(&self) -> Option<&Path> {
        self.unified.as_deref()
    }

    /// The version 1 controller to fall back on.
    pub fn v1_controller(&self) -> Option<&V1Controller> {
        self.v1.as_ref()
    }

    /// The directory of a cgroup of the unified hierarchy that `/proc` tells of a process.
    pub fn directory(&self, path: &str) -> Option<PathBuf> {
        Some(self.unified()?.join(resolved(&self.begin, path)))
    }

    /// The same, of the version 1 controller.
    pub fn v1_directory(&self, path: &str) -> Option<PathBuf> {
        let mount = &self.v1_controller()?.mount;
        Some(mount.join(resolved(&self.v1_begin, path)))
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

/// Which of several mounts of a hierarchy.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    /// The one that begins where the cgroup namespace does.
    Own,
    /// The one that has most of it.
    Whole,
}

/// Where the root of a hierarchy, as this process has it mounted, is in all of it.
fn begin(own: Option<&Path>, all: Option<&Path>) -> PathBuf {
    let find = || {
        let root = std::fs::metadata(own?).ok()?.ino();
        let mut found = Vec::new();
        walk(all?, false, &mut found);
        let mut found = found.into_iter().filter(|cgroup| cgroup.id == root);
        Some(PathBuf::from(found.next()?.path))
    };
    find().unwrap_or_default()
}

/// A path that is told from a place: `..` leads out of it.
fn resolved(begin: &Path, path: &str) -> PathBuf {
    let mut whole = PathBuf::new();
    for component in begin.components().chain(Path::new(path).components()) {
        match component {
            Component::Normal(name) => whole.push(name),
            Component::ParentDir => {
                whole.pop();
            }
            _ => {}
        }
    }
    whole
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
    /// How far above the root of the cgroup namespace it begins: its root is `/../..` then.
    above: usize,
    kind: &'a str,
    options: Vec<&'a str>,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut place = before.split(' ').skip(3);
        let (root, path) = (place.next()?, place.next()?);
        let mut fields = after.split(' ');
        let kind = fields.next()?;
        let options = fields.nth(1)?.split(',').collect();
        Some(Self {
            path: PathBuf::from(unescape(path)),
            above: root.split('/').filter(|name| *name == "..").count(),
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
        let found = Hierarchies::parse(HYBRID, CONTROLLERS, Wanted::Whole);
        assert_eq!(found.unified(), Some(Path::new("/sys/fs/cgroup/unified")));
        let v1 = found.v1_controller().unwrap();
        assert_eq!((v1.name.as_str(), v1.number), ("pids", 4));
    }

    #[test]
    fn a_path_may_lead_out_of_the_namespace() {
        let own = Path::new("/kubepods/pod1/a");
        for (begin, path, whole) in [
            (own, "/", "kubepods/pod1/a"),
            (own, "/../../pod2/b", "kubepods/pod2/b"),
            (own, "/../../../../system.slice", "system.slice"),
            (
                Path::new(""),
                "/system.slice/x.service",
                "system.slice/x.service",
            ),
        ] {
            assert_eq!(resolved(begin, path), Path::new(whole));
        }
    }

    #[test]
    fn the_machines_hierarchy_may_be_mounted_beside() {
        let mounts = "35 24 0:30 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n\
                      36 24 0:30 /../../.. /host/sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        for (wanted, path) in [
            (Wanted::Own, "/sys/fs/cgroup"),
            (Wanted::Whole, "/host/sys/fs/cgroup"),
        ] {
            let found = Hierarchies::parse(mounts, "", wanted);
            assert_eq!(found.unified(), Some(Path::new(path)));
        }
    }

    #[test]
    fn what_the_first_process_sees_is_below_its_root() {
        let found =
            Hierarchies::parse(HYBRID, CONTROLLERS, Wanted::Whole).below(Path::new("/proc/1/root"));
        let unified = Path::new("/proc/1/root/sys/fs/cgroup/unified");
        assert_eq!(found.unified(), Some(unified));
        let v1 = Path::new("/proc/1/root/sys/fs/cgroup/pids");
        assert_eq!(found.v1_controller().unwrap().mount, v1);
    }

    #[test]
    fn a_unified_host_has_one() {
        let mounts = "35 24 0:30 / /sys/fs/cg\\040roup rw - cgroup2 cgroup2 rw\n";
        let found = Hierarchies::parse(mounts, "memory\t0\t1\t1\n", Wanted::Own);
        assert_eq!(found.unified(), Some(Path::new("/sys/fs/cg roup")));
        assert_eq!(found.v1_controller(), None);
    }
}
