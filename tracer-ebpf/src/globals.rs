//! What the loader fills in before the programs are loaded.
//!
//! All of it is read-only and frozen: the verifier reads the values and removes dead branches.

use tracer_abi::{Offsets, Selection, Settings};

#[unsafe(no_mangle)]
pub static OFFSETS: Offsets = Offsets::UNRESOLVED;

#[unsafe(no_mangle)]
pub static SETTINGS: Settings = Settings {
    own_tgid: 0,
    wake_bytes: 0,
    update_ms: 0,
    idle_ms: 0,
    v1_subsystem: u32::MAX,
    v1_hierarchy: u32::MAX,
    states: 0,
};

#[unsafe(no_mangle)]
pub static SELECTION: Selection = Selection { used: 0, any: 0 };

/// Reads a field, volatile, for the compiler must not believe the values that stand above.
#[inline(always)]
pub fn load(field: &'static u32) -> u32 {
    // SAFETY: a reference can be read.
    unsafe { core::ptr::read_volatile(field) }
}

/// One field of a global.
macro_rules! global {
    ($global:ident.$field:ident) => {
        $crate::globals::load(&$crate::globals::$global.$field)
    };
}

/// The offset of a kernel field, in bytes.
macro_rules! offset {
    ($field:ident) => {
        $crate::globals::global!(OFFSETS.$field) as usize
    };
}

pub(crate) use {global, offset};
