//! What is done through `io_uring`, without a system call of its own.
//!
//! `MODE` is how: `plain`, in the thread that submits; `async`, in a worker of the kernel's; `sqpoll`,
//! in a thread of the kernel's that looks for work itself.

use std::{
    net::{SocketAddr, TcpStream},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    ptr,
};

use anyhow::{Context as _, bail, ensure};
use io_uring::{IoUring, Probe, opcode, squeue, types};
use nix::{
    errno::Errno,
    libc,
    sys::socket::{MsgFlags, SockFlag, SockaddrLike as _, SockaddrStorage, send},
};

use crate::{
    listeners::listener,
    say,
    sockets::{inode, tcp_socket},
    talking,
};

/// A ring, and how it is used.
pub struct Ring {
    ring: IoUring,
    flags: squeue::Flags,
}

impl Ring {
    pub fn new(mode: &str) -> anyhow::Result<Self> {
        const ENTRIES: u32 = 8;
        let plain = squeue::Flags::empty();
        let (ring, flags) = match mode {
            "plain" => (IoUring::new(ENTRIES), plain),
            "async" => (IoUring::new(ENTRIES), squeue::Flags::ASYNC),
            "sqpoll" => (IoUring::builder().setup_sqpoll(1000).build(ENTRIES), plain),
            other => bail!("unknown mode {other}"),
        };
        Ok(Self { ring: ring?, flags })
    }

    fn push(&mut self, entry: squeue::Entry, number: usize) -> anyhow::Result<()> {
        let entry = entry.flags(self.flags).user_data(u64::try_from(number)?);
        // SAFETY: what the entry points to outlives its completion: the callers wait for it.
        unsafe { self.ring.submission().push(&entry) }.context("the ring is full")
    }

    /// Submits what was pushed. The next completion: number and result.
    fn next(&mut self) -> anyhow::Result<(usize, i32)> {
        loop {
            if let Some(completion) = self.ring.completion().next() {
                return Ok((
                    usize::try_from(completion.user_data())?,
                    completion.result(),
                ));
            }
            match self.ring.submit_and_wait(1) {
                // SQPOLL has taken what was pushed, or another thread has interrupted.
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                other => drop(other?),
            }
        }
    }

    /// Does one thing.
    pub fn call(&mut self, entry: squeue::Entry) -> anyhow::Result<i32> {
        self.push(entry, 0)?;
        Ok(self.next()?.1)
    }
}

/// An address that outlives a request.
struct Target {
    address: SockaddrStorage,
    socket: OwnedFd,
}

impl Target {
    fn new(address: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self {
            socket: tcp_socket(address, SockFlag::empty())?,
            address: SockaddrStorage::from(address),
        })
    }

    fn connect(&self) -> squeue::Entry {
        let descriptor = types::Fd(self.socket.as_raw_fd());
        opcode::Connect::new(descriptor, self.address.as_ptr(), self.address.len()).build()
    }
}

/// Connects, and exchanges ten bytes each way.
pub fn connect(address: SocketAddr, mode: &str) -> anyhow::Result<()> {
    let mut ring = Ring::new(mode)?;
    let target = Target::new(address)?;
    let result = ring.call(target.connect())?;
    ensure!(result == 0, "connect answered {result}");
    talking::exchange(&TcpStream::from(target.socket), 10, 10)
}

