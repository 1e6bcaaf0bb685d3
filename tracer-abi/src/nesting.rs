//! Hooks that are reached while they are dealt with.
//!
//! Since 6.1 the kernel does not run a tracing program on a CPU on which it is running already: a
//! softirq, or from 7.0 on another task, that interrupts it finds the hook dead. A second program at
//! the same hook runs all the same, and does the work where the first one left no trace of it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The hooks with two programs.
pub struct Nested;

impl Nested {
    /// `inet_sock_set_state`
    pub const STATE: u32 = 0;
    /// `sys_exit`
    pub const SYS_EXIT: u32 = 1;
    /// How many there are.
    pub const COUNT: u32 = 2;
}

/// What the two programs at a hook leave for each other on one CPU.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Nesting {
    /// How many traces the first program has left.
    pub count: u64,
    /// Its traces, of which the second one erases those it sees: the newest is at `count - 1` modulo
    /// the length.
    pub traces: [u64; Nesting::TRACES],
}

impl Nesting {
    /// How many traces are kept: more than one only while something comes between the two programs.
    pub const TRACES: usize = 8;
}
