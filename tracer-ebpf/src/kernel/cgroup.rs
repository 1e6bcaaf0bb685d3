//! `struct cgroup`: which one a task is in.

use tracer_abi::Offsets;

use super::memory::{Plain, probe};
use crate::globals::{global, offset};

/// A cgroup of any hierarchy.
#[derive(Clone, Copy)]
pub struct Cgroup {
    at: *const u8,
}

impl Cgroup {
    #[inline(always)]
    pub fn new(at: *const u8) -> Self {
        Self { at }
    }

    #[inline(always)]
    fn read<T: Plain>(self, offset: usize) -> T {
        probe::<T>(self.at, offset)
    }

    /// Its kernfs id: the inode number of its directory.
    #[inline(always)]
    pub fn id(self) -> u64 {
        let node: *const u8 = self.read(offset!(cgroup_node));
        probe::<u64>(node, offset!(node_id))
    }

    /// The number of its hierarchy; zero is the unified one.
    #[inline(always)]
    pub fn hierarchy(self) -> u32 {
        let root: *const u8 = self.read(offset!(cgroup_root));
        probe::<u32>(root, offset!(cgroup_root_hierarchy))
    }

    /// The cgroup that tells most about a task, given its `css_set`: that of the unified hierarchy,
    /// or, where the task is in its root and a version 1 controller is mounted, that controller's.
    #[inline(always)]
    pub fn id_of(css_set: *const u8) -> (u64, bool) {
        let unified = Self::new(probe::<*const u8>(css_set, offset!(css_set_default)));
        let subsystem = global!(SETTINGS.v1_subsystem);
        if subsystem == Offsets::MISSING || unified.read::<u32>(offset!(cgroup_level)) != 0 {
            return (unified.id(), false);
        }
        let slot = offset!(css_set_subsystems) + subsystem as usize * size_of::<usize>();
        let state = probe::<*const u8>(css_set, slot);
        let v1 = Self::new(probe::<*const u8>(state, offset!(css_cgroup)));
        if v1.read::<u32>(offset!(cgroup_level)) == 0 {
            (unified.id(), false)
        } else {
            (v1.id(), true)
        }
    }
}
