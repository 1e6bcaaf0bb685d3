//! Sixteen processes that open and close as fast as they can, while many sockets are open.
//!
//! `cargo xtask stress` runs it whole: for a minute, with a hundred thousand sockets open. Among the other
//! tests it is small. Times are printed, not judged.
#![expect(clippy::print_stdout, reason = "measurements are to be read")]

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use tracer_tests::{
    bpf,
    netns::Netns,
    on_outer_rungs,
    peer::Peer,
    rung::Rung,
    stories::Stories,
    tracer::{Finished, Tracer},
    wait_until,
};

use crate::loss::flood_size;

/// Half of the processes: those that connect, each to another one.
const PAIRS: usize = 8;

/// What user space may have in memory at most, in KiB (ARCHITECTURE.md): what waits, a million connections,
/// and processes.
const MEMORY_MAX: u64 = (64 + 512 + 64) << 10;

/// How much of it there is.
enum Size {
    /// So many connections of each process that connects, four times as many that are open.
    Small(usize),
    /// For so many seconds, with so many sockets that are open.
    Whole { seconds: u64, sockets: usize },
}

impl Size {
    fn wanted() -> Self {
        let number = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
        match (number("STRESS_SECONDS"), number("STRESS_SOCKETS")) {
            (Some(seconds), Some(sockets)) => Self::Whole {
                seconds,
                sockets: usize::try_from(sockets).unwrap(),
            },
            _ => Self::Small(usize::try_from(flood_size() / 100).unwrap()),
        }
    }

    /// Connections within one process that each of those that keep some has.
    fn kept_each(&self) -> usize {
        match self {
            Self::Small(each) => each / 2,
            Self::Whole { sockets, .. } => sockets / 2 / PAIRS,
        }
    }

    fn flood(&self, netns: &Netns, target: &str) -> Peer {
        match self {
            Self::Small(each) => Peer::start(netns, &["flood", target, &each.to_string()]),
            Self::Whole { seconds, .. } => {
                Peer::start(netns, &["flood-for", target, &seconds.to_string()])
            }
        }
    }
}

on_outer_rungs!(own: under_stress_nothing_is_mixed);

fn under_stress_nothing_is_mixed(rung: Rung) {
    let size = Size::wanted();
    let netns = Netns::new();
    let keepers = [(); PAIRS].map(|()| keeper(&netns, size.kept_each()));
    let stories = Stories::default();
    let tracer = tracer_of(&stories, rung, &netns);
    let open = 2 * PAIRS * size.kept_each();
    wait_until("all that was open is told", || {
        stories.told().existing >= open
    });
    let mut servers = [(); PAIRS].map(|()| Peer::start(&netns, &["absorb", "127.0.0.1:0"]));
    let mut clients = servers.each_mut().map(|server| {
        let target = format!("127.0.0.1:{}", server.port());
        size.flood(&netns, &target)
    });
    if let Size::Whole { .. } = size {
        interrupt_another(rung, &netns);
    }
    let counts = clients
        .each_mut()
        .map(|client| client.line().parse().unwrap());
    let memory = tracer.private_kib();
    let expected = expected(&size, &counts, [&clients, &servers, &keepers]);
    for peer in clients.into_iter().chain(servers).chain(keepers) {
        peer.finish();
    }
    let (pid, inode) = (tracer.pid(), netns.inode());
    netns.wait_for_ends();
    let left = bpf::connections_of(pid, inode);
    let signal = match size {
        Size::Small(_) => Signal::SIGTERM,
        Size::Whole { .. } => Signal::SIGINT,
    };
    let (finished, took) = end(tracer, signal);
    println!(
        "{} connections, {} records, lost {}, {} MiB, ended {took:?} after the signal",
        counts.iter().sum::<usize>(),
        finished.count,
        finished.stop().at("kernel.lost"),
        memory >> 10,
    );
    assert!(memory < MEMORY_MAX, "{memory} KiB");
    let missed = match size {
        Size::Small(_) => finished.may_be_missing(),
        // On a machine that has more to do than it can, what is lost is told.
        Size::Whole { .. } => finished.lost(),
    };
    let missed = usize::try_from(missed).unwrap();
    assert!(
        left <= missed,
        "{left} are left behind, {missed} are missed"
    );
    assert_told(&stories, &expected, missed);
}

fn tracer_of(stories: &Stories, rung: Rung, netns: &Netns) -> Tracer {
    let stories = stories.clone();
    Tracer::taken_by(move |record| stories.take(record), rung, netns, &[])
}

/// A process with so many connections with itself.
fn keeper(netns: &Netns, count: usize) -> Peer {
    let mut keeper = Peer::start(netns, &["keep-many", &count.to_string()]);
    assert_eq!(keeper.line(), "kept");
    keeper
}

/// One more tracer, which finds what is open, and is interrupted while all the others are at work.
fn interrupt_another(rung: Rung, netns: &Netns) {
    let stories = Stories::default();
    let tracer = tracer_of(&stories, rung, netns);
    // Not all of it need come: on a machine that has more to do than it can, much is lost.
    wait_until("what was open is told", || stories.told().existing > 0);
    let (finished, took) = end(tracer, Signal::SIGINT);
    println!(
        "under stress: lost {}, ended {took:?} after the signal",
        finished.stop().at("kernel.lost")
    );
}

/// Ends it: what it left behind, and how long that took.
fn end(tracer: Tracer, signal: Signal) -> (Finished, Duration) {
    let told = Instant::now();
    tracer.signal(signal);
    let finished = tracer.end();
    let took = told.elapsed();
    finished.assert_totals_add_up();
    (finished, took)
}

/// How many stories there are of each process.
fn expected(
    size: &Size,
    counts: &[usize; PAIRS],
    [clients, servers, keepers]: [&[Peer; PAIRS]; 3],
) -> BTreeMap<u64, usize> {
    let of_clients = clients.iter().map(Peer::pid).zip(counts.iter().copied());
    // And the listener.
    let of_servers = servers
        .iter()
        .map(Peer::pid)
        .zip(counts.iter().map(|count| count + 1));
    let of_keepers = keepers
        .iter()
        .map(|keeper| (keeper.pid(), 2 * size.kept_each()));
    of_clients.chain(of_servers).chain(of_keepers).collect()
}

/// All was told of each connection, and nothing of another one with it; but so much may be missing.
fn assert_told(stories: &Stories, expected: &BTreeMap<u64, usize>, missed: usize) {
    let mut told = stories.told();
    told.finish();
    let shown: Vec<&str> = told.odd.iter().take(20).map(String::as_str).collect();
    assert!(told.mixed.is_empty(), "{}", told.mixed.join("\n\n"));
    // What is left of a connection whose end is missing may be found and told of.
    assert!(told.odd.len() <= 2 * missed, "{}", shown.join("\n\n"));
    let strangers: Vec<_> = told
        .whole
        .keys()
        .filter(|pid| !expected.contains_key(pid))
        .collect();
    assert!(strangers.is_empty(), "{strangers:?}");
    for (pid, count) in expected {
        // Where much is lost, all of what one process did may be.
        let found = told.whole.get(pid).copied().unwrap_or_default();
        assert!(
            found <= *count && found + missed >= *count,
            "{pid}: {found} of {count}"
        );
    }
}
