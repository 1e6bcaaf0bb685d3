//! The way out: one ring, woken rarely.

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    macros::map,
    maps::{Array, RingBuf, ring_buf::RingBufEntry},
};
use tracer_abi::{Counted, Header};

use crate::{counters::count, globals::global};

/// Frames on their way to the user half. The loader sets the size.
#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// What the user half says while it runs, a word each. Mapped by it for the same reason as the
/// counters.
#[map]
static READER: Array<u64> = Array::with_max_entries(2, BPF_F_MMAPABLE);
/// 1 while the reader sleeps until it is woken. Set by the user half before it sleeps, cleared here by
/// the submit that wakes it.
const IS_SLEEPING: u32 = 0;
/// 1 once everything that is older than tracing was looked for.
const IS_SURVEYED: u32 = 1;

/// Sockets that are older than tracing are still being looked for.
#[inline(always)]
pub fn is_surveying() -> bool {
    // SAFETY: the map's value is a u64.
    READER
        .get_ptr(IS_SURVEYED)
        .is_some_and(|word| unsafe { *word } == 0)
}

/// Room for one frame, or `None` (counted) when the ring is full.
#[inline(always)]
pub fn reserve<T: 'static>(kind: u16) -> Option<RingBufEntry<T>> {
    let entry = EVENTS.reserve::<T>(0);
    if entry.is_none() {
        count(kind, Counted::RingFull);
    }
    entry
}

/// Writes the header of a frame of `len` bytes.
///
/// # Safety
/// `header` points into reserved ring memory.
#[inline(always)]
pub unsafe fn write_header(header: *mut Header, kind: u16, time_ns: u64, len: u32) {
    // SAFETY: the caller vouches for the memory; each field is written.
    unsafe {
        (*header).time_ns = time_ns;
        (*header).kind = kind;
        (*header).cpu = cpu();
        (*header).len = len;
    }
}

/// Hands a frame to the reader.
///
/// Waking the reader costs ten times the frame, so a submit does it only when the reader sleeps for
/// want of anything to read, or when the ring fills up faster than its timer.
#[inline(always)]
pub fn submit<T>(entry: RingBufEntry<T>) {
    entry.submit(wake_flags());
}

/// More than half of the ring waits to be read. What can wait does so then.
#[inline(always)]
pub fn is_filling() -> bool {
    EVENTS.query(u64::from(BPF_RB_AVAIL_DATA)) >= 2 * u64::from(global!(SETTINGS.wake_bytes))
}

#[inline(always)]
fn wake_flags() -> u64 {
    if let Some(sleeping) = READER.get_ptr_mut(IS_SLEEPING) {
        // SAFETY: the map's value is a u64. Two CPUs that both see 1 wake the reader twice, which
        // does no harm.
        unsafe {
            if *sleeping == 1 {
                *sleeping = 0;
                return u64::from(BPF_RB_FORCE_WAKEUP);
            }
        }
    }
    if EVENTS.query(u64::from(BPF_RB_AVAIL_DATA)) >= u64::from(global!(SETTINGS.wake_bytes)) {
        u64::from(BPF_RB_FORCE_WAKEUP)
    } else {
        u64::from(BPF_RB_NO_WAKEUP)
    }
}

/// A length of time, in nanoseconds.
#[inline(always)]
pub fn milliseconds(count: u32) -> u64 {
    u64::from(count) * 1_000_000
}

/// The CPU the program runs on.
#[inline(always)]
pub fn cpu() -> u16 {
    // SAFETY: the helper has no preconditions.
    unsafe { aya_ebpf::helpers::bpf_get_smp_processor_id() as u16 }
}

/// Nanoseconds since boot, suspended time included (since 5.8).
#[inline(always)]
pub fn now_ns() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { aya_ebpf::helpers::bpf_ktime_get_boot_ns() }
}
