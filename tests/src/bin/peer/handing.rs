//! Sockets that come to another process by other ways than fork, and listeners that share a port.

use std::{
    io::{IoSlice, IoSliceMut, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
};

use anyhow::{Context as _, bail};
use nix::{
    cmsg_space,
    errno::Errno,
    libc,
    sys::{
        prctl::set_pdeathsig,
        signal::{Signal, kill},
        socket::{
            Backlog, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockaddrStorage,
            bind, listen, recvmsg, sendmsg, setsockopt, sockopt,
        },
        wait::waitpid,
    },
    unistd::{ForkResult, Pid, fork, getpid},
};

use crate::{
    processes::wait_for_end_of,
    say,
    sockets::tcp_socket,
    talking::{exchange, stream},
    wait,
};

/// Connects and sends the socket to a process that was there before, which uses it when the opener is
/// gone.
pub fn pass(address: SocketAddr) -> anyhow::Result<()> {
    let (ours, theirs) = UnixStream::pair()?;
    let opener = getpid();
    // SAFETY: there is one thread, so the child may do anything.
    match unsafe { fork() }? {
        ForkResult::Child => use_when_alone(opener, receive_descriptor(&theirs)?),
        ForkResult::Parent { child } => {
            let stream = stream(address)?;
            say(child);
            send_descriptor(&ours, stream.as_raw_fd())
        }
    }
}

/// Connects, and a process that was there before takes the socket without being given it.
pub fn take(address: SocketAddr) -> anyhow::Result<()> {
    let (mut ours, mut theirs) = UnixStream::pair()?;
    let opener = getpid();
    // SAFETY: there is one thread, so the child may do anything.
    match unsafe { fork() }? {
        ForkResult::Child => {
            let mut number = [0; size_of::<RawFd>()];
            theirs.read_exact(&mut number)?;
            let taken = descriptor_of(opener, RawFd::from_ne_bytes(number))?;
            theirs.write_all(b".")?;
            use_when_alone(opener, taken)
        }
        ForkResult::Parent { child } => {
            let stream = stream(address)?;
            say(child);
            ours.write_all(&stream.as_raw_fd().to_ne_bytes())?;
            // Until it is taken.
            ours.read_exact(&mut [0])?;
            Ok(())
        }
    }
}

/// Exchanges ten bytes when the process that opened the socket is gone.
fn use_when_alone(opener: Pid, socket: OwnedFd) -> anyhow::Result<()> {
    wait_for_end_of(opener);
    exchange(&TcpStream::from(socket), 10, 10)
}

fn send_descriptor(to: &UnixStream, descriptor: RawFd) -> anyhow::Result<()> {
    let descriptors = [descriptor];
    let message = [ControlMessage::ScmRights(&descriptors)];
    let data = [IoSlice::new(b".")];
    sendmsg::<()>(to.as_raw_fd(), &data, &message, MsgFlags::empty(), None)?;
    Ok(())
}

fn receive_descriptor(from: &UnixStream) -> anyhow::Result<OwnedFd> {
    let mut byte = [0];
    let mut data = [IoSliceMut::new(&mut byte)];
    let mut room = cmsg_space!(RawFd);
    let message = recvmsg::<()>(
        from.as_raw_fd(),
        &mut data,
        Some(&mut room),
        MsgFlags::empty(),
    )?;
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(descriptors) = part {
            let descriptor = descriptors.first().context("no descriptor")?;
            // SAFETY: the kernel has just handed it to us.
            return Ok(unsafe { OwnedFd::from_raw_fd(*descriptor) });
        }
    }
    bail!("no descriptor came")
}

/// A descriptor of another process, as one of ours.
fn descriptor_of(process: Pid, number: RawFd) -> anyhow::Result<OwnedFd> {
    // SAFETY: takes no pointers.
    let handle = owned(unsafe { libc::syscall(libc::SYS_pidfd_open, process.as_raw(), 0) })?;
    // SAFETY: takes no pointers.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, handle.as_raw_fd(), number, 0) })
}

fn owned(result: libc::c_long) -> anyhow::Result<OwnedFd> {
    let number = RawFd::try_from(Errno::result(result)?)?;
    // SAFETY: the kernel has just handed it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// So many processes listen on one port, each with a socket of its own, and tell whoever connects who
/// they are.
pub fn share_port(address: SocketAddr, count: usize) -> anyhow::Result<()> {
    // Never listens: it chooses the port, and keeps it.
    let first = TcpListener::from(sharing(address)?);
    let address = first.local_addr()?;
    let mut children = Vec::new();
    for _ in 0..count {
        let (mut ours, mut theirs) = UnixStream::pair()?;
        // SAFETY: there is one thread, so the child may do anything.
        match unsafe { fork() }? {
            ForkResult::Child => {
                set_pdeathsig(Signal::SIGKILL)?;
                let socket = sharing(address)?;
                listen(&socket, Backlog::new(64)?)?;
                theirs.write_all(b".")?;
                introduce(&TcpListener::from(socket))?;
            }
            ForkResult::Parent { child } => {
                ours.read_exact(&mut [0])?;
                children.push(child);
            }
        }
    }
    say(address.port());
    wait();
    for child in children {
        kill(child, Signal::SIGKILL)?;
        waitpid(child, None)?;
    }
    Ok(())
}

fn sharing(address: SocketAddr) -> anyhow::Result<OwnedFd> {
    let socket = tcp_socket(address, SockFlag::empty())?;
    setsockopt(&socket, sockopt::ReusePort, &true)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    Ok(socket)
}

fn introduce(listener: &TcpListener) -> anyhow::Result<()> {
    loop {
        let (mut stream, _) = listener.accept()?;
        stream.write_all(getpid().to_string().as_bytes())?;
    }
}

/// Connects, and says who took the connection.
pub fn who(address: SocketAddr) -> anyhow::Result<()> {
    let mut stream = stream(address)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    say(answer);
    Ok(())
}
