//! Network namespaces that the tests make, so that nothing else on the machine is traced.

use std::{
    fs::File,
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    sync::OnceLock,
};

use nix::sched::{CloneFlags, setns, unshare};

use crate::{device::bring_up, wait_until};

/// A network namespace with a loopback device that is up.
#[derive(Debug)]
pub struct Netns {
    file: File,
}

impl Netns {
    /// A new one.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let make = || -> anyhow::Result<Self> {
            unshare(CloneFlags::CLONE_NEWNET)?;
            bring_up("lo")?;
            let file = File::open("/proc/thread-self/ns/net")?;
            Ok(Self { file })
        };
        in_thread(make)
    }

    /// One that all tests of this process share.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Netns> = OnceLock::new();
        SHARED.get_or_init(Self::new)
    }

    /// Where other processes can enter it, while this one lives.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// Its inode number.
    ///
    /// # Panics
    /// If it cannot be read.
    #[must_use]
    pub fn inode(&self) -> u64 {
        self.file
            .metadata()
            .unwrap_or_else(|error| panic!("the namespace cannot be read: {error}"))
            .ino()
    }

    /// Sets a sysctl of this namespace.
    ///
    /// # Panics
    /// If it cannot be set.
    pub fn sysctl(&self, name: &str, value: &str) {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        let value = value.to_owned();
        self.within(move || Ok(std::fs::write(&path, value)?));
    }

    /// Waits until its TCP connections have ended. A FIN that comes too early for the other side is sent
    /// again after a while, so that an end may be later than both processes.
    ///
    /// # Panics
    /// If they do not.
    pub fn wait_for_ends(&self) {
        self.within(|| {
            wait_until("the connections have ended", || !has_connections());
            Ok(())
        });
    }

    /// Does something in this namespace.
    ///
    /// # Panics
    /// If it fails.
    pub fn within(&self, act: impl FnOnce() -> anyhow::Result<()> + Send + 'static) {
        let file = self
            .file
            .try_clone()
            .unwrap_or_else(|error| panic!("{error}"));
        in_thread(move || {
            setns(file, CloneFlags::CLONE_NEWNET)?;
            act()
        });
    }
}

impl Default for Netns {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether there are connections in the namespace of this thread, apart from those of which the kernel only
/// remembers that they were (`FIN_WAIT2` with its peer gone, `TIME_WAIT`).
fn has_connections() -> bool {
    const FIN_WAIT2: &str = "05";
    const TIME_WAIT: &str = "06";
    const LISTEN: &str = "0A";
    ["tcp", "tcp6"].iter().any(|table| {
        let table = std::fs::read_to_string(format!("/proc/thread-self/net/{table}"));
        let table = table.unwrap_or_default();
        let mut states = table
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().nth(3));
        states.any(|state| ![FIN_WAIT2, TIME_WAIT, LISTEN].contains(&state))
    })
}

/// A thread may leave its namespace without taking the process along.
fn in_thread<T: Send + 'static>(act: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> T {
    std::thread::spawn(act)
        .join()
        .unwrap_or_else(|_| panic!("the thread panicked"))
        .unwrap_or_else(|error| panic!("in a network namespace: {error:#}"))
}
