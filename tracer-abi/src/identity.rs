//! Who acted: a snapshot of the running task, taken in process context.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Name;

/// The task that acted on a socket.
///
/// `(tgid, start_ns)` names a process for the lifetime of the boot; with `exec_id` it names the
/// program that the process was running at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Identity {
    /// When the process (its thread group leader) was started, nanoseconds since boot.
    pub start_ns: u64,
    /// `task_struct.self_exec_id`: grows with each `execve`, is inherited over `fork`.
    pub exec_id: u64,
    /// kernfs id of the cgroup: of the unified hierarchy, or of a version 1 hierarchy where
    /// [`identity_flag::CGROUP_V1`] is set.
    pub cgroup_id: u64,
    /// Process id in the initial pid namespace. Zero: no owner is known.
    pub tgid: u32,
    /// Thread id in the initial pid namespace.
    pub tid: u32,
    /// Process id in the innermost pid namespace of the process. Zero: the process had ended when a hook
    /// found it.
    pub ns_tgid: u32,
    /// Session id (`setsid`) in the initial pid namespace.
    pub sid: u32,
    /// Real user id, initial user namespace.
    pub uid: u32,
    /// Real group id, initial user namespace.
    pub gid: u32,
    /// Effective user id, initial user namespace.
    pub euid: u32,
    /// Login user id of the audit subsystem; `u32::MAX` when unset or not compiled in.
    pub auid: u32,
    /// Session id of the audit subsystem; `u32::MAX` when unset or not compiled in.
    pub audit_session: u32,
    /// Bits of [`identity_flag`].
    pub flags: u32,
    /// Name of the process: the `comm` of its thread group leader, padded with zeros.
    pub comm: Name,
}

/// Bits of [`Identity::flags`].
pub mod identity_flag {
    /// A kernel thread (`PF_KTHREAD`): it acts for somebody else and never owns a socket.
    pub const KERNEL_THREAD: u32 = 1;
    /// `cgroup_id` belongs to the version 1 hierarchy named in the settings.
    pub const CGROUP_V1: u32 = 2;
    /// No directory names the executable any more: it may have been removed since it was executed.
    pub const EXE_DELETED: u32 = 4;
}

impl Identity {
    /// Nobody: what a connection has before a process is known to hold it.
    pub const NOBODY: Self = Self {
        start_ns: 0,
        exec_id: 0,
        cgroup_id: 0,
        tgid: 0,
        tid: 0,
        ns_tgid: 0,
        sid: 0,
        uid: 0,
        gid: 0,
        euid: 0,
        auid: 0,
        audit_session: 0,
        flags: 0,
        comm: Name::EMPTY,
    };
}
