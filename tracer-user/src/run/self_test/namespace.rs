//! A network namespace with nothing in it but loopback: it ends with the last process in it.

use std::{
    fs::File,
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
};

use anyhow::Context as _;
use nix::{
    errno::Errno,
    libc,
    sched::{CloneFlags, unshare},
    sys::socket::{AddressFamily, SockFlag, SockType, socket},
};

/// Clients and servers may send data with the SYN, both without a cookie, and every listener does.
const FAST_OPEN_ALL: &str = "1543";

/// Takes the calling process, which has one thread, into a new one. Its inode number.
pub fn enter() -> anyhow::Result<u32> {
    unshare(CloneFlags::CLONE_NEWNET)
        .context("no network namespace can be made (it takes CAP_SYS_ADMIN)")?;
    bring_up_loopback().context("its loopback device cannot be brought up")?;
    let inode = File::open("/proc/self/ns/net")?.metadata()?.ino();
    Ok(u32::try_from(inode)?)
}

/// Allows Fast Open in this namespace.
pub fn allow_fast_open() -> anyhow::Result<()> {
    const PATH: &str = "/proc/sys/net/ipv4/tcp_fastopen";
    std::fs::write(PATH, FAST_OPEN_ALL).with_context(|| format!("{PATH} cannot be set"))
}

/// How many connections of this namespace had data with their SYN that the other side took.
pub fn fast_opened() -> anyhow::Result<u64> {
    const PATH: &str = "/proc/self/net/netstat";
    let text = std::fs::read_to_string(PATH).with_context(|| format!("{PATH} cannot be read"))?;
    counter(&text, "TCPFastOpenActive").with_context(|| format!("{PATH} does not count them"))
}

/// A counter of `netstat`: a line of names, and one of numbers below it.
fn counter(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let at = names.split(' ').position(|word| word == name)?;
    numbers.split(' ').nth(at)?.parse().ok()
}

fn bring_up_loopback() -> anyhow::Result<()> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
    // SAFETY: zeros are a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(*b"lo\0") {
        *to = libc::c_char::try_from(from)?;
    }
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING)?;
    // SAFETY: the request is an ifreq, as this ioctl wants.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    Errno::result(result)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_stands_below_its_name() {
        let text =
            "TcpExt: SyncookiesSent TCPFastOpenActive\nTcpExt: 1 2\nIpExt: InOctets\nIpExt: 7\n";
        assert_eq!(counter(text, "TCPFastOpenActive"), Some(2));
        assert_eq!(counter(text, "InOctets"), None);
        assert_eq!(counter("", "TCPFastOpenActive"), None);
    }
}
