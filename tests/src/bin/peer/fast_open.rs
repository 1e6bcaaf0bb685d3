//! TCP Fast Open: data goes with the SYN, and there may be no call of connect, or none that sends one.

use std::{
    io::{Read as _, Write as _},
    mem::MaybeUninit,
    net::{SocketAddr, TcpStream},
    os::fd::AsRawFd as _,
};

use anyhow::ensure;
use nix::{
    errno::Errno,
    libc,
    sys::socket::{MsgFlags, SockFlag, SockaddrStorage, connect, sendto, setsockopt, sockopt},
};

use crate::{say, sockets::tcp_socket};

const FAST_OPEN: MsgFlags = MsgFlags::from_bits_retain(libc::MSG_FASTOPEN);

/// Sends ten bytes to where it is not connected yet, and receives ten.
pub fn send(address: SocketAddr) -> anyhow::Result<()> {
    let socket = tcp_socket(address, SockFlag::empty())?;
    let to = SockaddrStorage::from(address);
    let sent = sendto(socket.as_raw_fd(), &[b'>'; 10], &to, FAST_OPEN)?;
    ensure!(sent == 10, "{sent} bytes were sent");
    finish(&TcpStream::from(socket))
}

/// Fails to do so, and says with which error.
pub fn fails(address: SocketAddr) -> anyhow::Result<()> {
    let socket = tcp_socket(address, SockFlag::empty())?;
    let to = SockaddrStorage::from(address);
    let flags = FAST_OPEN | MsgFlags::MSG_NOSIGNAL;
    let result = sendto(socket.as_raw_fd(), b"x", &to, flags);
    say(result.err().unwrap_or(Errno::UnknownErrno) as i32);
    Ok(())
}

/// Connects, which sends nothing yet, sends ten bytes, and receives ten.
pub fn connect_first(address: SocketAddr) -> anyhow::Result<()> {
    let socket = tcp_socket(address, SockFlag::empty())?;
    setsockopt(&socket, sockopt::TcpFastOpenConnect, &true)?;
    connect(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    let mut stream = TcpStream::from(socket);
    stream.write_all(&[b'>'; 10])?;
    finish(&stream)
}

fn finish(mut stream: &TcpStream) -> anyhow::Result<()> {
    stream.read_exact(&mut [0; 10])?;
    ensure!(went_with_syn(stream)?, "the data did not go with the SYN");
    Ok(())
}

/// Whether the other side has acknowledged data with the SYN (`TCPI_OPT_SYN_DATA`).
fn went_with_syn(stream: &TcpStream) -> anyhow::Result<bool> {
    const SYN_DATA: u8 = 32;
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut len = libc::socklen_t::try_from(size_of::<libc::tcp_info>())?;
    // SAFETY: the kernel writes at most `len` bytes, and zeros are a valid tcp_info.
    let (result, info) = unsafe {
        let result = libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut len,
        );
        (result, info.assume_init())
    };
    Errno::result(result)?;
    Ok(info.tcpi_options & SYN_DATA != 0)
}
