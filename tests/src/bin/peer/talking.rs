//! Connections that work.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::fd::AsRawFd as _,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure};
use nix::{
    errno::Errno,
    fcntl::{self, SpliceFFlags},
    libc,
    sys::{
        sendfile::sendfile,
        socket::{SockFlag, SockaddrStorage, bind, connect},
    },
    unistd::pipe,
};

use crate::{hear, listeners::listener, say, sockets::tcp_socket, wait};

pub fn stream(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    say(stream.local_addr()?.port());
    Ok(stream)
}

/// Sends and receives so many bytes.
pub fn exchange(mut stream: &TcpStream, send: usize, receive: usize) -> anyhow::Result<()> {
    stream.write_all(&vec![b'>'; send])?;
    stream.read_exact(&mut vec![0; receive])?;
    Ok(())
}

/// Accepts `count` connections, one after the other, and on each receives and sends so many bytes.
/// The other side closes first.
pub fn serve(address: SocketAddr, count: usize, receive: usize, send: usize) -> anyhow::Result<()> {
    let listener = listener(address)?;
    for _ in 0..count {
        let (stream, _) = listener.accept()?;
        answer(&stream, receive, send)?;
    }
    Ok(())
}

/// Receives and sends so many bytes; the other side closes first.
pub fn answer(mut stream: &TcpStream, receive: usize, send: usize) -> anyhow::Result<()> {
    stream.read_exact(&mut vec![0; receive])?;
    stream.write_all(&vec![b'<'; send])?;
    let _ = stream.read(&mut [0]);
    Ok(())
}

/// Talks IPv4 through an IPv6 socket.
pub fn mapped(address: SocketAddr) -> anyhow::Result<()> {
    let SocketAddr::V4(v4) = address else {
        bail!("not an IPv4 address");
    };
    exchange(
        &stream((v4.ip().to_ipv6_mapped(), v4.port()).into())?,
        10,
        10,
    )
}

/// Connects and keeps the connection.
pub fn hold(address: SocketAddr) -> anyhow::Result<()> {
    let stream = stream(address)?;
    wait();
    drop(stream);
    Ok(())
}

/// Connects, and when it is told to, disconnects; and when it is told to, connects the same socket again,
/// from another port.
pub fn again(address: SocketAddr) -> anyhow::Result<()> {
    let socket = tcp_socket(address, SockFlag::empty())?;
    connect(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    let stream = TcpStream::from(socket);
    let first = stream.local_addr()?.port();
    say(first);
    hear();
    disconnect(&stream)?;
    say("disconnected");
    hear();
    connect(stream.as_raw_fd(), &SockaddrStorage::from(address))?;
    let second = stream.local_addr()?.port();
    ensure!(first != second, "the port is the same");
    say(second);
    wait();
    drop(stream);
    Ok(())
}

/// Takes a socket its connection.
fn disconnect(socket: &TcpStream) -> anyhow::Result<()> {
    let nowhere = libc::sockaddr {
        sa_family: 0,
        sa_data: [0; 14],
    };
    let len = libc::socklen_t::try_from(size_of_val(&nowhere))?;
    // SAFETY: the address is as long as is said.
    let result = unsafe { libc::connect(socket.as_raw_fd(), &raw const nowhere, len) };
    Errno::result(result)?;
    Ok(())
}

/// The same as [`hold`] from an address and port of its choice.
pub fn hold_from(from: SocketAddr, to: SocketAddr) -> anyhow::Result<()> {
    let socket = tcp_socket(to, SockFlag::empty())?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(from))?;
    connect(socket.as_raw_fd(), &SockaddrStorage::from(to))?;
    say(from.port());
    wait();
    drop(socket);
    Ok(())
}

/// Sends so many bytes of a file, which this program never sees.
pub fn send_file(address: SocketAddr, count: usize) -> anyhow::Result<()> {
    let stream = stream(address)?;
    let zeros = File::open("/proc/self/exe")?;
    let mut left = count;
    while left > 0 {
        let sent = sendfile(&stream, &zeros, None, left)?;
        ensure!(sent > 0, "the file has only {} bytes", count - left);
        left -= sent;
    }
    Ok(())
}

/// Moves so many bytes from a file through a pipe into a connection.
pub fn splice(address: SocketAddr, count: usize) -> anyhow::Result<()> {
    let stream = stream(address)?;
    let file = File::open("/proc/self/exe")?;
    let (reader, writer) = pipe()?;
    let flags = SpliceFFlags::empty();
    let mut left = count;
    while left > 0 {
        let mut moved = fcntl::splice(&file, None, &writer, None, left, flags)?;
        ensure!(moved > 0, "the file has only {} bytes", count - left);
        left -= moved;
        while moved > 0 {
            moved -= fcntl::splice(&reader, None, &stream, None, moved, flags)?;
        }
    }
    Ok(())
}

/// Makes many short connections.
pub fn flood(address: SocketAddr, count: usize) -> anyhow::Result<()> {
    for _ in 0..count {
        one_of_flood(address)?;
    }
    say(count);
    Ok(())
}

/// Makes short connections for so many seconds.
pub fn flood_for(address: SocketAddr, seconds: usize) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(seconds as u64);
    let mut count = 0_u64;
    while Instant::now() < until {
        one_of_flood(address)?;
        count += 1;
    }
    say(count);
    Ok(())
}

fn one_of_flood(address: SocketAddr) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"x")?;
    // The other side closes first, so that the ports here do not run out.
    let _ = stream.read(&mut [0])?;
    Ok(())
}

/// Takes many short connections, until its standard input ends.
pub fn absorb(address: SocketAddr) -> anyhow::Result<()> {
    let listener = listener(address)?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0]);
        }
    });
    wait();
    Ok(())
}

/// Connects from a thread with a name of its own.
pub fn threads(address: SocketAddr) -> anyhow::Result<()> {
    let thread = std::thread::Builder::new()
        .name("worker".to_owned())
        .spawn(move || -> anyhow::Result<()> {
            say(nix::unistd::gettid());
            exchange(&stream(address)?, 10, 10)
        })?;
    thread
        .join()
        .map_err(|_| anyhow::anyhow!("the thread panicked"))?
}
