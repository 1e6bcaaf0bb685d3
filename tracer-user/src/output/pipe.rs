//! A writer that nobody waits for: what it cannot take at once waits, within a bound.

use std::{
    io::{ErrorKind, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use anyhow::Context as _;
use tracing::error;

/// At the end it is waited for so long that what waits is written.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It waits to be written.
    Taken,
    /// There is no room.
    Full,
    /// Nothing is written any more: nobody reads, or it cannot be written.
    Closed,
}

/// Writes what it is handed in a thread of its own.
pub struct Pipe {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// How many bytes wait at most.
    room: usize,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// Those that are being written.
    under_way: usize,
    /// Nothing follows.
    is_over: bool,
    /// Nothing is written any more.
    is_closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        waiting: MutexGuard<'a, Waiting>,
        is_vain: impl FnMut(&mut Waiting) -> bool,
    ) -> MutexGuard<'a, Waiting> {
        self.changed
            .wait_while(waiting, is_vain)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pipe {
    /// Starts to write; so many bytes wait at most. `name`: what the writer is called in an error.
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn start(
        writer: impl Write + Send + 'static,
        name: &'static str,
        room: usize,
    ) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || write(&of_thread, writer, name))
            .context("cannot start a thread")?;
        Ok(Self {
            shared,
            thread: Some(thread),
            room,
        })
    }

    /// Hands over a line, if there is room for it.
    pub fn offer(&self, line: &[u8]) -> Offered {
        self.put(line, self.room)
    }

    /// Hands over a line that there is always room for.
    pub fn insist(&self, line: &[u8]) -> Offered {
        self.put(line, usize::MAX)
    }

    fn put(&self, line: &[u8], room: usize) -> Offered {
        let mut waiting = self.shared.lock();
        if waiting.is_closed {
            return Offered::Closed;
        }
        let used = waiting.bytes.len() + waiting.under_way;
        if used.saturating_add(line.len()) > room {
            return Offered::Full;
        }
        waiting.bytes.extend_from_slice(line);
        drop(waiting);
        self.shared.changed.notify_all();
        Offered::Taken
    }

    /// Whether half of the room is free, or nobody wants it any more.
    pub fn has_drained(&self) -> bool {
        let waiting = self.shared.lock();
        waiting.is_closed || waiting.bytes.len() + waiting.under_way <= self.room / 2
    }

    /// Nothing follows: waits until all is written, but not for ever. How many bytes are not.
    pub fn end(&mut self) -> usize {
        let mut waiting = self.shared.lock();
        waiting.is_over = true;
        self.shared.changed.notify_all();
        let is_left = |waiting: &mut Waiting| !waiting.is_closed;
        let (waiting, _) = self
            .shared
            .changed
            .wait_timeout_while(waiting, LAST_PATIENCE, is_left)
            .unwrap_or_else(PoisonError::into_inner);
        let left = waiting.bytes.len() + waiting.under_way;
        let is_done = waiting.is_closed;
        drop(waiting);
        // One that is blocked ends with the process.
        if let Some(thread) = self.thread.take()
            && is_done
            && thread.join().is_err()
        {
            error!("what writes has panicked");
        }
        left
    }
}

/// Writes until nothing follows, nobody reads, or it cannot be written.
fn write(shared: &Shared, mut writer: impl Write, name: &str) {
    loop {
        let is_idle = |waiting: &mut Waiting| waiting.bytes.is_empty() && !waiting.is_over;
        let mut waiting = shared.wait(shared.lock(), is_idle);
        let bytes = std::mem::take(&mut waiting.bytes);
        waiting.under_way = bytes.len();
        let is_last = waiting.is_over;
        drop(waiting);
        let result = writer.write_all(&bytes).and_then(|()| writer.flush());
        let mut waiting = shared.lock();
        if let Err(error) = &result
            && error.kind() != ErrorKind::BrokenPipe
        {
            error!("cannot write to {name}: {error}");
        }
        if result.is_ok() {
            waiting.under_way = 0;
        }
        waiting.is_closed = result.is_err() || (is_last && waiting.bytes.is_empty());
        let is_closed = waiting.is_closed;
        drop(waiting);
        shared.changed.notify_all();
        if is_closed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::mpsc::{Receiver, SyncSender, sync_channel},
    };

    use super::*;

    /// A writer that writes when it is allowed to.
    struct Slow {
        allowed: Receiver<()>,
        written: SyncSender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.allowed.recv().is_err() {
                return Err(ErrorKind::BrokenPipe.into());
            }
            self.written.send(bytes.to_vec()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Slow, SyncSender<()>, Receiver<Vec<u8>>) {
        let (allow, allowed) = sync_channel(16);
        let (written, results) = sync_channel(16);
        (Slow { allowed, written }, allow, results)
    }

    #[test]
    fn what_there_is_no_room_for_is_refused_and_nothing_else_is_lost() {
        let (writer, allow, written) = slow();
        let mut pipe = Pipe::start(writer, "slow", 8).unwrap();
        assert_eq!(pipe.offer(b"one\n"), Offered::Taken);
        assert_eq!(pipe.offer(b"two\n"), Offered::Taken);
        assert_eq!(pipe.offer(b"three\n"), Offered::Full);
        assert!(!pipe.has_drained());
        assert_eq!(pipe.insist(b"four\n"), Offered::Taken);
        for _ in 0..3 {
            allow.send(()).unwrap();
        }
        assert_eq!(pipe.end(), 0);
        let all: Vec<u8> = written.try_iter().flatten().collect();
        assert_eq!(all, b"one\ntwo\nfour\n");
    }

    #[test]
    fn nothing_is_taken_when_nobody_reads() {
        let (writer, allow, _written) = slow();
        let mut pipe = Pipe::start(writer, "slow", 8).unwrap();
        drop(allow);
        assert_eq!(pipe.offer(b"one\n"), Offered::Taken);
        assert_eq!(pipe.end(), 4);
        assert!(pipe.has_drained());
        assert_eq!(pipe.offer(b"two\n"), Offered::Closed);
    }
}
