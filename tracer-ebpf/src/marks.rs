//! What the first of two programs at one hook leaves for the second: that it ran for this call.
//!
//! By the call and not by the CPU, for a task that is preempted between the two may go on elsewhere.

use aya_ebpf::{macros::map, maps::Array};

use crate::kernel::Task;

const SLOTS: u32 = 4096;

/// Hash of a call → the call, from the first program to the second. Two calls that meet in one slot
/// cost the second program of one of them a look at what is done already.
#[map]
static MARKS: Array<u64> = Array::with_max_entries(SLOTS, 0);

/// Names a call of a hook that is in process context. `hook` tells it from others of the same task.
#[inline(always)]
pub fn of_task(hook: u8) -> u64 {
    // Process ids have 22 bits, so the topmost ones are free.
    Task::current().key() ^ u64::from(hook) << 56
}

/// The first program runs for this call.
#[inline(always)]
pub fn leave(call: u64) {
    if let Some(mark) = slot(call) {
        // SAFETY: the map's value is a u64; volatile, for the compiler sees nobody else look.
        unsafe { mark.write_volatile(call) };
    }
}

/// Whether the kernel skipped the first program for this call; asked by the second.
#[inline(always)]
pub fn is_missing(call: u64) -> bool {
    if let Some(mark) = slot(call) {
        // SAFETY: as above.
        unsafe {
            if mark.read_volatile() == call {
                mark.write_volatile(0);
                return false;
            }
        }
    }
    true
}

#[inline(always)]
fn slot(call: u64) -> Option<*mut u64> {
    // Fibonacci hashing: the topmost bits depend on all others.
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let hash = call.wrapping_mul(GOLDEN) >> (u64::BITS - SLOTS.trailing_zeros());
    MARKS.get_ptr_mut(hash as u32)
}
