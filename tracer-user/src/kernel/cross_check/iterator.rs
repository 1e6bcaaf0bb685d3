//! What the kernel's iterators list of the network namespace of the calling thread.

use std::cell::RefCell;

use anyhow::{Context as _, ensure};
use aya::maps::{Map, MapData, RingBuf};
use tracer_abi::{CpuCounters, Kind};
use tracer_core::{
    cross_check::Entry,
    decode::{Frame, decode},
    protocol::Protocol,
    record::Event,
    select::Compiled,
};
use zerocopy::{FromBytes as _, IntoBytes as _};

use super::super::{
    iterate::Iterator,
    ladder::{EXISTING_TCP, EXISTING_UDP, Fact, Program},
    load::{self, Attached, Request, cpus},
    policy::Policy,
    shared::Shared,
};

/// Bytes of the ring: an iterator that finds it half full waits until it is read.
const RING_BYTES: u32 = 1 << 20;
/// Words of [`CpuCounters`].
const COUNTER_WORDS: usize = size_of::<CpuCounters>() / size_of::<u64>();

/// Whether the kernel grants the iterators.
pub fn is_granted(attached: &Attached) -> bool {
    let is_in_place = |program| attached.in_place.contains(program);
    [EXISTING_TCP, EXISTING_UDP].iter().all(is_in_place)
}

/// The kernel half once more, with the iterators only and a memory of its own. It tells of each socket
/// once, so every round has a new one. What is kept of it keeps the programs and their maps.
pub struct Lister {
    tcp: Iterator,
    udp: Iterator,
    ring: RefCell<RingBuf<MapData>>,
    counters: Shared,
    /// Frames that came so far.
    received: u64,
    /// How many flows of datagrams the kernel half can remember, and how many it does.
    flows_max: u32,
    flows: u32,
}

impl Lister {
    /// Loads it.
    pub fn load() -> anyhow::Result<Self> {
        let mut attached = load::attach(&Request {
            facts: &[Fact::Existing],
            policy: &Policy::default(),
            selection: &Compiled::default(),
            ring_bytes: RING_BYTES,
            update_ms: u32::MAX,
            idle_ms: u32::MAX,
            states: false,
            log_level: 0,
        })?;
        ensure!(is_granted(&attached), "the kernel refuses them now");
        let over_all = |program: Program| attached.iterator(program, None);
        let (tcp, udp) = (over_all(EXISTING_TCP)?, over_all(EXISTING_UDP)?);
        let counters = Shared::new(&attached.ebpf, "COUNTERS", cpus()? as usize * COUNTER_WORDS)?;
        let flows_max = match attached.ebpf.map("FLOWS") {
            Some(Map::HashMap(map)) => map.info()?.max_entries(),
            _ => anyhow::bail!("the kernel object has no hash map FLOWS"),
        };
        let ring = attached.ebpf.take_map("EVENTS");
        let ring = RingBuf::try_from(ring.context("the kernel object has no map EVENTS")?)?;
        Ok(Self {
            tcp,
            udp,
            ring: RefCell::new(ring),
            counters,
            received: 0,
            flows_max,
            flows: 0,
        })
    }

    /// The sockets of a protocol, in the namespace that the thread is in.
    pub fn list(&mut self, protocol: Protocol) -> anyhow::Result<Vec<Entry>> {
        let iterator = match protocol {
            Protocol::Tcp => &self.tcp,
            Protocol::Udp => &self.udp,
        };
        let frames = RefCell::new(Vec::new());
        let drain = || {
            let mut ring = self.ring.borrow_mut();
            while let Some(frame) = ring.next() {
                frames.borrow_mut().push(decode(&frame));
            }
            true
        };
        iterator.run(drain).context("it cannot be run")?;
        drain();
        let frames = frames.into_inner();
        self.received += frames.len() as u64;
        let mut entries = Vec::new();
        for frame in frames {
            if let Frame::Connection(Event::Existing, frame) = frame? {
                entries.extend(Entry::of_frame(&frame));
            }
        }
        self.check(&entries)?;
        Ok(entries)
    }

    /// A list that the kernel half had no room for is none.
    fn check(&mut self, entries: &[Entry]) -> anyhow::Result<()> {
        let mut seen = 0;
        let words = self.counters.load();
        for cpu in words.chunks_exact(COUNTER_WORDS) {
            let Ok(cpu) = CpuCounters::read_from_bytes(cpu.as_bytes()) else {
                continue;
            };
            for (_, cell) in (0..Kind::COUNT).zip(cpu.cells) {
                ensure!(
                    cell.map_full == 0,
                    "there are more sockets than can be remembered"
                );
                seen += cell.seen;
            }
        }
        ensure!(seen == self.received, "there was no room for all of them");
        let is_flow =
            |entry: &&Entry| entry.ends.protocol == Protocol::Udp && entry.ends.remote.is_some();
        let flows = u32::try_from(entries.iter().filter(is_flow).count())?;
        self.flows = self.flows.saturating_add(flows);
        ensure!(
            self.flows < self.flows_max,
            "there are more connected UDP sockets than can be remembered"
        );
        Ok(())
    }
}
