//! Multipath TCP.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd as _,
};

use nix::{
    libc,
    sys::socket::{Backlog, SockaddrStorage, bind, connect, listen},
};

use crate::{
    hear, say,
    sockets::socket,
    talking::{answer, exchange},
    wait,
};

/// `IPPROTO_MPTCP`
const MULTIPATH_TCP: i32 = 262;

/// Accepts a connection, and receives and sends ten bytes.
pub fn serve(address: SocketAddr) -> anyhow::Result<()> {
    let socket = socket(libc::AF_INET, libc::SOCK_STREAM, MULTIPATH_TCP)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(&socket, Backlog::new(1)?)?;
    let listener = TcpListener::from(socket);
    say(listener.local_addr()?.port());
    let (stream, _) = listener.accept()?;
    say("accepted");
    answer(&stream, 10, 10)
}

/// Connects in vain, and says the errno.
pub fn fails(address: SocketAddr) -> anyhow::Result<()> {
    let socket = socket(libc::AF_INET, libc::SOCK_STREAM, MULTIPATH_TCP)?;
    let result = connect(socket.as_raw_fd(), &SockaddrStorage::from(address));
    say(result.err().map_or(0, |errno| errno as i32));
    Ok(())
}

/// Connects; sends and receives ten bytes when the test says so, and keeps the connection.
pub fn connect_to(address: SocketAddr) -> anyhow::Result<()> {
    let socket = socket(libc::AF_INET, libc::SOCK_STREAM, MULTIPATH_TCP)?;
    connect(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    let stream = TcpStream::from(socket);
    hear();
    exchange(&stream, 10, 10)?;
    wait();
    Ok(())
}
