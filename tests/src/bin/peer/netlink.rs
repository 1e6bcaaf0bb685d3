//! What is asked of the kernel over netlink: for sockets, for the connections that netfilter tracks.
//!
//! `HOW` is how a request is sent: `send`, `write` or `message`.

use std::{
    fs::File,
    io::IoSlice,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd as _, OwnedFd},
};

use anyhow::{Context as _, bail, ensure};
use io_uring::{opcode, types};
use nix::{
    errno::Errno,
    libc::{
        self, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, IPPROTO_TCP, IPPROTO_UDP,
        NETLINK_NETFILTER, NETLINK_ROUTE, NETLINK_SOCK_DIAG, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST,
    },
    sched::{CloneFlags, setns},
    sys::socket::{MsgFlags, recv, send, sendmsg},
    unistd::write,
};

use crate::{say, sockets::socket, uring::Ring};

/// Messages of `NETLINK_SOCK_DIAG`.
const TCPDIAG_GETSOCK: u16 = 18;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const SOCK_DESTROY: u16 = 21;
/// `IPCTNL_MSG_CT_GET` of `NFNL_SUBSYS_CTNETLINK`
const CONNTRACK_GET: u16 = 0x0101;
/// `RTM_GETLINK`: the same number as `TCPDIAG_GETSOCK`, of another protocol.
const RTM_GETLINK: u16 = 18;

/// `struct nlmsghdr`
const HEADER: usize = 16;
/// Who asks for no socket in particular.
const ANY: [u8; 8] = [0xff; 8];

/// A request, with its header.
fn request(kind: u16, flags: i32, payload: &[u8]) -> anyhow::Result<Vec<u8>> {
    let len = u32::try_from(HEADER + payload.len())?;
    let flags = u16::try_from(NLM_F_REQUEST | flags)?;
    let mut bytes = len.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    // Number of the request, and from whom; the kernel knows.
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend(payload);
    Ok(bytes)
}

/// The request for all sockets of a family and protocol, in some states.
fn dump(family: &str, protocol: &str, states: &str) -> anyhow::Result<Vec<u8>> {
    let protocol = u8::try_from(match protocol {
        "tcp" => IPPROTO_TCP,
        "udp" => IPPROTO_UDP,
        "any" => 0,
        other => bail!("unknown protocol {other}"),
    })?;
    let family = match family {
        "ipv4" => AF_INET,
        "ipv6" => AF_INET6,
        "unix" => AF_UNIX,
        "packet" => AF_PACKET,
        other => bail!("unknown family {other}"),
    };
    let mut payload = vec![u8::try_from(family)?, protocol, 0, 0];
    match family {
        AF_INET | AF_INET6 => {
            payload.extend(states.parse::<u32>()?.to_ne_bytes());
            payload.extend([0; 40]);
            payload.extend(ANY);
        }
        AF_UNIX => {
            payload.extend(states.parse::<u32>()?.to_ne_bytes());
            payload.extend([0; 8]);
            payload.extend(ANY);
        }
        // Of these there are no states.
        _ => {
            payload.extend([0; 8]);
            payload.extend(ANY);
        }
    }
    request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &payload)
}

fn open(protocol: i32) -> nix::Result<OwnedFd> {
    socket(AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol)
}

/// Asks for sockets. Says how many there are, or which errno.
pub fn diag(family: &str, protocol: &str, states: &str, how: &str) -> anyhow::Result<()> {
    let socket = open(NETLINK_SOCK_DIAG)?;
    let request = dump(family, protocol, states)?;
    say_result(send_by(&socket, &request, how).and_then(|()| answers(&socket)));
    Ok(())
}

fn send_by(socket: &OwnedFd, request: &[u8], how: &str) -> nix::Result<()> {
    let (number, none) = (socket.as_raw_fd(), MsgFlags::empty());
    let sent = match how {
        "send" => send(number, request, none)?,
        "write" => write(socket, request)?,
        // In two parts, as others send it.
        "message" => {
            let parts = request.split_at_checked(HEADER).ok_or(Errno::EINVAL)?;
            let parts = [IoSlice::new(parts.0), IoSlice::new(parts.1)];
            sendmsg::<()>(number, &parts, &[], none, None)?
        }
        _ => return Err(Errno::EINVAL),
    };
    (sent == request.len()).then_some(()).ok_or(Errno::EMSGSIZE)
}

/// The same with a socket of another network namespace, which this process does not stay in.
pub fn diag_of_another(
    netns: &str,
    family: &str,
    protocol: &str,
    states: &str,
) -> anyhow::Result<()> {
    let own = File::open("/proc/self/ns/net")?;
    setns(File::open(netns)?, CloneFlags::CLONE_NEWNET)?;
    let socket = open(NETLINK_SOCK_DIAG)?;
    setns(own, CloneFlags::CLONE_NEWNET)?;
    let request = dump(family, protocol, states)?;
    say_result(send_by(&socket, &request, "send").and_then(|()| answers(&socket)));
    Ok(())
}

