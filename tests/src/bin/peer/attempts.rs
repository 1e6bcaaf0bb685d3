//! Attempts that come to nothing, or take their time.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd as _,
    time::Duration,
};

use anyhow::{bail, ensure};
use landlock::{AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _};
use nix::{
    errno::Errno,
    sys::socket::{
        Backlog, SockFlag, SockaddrStorage, bind, connect, getsockopt, listen, setsockopt, sockopt,
    },
};

use crate::{say, sockets::tcp_socket, wait};

/// Fails to connect, and says with which error.
pub fn fails(address: SocketAddr) -> anyhow::Result<()> {
    match TcpStream::connect(address) {
        Ok(_) => bail!("connected"),
        Err(error) => say(error.raw_os_error().unwrap_or(0)),
    }
    Ok(())
}

/// Has a security module forbid it all connects over TCP, and fails as above.
pub fn forbidden(address: SocketAddr) -> anyhow::Result<()> {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessNet::ConnectTcp)?
        .create()?
        .restrict_self()?;
    fails(address)
}

/// Waits for a connection so many milliseconds and then gives up.
pub fn give_up(address: SocketAddr, milliseconds: usize) -> anyhow::Result<()> {
    let timeout = Duration::from_millis(u64::try_from(milliseconds)?);
    match TcpStream::connect_timeout(&address, timeout) {
        Ok(_) => bail!("connected"),
        Err(_) => Ok(()),
    }
}

/// Connects without waiting: nothing may be established before the other side answers.
pub fn nonblocking(address: SocketAddr) -> anyhow::Result<()> {
    let socket = tcp_socket(address, SockFlag::SOCK_NONBLOCK)?;
    let result = connect(socket.as_raw_fd(), &SockaddrStorage::from(address));
    ensure!(
        result == Err(Errno::EINPROGRESS),
        "connect answered {result:?}"
    );
    say("in progress");
    wait();
    say(getsockopt(&socket, sockopt::SocketError)?);
    Ok(())
}

/// Listens and accepts nothing, with a queue that is full, so that whoever connects hears nothing.
pub fn full(address: SocketAddr) -> anyhow::Result<()> {
    let socket = tcp_socket(address, SockFlag::empty())?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(&socket, Backlog::new(0)?)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    // One connection fits into a queue of length zero.
    let first = TcpStream::connect(address)?;
    say(address.port());
    wait();
    drop(first);
    Ok(())
}

/// Binds to the address it connects to, port included, while another socket has that pair.
pub fn no_local_port(address: SocketAddr) -> anyhow::Result<()> {
    let local: SocketAddr = "127.0.0.1:0".parse()?;
    let mut port = 0;
    let mut sockets = Vec::new();
    for _ in 0..2 {
        let socket = tcp_socket(address, SockFlag::empty())?;
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        let from = SocketAddr::new(local.ip(), port);
        bind(socket.as_raw_fd(), &SockaddrStorage::from(from))?;
        let result = connect(socket.as_raw_fd(), &SockaddrStorage::from(address));
        if port == 0 {
            result?;
        } else {
            ensure!(
                result == Err(Errno::EADDRNOTAVAIL),
                "connect answered {result:?}"
            );
        }
        let stream = TcpStream::from(socket);
        port = stream.local_addr()?.port();
        sockets.push(stream);
    }
    say(port);
    Ok(())
}
