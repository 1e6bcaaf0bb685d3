//! Sockets that are kept until the test closes our standard input.

use std::net::{SocketAddr, TcpListener, TcpStream};

use nix::{
    sched::{CloneFlags, unshare},
    sys::resource::{Resource, getrlimit, setrlimit},
    unistd::{ForkResult, fork},
};

use crate::{
    listeners::listener,
    say,
    talking::{exchange, stream},
    wait,
};

/// Connects, sends and receives so many bytes, and keeps the connection.
pub fn keep(address: SocketAddr, send: usize, receive: usize) -> anyhow::Result<()> {
    let stream = stream(address)?;
    exchange(&stream, send, receive)?;
    hold(stream);
    Ok(())
}

/// Accepts one connection, sends and receives so many bytes, and keeps it.
pub fn serve_keep(address: SocketAddr, send: usize, receive: usize) -> anyhow::Result<()> {
    let listener = listener(address)?;
    let (stream, _) = listener.accept()?;
    exchange(&stream, send, receive)?;
    hold((listener, stream));
    Ok(())
}

/// Accepts one connection and keeps it, but not the listener.
pub fn serve_alone(address: SocketAddr) -> anyhow::Result<()> {
    let listener = listener(address)?;
    let (stream, _) = listener.accept()?;
    drop(listener);
    hold(stream);
    Ok(())
}

/// Keeps so many connections with itself, both ends of each.
pub fn keep_many(count: usize) -> anyhow::Result<()> {
    /// To one port lead fewer than there are ports to come from.
    const OF_LISTENER: usize = 20_000;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    let mut kept = Vec::new();
    for begun in (0..count).step_by(OF_LISTENER) {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        for _ in begun..count.min(begun + OF_LISTENER) {
            kept.push((TcpStream::connect(address)?, listener.accept()?));
        }
    }
    hold(kept);
    Ok(())
}

/// Connects and shares the connection with a child. The parent goes first, then the child.
pub fn share(address: SocketAddr) -> anyhow::Result<()> {
    let stream: TcpStream = stream(address)?;
    let parent = nix::unistd::getpid();
    // SAFETY: there is one thread, so the child may do anything.
    match unsafe { fork() }? {
        ForkResult::Child => {
            wait();
            crate::processes::wait_for_end_of(parent);
            drop(stream);
            Ok(())
        }
        ForkResult::Parent { child } => {
            say(child);
            hold(stream);
            Ok(())
        }
    }
}

/// Listens, and leaves the network namespace in which it does.
pub fn leave(address: SocketAddr) -> anyhow::Result<()> {
    let listener = listener(address)?;
    unshare(CloneFlags::CLONE_NEWNET)?;
    hold(listener);
    Ok(())
}

fn hold<T>(kept: T) {
    say("kept");
    wait();
    drop(kept);
}
