//! Counting, so that loss can be proven.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::frame::Kind;

/// Everything one CPU counts. The counters only grow.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct CpuCounters {
    /// By kind of frame.
    pub cells: [Cell; Kind::COUNT as usize],
}

/// Counters of one kind of frame on one CPU.
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
    /// Selected connections whose end no hook saw, found out when their socket's memory was used again, or
    /// by looking.
    pub end_missed: u64,
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
    /// [`Cell::end_missed`]
    EndMissed,
}
