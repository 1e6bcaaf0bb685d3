//! What the loader tells the kernel programs once, before they are loaded.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Read-only to the programs and frozen before they are verified, so that a branch that is switched
/// off costs nothing.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Settings {
    /// Process id of conntracer, whose own connections are not reported.
    pub own_tgid: u32,
    /// Bytes waiting in the ring above which the reader is woken.
    pub wake_bytes: u32,
    /// How long a connection has been open, milliseconds, before it is updated.
    pub update_ms: u32,
    /// How long there is no datagram, milliseconds, before a flow is over.
    pub idle_ms: u32,
    /// Index of the version 1 controller whose cgroup names a process that is in the root of the
    /// unified hierarchy; `u32::MAX`: none is mounted.
    pub v1_subsystem: u32,
    /// Number of that controller's hierarchy; `u32::MAX`: none.
    pub v1_hierarchy: u32,
    /// 1: every TCP state change of a connection is reported.
    pub states: u32,
}
