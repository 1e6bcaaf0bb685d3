//! Looks at the connections of this host, as they are reported.

use core::mem::MaybeUninit;

use aya_ebpf::{bindings::BPF_ANY, macros::map, maps::LruHashMap};
use tracer_abi::{Counted, Kind, Look, LookFrame};

use crate::{
    counters::count,
    globals::global,
    kernel::{PATH_ROOM, Task},
    ring::{milliseconds, now_ns, reserve, submit, write_header},
};

/// How long a process that looks at the same again is not reported, milliseconds: so that neither the twin of
/// a program nor a loop makes a flood.
const AGAIN_MS: u32 = 1000;

/// (process and the program it runs, what it looks at) → when that was reported last. Inserted with each
/// report. LRU: of what makes room, more is reported than need be.
#[map]
static LOOKED: LruHashMap<[u64; 2], u64> = LruHashMap::with_max_entries(8192, 0);

/// A look frame and the room for its path.
#[repr(C)]
struct Looking {
    fixed: LookFrame,
    tail: [u8; PATH_ROOM],
}

/// The running process looks at something.
///
/// A function of its own in the kernel too, for the stack.
#[inline(never)]
pub fn report(look: &Look) {
    let task = Task::current();
    if task.is_kernel_thread() {
        return;
    }
    let now_ns = now_ns();
    if !is_news(task, look, now_ns) {
        return;
    }
    if task.tgid() == global!(SETTINGS.own_tgid) {
        count(Kind::LOOK, Counted::Own);
        return;
    }
    count(Kind::LOOK, Counted::Seen);
    let Some(mut entry) = reserve::<Looking>(Kind::LOOK) else {
        return;
    };
    let frame = entry.as_mut_ptr();
    // SAFETY: reserved ring memory of that type; a path has PATH_ROOM bytes; every field of the fixed part is
    // written.
    unsafe {
        let fixed = &raw mut (*frame).fixed;
        let path = task
            .directory()
            .write_path((&raw mut (*frame).tail).cast::<u8>());
        let len = size_of::<LookFrame>() as u32 + path.len;
        write_header(&raw mut (*fixed).header, Kind::LOOK, now_ns, len);
        task.identify(&mut (*fixed).actor);
        (*fixed).look = *look;
        (*fixed).netns = task.netns();
        (*fixed).cwd_len = path.len;
        (*fixed).cwd_is_truncated = u32::from(path.is_truncated);
        (*fixed).reserved = 0;
    }
    submit(entry);
}

/// Whether it has not been reported just now.
#[inline(always)]
fn is_news(task: Task, look: &Look, now_ns: u64) -> bool {
    let program = u64::from(task.tgid()) << 32 | task.exec_id() & 0xffff_ffff;
    let key = [program, digest(look)];
    if let Some(last) = LOOKED.get_ptr(key) {
        // SAFETY: the value is one aligned word, read in one load.
        let last_ns = unsafe { *last };
        if now_ns.saturating_sub(last_ns) < milliseconds(AGAIN_MS) {
            return false;
        }
    }
    // An LRU map makes room rather than fail.
    let _ = LOOKED.insert(key, now_ns, u64::from(BPF_ANY));
    true
}

/// A number for what is looked at.
#[inline(always)]
fn digest(look: &Look) -> u64 {
    /// 2⁶⁴ divided by the golden ratio.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let words = (&raw const *look).cast::<u64>();
    let mut digest = 0_u64;
    let mut at = 0;
    while at < size_of::<Look>() / size_of::<u64>() {
        // SAFETY: inside the structure, which is aligned to a word and a whole number of words.
        let word = unsafe { words.add(at).read_volatile() };
        digest = (digest ^ word).rotate_left(23).wrapping_mul(SPREAD);
        at += 1;
    }
    digest
}

const _: () = assert!(size_of::<Look>() % size_of::<u64>() == 0);

/// A look in memory of which the address may be handed on.
#[inline(always)]
pub fn tell(look: Look) {
    let mut room = MaybeUninit::uninit();
    report(room.write(look));
}
