//! `conntracer flows listen`: what others send, as it comes.
//!
//! One thread waits for all sockets and deals with what came at once: the kernel's buffers are the only queues,
//! and what they had no room for is counted.

mod datagrams;
mod received;
mod streams;

use std::{
    os::fd::{AsFd as _, BorrowedFd},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signalfd::{SfdFlags, SignalFd},
};
use tracing::info;

use self::{
    datagrams::{Datagrams, What},
    received::Received,
    streams::Streams,
};
use super::out;
use crate::{
    cli::ListenFlowsArgs,
    kernel::interrupts::ending_signals,
    run::{Ending, NOTES},
};

/// Listens.
pub fn run(args: &ListenFlowsArgs) -> anyhow::Result<Ending> {
    out::unless_closed(listen(args))
}

fn listen(args: &ListenFlowsArgs) -> anyhow::Result<Ending> {
    let mut received = Received::new(&args.log, &args.out)?;
    let mut sockets = Sockets::bind(args)?;
    let signals = ending_signals();
    signals.thread_block()?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let deadline = args.duration.map(|time| Instant::now() + time.into());
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) || signals.read_signal()?.is_some() {
            break;
        }
        // What was told is written when there is nothing else to do, and not flow by flow.
        if sockets
            .wait(signals.as_fd(), Some(Duration::ZERO))?
            .is_empty()
        {
            received.flush()?;
        }
        for ready in sockets.wait(signals.as_fd(), left)? {
            sockets.take(ready, &mut received)?;
        }
    }
    sockets.take_all(&mut received)?;
    received.end(sockets.dropped())
}

/// All that is listened to.
struct Sockets {
    datagrams: Vec<Datagrams>,
    streams: Vec<Streams>,
}

/// A socket from which something can be taken.
#[derive(Clone, Copy)]
enum Ready {
    /// Datagrams.
    Datagrams(usize),
    /// A listener, or connections of it.
    Streams(usize),
}

impl Sockets {
    fn bind(args: &ListenFlowsArgs) -> anyhow::Result<Self> {
        let of = |what, addresses: &[_]| {
            let addresses = addresses.iter();
            let bound = addresses.map(move |address| Datagrams::bind(what, *address));
            bound.collect::<anyhow::Result<Vec<_>>>()
        };
        let mut sockets = Self {
            datagrams: of(What::Packets, &args.netflow)?,
            streams: Vec::new(),
        };
        sockets.datagrams.extend(of(What::Samples, &args.sflow)?);
        for socket in of(What::Lines, &args.syslog)? {
            // Where the kernel picked a port, it is one for both.
            sockets.streams.push(Streams::bind(socket.local)?);
            sockets.datagrams.push(socket);
        }
        for socket in &sockets.datagrams {
            let (what, local) = (socket.what.words(), socket.local);
            info!(target: NOTES, "listening for {what} at {local}");
        }
        Ok(sockets)
    }

    /// Waits until something comes, a signal, or that much time has passed.
    fn wait(&self, signals: BorrowedFd<'_>, left: Option<Duration>) -> anyhow::Result<Vec<Ready>> {
        let mut waiting = vec![PollFd::new(signals, PollFlags::POLLIN)];
        let datagrams = self.datagrams.iter().map(Datagrams::as_fd);
        waiting.extend(datagrams.map(|socket| PollFd::new(socket, PollFlags::POLLIN)));
        let mut of = Vec::new();
        for (at, streams) in self.streams.iter().enumerate() {
            for stream in streams.fds() {
                waiting.push(PollFd::new(stream, PollFlags::POLLIN));
                of.push(at);
            }
        }
        let millis = left.map(|left| u32::try_from(left.as_millis().saturating_add(1)));
        let timeout = match left {
            Some(Duration::ZERO) => PollTimeout::ZERO,
            _ => millis
                .and_then(Result::ok)
                .and_then(|millis| PollTimeout::try_from(millis).ok())
                .unwrap_or(PollTimeout::NONE),
        };
        match poll(&mut waiting, timeout) {
            Err(Errno::EINTR) => return Ok(Vec::new()),
            other => other.context("cannot wait for what is sent")?,
        };
        let mut is_ready = waiting
            .iter()
            .map(|one| one.any().unwrap_or_default())
            .skip(1);
        let datagrams = (0..self.datagrams.len()).filter(|_| is_ready.next().unwrap_or_default());
        let mut ready: Vec<Ready> = datagrams.map(Ready::Datagrams).collect();
        of.retain(|_| is_ready.next().unwrap_or_default());
        of.dedup();
        ready.extend(of.into_iter().map(Ready::Streams));
        Ok(ready)
    }

    /// Takes what came, but not so much that others wait for long.
    fn take(&mut self, ready: Ready, received: &mut Received) -> anyhow::Result<()> {
        match ready {
            Ready::Datagrams(at) => match self.datagrams.get_mut(at) {
                Some(socket) => socket.take(received),
                None => Ok(()),
            },
            Ready::Streams(at) => match self.streams.get_mut(at) {
                Some(streams) => streams.take(received),
                None => Ok(()),
            },
        }
    }

    /// Takes what has come by now: what comes from now on is not waited for.
    fn take_all(&mut self, received: &mut Received) -> anyhow::Result<()> {
        for socket in &mut self.datagrams {
            socket.take(received)?;
        }
        for streams in &mut self.streams {
            streams.take(received)?;
            streams.end(received)?;
        }
        Ok(())
    }

    /// How many datagrams the kernel had no room for.
    fn dropped(&self) -> u64 {
        self.datagrams.iter().map(|socket| socket.dropped).sum()
    }
}
