//! Datagrams.

use std::net::{SocketAddr, UdpSocket};

use crate::{say, sockets::udp_socket, wait};

/// Binds a socket, and says its port.
fn socket(address: SocketAddr) -> anyhow::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    say(socket.local_addr()?.port());
    Ok(socket)
}

/// Answers so many datagrams, each with one of so many bytes, and keeps the socket.
pub fn answer(address: SocketAddr, count: usize, bytes: usize) -> anyhow::Result<()> {
    let socket = socket(address)?;
    let mut room = vec![0; 65_536];
    for _ in 0..count {
        let (_, from) = socket.recv_from(&mut room)?;
        socket.send_to(&vec![b'<'; bytes], from)?;
    }
    wait();
    Ok(())
}

/// Hears so many datagrams, answers none, and keeps the socket.
pub fn hear(address: SocketAddr, count: usize) -> anyhow::Result<()> {
    let socket = socket(address)?;
    let mut room = vec![0; 65_536];
    for _ in 0..count {
        socket.recv_from(&mut room)?;
    }
    say("heard");
    wait();
    Ok(())
}

/// Sends so many datagrams of so many bytes to each of the addresses from one socket, and waits for an
/// answer to each; keeps the socket.
pub fn ask(addresses: &[&str], count: usize, bytes: usize) -> anyhow::Result<()> {
    let addresses = addresses.iter().map(|address| address.parse());
    let addresses: Vec<SocketAddr> = addresses.collect::<Result<_, _>>()?;
    let Some(first) = addresses.first() else {
        anyhow::bail!("nobody to ask");
    };
    let socket = udp_socket(*first)?;
    let mut room = vec![0; 65_536];
    for to in &addresses {
        for _ in 0..count {
            socket.send_to(&vec![b'>'; bytes], to)?;
            socket.recv(&mut room)?;
        }
    }
    say("asked");
    wait();
    Ok(())
}

/// Connects a socket, sends a datagram and waits for its answer; keeps the socket.
pub fn talk(to: SocketAddr) -> anyhow::Result<()> {
    let socket = udp_socket(to)?;
    socket.connect(to)?;
    socket.send(b">")?;
    socket.recv(&mut [0; 16])?;
    say("asked");
    wait();
    Ok(())
}

/// Connects a socket and sends so many datagrams of so many bytes; keeps it, and sends one more when the
/// test says so.
pub fn tell(to: SocketAddr, count: usize, bytes: usize) -> anyhow::Result<()> {
    let socket = udp_socket(to)?;
    socket.connect(to)?;
    for _ in 0..count {
        socket.send(&vec![b'>'; bytes])?;
    }
    say("told");
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line)? > 0 {
        socket.send(&vec![b'>'; bytes])?;
        say("told");
    }
    Ok(())
}

/// Sends three datagrams of 1, 2 and 3 bytes with one call.
pub fn at_once(to: SocketAddr) -> anyhow::Result<()> {
    use std::{io::IoSlice, os::fd::AsRawFd as _};

    use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};

    let socket = udp_socket(to)?;
    let parts = [
        [IoSlice::new(b"1")],
        [IoSlice::new(b"22")],
        [IoSlice::new(b"333")],
    ];
    let to = [Some(SockaddrStorage::from(to)); 3];
    let mut headers = MultiHeaders::preallocate(3, None);
    let sent = sendmmsg(
        socket.as_raw_fd(),
        &mut headers,
        &parts,
        to,
        [],
        MsgFlags::empty(),
    )?;
    anyhow::ensure!(sent.count() == 3, "not all were sent");
    Ok(())
}

/// Sends a datagram to so many ports from an address on, all from one socket.
pub fn spray(to: SocketAddr, count: usize) -> anyhow::Result<()> {
    let socket = udp_socket(to)?;
    for port in (to.port()..).take(count) {
        // Nobody is there: an earlier one may have been answered so.
        let _ = socket.send_to(b"x", SocketAddr::new(to.ip(), port));
    }
    Ok(())
}
