//! What is said over connections: how many bytes go each way, and those.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::AsRawFd as _,
};

use anyhow::Context as _;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, setsockopt, socket, sockopt,
};
use simple_dns::{
    CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE,
    rdata::{A, RData},
};

/// What a request begins with: how many bytes it has, and how many are wanted.
const HEADER: usize = 16;
/// Bytes are moved in pieces of so many.
const PIECE: usize = 64 << 10;
/// Room for a message about names.
const ROOM: usize = 512;

/// Connects, from an address of one's own.
pub fn from(source: IpAddr, to: IpAddr, port: u16) -> anyhow::Result<TcpStream> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let fd = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    bind(
        fd.as_raw_fd(),
        &SockaddrStorage::from(SocketAddr::new(source, 0)),
    )?;
    connect(
        fd.as_raw_fd(),
        &SockaddrStorage::from(SocketAddr::new(to, port)),
    )?;
    Ok(fd.into())
}

/// Asks for something over a connection, and takes the answer.
pub fn ask(stream: &mut TcpStream, bytes: usize, wanted: usize) -> anyhow::Result<()> {
    let mut header = u64::try_from(bytes)?.to_be_bytes().to_vec();
    header.extend(u64::try_from(wanted)?.to_be_bytes());
    stream.write_all(&header)?;
    put(stream, bytes.saturating_sub(HEADER))?;
    take(stream, wanted)
}

/// Answers what is asked over a connection, until nothing is.
pub fn answer(stream: &mut TcpStream) -> anyhow::Result<()> {
    let mut header = [0; HEADER];
    while stream.read_exact(&mut header).is_ok() {
        let (bytes, wanted) = header.split_at(HEADER / 2);
        let number = |bytes: &[u8]| -> anyhow::Result<usize> {
            Ok(usize::try_from(u64::from_be_bytes(bytes.try_into()?))?)
        };
        take(stream, number(bytes)?.saturating_sub(HEADER))?;
        put(stream, number(wanted)?)?;
    }
    Ok(())
}

/// Answers whoever connects, each in a thread.
pub fn serve(at: IpAddr, port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind((at, port)).with_context(|| format!("{at}:{port}"))?;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(&mut stream));
        }
    });
    Ok(())
}

fn put(stream: &mut TcpStream, mut left: usize) -> anyhow::Result<()> {
    let piece = vec![b'x'; PIECE];
    while left > 0 {
        let count = left.min(PIECE);
        stream.write_all(piece.get(..count).unwrap_or_default())?;
        left -= count;
    }
    Ok(())
}

fn take(stream: &mut TcpStream, mut left: usize) -> anyhow::Result<()> {
    let mut piece = vec![0; PIECE];
    while left > 0 {
        let room = left.min(PIECE);
        stream.read_exact(piece.get_mut(..room).unwrap_or_default())?;
        left -= room;
    }
    Ok(())
}

/// Asks a resolver for the address of a name.
pub fn look_up(source: IpAddr, resolver: IpAddr, name: &str) -> anyhow::Result<()> {
    let socket = UdpSocket::bind((source, 0))?;
    socket.connect((resolver, 53))?;
    let mut packet = Packet::new_query(7);
    let class = QCLASS::CLASS(CLASS::IN);
    let question = Question::new(Name::new(name)?, QTYPE::TYPE(TYPE::A), class, false);
    packet.questions.push(question);
    socket.send(&packet.build_bytes_vec()?)?;
    socket.recv(&mut [0; ROOM])?;
    Ok(())
}

/// Is a resolver that knows one address, for whatever it is asked.
pub fn resolve(at: IpAddr, known: IpAddr) -> anyhow::Result<()> {
    let IpAddr::V4(known) = known else {
        anyhow::bail!("{known} is not of IPv4");
    };
    let socket = UdpSocket::bind((at, 53))?;
    let mut room = [0; ROOM];
    loop {
        let (len, from) = socket.recv_from(&mut room)?;
        let asked = Packet::parse(room.get(..len).unwrap_or_default())?;
        let mut packet = Packet::new_reply(asked.id());
        packet.set_flags(PacketFlag::RECURSION_AVAILABLE);
        for question in asked.questions {
            let data = RData::A(A::from(known));
            let name = question.qname.clone();
            packet.questions.push(question);
            packet
                .answers
                .push(ResourceRecord::new(name, CLASS::IN, 60, data));
        }
        socket.send_to(&packet.build_bytes_vec_compressed()?, from)?;
    }
}
