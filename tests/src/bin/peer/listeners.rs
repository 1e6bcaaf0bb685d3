//! Listeners.

use std::{
    net::{SocketAddr, TcpListener},
    os::fd::{AsRawFd as _, OwnedFd},
};

use anyhow::{bail, ensure};
use nix::{
    errno::Errno,
    sys::socket::{Backlog, SockFlag, SockaddrStorage, bind, listen, setsockopt, sockopt},
};

use crate::{say, sockets::tcp_socket, wait};

pub fn listener(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    say(listener.local_addr()?.port());
    Ok(listener)
}

/// Listens and accepts nothing.
pub fn never_accept(address: SocketAddr) -> anyhow::Result<()> {
    let listener = listener(address)?;
    wait();
    drop(listener);
    Ok(())
}

/// A second socket may be bound to the port of a listener, but cannot listen on it.
pub fn listen_twice() -> anyhow::Result<()> {
    let address: SocketAddr = "127.0.0.1:0".parse()?;
    let sockets: Vec<OwnedFd> = (0..2)
        .map(|_| {
            let socket = tcp_socket(address, SockFlag::empty())?;
            setsockopt(&socket, sockopt::ReuseAddr, &true)?;
            Ok(socket)
        })
        .collect::<anyhow::Result<_>>()?;
    let [first, second] = sockets.as_slice() else {
        bail!("two sockets");
    };
    bind(first.as_raw_fd(), &SockaddrStorage::from(address))?;
    let listener = TcpListener::from(first.try_clone()?);
    let address = listener.local_addr()?;
    bind(second.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(first, Backlog::new(1)?)?;
    let result = listen(second, Backlog::new(1)?);
    ensure!(
        result == Err(Errno::EADDRINUSE),
        "listen answered {result:?}"
    );
    say(address.port());
    Ok(())
}

/// Listens without binding: the kernel chooses the port.
pub fn listen_unbound() -> anyhow::Result<()> {
    let socket = tcp_socket("0.0.0.0:0".parse()?, SockFlag::empty())?;
    listen(&socket, Backlog::new(1)?)?;
    say(TcpListener::from(socket).local_addr()?.port());
    Ok(())
}

/// So many threads wait in accept before the test goes on; each takes one connection.
pub fn waiting(address: SocketAddr, threads: usize) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address)?;
    let port = listener.local_addr()?.port();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| listener.accept().map(drop)))
            .collect();
        while !all_wait_in_accept()? {
            std::thread::yield_now();
        }
        say(port);
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a thread"))??;
        }
        Ok(())
    })
}

/// Whether all threads but this one sleep in accept (system calls 43 and 288).
pub fn all_wait_in_accept() -> anyhow::Result<bool> {
    let own = nix::unistd::gettid().to_string();
    for task in std::fs::read_dir("/proc/self/task")? {
        let task = task?;
        if task.file_name().to_string_lossy() == own {
            continue;
        }
        let call = std::fs::read_to_string(task.path().join("syscall"))?;
        if !call.starts_with("43 ") && !call.starts_with("288 ") {
            return Ok(false);
        }
    }
    Ok(true)
}
