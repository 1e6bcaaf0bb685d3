//! Hooks that are reached while they are dealt with.
//!
//! Since 6.1 the kernel does not run a tracing program on a CPU on which it is running already: a
//! softirq that interrupts it finds the hook dead. A second program at the same hook runs all the
//! same, and does the work where the first one left no trace of it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What the two programs leave for each other on one CPU.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Nesting {
    /// How often the second program did the work of the first.
    pub caught: u64,
    /// How many traces the first program has left.
    pub count: u64,
    /// Its traces, of which the second one erases those it sees: the newest is at `count - 1` modulo
    /// the length.
    pub traces: [u64; Nesting::TRACES],
}

impl Nesting {
    /// How many traces are kept: more than one only while a softirq comes between the two programs.
    pub const TRACES: usize = 8;
}
