//! Files that a test makes.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

/// A directory that is removed when it is dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A new one, that everybody may read.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("conntracer-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)
            .unwrap_or_else(|error| panic!("cannot make {}: {error}", path.display()));
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        self.path.join(name).to_string_lossy().into_owned()
    }

    /// Writes a file in it; its path.
    ///
    /// # Panics
    /// If it cannot be written.
    #[must_use]
    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path.join(name);
        std::fs::write(&path, content)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path
    }

    /// Acts where the directory is a disk with room for one page. Nobody else sees that disk.
    ///
    /// # Panics
    /// If the disk cannot be made, or what is done panics.
    pub fn when_tiny<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let kind = Some("tmpfs");
        let disk = || mount(kind, &self.path, kind, MsFlags::empty(), Some("size=4k"));
        with_mounts(disk, act)
    }

    /// Acts where the directory is one more mount of `/proc`. Nobody else sees it there.
    ///
    /// # Panics
    /// If it cannot be mounted, or what is done panics.
    pub fn as_proc<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let (kind, none) = (Some("proc"), None::<&str>);
        let proc = || mount(kind, &self.path, kind, MsFlags::empty(), none);
        with_mounts(proc, act)
    }

    /// Acts where a directory of it is another one by its own name, which it is given too. Nobody else sees it there.
    ///
    /// # Panics
    /// If it cannot be put there, or what is done panics.
    pub fn with_another<T: Send>(&self, directory: &str, act: impl FnOnce(&str) -> T + Send) -> T {
        let place = self.path.join("another");
        std::fs::create_dir(&place).unwrap_or_else(|error| panic!("cannot make a place: {error}"));
        let place = place.to_string_lossy().into_owned();
        let none = None::<&str>;
        let bind = || {
            mount(
                Some(directory),
                place.as_str(),
                none,
                MsFlags::MS_BIND,
                none,
            )
        };
        with_mounts(bind, || act(&place))
    }

    /// Acts where the directory is in the place of another one. Nobody else sees it there.
    ///
    /// # Panics
    /// If it cannot be put there, or what is done panics.
    pub fn in_place_of<T: Send>(&self, place: &str, act: impl FnOnce() -> T + Send) -> T {
        let none = None::<&str>;
        with_mounts(
            || mount(Some(&self.path), place, none, MsFlags::MS_BIND, none),
            act,
        )
    }
}

/// Acts, with the processes that it starts, where something is mounted that nobody else sees.
fn with_mounts<T: Send>(
    mount_more: impl FnOnce() -> nix::Result<()> + Send,
    act: impl FnOnce() -> T + Send,
) -> T {
    let alone = || -> nix::Result<()> {
        let none = None::<&str>;
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
        mount_more()
    };
    std::thread::scope(|scope| {
        let acting = scope.spawn(|| {
            alone().unwrap_or_else(|error| panic!("cannot mount: {error}"));
            act()
        });
        let result = acting.join();
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is found in the directory for temporary files.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
