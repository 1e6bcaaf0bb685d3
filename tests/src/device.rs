//! Network devices of the namespace that a thread is in.

use std::{net::Ipv4Addr, os::fd::AsRawFd as _};

use anyhow::Context as _;
use nix::{
    libc,
    sys::socket::{AddressFamily, SockFlag, SockType, socket},
};

/// Brings a device up.
///
/// # Errors
/// If the kernel refuses.
pub fn bring_up(device: &str) -> anyhow::Result<()> {
    let flags = libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING)?;
    set(device, libc::SIOCSIFFLAGS, |request| {
        request.ifr_ifru.ifru_flags = flags;
    })
}

/// Gives a device an address, and the 256 around it. A second one of a device goes to an alias, such as `lo:1`.
///
/// # Errors
/// If the kernel refuses.
pub fn set_address(alias: &str, address: Ipv4Addr) -> anyhow::Result<()> {
    let mask = Ipv4Addr::new(255, 255, 255, 0);
    for (what, value) in [(libc::SIOCSIFADDR, address), (libc::SIOCSIFNETMASK, mask)] {
        let value = libc::sockaddr_in {
            sin_family: libc::sa_family_t::try_from(libc::AF_INET)?,
            sin_port: 0,
            sin_addr: libc::in_addr {
                s_addr: u32::from(value).to_be(),
            },
            sin_zero: [0; 8],
        };
        set(alias, what, |request| {
            // SAFETY: a sockaddr_in has the size of a sockaddr, which is what any address is passed as.
            request.ifr_ifru.ifru_addr =
                unsafe { std::mem::transmute::<libc::sockaddr_in, libc::sockaddr>(value) };
        })?;
    }
    Ok(())
}

/// Sets something of a device.
fn set(device: &str, what: libc::Ioctl, fill: impl FnOnce(&mut libc::ifreq)) -> anyhow::Result<()> {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        // Other tests of this process start programs meanwhile.
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    // SAFETY: zeros are a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(device.bytes()) {
        *to = libc::c_char::try_from(from)?;
    }
    fill(&mut request);
    // SAFETY: the request is an ifreq, as these ioctls want.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), what, &raw const request) };
    nix::errno::Errno::result(result).with_context(|| format!("cannot set {device}"))?;
    Ok(())
}
