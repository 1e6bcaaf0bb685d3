//! What netlink's `sock_diag` lists of the network namespace of the calling thread.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
};

use anyhow::{Context as _, bail};
use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{AF_INET, AF_INET6},
    inet::{ExtensionFlags, InetRequest, InetResponseHeader, SocketId, StateFlags},
};
use netlink_sys::{Socket, SocketAddr as NetlinkAddress, protocols::NETLINK_SOCK_DIAG};
use tracer_abi::tcp;
use tracer_core::{
    cross_check::{Ends, Entry, Listed, is_compared},
    protocol::Protocol,
};

use super::{PROTOCOLS, proc_net::connected};

/// Bytes of a piece of an answer, twice as many as the kernel makes at once.
const PIECE_MAX: usize = 64 << 10;
/// Names of what the kernel has in its memory, modules included.
const SYMBOLS: &str = "/proc/kallsyms";

/// The protocols that the kernel lists as it is, and in sentences those that it would have to load a
/// module for. A question about one of those loads it, and conntracer changes nothing of the host.
pub fn available() -> (Vec<Protocol>, Vec<String>) {
    let found = lists_in_memory();
    let (available, missing): (Vec<Protocol>, Vec<Protocol>) = PROTOCOLS
        .into_iter()
        .partition(|protocol| found.contains(protocol));
    let sentence = |protocol: Protocol| {
        let module = module(protocol);
        format!(
            "cross-check: {protocol} of sock_diag is not compared: the module {module} is not loaded, \
             and conntracer loads none (`modprobe {module}` does)",
            protocol = protocol.word()
        )
    };
    (available, missing.into_iter().map(sentence).collect())
}

fn module(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp_diag",
        Protocol::Udp => "udp_diag",
    }
}

fn lists_in_memory() -> Vec<Protocol> {
    let Ok(symbols) = File::open(SYMBOLS) else {
        return Vec::new();
    };
    let lines = BufReader::new(symbols).lines().map_while(Result::ok);
    lines.filter_map(|line| listed_by(&line)).collect()
}

/// The protocol that the function in a line lists. Of a module that is built in the name is the same.
fn listed_by(line: &str) -> Option<Protocol> {
    let symbol = line.split_ascii_whitespace().nth(2)?;
    let is_its = |protocol: &Protocol| symbol.strip_suffix("_dump") == Some(module(*protocol));
    PROTOCOLS.into_iter().find(is_its)
}

/// The sockets of a protocol, in the namespace that the thread is in.
pub fn list(netns: u32, protocol: Protocol) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for family in [AF_INET, AF_INET6] {
        let socket = Socket::new(NETLINK_SOCK_DIAG).context("cannot open a netlink socket")?;
        socket
            .connect(&NetlinkAddress::new(0, 0))
            .context("cannot reach the kernel")?;
        socket
            .send(&request(family, protocol), 0)
            .context("cannot ask the kernel")?;
        while answer(&socket, |header| {
            entries.extend(entry(netns, protocol, header));
        })? {}
    }
    Ok(entries)
}

fn request(family: u8, protocol: Protocol) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let request = InetRequest {
        family,
        protocol: protocol.number(),
        extensions: ExtensionFlags::empty(),
        states: StateFlags::all(),
        socket_id: if family == AF_INET {
            SocketId::new_v4()
        } else {
            SocketId::new_v6()
        },
    };
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// Takes the next piece of the answer. Whether there is more.
fn answer(socket: &Socket, mut found: impl FnMut(&InetResponseHeader)) -> anyhow::Result<bool> {
    let mut piece = Vec::with_capacity(PIECE_MAX);
    socket.recv(&mut piece, 0).context("no answer")?;
    let mut rest = piece.as_slice();
    while !rest.is_empty() {
        let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest)
            .context("the answer makes no sense")?;
        match message.payload {
            NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                found(&response.header);
            }
            NetlinkPayload::Done(_) => return Ok(false),
            NetlinkPayload::Error(error) => return Err(error.to_io().into()),
            other => bail!("an answer to another question: {other:?}"),
        }
        // Each message begins at a multiple of four.
        let len = (message.header.length as usize).next_multiple_of(4);
        rest = rest.get(len.max(4)..).unwrap_or_default();
    }
    Ok(true)
}

fn entry(netns: u32, protocol: Protocol, header: &InetResponseHeader) -> Option<Entry> {
    let id = &header.socket_id;
    let end = |ip, port| SocketAddr::new(ip, port);
    let local = end(id.source_address, id.source_port);
    let remote = end(id.destination_address, id.destination_port);
    let (is_wanted, remote, state) = match protocol {
        Protocol::Tcp => {
            let is_listener = header.state == tcp::LISTEN;
            let remote = (!is_listener).then_some(remote);
            (is_compared(header.state), remote, header.state)
        }
        Protocol::Udp => (true, connected(remote), 0),
    };
    is_wanted.then(|| Entry {
        ends: Ends::new(netns, protocol, local, remote),
        name: Some(u64::from_ne_bytes(id.cookie)),
        listed: Listed {
            state,
            uid: Some(header.uid),
            inode: (header.inode != 0).then_some(header.inode.into()),
            holders: Vec::new(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_known_by_its_function_built_in_or_loaded() {
        let built_in = "0000000000000000 t tcp_diag_dump";
        assert_eq!(listed_by(built_in), Some(Protocol::Tcp));
        let loaded = "ffffffffc0a01230 t udp_diag_dump\t[udp_diag]";
        assert_eq!(listed_by(loaded), Some(Protocol::Udp));
        assert_eq!(listed_by("ffffffffc0a01230 t tcp_diag_dump_one"), None);
        assert_eq!(listed_by(""), None);
    }
}
