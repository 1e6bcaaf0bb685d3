//! What the tests share: a tracer to watch, namespaces and processes to watch it with.
//!
//! Nothing here sleeps: a test waits for the record it expects, with a deadline.
#![expect(
    clippy::must_use_candidate,
    reason = "a test may wait for a record and not look at it"
)]

pub mod agent;
pub mod api_server;
pub mod bpf;
pub mod browser;
pub mod btf;
pub mod cgroup;
pub mod container;
pub mod cross_check;
pub mod device;
pub mod http;
pub mod kubernetes;
pub mod metrics;
pub mod multipath;
pub mod nemesis;
pub mod netns;
pub mod peer;
pub mod record;
pub mod rootkit;
pub mod rung;
pub mod scene;
pub mod schema;
pub mod scratch;
pub mod signals;
pub mod stories;
pub mod terminal;
pub mod tracer;
pub mod whole;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// How long a test waits for what it expects. Emulated machines are ten times slower, and may share a CPU.
pub const DEADLINE: Duration = Duration::from_mins(3);

/// Waits for what becomes true by itself.
///
/// # Panics
/// If it does not.
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not so in time: {what}");
        std::thread::yield_now();
    }
}

/// Whether the running kernel is of a version or newer.
///
/// # Panics
/// If it does not say which it is.
#[must_use]
pub fn kernel_is_at_least(major: u32, minor: u32) -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(found)), Some(Ok(below))) => (found, below) >= (major, minor),
        _ => panic!("`{release}` is no release of a kernel"),
    }
}

/// The program under test.
#[must_use]
pub fn conntracer() -> PathBuf {
    program("CONNTRACER", "conntracer")
}

/// The program that makes connections.
#[must_use]
pub fn peer() -> PathBuf {
    program("PEER", "peer")
}

/// A program named by the environment, or built beside this one.
fn program(variable: &str, name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    // Tests lie in `deps`, one below what they test.
    let own = std::env::current_exe().unwrap_or_default();
    let mut beside = own.ancestors().skip(1).map(|above| above.join(name));
    beside
        .find(|path| path.exists())
        .unwrap_or_else(|| PathBuf::from(name))
}
