//! Making something of each kind. Nothing leaves the network namespace.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::{AsRawFd as _, OwnedFd},
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use nix::{
    errno::Errno,
    libc,
    sys::{
        socket::{
            AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, connect,
            sendto, socket,
        },
        stat::fstat,
    },
};

use super::{
    kind::{Deed, Kind, Made, Moved},
    namespace,
    peer::{INHERITED, OWN_PROGRAM, VERB},
    uring::Ring,
};

/// Bytes to the listener, of all kinds: a number that nothing else has.
pub const THERE: u64 = 1234;
/// Bytes back.
const BACK: u64 = 4321;
/// Datagrams each way.
const DATAGRAMS: u64 = 3;

/// Makes one of a kind, and ends it.
pub fn make(kind: Kind) -> anyhow::Result<Deed> {
    match kind {
        Kind::TcpIpv4 | Kind::TcpIpv6 => tcp(kind),
        Kind::Refused => refused(),
        Kind::NotAccepted => not_accepted(),
        Kind::HandedOver => handed_over(),
        Kind::FastOpen => fast_open(),
        Kind::IoUring => through_io_uring(),
        Kind::Existing => Ok(Deed::Connection(Existing::new()?.made)),
        Kind::Listener => listener(),
        Kind::UdpIpv4 | Kind::UdpIpv6 => udp(kind),
        Kind::RawSocket => open(AddressFamily::Inet, SockProtocol::Icmp),
        Kind::PacketSocket => open(AddressFamily::Packet, SockProtocol::EthAll),
    }
}

/// A connection and its listener that are kept.
pub struct Existing {
    /// What is known of it.
    pub made: Made,
    _held: (TcpListener, TcpStream, TcpStream),
}

impl Existing {
    /// Makes it.
    pub fn new() -> anyhow::Result<Self> {
        let listener = listen(Kind::Existing)?;
        let client = TcpStream::connect(address(Kind::Existing))?;
        let (server, _) = listener.accept()?;
        Ok(Self {
            made: talk(&client, &server)?,
            _held: (listener, client, server),
        })
    }
}

/// Where a kind listens.
fn address(kind: Kind) -> SocketAddr {
    let ip: IpAddr = match kind.family() {
        "ipv6" => Ipv6Addr::LOCALHOST.into(),
        _ => Ipv4Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, kind.port())
}

fn listen(kind: Kind) -> anyhow::Result<TcpListener> {
    let address = address(kind);
    TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))
}

/// What is known of a connection of this process before anything moves.
fn opened(client: &TcpStream) -> anyhow::Result<Made> {
    Ok(Made {
        pid: std::process::id(),
        user: std::process::id(),
        from: client.local_addr()?.port(),
        ..Made::default()
    })
}

fn bytes(count: u64) -> anyhow::Result<Vec<u8>> {
    Ok(vec![b'.'; usize::try_from(count)?])
}

/// Talks over a connection of which this process has both ends.
fn talk(mut client: &TcpStream, server: &TcpStream) -> anyhow::Result<Made> {
    client.write_all(&bytes(THERE)?)?;
    answer(server)?;
    client.read_exact(&mut bytes(BACK)?)?;
    Ok(told(opened(client)?))
}

/// What is known when both sides have talked.
fn told(opened: Made) -> Made {
    let moved = |bytes| Moved { bytes, packets: 0 };
    Made {
        there: moved(THERE),
        back: moved(BACK),
        ..opened
    }
}

fn answer(mut server: &TcpStream) -> anyhow::Result<()> {
    server.read_exact(&mut bytes(THERE)?)?;
    server.write_all(&bytes(BACK)?)?;
    Ok(())
}

/// What who has inherited the outbound end does: the same as who opens one.
pub fn talk_as_heir(mut client: &TcpStream) -> anyhow::Result<()> {
    client.write_all(&bytes(THERE)?)?;
    client.read_exact(&mut bytes(BACK)?)?;
    Ok(())
}

/// The outbound end is closed first, and the other one when that has been noticed.
fn close(client: TcpStream, mut server: TcpStream) -> anyhow::Result<()> {
    drop(client);
    let more = server.read(&mut [0])?;
    ensure!(more == 0, "more came than was sent");
    Ok(())
}

fn tcp(kind: Kind) -> anyhow::Result<Deed> {
    let listener = listen(kind)?;
    let client = TcpStream::connect(address(kind))?;
    let (server, _) = listener.accept()?;
    let made = talk(&client, &server)?;
    close(client, server)?;
    Ok(Deed::Connection(made))
}

