//! A server of names, and who asks it.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
};

use anyhow::{Context as _, ensure};
use simple_dns::{
    CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE,
    rdata::{A, CNAME, RData},
};

use crate::{say, talking, wait};

/// What every name is an alias of.
const CANONICAL: &str = "edge.example.net";
/// Room for a message.
const ROOM: usize = 2048;

/// Answers what is asked, over UDP and TCP: every name is an alias of one that has this address.
pub fn serve(at: SocketAddr, address: Ipv4Addr) -> anyhow::Result<()> {
    let socket = UdpSocket::bind(at)?;
    let listener = TcpListener::bind(at)?;
    say(at.port());
    std::thread::spawn(move || over_udp(&socket, address));
    std::thread::spawn(move || over_tcp(&listener, address));
    wait();
    Ok(())
}

fn over_udp(socket: &UdpSocket, address: Ipv4Addr) -> anyhow::Result<()> {
    let mut room = vec![0; ROOM];
    loop {
        let (len, from) = socket.recv_from(&mut room)?;
        socket.send_to(&answer(&room[..len], address)?, from)?;
    }
}

fn over_tcp(listener: &TcpListener, address: Ipv4Addr) -> anyhow::Result<()> {
    loop {
        let (mut stream, _) = listener.accept()?;
        let asked = receive(&mut stream)?;
        send(&mut stream, &answer(&asked, address)?)?;
    }
}

/// The answer to a message; to one that asks for nothing a few bytes that are none.
fn answer(asked: &[u8], address: Ipv4Addr) -> anyhow::Result<Vec<u8>> {
    let asked = Packet::parse(asked)?;
    let Some(question) = asked.questions.first() else {
        return Ok(b"nonsense".to_vec());
    };
    let canonical = Name::new(CANONICAL)?;
    let mut packet = Packet::new_reply(asked.id());
    packet.set_flags(PacketFlag::RECURSION_AVAILABLE);
    packet.questions.push(question.clone());
    for (name, data) in [
        (
            question.qname.clone(),
            RData::CNAME(CNAME(canonical.clone())),
        ),
        (canonical, RData::A(A::from(address))),
    ] {
        let record = ResourceRecord::new(name, CLASS::IN, 60, data);
        packet.answers.push(record);
    }
    Ok(packet.build_bytes_vec_compressed()?)
}

/// In TCP the length of a message stands before it.
fn send(stream: &mut TcpStream, message: &[u8]) -> anyhow::Result<()> {
    let mut bytes = u16::try_from(message.len())?.to_be_bytes().to_vec();
    bytes.extend(message);
    Ok(stream.write_all(&bytes)?)
}

fn receive(stream: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
    let mut len = [0; 2];
    stream.read_exact(&mut len)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut message)?;
    Ok(message)
}

/// Asks a server for a name over `udp` or `tcp`, and connects to a port of the address that it has.
pub fn look_up(server: SocketAddr, over: &str, name: &str, port: u16) -> anyhow::Result<()> {
    let mut packet = Packet::new_query(7);
    let (kind, class) = (QTYPE::TYPE(TYPE::A), QCLASS::CLASS(CLASS::IN));
    packet
        .questions
        .push(Question::new(Name::new(name)?, kind, class, false));
    let answer = ask(server, over, &packet.build_bytes_vec()?)?;
    let answer = Packet::parse(&answer)?;
    let mut addresses = answer
        .answers
        .iter()
        .filter_map(|record| match &record.rdata {
            RData::A(a) => Some(Ipv4Addr::from(a.address)),
            _ => None,
        });
    let address = addresses.next().context("there is no address in it")?;
    let to = SocketAddr::new(IpAddr::V4(address), port);
    talking::exchange(&talking::stream(to)?, 0, 0)
}

/// Asks a server over UDP for nothing.
pub fn ask_nothing(server: SocketAddr) -> anyhow::Result<()> {
    let message = Packet::new_query(7).build_bytes_vec()?;
    let answer = ask(server, "udp", &message)?;
    ensure!(answer == b"nonsense", "it answered {answer:?}");
    Ok(())
}

fn ask(server: SocketAddr, over: &str, message: &[u8]) -> anyhow::Result<Vec<u8>> {
    if over == "tcp" {
        let mut stream = TcpStream::connect(server)?;
        send(&mut stream, message)?;
        return receive(&mut stream);
    }
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.send_to(message, server)?;
    let mut room = vec![0; ROOM];
    let len = socket.recv(&mut room)?;
    room.truncate(len);
    Ok(room)
}