/// Begins to connect to all of the addresses at once, behind a read that fails, and says what became
/// of each: an errno, or zero. Then a send fails that is about none of them.
pub fn attempts(mode: &str, addresses: &[&str]) -> anyhow::Result<()> {
    let mut ring = Ring::new(mode)?;
    let targets = addresses
        .iter()
        .map(|address| Target::new(address.parse()?))
        .collect::<anyhow::Result<Vec<Target>>>()?;
    let read = opcode::Read::new(types::Fd(-1), ptr::null_mut(), 0);
    ring.push(read.build(), targets.len())?;
    for (number, target) in targets.iter().enumerate() {
        ring.push(target.connect(), number)?;
    }
    let mut results = vec![0; targets.len() + 1];
    for _ in 0..results.len() {
        let (number, result) = ring.next()?;
        *results.get_mut(number).context("an unknown request")? = -result;
    }
    let unconnected = tcp_socket("127.0.0.1:0".parse()?, SockFlag::empty())?;
    let sent = send(unconnected.as_raw_fd(), b"x", MsgFlags::MSG_NOSIGNAL);
    ensure!(sent == Err(Errno::EPIPE), "send answered {sent:?}");
    for result in results.iter().take(targets.len()) {
        say(result);
    }
    Ok(())
}

/// Accepts so many connections, and on each receives and sends ten bytes.
pub fn serve(address: SocketAddr, mode: &str, count: usize) -> anyhow::Result<()> {
    let mut ring = Ring::new(mode)?;
    let listener = listener(address)?;
    let descriptor = types::Fd(listener.as_raw_fd());
    for _ in 0..count {
        let accept = opcode::Accept::new(descriptor, ptr::null_mut(), ptr::null_mut());
        talk(ring.call(accept.build())?)?;
    }
    Ok(())
}

/// The same with a single request. Where the kernel cannot do that, says with which errno.
pub fn serve_multishot(address: SocketAddr, count: usize) -> anyhow::Result<()> {
    let mut ring = Ring::new("plain")?;
    let listener = listener(address)?;
    let accept = opcode::AcceptMulti::new(types::Fd(listener.as_raw_fd()));
    ring.push(accept.build(), 0)?;
    ring.ring.submit()?;
    if let Some(refused) = ring.ring.completion().next() {
        say(format_args!("errno {}", -refused.result()));
        return Ok(());
    }
    say("waiting");
    for _ in 0..count {
        talk(ring.next()?.1)?;
    }
    Ok(())
}

/// Ten bytes each way over what was accepted; the other side closes first.
fn talk(accepted: i32) -> anyhow::Result<()> {
    ensure!(accepted >= 0, "accept answered {accepted}");
    // SAFETY: the kernel has just handed it to us.
    let stream = TcpStream::from(unsafe { OwnedFd::from_raw_fd(accepted) });
    talking::answer(&stream, 10, 10)
}

/// Accepts one connection into the table of the ring, where it has no descriptor, and waits there for
/// the other side to close.
pub fn serve_direct(address: SocketAddr) -> anyhow::Result<()> {
    let mut ring = Ring::new("plain")?;
    ring.ring.submitter().register_files(&[-1, -1])?;
    let listener = listener(address)?;
    let slot = types::DestinationSlot::try_from_slot_target(1).ok();
    let descriptor = types::Fd(listener.as_raw_fd());
    let accept = opcode::Accept::new(descriptor, ptr::null_mut(), ptr::null_mut());
    let result = ring.call(accept.file_index(slot).build())?;
    ensure!(result == 0, "accept answered {result}");
    let mut byte = 0_u8;
    let receive = opcode::Recv::new(types::Fixed(1), &raw mut byte, 1);
    let result = ring.call(receive.build())?;
    ensure!(result == 0, "recv answered {result}");
    Ok(())
}

/// Opens a raw socket. Says its inode number, or that this kernel has no such operation.
pub fn open() -> anyhow::Result<()> {
    let mut ring = Ring::new("plain")?;
    let mut probe = Probe::new();
    ring.ring.submitter().register_probe(&mut probe)?;
    if !probe.is_supported(opcode::Socket::CODE) {
        say("unsupported");
        return Ok(());
    }
    let entry = opcode::Socket::new(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP);
    let result = ring.call(entry.build())?;
    ensure!(result >= 0, "socket answered {result}");
    // SAFETY: the kernel has just handed it to us.
    say(inode(&unsafe { OwnedFd::from_raw_fd(result) })?);
    Ok(())
}