/// The same for IPv4, as it was asked before there was another way.
pub fn diag_of_old(states: &str) -> anyhow::Result<()> {
    let mut payload = vec![u8::try_from(AF_INET)?, 0, 0, 0];
    payload.extend([0; 40]);
    payload.extend(ANY);
    payload.extend(states.parse::<u32>()?.to_ne_bytes());
    payload.extend([0; 4]);
    let request = request(TCPDIAG_GETSOCK, NLM_F_DUMP, &payload)?;
    let socket = open(NETLINK_SOCK_DIAG)?;
    say_result(send_by(&socket, &request, "send").and_then(|()| answers(&socket)));
    Ok(())
}

/// The same with a request that is sent through a ring, as bytes or as a message.
pub fn diag_by_ring(
    family: &str,
    protocol: &str,
    states: &str,
    (how, mode): (&str, &str),
) -> anyhow::Result<()> {
    let socket = open(NETLINK_SOCK_DIAG)?;
    let request = dump(family, protocol, states)?;
    let descriptor = types::Fd(socket.as_raw_fd());
    let mut vector = libc::iovec {
        iov_base: request.as_ptr().cast_mut().cast(),
        iov_len: request.len(),
    };
    // SAFETY: all zeros is a message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    let entry = match how {
        "send" => {
            let len = u32::try_from(request.len())?;
            opcode::Send::new(descriptor, request.as_ptr(), len).build()
        }
        "message" => opcode::SendMsg::new(descriptor, &raw const message).build(),
        other => bail!("cannot send by {other}"),
    };
    let result = Ring::new(mode)?.call(entry)?;
    if result < 0 {
        say_result(Err(Errno::from_raw(-result)));
    } else {
        say_result(answers(&socket));
    }
    Ok(())
}

/// Connects to itself, and has the kernel destroy the socket that connected. Says `destroyed`, or which errno.
pub fn destroy(address: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address)?;
    let stream = TcpStream::connect(listener.local_addr()?)?;
    let (local, remote) = (stream.local_addr()?, stream.peer_addr()?);
    let family = if local.is_ipv4() { AF_INET } else { AF_INET6 };
    let mut payload = vec![u8::try_from(family)?, u8::try_from(IPPROTO_TCP)?, 0, 0];
    payload.extend(u32::MAX.to_ne_bytes());
    payload.extend(local.port().to_be_bytes());
    payload.extend(remote.port().to_be_bytes());
    payload.extend(octets(local.ip()));
    payload.extend(octets(remote.ip()));
    // At whatever device.
    payload.extend([0; 4]);
    payload.extend(ANY);
    let socket = open(NETLINK_SOCK_DIAG)?;
    let request = request(SOCK_DESTROY, NLM_F_ACK, &payload)?;
    match send_by(&socket, &request, "send").and_then(|()| answers(&socket)) {
        Ok(_) => {
            let error = stream.take_error()?.and_then(|error| error.raw_os_error());
            ensure!(error == Some(libc::ECONNABORTED), "it lives: {error:?}");
            say("destroyed");
        }
        Err(error) => say_result(Err(error)),
    }
    Ok(())
}

/// An address in the sixteen bytes that there are for one.
fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// Asks for the connections that netfilter tracks. Says how many there are, or which errno.
pub fn conntrack() -> anyhow::Result<()> {
    let socket = match open(NETLINK_NETFILTER) {
        Ok(socket) => socket,
        Err(error) => {
            say_result(Err(error));
            return Ok(());
        }
    };
    let request = request(CONNTRACK_GET, NLM_F_DUMP, &[0; 4])?;
    say_result(send_by(&socket, &request, "send").and_then(|()| answers(&socket)));
    Ok(())
}

/// Asks for the devices of the network. Says how many there are.
pub fn devices() -> anyhow::Result<()> {
    let socket = open(NETLINK_ROUTE)?;
    // `struct ifinfomsg`
    let request = request(RTM_GETLINK, NLM_F_DUMP, &[0; 16])?;
    send_by(&socket, &request, "send")?;
    say(answers(&socket).context("the kernel names no devices")?);
    Ok(())
}

fn say_result(result: nix::Result<usize>) {
    match result {
        Ok(count) => say(count),
        Err(error) => say(format_args!("errno {}", error as i32)),
    }
}

/// How many answers there are to what was asked.
fn answers(socket: &OwnedFd) -> nix::Result<usize> {
    let mut buffer = vec![0; 1 << 16];
    let mut count = 0;
    loop {
        let len = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let mut rest = buffer.get(..len).unwrap_or_default();
        while let Some((kind, payload, behind)) = first_of(rest) {
            rest = behind;
            if !matches!(kind, libc::NLMSG_DONE | libc::NLMSG_ERROR) {
                count += 1;
                continue;
            }
            // What came of it: the number of an error, less than zero.
            let result = payload
                .first_chunk()
                .map_or(0, |it| i32::from_ne_bytes(*it));
            return if result < 0 {
                Err(Errno::from_raw(-result))
            } else {
                Ok(count)
            };
        }
    }
}

/// The kind of the first message, what it says, and what is behind it.
fn first_of(messages: &[u8]) -> Option<(i32, &[u8], &[u8])> {
    let len = usize::try_from(u32::from_ne_bytes(*messages.first_chunk()?)).ok()?;
    let kind = u16::from_ne_bytes(*messages.get(4..)?.first_chunk()?);
    let behind = messages.get(len.next_multiple_of(4)..).unwrap_or_default();
    Some((i32::from(kind), messages.get(HEADER..len)?, behind))
}