/// Nobody listens on the port.
fn refused() -> anyhow::Result<Deed> {
    let to = address(Kind::Refused);
    let error = TcpStream::connect(to).err().and_then(|e| e.raw_os_error());
    ensure!(
        error == Some(libc::ECONNREFUSED),
        "a closed port of this host does not refuse: errno {error:?}"
    );
    Ok(Deed::Connection(Made {
        pid: std::process::id(),
        user: std::process::id(),
        ..Made::default()
    }))
}

/// The handshake is the kernel's; the listener closes before anybody has asked for the connection.
fn not_accepted() -> anyhow::Result<Deed> {
    let listener = listen(Kind::NotAccepted)?;
    let client = TcpStream::connect(address(Kind::NotAccepted))?;
    let made = opened(&client)?;
    drop(listener);
    Ok(Deed::Connection(made))
}

/// Another process gets the socket as its standard input, and is the last that has it.
fn handed_over() -> anyhow::Result<Deed> {
    let listener = listen(Kind::HandedOver)?;
    let client = TcpStream::connect(address(Kind::HandedOver))?;
    let (mut server, _) = listener.accept()?;
    let opened = opened(&client)?;
    let mut heir = Command::new(OWN_PROGRAM)
        .args([VERB, INHERITED])
        .stdin(Stdio::from(OwnedFd::from(client)))
        .stdout(Stdio::null())
        .spawn()
        .context("no other process can be started")?;
    answer(&server)?;
    let more = server.read(&mut [0])?;
    let status = heir.wait()?;
    ensure!(more == 0 && status.success(), "the other process failed");
    Ok(Deed::Connection(Made {
        user: heir.id(),
        ..told(opened)
    }))
}

fn fast_open() -> anyhow::Result<Deed> {
    namespace::allow_fast_open()?;
    let listener = listen(Kind::FastOpen)?;
    let to = address(Kind::FastOpen);
    let socket = tcp_socket(to)?;
    let flags = MsgFlags::from_bits_retain(libc::MSG_FASTOPEN);
    let sent = sendto(
        socket.as_raw_fd(),
        &bytes(THERE)?,
        &SockaddrStorage::from(to),
        flags,
    )
    .context("data with the SYN")?;
    ensure!(sent as u64 == THERE, "only {sent} bytes were sent");
    let mut client = TcpStream::from(socket);
    let (server, _) = listener.accept()?;
    answer(&server)?;
    client.read_exact(&mut bytes(BACK)?)?;
    ensure!(
        namespace::fast_opened()? == 1,
        "the data did not go with the SYN"
    );
    let made = told(opened(&client)?);
    close(client, server)?;
    Ok(Deed::Connection(made))
}

fn through_io_uring() -> anyhow::Result<Deed> {
    let mut ring = Ring::new()?;
    let listener = listen(Kind::IoUring)?;
    let client = ring.connect(address(Kind::IoUring))?;
    let server = ring.accept(&listener)?;
    let made = talk(&client, &server)?;
    close(client, server)?;
    Ok(Deed::Connection(made))
}

fn listener() -> anyhow::Result<Deed> {
    drop(listen(Kind::Listener)?);
    Ok(Deed::Connection(Made {
        pid: std::process::id(),
        user: std::process::id(),
        ..Made::default()
    }))
}

/// The outbound end is bound by the kernel, so that it is no listener.
fn udp(kind: Kind) -> anyhow::Result<Deed> {
    let to = address(kind);
    let server = UdpSocket::bind(to).with_context(|| format!("cannot listen on {to}"))?;
    let flags = SockFlag::SOCK_CLOEXEC;
    let client = socket(family_of(to), SockType::Datagram, flags, None)?;
    connect(client.as_raw_fd(), &SockaddrStorage::from(to))?;
    let client = UdpSocket::from(client);
    let mut room = bytes(BACK)?;
    for _ in 0..DATAGRAMS {
        client.send(&bytes(THERE)?)?;
        let (_, from) = server.recv_from(&mut room)?;
        server.send_to(&bytes(BACK)?, from)?;
        client.recv(&mut room)?;
    }
    let moved = |bytes| Moved {
        bytes: bytes * DATAGRAMS,
        packets: DATAGRAMS,
    };
    Ok(Deed::Connection(Made {
        pid: std::process::id(),
        user: std::process::id(),
        from: client.local_addr()?.port(),
        there: moved(THERE),
        back: moved(BACK),
    }))
}

/// Opens a socket that is not followed, and nothing more.
fn open(family: AddressFamily, protocol: SockProtocol) -> anyhow::Result<Deed> {
    let socket = socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    Ok(Deed::Socket {
        pid: std::process::id(),
        inode: fstat(&socket)?.st_ino,
    })
}

/// A TCP socket of the family of an address, which no program has bound.
pub fn tcp_socket(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC;
    socket(family_of(address), SockType::Stream, flags, None)
}

fn family_of(address: SocketAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}
