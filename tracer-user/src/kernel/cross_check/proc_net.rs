//! What `/proc/net` lists of the network namespace of the calling thread.

use std::{
    fs::File,
    io::{self, BufReader},
    net::SocketAddr,
};

use anyhow::Context as _;
use procfs::{
    FromBufReadSI, current_system_info,
    net::{TcpNetEntries, TcpNetEntry, UdpNetEntries, UdpNetEntry},
};
use tracer_core::{
    cross_check::{Ends, Entry, Listed, is_compared},
    protocol::Protocol,
};

/// The directory of the calling thread: `/proc/net` is that of the first thread.
const DIRECTORY: &str = "/proc/thread-self/net";

/// The sockets of a protocol, in the namespace that the thread is in.
pub fn list(netns: u32, protocol: Protocol) -> anyhow::Result<Vec<Entry>> {
    Ok(match protocol {
        Protocol::Tcp => {
            let lists: [Option<TcpNetEntries>; 2] = [read("tcp")?, read("tcp6")?];
            let entries = lists.into_iter().flatten().flat_map(|list| list.0);
            entries.filter_map(|entry| of_tcp(netns, &entry)).collect()
        }
        Protocol::Udp => {
            let lists: [Option<UdpNetEntries>; 2] = [read("udp")?, read("udp6")?];
            let entries = lists.into_iter().flatten().flat_map(|list| list.0);
            entries.map(|entry| of_udp(netns, &entry)).collect()
        }
    })
}

/// `None`: there is no such file, as where the kernel has no IPv6.
fn read<T: FromBufReadSI>(name: &str) -> anyhow::Result<Option<T>> {
    let path = format!("{DIRECTORY}/{name}");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot open {path}")),
    };
    T::from_buf_read(BufReader::new(file), current_system_info())
        .map(Some)
        .with_context(|| format!("cannot read {path}"))
}

fn of_tcp(netns: u32, entry: &TcpNetEntry) -> Option<Entry> {
    const LISTEN: u8 = tracer_abi::tcp::LISTEN;
    let state = entry.state.to_u8();
    let remote = (state != LISTEN).then_some(entry.remote_address);
    let ends = Ends::new(netns, Protocol::Tcp, entry.local_address, remote);
    is_compared(state).then(|| of(ends, state, entry.uid, entry.inode))
}

fn of_udp(netns: u32, entry: &UdpNetEntry) -> Entry {
    let remote = connected(entry.remote_address);
    let ends = Ends::new(netns, Protocol::Udp, entry.local_address, remote);
    of(ends, 0, entry.uid, entry.inode)
}

/// The peer of a UDP socket that has one.
pub(super) fn connected(remote: SocketAddr) -> Option<SocketAddr> {
    (remote.port() != 0).then_some(remote)
}

fn of(ends: Ends, state: u8, uid: u32, inode: u64) -> Entry {
    // What no process holds has none.
    let inode = (inode != 0).then_some(inode);
    Entry {
        ends,
        name: inode,
        listed: Listed {
            state,
            uid: Some(uid),
            inode,
            holders: Vec::new(),
        },
    }
}
