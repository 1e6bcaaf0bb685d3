//! Looking at all sockets: once for those that are older than tracing, and from time to time for
//! those that are still open. A thread of its own, because it visits network namespaces.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
};

use anyhow::Context as _;
use nix::sys::eventfd::EventFd;
use tracing::warn;

use super::{
    iterate::Iterator,
    ladder::{
        EXISTING_FILES, EXISTING_TCP, EXISTING_UDP, Program, SWEEP_ENDS, SWEEP_FLOWS,
        UPDATE_ELEMENTS, UPDATE_FLOWS,
    },
    load::Attached,
};
use crate::host::namespaces::Namespace;

/// The map of what the kernel half remembers.
const CONNECTIONS: &str = "CONNECTIONS";
/// The map of what has moved in flows of datagrams.
const FLOWS: &str = "MOVED";

/// What is to be looked at.
enum Order {
    /// What is older than tracing, in these network namespaces and wherever a process holds it.
    Existing(Vec<Namespace>),
    /// What is still open, and what has ended without a hook that ran.
    Update,
    /// Flows that are over without having said so.
    Sweep,
    /// The same, and connections: what is not told now is never told.
    Finish,
}

/// The thread that looks.
pub struct Surveyor {
    orders: Option<Sender<Order>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Surveyor {
    /// Starts it. `done` is told when it has looked at what is older than tracing. `updates_at_end`: it
    /// reports what is still open when it is to finish.
    pub fn start(
        attached: &Attached,
        done: Arc<EventFd>,
        updates_at_end: bool,
    ) -> anyhow::Result<Self> {
        let over = |program: Program, map| {
            let is_in_place = attached.in_place.contains(&program);
            let iterator = is_in_place.then(|| attached.iterator(program, map));
            iterator.transpose()
        };
        let is_over = Arc::new(AtomicBool::new(false));
        let survey = Survey {
            tcp: over(EXISTING_TCP, None)?,
            udp: over(EXISTING_UDP, None)?,
            files: over(EXISTING_FILES, None)?,
            updates: over(UPDATE_ELEMENTS, Some(CONNECTIONS))?,
            flow_updates: over(UPDATE_FLOWS, Some(FLOWS))?,
            ends: over(SWEEP_ENDS, Some(CONNECTIONS))?,
            flows: over(SWEEP_FLOWS, Some(FLOWS))?,
            done,
            is_over: is_over.clone(),
            updates_at_end,
        };
        let (orders, received) = channel();
        let thread = std::thread::Builder::new()
            .name("survey".to_owned())
            .spawn(move || survey.run(&received))
            .context("cannot start a thread")?;
        Ok(Self {
            orders: Some(orders),
            is_over,
            thread: Some(thread),
        })
    }

    /// Looks for what is older than tracing.
    pub fn existing(&self, namespaces: Vec<Namespace>) {
        self.order(Order::Existing(namespaces));
    }

    /// Reports what is still open.
    pub fn update(&self) {
        self.order(Order::Update);
    }

    /// Ends flows of datagrams in which nothing moves any more.
    pub fn sweep(&self) {
        self.order(Order::Sweep);
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // Fails only if the thread is gone, which it is when the run is over.
            let _ = orders.send(order);
        }
    }

    /// Has it leave what it is doing. Nothing is reported after this.
    pub fn finish(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.order(Order::Finish);
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The iterators that the kernel grants.
struct Survey {
    tcp: Option<Iterator>,
    udp: Option<Iterator>,
    files: Option<Iterator>,
    updates: Option<Iterator>,
    flow_updates: Option<Iterator>,
    ends: Option<Iterator>,
    flows: Option<Iterator>,
    done: Arc<EventFd>,
    /// The run is over.
    is_over: Arc<AtomicBool>,
    updates_at_end: bool,
}

impl Survey {
    fn run(&self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            match order {
                Order::Existing(namespaces) => {
                    if let Err(error) = self.visit(&namespaces) {
                        warn!("not all of what was there before the start is known: {error:#}");
                    }
                    self.look(self.files.as_ref());
                    if self.is_over() {
                        warn!("the run ended before all of what was there before it was found");
                    }
                    // Cannot fail: its counter is far from full.
                    let _ = self.done.write(1);
                }
                Order::Sweep => self.look(self.flows.as_ref()),
                Order::Update => {
                    self.look(self.ends.as_ref());
                    self.look(self.updates.as_ref());
                    self.look(self.flow_updates.as_ref());
                }
                Order::Finish => {
                    run(self.ends.as_ref(), || true);
                    run(self.flows.as_ref(), || true);
                    if self.updates_at_end {
                        run(self.updates.as_ref(), || true);
                        run(self.flow_updates.as_ref(), || true);
                    }
                }
            }
        }
    }

    /// Looks at the sockets of each namespace, also at those that no process holds.
    fn visit(&self, namespaces: &[Namespace]) -> anyhow::Result<()> {
        let own = Namespace::of_thread().context("cannot open its own namespace")?;
        for namespace in namespaces {
            match namespace.enter() {
                Ok(()) => {
                    self.look(self.tcp.as_ref());
                    self.look(self.udp.as_ref());
                }
                Err(error) => warn!(
                    "what no process holds in the network namespace {} is not known: it cannot be \
                     entered: {error}",
                    namespace.inode
                ),
            }
        }
        // A namespace ends with the last that is in it.
        own.enter().context("cannot go back to its own namespace")
    }

    /// Looks at everything, unless the run ends.
    fn look(&self, iterator: Option<&Iterator>) {
        run(iterator, || !self.is_over());
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

fn run(iterator: Option<&Iterator>, goes_on: impl Fn() -> bool) {
    if let Some(Err(error)) = iterator.map(|iterator| iterator.run(goes_on)) {
        warn!("sockets could not be looked at: {error}");
    }
}
