//! Counting what happened, so that the user half can prove what it did not miss.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use tracer_abi::{Cell, Counted, Kind};

/// Kind of frame → its counters on this CPU. Added to here, read by the user half, never reset.
#[map]
static COUNTERS: PerCpuArray<Cell> = PerCpuArray::with_max_entries(Kind::COUNT as u32, 0);

/// Adds one.
#[inline(always)]
pub fn count(kind: u16, what: Counted) {
    let Some(cell) = COUNTERS.get_ptr_mut(u32::from(kind)) else {
        return;
    };
    // SAFETY: the map's value is a `Cell` and stays mapped while the program runs.
    let counter = unsafe {
        match what {
            Counted::Seen => &raw mut (*cell).seen,
            Counted::SelectedOut => &raw mut (*cell).selected_out,
            Counted::RingFull => &raw mut (*cell).ring_full,
            Counted::MapFull => &raw mut (*cell).map_full,
            Counted::Own => &raw mut (*cell).own,
        }
    };
    add_one(counter);
}

/// Adds one to a counter of this CPU.
///
/// A softirq on the same CPU may count between a load and a store, so a plain increment would lose
/// one. The atomic add that returns the old value needs 5.12; this one is as old as bpf.
#[inline(always)]
pub fn add_one(counter: *mut u64) {
    // SAFETY: `counter` points to an aligned u64 of a map's value.
    unsafe {
        core::arch::asm!(
            "lock *(u64 *)({counter} + 0) += {one}",
            counter = in(reg) counter,
            one = in(reg) 1_u64,
        );
    }
}
