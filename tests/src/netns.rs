//! Network namespaces that the tests make, so that nothing else on the machine is traced.

use std::{
    fs::File,
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    sync::OnceLock,
};

use nix::{
    libc,
    sched::{CloneFlags, setns, unshare},
    sys::socket::{AddressFamily, SockFlag, SockType, socket},
};

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
            bring_up_loopback()?;
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
        let file = self
            .file
            .try_clone()
            .unwrap_or_else(|error| panic!("{error}"));
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        let value = value.to_owned();
        in_thread(move || {
            setns(file, CloneFlags::CLONE_NEWNET)?;
            std::fs::write(&path, value)?;
            Ok(())
        });
    }
}

impl Default for Netns {
    fn default() -> Self {
        Self::new()
    }
}

/// A thread may leave its namespace without taking the process along.
fn in_thread<T: Send + 'static>(act: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> T {
    std::thread::spawn(act)
        .join()
        .unwrap_or_else(|_| panic!("the thread panicked"))
        .unwrap_or_else(|error| panic!("in a network namespace: {error:#}"))
}

fn bring_up_loopback() -> anyhow::Result<()> {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::empty(),
        None,
    )?;
    // SAFETY: zeros are a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(*b"lo\0") {
        *to = libc::c_char::try_from(from)?;
    }
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING)?;
    // SAFETY: the request is an ifreq, as this ioctl wants.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    nix::errno::Errno::result(result)?;
    Ok(())
}
