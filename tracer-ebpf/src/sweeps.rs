//! Sweeps: who lists the descriptors of many other processes, to find whose sockets are.

use aya_ebpf::{bindings::BPF_NOEXIST, macros::map, maps::LruHashMap};
use tracer_abi::{Glance, Look};

use crate::{
    kernel::Task,
    looks,
    ring::{milliseconds, now_ns},
    room::clear,
};

/// Of how many other processes the descriptors make a sweep.
const SWEEP_MIN: u32 = 20;
/// Within how much time, milliseconds.
const WITHIN_MS: u32 = 2000;
/// Processes are told apart by so many bits of their ids: of more at once too few are counted.
const WORDS: usize = 64;

/// What a process has listed.
#[repr(C)]
struct Sweep {
    first_ns: u64,
    last_ns: u64,
    /// How many other processes.
    count: u64,
    /// A bit for each of them.
    seen: [u64; WORDS],
}

/// Too large for the stack.
static NOTHING: Sweep = Sweep {
    first_ns: 0,
    last_ns: 0,
    count: 0,
    seen: [0; WORDS],
};

/// Process → what it has listed. Inserted when it lists another's descriptors first. LRU: it ends with the
/// process at the latest when others need the room, and begins anew after a pause.
#[map]
static SWEEPS: LruHashMap<u32, Sweep> = LruHashMap::with_max_entries(1024, 0);

/// The running process lists the descriptors of a process, or looks at one of them.
///
/// A function of its own in the kernel too, as it is rare.
#[inline(never)]
pub fn note(listed: u32) {
    let own = Task::current().tgid();
    if listed == 0 || listed == own {
        return;
    }
    let count = counted(own, listed);
    if count >= SWEEP_MIN && count.is_multiple_of(SWEEP_MIN) {
        looks::tell(Look {
            glance: Glance::FD_SWEEP,
            count,
            ..Look::NONE
        });
    }
}

/// How many it has listed with this one; zero where that is not new.
#[inline(always)]
fn counted(own: u32, listed: u32) -> u32 {
    let Some(sweep) = entry(own) else {
        return 0;
    };
    let now_ns = now_ns();
    // SAFETY: the value of a map, which stays mapped while the program runs. Threads that add at once may
    // count one too few.
    unsafe {
        // Before there are enough they must come within the time; then the sweep goes on until there is a pause.
        let since_ns = if (*sweep).count < u64::from(SWEEP_MIN) {
            (*sweep).first_ns
        } else {
            (*sweep).last_ns
        };
        if now_ns.saturating_sub(since_ns) > milliseconds(WITHIN_MS) {
            clear(sweep);
            (*sweep).first_ns = now_ns;
        }
        (*sweep).last_ns = now_ns;
        let word = (&raw mut (*sweep).seen)
            .cast::<u64>()
            .add((listed >> 6) as usize & (WORDS - 1));
        let bit = 1_u64 << (listed & 63);
        if *word & bit != 0 {
            return 0;
        }
        *word |= bit;
        (*sweep).count += 1;
        (*sweep).count as u32
    }
}

#[inline(always)]
fn entry(own: u32) -> Option<*mut Sweep> {
    if let Some(known) = SWEEPS.get_ptr_mut(own) {
        return Some(known);
    }
    // Another thread may have been first.
    let _ = SWEEPS.insert(own, &NOTHING, u64::from(BPF_NOEXIST));
    SWEEPS.get_ptr_mut(own)
}
