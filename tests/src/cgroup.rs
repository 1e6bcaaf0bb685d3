//! Cgroups that the tests make.

use std::path::PathBuf;

/// A cgroup of the unified hierarchy, removed when it is dropped.
#[derive(Debug)]
pub struct Cgroup {
    root: PathBuf,
    path: String,
}

impl Cgroup {
    /// Makes one at a path such as `/kubepods/pod1`, with those above it.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn new(path: &str) -> Self {
        let cgroup = Self {
            root: unified_root(),
            path: path.to_owned(),
        };
        std::fs::create_dir_all(cgroup.directory())
            .unwrap_or_else(|error| panic!("cannot make the cgroup {path}: {error}"));
        cgroup
    }

    /// Where it is mounted.
    #[must_use]
    pub fn directory(&self) -> String {
        format!("{}{}", self.root.display(), self.path)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let mut directory = PathBuf::from(self.directory());
        // Stops at the first that is still in use.
        while directory != self.root && std::fs::remove_dir(&directory).is_ok() {
            directory.pop();
        }
    }
}

/// Where the unified hierarchy is mounted.
///
/// # Panics
/// If it is not.
#[must_use]
pub fn unified_root() -> PathBuf {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mount = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let path = fields.nth(1)?;
        (fields.next()? == "cgroup2").then(|| PathBuf::from(path))
    });
    mount.unwrap_or_else(|| panic!("no version 2 cgroup hierarchy is mounted"))
}
