//! Connections of those who send syslog by TCP.

use std::{
    io::Read as _,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsFd as _, BorrowedFd},
};

use anyhow::Context as _;
use tracer_core::logs::{Frame, Frames};
use tracing::error;

use super::{datagrams::is_nothing, received::Received};

/// So many connections there may be. The one that was silent for the longest time is closed for another.
const STREAMS_MAX: usize = 256;
/// Bytes that are taken of one at once, at most.
const AT_ONCE: usize = 256 << 10;

/// A listener and its connections.
pub struct Streams {
    listener: TcpListener,
    open: Vec<Stream>,
    buffer: Vec<u8>,
    /// What came so far, for order.
    turns: u64,
}

/// A connection.
struct Stream {
    socket: TcpStream,
    from: IpAddr,
    frames: Frames,
    /// When something came last.
    heard: u64,
}

impl Streams {
    /// Listens.
    pub fn bind(address: SocketAddr) -> anyhow::Result<Self> {
        let bind = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok::<_, std::io::Error>(listener)
        };
        Ok(Self {
            listener: bind()
                .with_context(|| format!("cannot listen for syslog by TCP at {address}"))?,
            open: Vec::new(),
            buffer: vec![0; AT_ONCE],
            turns: 0,
        })
    }

    /// What to wait for.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let open = self.open.iter().map(|stream| stream.socket.as_fd());
        std::iter::once(self.listener.as_fd()).chain(open)
    }

    /// Takes what has come.
    pub fn take(&mut self, received: &mut Received) -> anyhow::Result<()> {
        self.accept(received)?;
        self.turns += 1;
        for stream in std::mem::take(&mut self.open) {
            if let Some(open) = stream.read(&mut self.buffer, self.turns, received)? {
                self.open.push(open);
            }
        }
        Ok(())
    }

    /// Nothing more is taken.
    pub fn end(&mut self, received: &mut Received) -> anyhow::Result<()> {
        for stream in self.open.drain(..) {
            stream.end(received)?;
        }
        Ok(())
    }

    fn accept(&mut self, received: &mut Received) -> anyhow::Result<()> {
        for _ in 0..STREAMS_MAX {
            let (socket, from) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if is_nothing(&error) => break,
                Err(error) => {
                    // Whoever wanted it has hung up, or there are too many open files: the others go on.
                    error!("a connection for syslog cannot be taken: {error}");
                    break;
                }
            };
            if socket.set_nonblocking(true).is_err() {
                continue;
            }
            if self.open.len() >= STREAMS_MAX {
                self.let_one_go(received)?;
            }
            self.open.push(Stream {
                socket,
                from: from.ip().to_canonical(),
                frames: Frames::default(),
                heard: self.turns,
            });
        }
        Ok(())
    }

    fn let_one_go(&mut self, received: &mut Received) -> anyhow::Result<()> {
        let open = self.open.iter().enumerate();
        let Some((at, _)) = open.min_by_key(|(_, stream)| stream.heard) else {
            return Ok(());
        };
        let stream = self.open.remove(at);
        error!(
            "more than {STREAMS_MAX} connections for syslog: that of {} is closed, which was silent for the longest time",
            stream.from
        );
        stream.end(received)
    }
}

impl Stream {
    /// Takes what has come; none, if that was the last.
    fn read(
        mut self,
        buffer: &mut [u8],
        turn: u64,
        received: &mut Received,
    ) -> anyhow::Result<Option<Self>> {
        match self.socket.read(buffer) {
            Ok(0) => self.end(received).map(|()| None),
            Ok(length) => {
                self.heard = turn;
                self.piece(buffer.get(..length).unwrap_or_default(), received)?;
                Ok(Some(self))
            }
            Err(error) if is_nothing(&error) => Ok(Some(self)),
            // It was cut off: what came before counts.
            Err(_) => self.end(received).map(|()| None),
        }
    }

    fn piece(&mut self, piece: &[u8], received: &mut Received) -> anyhow::Result<()> {
        let from = self.from;
        let mut result = Ok(());
        self.frames.take(piece, |frame| {
            if result.is_ok() {
                result = match frame {
                    Frame::Message(message) => received.message(from, message),
                    Frame::TooLong => {
                        received.too_long(from);
                        Ok(())
                    }
                };
            }
        });
        result
    }

    fn end(self, received: &mut Received) -> anyhow::Result<()> {
        match self.frames.end() {
            Some(message) => received.message(self.from, &message),
            None => Ok(()),
        }
    }
}
