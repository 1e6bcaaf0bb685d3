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
use nix::sys::{
    epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
    eventfd::{EfdFlags, EventFd},
};
use tracer_abi::{CpuCounters, Kind};
use tracer_core::{
    decode::used,
    fact,
    select::Compiled,
    totals::{Counters, Counts},
};
use zerocopy::{FromBytes as _, IntoBytes as _};

use super::{
    cross_check::Checker,
    detached::Watch,
    interrupts::{Interrupt, Interrupts},
    load::{Attached, cpus},
    log::KernelLog,
    maps::NetworkMap,
    missed::Meter,
    received::{Backlog, Received},
    shared::Shared,
    source::{Message, Source},
    survey::Surveyor,
};
use crate::host::{clock::boot_ns, namespaces::Namespace};

/// How long frames may lie in the ring while there is traffic. A submit that wakes the reader costs
/// ten times the frame itself, so the reader comes by on its own.
const INTERVAL: Duration = Duration::from_millis(5);
/// How often the counters are read.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);
/// How long the last frames may take: a program that was running when it was detached has
/// microseconds of work left.
const LAST_FRAMES: Duration = Duration::from_millis(200);
/// Frames are handed over in pieces of about this many bytes.
const BATCH_BYTES: usize = 256 << 10;

/// The ring of the running kernel.
pub struct Kernel {
    attached: Attached,
    /// What is selected by, and may change.
    networks: Vec<NetworkMap>,
    messages: Receiver<Message>,
    queued: Arc<AtomicUsize>,
    interrupts: Arc<Interrupts>,
    backlog: Backlog,
    /// What is told at the end tells of all that waits.
    tells_all: bool,
    surveyor: Surveyor,
    checker: Option<Checker>,
    /// What a cross-check is to look at.
    namespaces: Vec<Namespace>,
    stop: EventFd,
    thread: Option<JoinHandle<()>>,
    /// Ends with the draining.
    _log: Option<KernelLog>,
}

impl Kernel {
    /// Starts to drain. From here SIGINT, SIGTERM and SIGHUP are messages. `updates_at_end`: what is open
    /// at the end is updated then, and all is told however long that takes. `reloads`: SIGHUP asks for what is
    /// configured to be read again.
    pub fn start(
        mut attached: Attached,
        selection: &Compiled,
        checker: Option<Checker>,
        log: Option<KernelLog>,
        updates_at_end: bool,
        reloads: bool,
    ) -> anyhow::Result<Self> {
        let networks = NetworkMap::take(&mut attached.ebpf, selection)?;
        let (sender, messages) = channel();
        let stop = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let surveyed = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let surveyed = Arc::new(surveyed);
        let surveyor = Surveyor::start(&attached, surveyed.clone(), updates_at_end)?;
        let interrupts = Interrupts::listen(sender.clone(), reloads)?;
        let drain = Drain::new(&mut attached, sender, &stop, surveyed)?;
        let queued = drain.queued.clone();
        let thread = std::thread::Builder::new()
            .name("drain".to_owned())
            .spawn(move || drain.run())
            .context("cannot start a thread")?;
        Ok(Self {
            attached,
            networks,
            messages,
            queued,
            interrupts,
            backlog: Backlog::default(),
            tells_all: updates_at_end,
            surveyor,
            checker,
            namespaces: Vec::new(),
            stop,
            thread: Some(thread),
            _log: log,
        })
    }
}

impl Kernel {
    /// The next message of the thread that drains.
    fn receive(&self, timeout: Option<Duration>) -> Message {
        let message = match timeout {
            Some(timeout) => self.messages.recv_timeout(timeout),
            None => self
                .messages
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
        };
        message.unwrap_or_else(|error| match error {
            RecvTimeoutError::Timeout => Message::TimedOut,
            RecvTimeoutError::Disconnected => Message::Ended,
        })
    }
}

impl Source for Kernel {
    fn next(&mut self, timeout: Option<Duration>) -> Message {
        if let Some(interrupt) = self.interrupts.take() {
            if interrupt == Interrupt::Awaited && !self.tells_all {
                self.backlog.interrupt(Instant::now());
            }
            return Message::Interrupted;
        }
        loop {
            match self.receive(timeout) {
                Message::Frames(frames) => {
                    self.queued.fetch_sub(frames.len(), Ordering::Relaxed);
                    if self.backlog.admit(&frames, Instant::now()) {
                        return Message::Frames(frames);
                    }
                }
                Message::Counters(time_ns, counters) => {
                    return Message::Counters(time_ns, self.backlog.add_to(counters));
                }
                message => return message,
            }
        }
    }

    fn select(&mut self, selection: &Compiled) -> anyhow::Result<()> {
        let mut networks = self.networks.iter_mut();
        networks.try_for_each(|map| map.update(selection))
    }

    fn survey(&mut self, namespaces: Vec<Namespace>) {
        self.namespaces.clone_from(&namespaces);
        self.surveyor.existing(namespaces);
    }

    fn cross_check(&mut self) -> Option<fact::CrossCheck> {
        let checker = self.checker.as_ref()?;
        Some(checker.run(&self.namespaces))
    }

    fn update(&mut self) {
        self.surveyor.update();
    }

