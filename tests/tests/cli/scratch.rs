//! Files that a test makes.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use nix::mount::{MsFlags, mount};

/// A directory that is removed when it is dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A new one, that everybody may read.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("conntracer-cli-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self { path }
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> String {
        self.path.join(name).to_str().unwrap().to_owned()
    }

    /// Acts where the directory is a disk with room for one page. Nobody else sees that disk.
    pub fn when_tiny<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let acting = scope.spawn(|| {
                nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
                let none = None::<&str>;
                mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
                let kind = Some("tmpfs");
                mount(kind, &self.path, kind, MsFlags::empty(), Some("size=4k")).unwrap();
                act()
            });
            acting.join().unwrap()
        })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is found in the directory for temporary files.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
