//! What the tests share: a tracer to watch, namespaces and processes to watch it with.
//!
//! Nothing here sleeps: a test waits for the record it expects, with a deadline.
#![expect(
    clippy::must_use_candidate,
    reason = "a test may wait for a record and not look at it"
)]

pub mod bpf;
pub mod cgroup;
pub mod container;
pub mod netns;
pub mod peer;
pub mod record;
pub mod rung;
pub mod scene;
pub mod schema;
pub mod scratch;
pub mod tracer;

use std::{path::PathBuf, time::Duration};

/// How long a test waits for what it expects. Emulated machines are ten times slower.
pub const DEADLINE: Duration = Duration::from_mins(1);

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
