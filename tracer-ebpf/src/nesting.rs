//! Two programs at one hook, so that none of its calls is missed. See [`tracer_abi::Nesting`].

use aya_ebpf::{macros::map, maps::PerCpuArray};
use tracer_abi::{Nested, Nesting};

use crate::counters::count_caught;

/// [`Nested`] hook → what its two programs leave for each other on this CPU.
#[map]
static NESTING: PerCpuArray<Nesting> = PerCpuArray::with_max_entries(Nested::COUNT, 0);

/// The first program at a hook leaves its trace. `call` tells this call of the hook from others.
#[inline(always)]
pub fn leave_trace(hook: u32, call: u64) {
    let Some(nesting) = NESTING.get_ptr_mut(hook) else {
        return;
    };
    // SAFETY: the map's value is a Nesting, and the index is masked. Volatile, for the compiler sees
    // nobody else look.
    unsafe {
        let count = (&raw const (*nesting).count).read_volatile();
        trace_at(nesting, count).write_volatile(call);
        (&raw mut (*nesting).count).write_volatile(count.wrapping_add(1));
    }
}

/// Whether the first program did not run for this call of the hook; asked by the second.
#[inline(always)]
pub fn was_skipped(hook: u32, call: u64) -> bool {
    let Some(nesting) = NESTING.get_ptr_mut(hook) else {
        return false;
    };
    let mut index = 0;
    while index < Nesting::TRACES as u64 {
        // SAFETY: the map's value is a Nesting, and the index is masked.
        unsafe {
            let trace = trace_at(nesting, index);
            if trace.read_volatile() == call {
                trace.write_volatile(0);
                return false;
            }
        }
        index += 1;
    }
    count_caught(hook);
    true
}

/// # Safety
/// `nesting` is the map's value.
#[inline(always)]
unsafe fn trace_at(nesting: *mut Nesting, count: u64) -> *mut u64 {
    let index = count as usize & (Nesting::TRACES - 1);
    // SAFETY: the mask keeps the index inside the array.
    unsafe { (&raw mut (*nesting).traces).cast::<u64>().add(index) }
}

const _: () = assert!(Nesting::TRACES.is_power_of_two());
