//! Draining the ring: a thread of its own, so that nothing behind it can slow it down.
//!
//! What was drained waits in a queue of bounded size. When what comes behind is too slow for it,
//! frames are dropped here and counted; the lives of processes are kept longest, for what is dropped
//! of them is missed by every connection that follows.

use std::{
    os::fd::AsFd as _,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use aya::maps::{MapData, RingBuf};
use nix::{
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
        eventfd::{EfdFlags, EventFd},
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
    time::{ClockId, clock_gettime},
};
use tracer_abi::{CpuCounters, Kind};
use tracer_core::{
    decode::{kind_of, used},
    pipeline::is_of_processes,
    select::Compiled,
    totals::{Counters, Counts},
};
use zerocopy::{FromBytes as _, IntoBytes as _};

use super::{
    load::{Attached, cpus},
    log::KernelLog,
    maps::ScopeMap,
    missed::Meter,
    shared::Shared,
};

/// How long frames may lie in the ring while there is traffic. A submit that wakes the reader costs
/// ten times the frame itself, so the reader comes by on its own.
const INTERVAL: Duration = Duration::from_millis(5);
/// How often the counters are read.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);
/// Bytes of frames about connections that may wait to be processed.
const CONNECTIONS_MAX: usize = 32 << 20;
/// Bytes of frames of all kinds that may wait to be processed.
const ALL_MAX: usize = 64 << 20;
/// How long the last frames may take: a program that was running when it was detached has
/// microseconds of work left.
const LAST_FRAMES: Duration = Duration::from_millis(200);
/// Frames are handed over in pieces of about this many bytes.
const BATCH_BYTES: usize = 256 << 10;

/// What a source of frames has to say.
#[derive(Debug)]
pub enum Message {
    /// Frames, one after the other, each as long as its header says.
    Frames(Vec<u8>),
    /// The counters, at a time in nanoseconds since boot.
    Counters(u64, Counters),
    /// The user wants to stop.
    Interrupted,
    /// Nothing happened in the time given.
    TimedOut,
    /// Nothing will come any more.
    Ended,
}

/// The door to the kernel.
pub trait Source {
    /// The next message; waits for it as long as `timeout` says.
    fn next(&mut self, timeout: Option<Duration>) -> Message;

    /// Makes the kernel select by what the rules about addresses are now.
    fn select(&mut self, selection: &Compiled) -> anyhow::Result<()>;

    /// Makes the kernel stop. What it had to say until then still comes, the last counters at the
    /// end, and then [`Message::Ended`].
    fn stop(&mut self) -> anyhow::Result<()>;
}

/// The ring of the running kernel.
pub struct Kernel {
    attached: Attached,
    scopes: Option<ScopeMap>,
    messages: Receiver<Message>,
    queued: Arc<AtomicUsize>,
    stop: EventFd,
    thread: Option<JoinHandle<()>>,
    /// Ends with the draining.
    _log: Option<KernelLog>,
}

impl Kernel {
    /// Starts to drain. From here SIGINT, SIGTERM and SIGHUP are messages.
    pub fn start(
        mut attached: Attached,
        selection: &Compiled,
        log: Option<KernelLog>,
    ) -> anyhow::Result<Self> {
        let scopes = ScopeMap::take(&mut attached.ebpf, selection)?;
        let (sender, messages) = channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let stop = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let drain = Drain::new(&mut attached, sender, queued.clone(), &stop)?;
        let thread = std::thread::Builder::new()
            .name("drain".to_owned())
            .spawn(move || drain.run())
            .context("cannot start a thread")?;
        Ok(Self {
            attached,
            scopes,
            messages,
            queued,
            stop,
            thread: Some(thread),
            _log: log,
        })
    }
}

impl Source for Kernel {
    fn next(&mut self, timeout: Option<Duration>) -> Message {
        let message = match timeout {
            Some(timeout) => self.messages.recv_timeout(timeout),
            None => self
                .messages
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
        };
        match message {
            Ok(Message::Frames(frames)) => {
                self.queued.fetch_sub(frames.len(), Ordering::Relaxed);
                Message::Frames(frames)
            }
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => Message::TimedOut,
            Err(RecvTimeoutError::Disconnected) => Message::Ended,
        }
    }

    fn select(&mut self, selection: &Compiled) -> anyhow::Result<()> {
        let scopes = self.scopes.as_mut();
        scopes.map_or(Ok(()), |scopes| scopes.update(selection))
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        self.attached.detach();
        self.stop.write(1).context("cannot stop the draining")?;
        Ok(())
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        // Has no effect if it has stopped already.
        let _ = self.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The signals that end a run.
pub fn ending_signals() -> SigSet {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGHUP);
    signals
}

/// Words of [`CpuCounters`].
const COUNTER_WORDS: usize = size_of::<CpuCounters>() / size_of::<u64>();

/// What an epoll event is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Ring = 0,
    Signal = 1,
    Stop = 2,
}

/// The draining thread.
struct Drain {
    ring: RingBuf<MapData>,
    /// One word: 1 while the kernel half shall wake this thread.
    reader: Shared,
    /// [`CpuCounters`] of each CPU.
    counters: Shared,
    missed: Meter,
    epoll: Epoll,
    signals: SignalFd,
    messages: Sender<Message>,
    queued: Arc<AtomicUsize>,
    received: Received,
    is_interrupted: bool,
    is_stopping: bool,
}

/// What came out of the ring.
#[derive(Default)]
struct Received {
    connections: Counts,
    processes: Counts,
}

impl Drain {
    fn new(
        attached: &mut Attached,
        messages: Sender<Message>,
        queued: Arc<AtomicUsize>,
        stop: &EventFd,
    ) -> anyhow::Result<Self> {
        let ring = attached.ebpf.take_map("EVENTS");
        let ring = RingBuf::try_from(ring.context("the kernel object has no map EVENTS")?)?;
        let reader = Shared::new(&attached.ebpf, "READER", 1)?;
        let counter_words = cpus()? as usize * COUNTER_WORDS;
        let counters = Shared::new(&attached.ebpf, "COUNTERS", counter_words)?;
        let missed = Meter::new(&attached.ebpf, &attached.in_place);
        let signals = ending_signals();
        signals.thread_block()?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&signals, flags)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let add = |fd, flags, about: About| epoll.add(fd, EpollEvent::new(flags, about as u64));
        // Only a wake-up counts, not that there is data.
        let edge = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        add(ring.as_fd(), edge, About::Ring)?;
        add(signals.as_fd(), EpollFlags::EPOLLIN, About::Signal)?;
        add(stop.as_fd(), EpollFlags::EPOLLIN, About::Stop)?;
        Ok(Self {
            ring,
            reader,
            counters,
            missed,
            epoll,
            signals,
            messages,
            queued,
            received: Received::default(),
            is_interrupted: false,
            is_stopping: false,
        })
    }

    /// Drains until told to stop, or until nobody listens any more.
    fn run(mut self) {
        let mut next_count = Instant::now() + COUNT_INTERVAL;
        while !self.is_stopping {
            let drained = self.drain();
            if Instant::now() >= next_count {
                next_count += COUNT_INTERVAL;
                if !self.send_counters() {
                    return;
                }
            }
            let until_count = next_count.saturating_duration_since(Instant::now());
            if drained > 0 {
                self.wait(INTERVAL.min(until_count));
            } else {
                self.sleep(until_count);
            }
        }
        self.drain_rest();
        self.send_counters();
        let _ = self.messages.send(Message::Ended);
    }

    /// Waits until the kernel half wakes it. A program that had decided not to before it was told
    /// hands over its frame within the first, short wait.
    fn sleep(&mut self, at_most: Duration) {
        self.ask_to_be_woken(1);
        self.wait(INTERVAL.min(at_most));
        if self.drain() == 0 {
            self.wait(at_most.saturating_sub(INTERVAL));
        }
        self.ask_to_be_woken(0);
    }

    fn ask_to_be_woken(&self, value: u64) {
        let store = |word: &AtomicU64| word.store(value, Ordering::SeqCst);
        self.reader.words().iter().for_each(store);
    }

    fn wait(&mut self, at_most: Duration) {
        let mut events = [EpollEvent::empty(); 4];
        // Rounded up: a wait of zero would spin.
        let timeout = EpollTimeout::try_from(at_most + Duration::from_micros(999))
            .unwrap_or(EpollTimeout::ZERO);
        let count = self.epoll.wait(&mut events, timeout).unwrap_or(0);
        for event in events.iter().take(count) {
            if event.data() == About::Signal as u64 {
                self.interrupt();
            } else if event.data() == About::Stop as u64 {
                self.is_stopping = true;
            }
        }
    }

    /// The first signal asks for an orderly end. Who asks twice does not want to wait for it.
    fn interrupt(&mut self) {
        while let Ok(Some(_)) = self.signals.read_signal() {
            if self.is_interrupted {
                std::process::exit(130);
            }
            self.is_interrupted = true;
            let _ = self.messages.send(Message::Interrupted);
        }
    }

    /// Takes all that is in the ring. How many frames that was.
    fn drain(&mut self) -> usize {
        let mut batch = Vec::new();
        let mut count = 0;
        while let Some(frame) = self.ring.next() {
            count += 1;
            let frame = used(&frame);
            let queued = self.queued.load(Ordering::Relaxed) + batch.len();
            if self.received.admit(frame, queued) {
                batch.extend_from_slice(frame);
            }
            if batch.len() >= BATCH_BYTES {
                send(&self.messages, &self.queued, std::mem::take(&mut batch));
            }
        }
        send(&self.messages, &self.queued, batch);
        count
    }

    /// After detaching: takes what is left, until the counters say that nothing is missing.
    fn drain_rest(&mut self) {
        let deadline = Instant::now() + LAST_FRAMES;
        loop {
            self.drain();
            let counters = self.count();
            let is_complete = |counts: &Counts| {
                counts.seen <= counts.selected_out + counts.ring_full + counts.received
            };
            if (is_complete(&counters.connections) && is_complete(&counters.processes))
                || Instant::now() > deadline
            {
                return;
            }
            std::thread::yield_now();
        }
    }

    fn send_counters(&mut self) -> bool {
        let time = clock_gettime(ClockId::CLOCK_BOOTTIME)
            .map_or(0, |time| time.tv_sec() * 1_000_000_000 + time.tv_nsec());
        let message = Message::Counters(u64::try_from(time).unwrap_or_default(), self.count());
        self.messages.send(message).is_ok()
    }

    /// Adds up the cells of all CPUs.
    fn count(&self) -> Counters {
        let mut counters = Counters {
            connections: self.received.connections,
            processes: self.received.processes,
        };
        let words = self.counters.load();
        for cpu in words.chunks_exact(COUNTER_WORDS) {
            let Ok(cpu) = CpuCounters::read_from_bytes(cpu.as_bytes()) else {
                continue;
            };
            for (kind, cell) in (0..Kind::COUNT).zip(cpu.cells) {
                let counts = if is_of_processes(kind) {
                    &mut counters.processes
                } else {
                    &mut counters.connections
                };
                counts.seen += cell.seen;
                counts.selected_out += cell.selected_out;
                counts.ring_full += cell.ring_full;
                counts.map_full += cell.map_full;
                counts.own += cell.own;
            }
        }
        let missed = self.missed.read();
        counters.connections.hook_missed = missed.connections;
        counters.processes.hook_missed = missed.processes;
        counters
    }
}

impl Received {
    /// Counts a frame. Whether there is room for it behind the `queued` bytes.
    fn admit(&mut self, frame: &[u8], queued: usize) -> bool {
        let is_process = kind_of(frame).is_some_and(is_of_processes);
        let (counts, max) = if is_process {
            (&mut self.processes, ALL_MAX)
        } else {
            (&mut self.connections, CONNECTIONS_MAX)
        };
        counts.received += 1;
        let has_room = queued + frame.len() <= max;
        if !has_room {
            counts.output += 1;
        }
        has_room
    }
}

fn send(messages: &Sender<Message>, queued: &AtomicUsize, batch: Vec<u8>) {
    if !batch.is_empty() {
        queued.fetch_add(batch.len(), Ordering::Relaxed);
        // Fails when the run is over.
        let _ = messages.send(Message::Frames(batch));
    }
}

/// Splits frames that lie one after the other. What does not make a frame is the last piece.
pub fn frames(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let len = used(bytes).len().max(1);
        let (frame, rest) = bytes.split_at_checked(len).unwrap_or((bytes, &[]));
        bytes = rest;
        Some(frame)
    })
}
