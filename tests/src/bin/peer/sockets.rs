//! Sockets of all kinds, opened and nothing more.

use std::{
    fs::File,
    mem::ManuallyDrop,
    net::{SocketAddr, SocketAddrV4, UdpSocket},
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
};

use anyhow::bail;
use nix::{
    errno::Errno,
    libc,
    sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, connect},
};

use crate::say;

/// Opens one and ends at once. Says its inode number, or `errno N`.
pub fn open(family: i32, kind: i32, protocol: i32) -> anyhow::Result<()> {
    match socket(family, kind, protocol) {
        Ok(socket) => say(inode(&socket)?),
        Err(error) => say(format_args!("errno {}", error as i32)),
    }
    Ok(())
}

/// A TCP socket of the family of an address, which no program has bound.
pub fn tcp_socket(address: SocketAddr, flags: SockFlag) -> anyhow::Result<OwnedFd> {
    let socket = nix::sys::socket::socket(family_of(address), SockType::Stream, flags, None)?;
    Ok(socket)
}

/// The same of UDP.
pub fn udp_socket(address: SocketAddr) -> anyhow::Result<UdpSocket> {
    let flags = SockFlag::empty();
    let socket = nix::sys::socket::socket(family_of(address), SockType::Datagram, flags, None)?;
    Ok(socket.into())
}

fn family_of(address: SocketAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}

/// A raw socket of TCP's number, connected as raw sockets are: no handshake and no state of TCP's.
pub fn raw_tcp(address: SocketAddr) -> anyhow::Result<()> {
    let SocketAddr::V4(address) = address else {
        bail!("not an IPv4 address");
    };
    let socket = socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_TCP)?;
    let to = SocketAddrV4::new(*address.ip(), 0);
    connect(socket.as_raw_fd(), &SockaddrIn::from(to))?;
    say(inode(&socket)?);
    Ok(())
}

/// A socket by the numbers of the system call: there are kinds that no library has names for.
pub fn socket(family: i32, kind: i32, protocol: i32) -> nix::Result<OwnedFd> {
    // SAFETY: takes no pointers.
    let result = unsafe { libc::socket(family, kind, protocol) };
    let number = Errno::result(result)?;
    // SAFETY: the kernel has just handed it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

pub fn inode(socket: &OwnedFd) -> anyhow::Result<u64> {
    // SAFETY: it is open, and is not closed through this.
    let file = ManuallyDrop::new(unsafe { File::from_raw_fd(socket.as_raw_fd()) });
    Ok(file.metadata()?.ino())
}
