//! Arrays of the kernel half, mapped into this process: read and written without a system call.
//!
//! While a system call on a map is under way, the kernel runs no kprobe program on that CPU, so a
//! hook could be missed because of us.

use std::{
    num::NonZeroUsize,
    os::fd::AsFd as _,
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::Context as _;
use aya::{Ebpf, maps::Map};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// The words of an array map with `BPF_F_MMAPABLE` (since 5.5) whose values are made of words.
pub struct Shared {
    start: NonNull<AtomicU64>,
    len: usize,
}

// SAFETY: the memory belongs to the process, and is only reached through atomics.
unsafe impl Send for Shared {}

impl Shared {
    /// Maps the first `len` words of a map.
    pub fn new(ebpf: &Ebpf, name: &str, len: usize) -> anyhow::Result<Self> {
        let Some(Map::Array(map)) = ebpf.map(name) else {
            anyhow::bail!("the kernel object has no array {name}");
        };
        let bytes = NonZeroUsize::new(len * size_of::<u64>()).context("nothing to map")?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let start = unsafe {
            mmap(
                None,
                bytes,
                protection,
                MapFlags::MAP_SHARED,
                map.fd().as_fd(),
                0,
            )
        };
        let start = start.with_context(|| format!("cannot map the array {name} into memory"))?;
        Ok(Self {
            start: start.cast(),
            len,
        })
    }

    /// The words. The kernel half changes them at any time.
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: mapped as long as self lives, and aligned to a page.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// A copy of the words, each as it was at some time while they were copied.
    pub fn load(&self) -> Vec<u64> {
        let load = |word: &AtomicU64| word.load(Ordering::Relaxed);
        self.words().iter().map(load).collect()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: mapped by new, and nobody has a reference any more. Cannot fail for a mapping that
        // exists.
        let _ = unsafe { munmap(self.start.cast(), self.len * size_of::<u64>()) };
    }
}
