//! Counting what happened, so that the user half can prove what it did not miss.

use aya_ebpf::{bindings::BPF_F_MMAPABLE, macros::map, maps::Array};
use tracer_abi::{Cell, Counted, CpuCounters};

use crate::{diagnostics, ring::cpu};

/// CPU → its counters. Added to here, never reset. The loader makes room for each CPU.
///
/// The user half maps it into its memory: while a system call on a map is under way, the kernel runs
/// no kprobe program on that CPU.
#[map]
static COUNTERS: Array<CpuCounters> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Adds one to what is counted of a kind of frame.
#[inline(always)]
pub fn count(kind: u16, what: Counted) {
    diagnostics::counted(kind, what);
    let Some(counters) = of_this_cpu() else {
        return;
    };
    // SAFETY: the map's value is CpuCounters, stays mapped while the program runs, and has every kind.
    let counter = unsafe {
        let cell = (&raw mut (*counters).cells)
            .cast::<Cell>()
            .add(usize::from(kind));
        match what {
            Counted::Seen => &raw mut (*cell).seen,
            Counted::SelectedOut => &raw mut (*cell).selected_out,
            Counted::RingFull => &raw mut (*cell).ring_full,
            Counted::MapFull => &raw mut (*cell).map_full,
            Counted::Own => &raw mut (*cell).own,
            Counted::EndMissed => &raw mut (*cell).end_missed,
        }
    };
    add(counter, 1);
}

#[inline(always)]
fn of_this_cpu() -> Option<*mut CpuCounters> {
    COUNTERS.get_ptr_mut(u32::from(cpu()))
}

/// Adds to an aligned word of a map's value.
///
/// A softirq on the same CPU may count between a load and a store, so a plain increment would lose
/// one. The atomic add that returns the old value needs 5.12; this one is as old as bpf.
#[inline(always)]
pub fn add(counter: *mut u64, value: u64) {
    // SAFETY: `counter` points to an aligned u64 of a map's value.
    unsafe {
        core::arch::asm!(
            "lock *(u64 *)({counter} + 0) += {value}",
            counter = in(reg) counter,
            value = in(reg) value,
        );
    }
}
