//! Connections that end otherwise than by a close on both sides.

use std::{
    io::Read as _,
    net::{Shutdown, SocketAddr, TcpStream},
};

use nix::{
    libc,
    sys::socket::{setsockopt, sockopt},
};

use crate::{
    listeners::listener,
    talking::{exchange, stream},
};

/// Throws a connection away.
pub fn reset(address: SocketAddr) -> anyhow::Result<()> {
    let stream = stream(address)?;
    exchange(&stream, 10, 10)?;
    linger_zero(&stream)
}

pub fn linger_zero(stream: &TcpStream) -> anyhow::Result<()> {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    setsockopt(stream, sockopt::Linger, &linger)?;
    Ok(())
}

/// Accepts one connection, talks, and throws it away; the other side waits.
pub fn serve_reset(address: SocketAddr) -> anyhow::Result<()> {
    let listener = listener(address)?;
    let (stream, _) = listener.accept()?;
    exchange(&stream, 10, 10)?;
    linger_zero(&stream)
}

/// Closes with data unread.
pub fn unread(address: SocketAddr) -> anyhow::Result<()> {
    let stream = stream(address)?;
    exchange(&stream, 10, 0)?;
    stream.peek(&mut [0])?;
    Ok(())
}

/// Says that it is done and still reads.
pub fn half_close(address: SocketAddr) -> anyhow::Result<()> {
    let mut stream = stream(address)?;
    exchange(&stream, 10, 10)?;
    // Fails if the other side has thrown the connection away meanwhile.
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read(&mut [0]);
    Ok(())
}