    fn sweep(&mut self) {
        self.surveyor.sweep();
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        self.surveyor.finish();
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

/// The words of `READER`: 1 while the kernel half shall wake this thread,
const IS_SLEEPING: usize = 0;
/// and 1 once everything that is older than tracing was looked for.
const IS_SURVEYED: usize = 1;

/// Words of [`CpuCounters`].
const COUNTER_WORDS: usize = size_of::<CpuCounters>() / size_of::<u64>();

/// What an epoll event is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Ring = 0,
    Stop = 1,
    Surveyed = 2,
}

/// The draining thread.
struct Drain {
    ring: RingBuf<MapData>,
    /// What this thread says to the kernel half: [`IS_SLEEPING`], [`IS_SURVEYED`].
    reader: Shared,
    /// [`CpuCounters`] of each CPU.
    counters: Shared,
    missed: Meter,
    watch: Watch,
    epoll: Epoll,
    /// Told when all of what was there before is in the ring.
    surveyed: Arc<EventFd>,
    messages: Sender<Message>,
    queued: Arc<AtomicUsize>,
    received: Received,
    is_stopping: bool,
    is_surveyed: bool,
}

impl Drain {
    fn new(
        attached: &mut Attached,
        messages: Sender<Message>,
        stop: &EventFd,
        surveyed: Arc<EventFd>,
    ) -> anyhow::Result<Self> {
        let ring = attached.ebpf.take_map("EVENTS");
        let ring = RingBuf::try_from(ring.context("the kernel object has no map EVENTS")?)?;
        let reader = Shared::new(&attached.ebpf, "READER", 2)?;
        let counter_words = cpus()? as usize * COUNTER_WORDS;
        let counters = Shared::new(&attached.ebpf, "COUNTERS", counter_words)?;
        let missed = Meter::new(&attached.ebpf, &attached.in_place);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let add = |fd, flags, about: About| epoll.add(fd, EpollEvent::new(flags, about as u64));
        // Only a wake-up counts, not that there is data.
        let edge = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        add(ring.as_fd(), edge, About::Ring)?;
        add(stop.as_fd(), EpollFlags::EPOLLIN, About::Stop)?;
        add(surveyed.as_fd(), EpollFlags::EPOLLIN, About::Surveyed)?;
        Ok(Self {
            ring,
            reader,
            counters,
            missed,
            watch: Watch::new(attached),
            epoll,
            surveyed,
            messages,
            queued: Arc::default(),
            received: Received::default(),
            is_stopping: false,
            is_surveyed: false,
        })
    }

    /// Drains until told to stop, or until nobody listens any more.
    fn run(mut self) {
        let mut next_count = Instant::now() + COUNT_INTERVAL;
        while !self.is_stopping {
            let drained = self.drain();
            self.tell_surveyed();
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
        self.tell_surveyed();
        self.send_counters();
    }

    /// Waits until the kernel half wakes it. A program that had decided not to before it was told
    /// hands over its frame within the first, short wait.
    fn sleep(&mut self, at_most: Duration) {
        self.say(IS_SLEEPING, 1);
        self.wait(INTERVAL.min(at_most));
        if self.drain() == 0 {
            self.wait(at_most.saturating_sub(INTERVAL));
        }
        self.say(IS_SLEEPING, 0);
    }

    fn say(&self, what: usize, value: u64) {
        let store = |word: &AtomicU64| word.store(value, Ordering::SeqCst);
        self.reader.words().get(what).into_iter().for_each(store);
    }

    fn wait(&mut self, at_most: Duration) {
        let mut events = [EpollEvent::empty(); 3];
        // Rounded up: a wait of zero would spin.
        let timeout = EpollTimeout::try_from(at_most + Duration::from_micros(999))
            .unwrap_or(EpollTimeout::ZERO);
        let count = self.epoll.wait(&mut events, timeout).unwrap_or(0);
        for event in events.iter().take(count) {
            if event.data() == About::Stop as u64 {
                self.is_stopping = true;
            } else if event.data() == About::Surveyed as u64 {
                // Reading makes it silent again.
                self.is_surveyed = self.surveyed.read().is_ok();
            }
        }
    }

    /// Once all of what was there before has been taken from the ring.
    fn tell_surveyed(&mut self) {
        if std::mem::take(&mut self.is_surveyed) {
            self.say(IS_SURVEYED, 1);
            // Fails when the run is over.
            let _ = self.messages.send(Message::Surveyed(boot_ns()));
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
        for detached in self.watch.look() {
            // Fails when the run is over.
            let _ = self.messages.send(Message::Detached(detached));
        }
        let message = Message::Counters(boot_ns(), self.count());
        self.messages.send(message).is_ok()
    }

    /// Adds up the cells of all CPUs.
    fn count(&mut self) -> Counters {
        let mut counters = self.received.counters;
        let words = self.counters.load();
        for cpu in words.chunks_exact(COUNTER_WORDS) {
            let Ok(cpu) = CpuCounters::read_from_bytes(cpu.as_bytes()) else {
                continue;
            };
            for (kind, cell) in (0..Kind::COUNT).zip(cpu.cells) {
                let counts = counters.of_kind(kind);
                counts.seen += cell.seen;
                counts.selected_out += cell.selected_out;
                counts.ring_full += cell.ring_full;
                counts.map_full += cell.map_full;
                counts.own += cell.own;
                counts.hook_missed += cell.end_missed;
            }
        }
        let missed = self.missed.read();
        counters.connections.hook_missed += missed.connections;
        counters.processes.hook_missed += missed.processes;
        counters.connections.hook_detached = self.watch.count();
        counters
    }
}

impl Drop for Drain {
    /// Whoever waits for the end hears of it even if draining fails.
    fn drop(&mut self) {
        // Fails when the run is over.
        let _ = self.messages.send(Message::Ended);
    }
}

fn send(messages: &Sender<Message>, queued: &AtomicUsize, batch: Vec<u8>) {
    if !batch.is_empty() {
        queued.fetch_add(batch.len(), Ordering::Relaxed);
        // Fails when the run is over.
        let _ = messages.send(Message::Frames(batch));
    }
}
