//! Counting, so that loss can be proven.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Counters of one kind of frame on one CPU. They only grow.
///
/// `seen = selected_out + ring_full + frames in the ring`. What belongs to conntracer itself is
/// counted in `own` and nowhere else.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Cell {
    /// Times there was something to report.
    pub seen: u64,
    /// Of these, dropped because the selection did not match.
    pub selected_out: u64,
    /// Of these, dropped because the ring had no room.
    pub ring_full: u64,
    /// Sockets that could not be remembered, so that what follows on them is missing.
    pub map_full: u64,
    /// Times the tool itself was the one that acted.
    pub own: u64,
}

/// Names the counters of a [`Cell`] on the kernel side.
#[derive(Clone, Copy)]
pub enum Counted {
    /// [`Cell::seen`]
    Seen,
    /// [`Cell::selected_out`]
    SelectedOut,
    /// [`Cell::ring_full`]
    RingFull,
    /// [`Cell::map_full`]
    MapFull,
    /// [`Cell::own`]
    Own,
}

impl core::ops::AddAssign for Cell {
    fn add_assign(&mut self, other: Self) {
        self.seen += other.seen;
        self.selected_out += other.selected_out;
        self.ring_full += other.ring_full;
        self.map_full += other.map_full;
        self.own += other.own;
    }
}

/// What one CPU knows of a program that is interrupted by its own hook.
///
/// Since 6.1 the kernel does not run a tracing program on a CPU on which it is running already: a
/// softirq that interrupts it finds the hook dead. A second program at the same hook runs all the
/// same, and does the work of the first if that is the one that was interrupted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Nesting {
    /// 1 while the first program runs.
    pub active: u64,
    /// How often the second one found it running.
    pub caught: u64,
}
