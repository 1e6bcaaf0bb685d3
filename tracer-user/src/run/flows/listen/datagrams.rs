//! Datagrams of those who send by UDP.

use std::{
    io::{ErrorKind, IoSliceMut},
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd},
};

use anyhow::Context as _;
use nix::{
    cmsg_space,
    errno::Errno,
    sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt},
};

use super::received::Received;

/// Bytes of the largest datagram.
const DATAGRAM_MAX: usize = 64 << 10;
/// Bytes that the kernel is asked to keep until they are taken: exporters send in bursts.
const BUFFER: usize = 8 << 20;
/// So many are taken at once, at most.
const AT_ONCE: usize = 256;

/// What comes by a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Packets of `NetFlow` and IPFIX.
    Packets,
    /// Samples of sFlow.
    Samples,
    /// Messages of syslog.
    Lines,
}

impl What {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Packets => "NetFlow and IPFIX",
            Self::Samples => "sFlow",
            Self::Lines => "syslog",
        }
    }
}

/// A socket by which they come.
pub struct Datagrams {
    /// What they are.
    pub what: What,
    /// Where.
    pub local: SocketAddr,
    /// How many the kernel had no room for.
    pub dropped: u64,
    socket: UdpSocket,
    buffer: Vec<u8>,
}

impl Datagrams {
    /// Listens.
    pub fn bind(what: What, address: SocketAddr) -> anyhow::Result<Self> {
        let bind = || {
            let socket = UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            // More than the administrator allows only some may have.
            if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).is_err() {
                setsockopt(&socket, sockopt::RcvBuf, &BUFFER)?;
            }
            setsockopt(&socket, sockopt::RxqOvfl, &1)?;
            let local = socket.local_addr()?;
            Ok::<_, std::io::Error>((socket, local))
        };
        let words = what.words();
        let (socket, local) =
            bind().with_context(|| format!("cannot listen for {words} at {address}"))?;
        Ok(Self {
            what,
            local,
            dropped: 0,
            socket,
            buffer: vec![0; DATAGRAM_MAX],
        })
    }

    /// What to wait for.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Takes what has come.
    pub fn take(&mut self, received: &mut Received) -> anyhow::Result<()> {
        for _ in 0..AT_ONCE {
            let Some((from, length)) = self.receive()? else {
                break;
            };
            let payload = self.buffer.get(..length).unwrap_or_default();
            match self.what {
                What::Packets => received.packet(from, payload)?,
                What::Samples => received.samples(from, payload)?,
                What::Lines => received.message(from.ip(), payload)?,
            }
        }
        Ok(())
    }

    /// Takes one: of whom, and how long it is.
    fn receive(&mut self) -> anyhow::Result<Option<(SocketAddr, usize)>> {
        let mut space = cmsg_space!(u32);
        let mut parts = [IoSliceMut::new(&mut self.buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let message = match recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut parts,
            Some(&mut space),
            flags,
        ) {
            Ok(message) => message,
            // A host that was answered once and is gone is none of a listener's concern.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => return Ok(None),
            Err(error) => {
                let local = self.local;
                return Err(error).with_context(|| format!("cannot receive at {local}"));
            }
        };
        for control in message.cmsgs()? {
            if let ControlMessageOwned::RxqOvfl(dropped) = control {
                // The kernel counts from the beginning, in 32 bits.
                let low = u64::from(u32::MAX);
                let more = u64::from(dropped).wrapping_sub(self.dropped) & low;
                self.dropped += more;
            }
        }
        let from = message.address.as_ref().and_then(address);
        Ok(from.map(|from| (from, message.bytes)))
    }
}

/// The address of whoever sent it: one of IPv4 that came to a socket of IPv6 is one of IPv4.
fn address(from: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = from
        .as_sockaddr_in()
        .map(|from| (IpAddr::V4(from.ip()), from.port()));
    let v6 = || {
        from.as_sockaddr_in6()
            .map(|from| (IpAddr::V6(from.ip()), from.port()))
    };
    let (ip, port) = v4.or_else(v6)?;
    Some(SocketAddr::new(ip.to_canonical(), port))
}

/// Whether there is nothing to be had now.
pub fn is_nothing(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
