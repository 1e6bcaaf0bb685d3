//! The lives of processes and cgroups, so that an owner keeps its name after it is gone.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Header, Identity, Name};

/// Bytes of executable path an [`ExecFrame`] can carry.
pub const EXE_MAX: usize = 1024;
/// Bytes of arguments an [`ExecFrame`] can carry.
pub const ARGS_MAX: usize = 4096;
/// Bytes of path a [`CgroupFrame`] can carry: as many as the tracepoint has.
pub const CGROUP_PATH_MAX: usize = 1024;

/// A process executed a program. Behind the fixed part lie `exe_len` bytes of path components,
/// each followed by a zero byte, the last component of the path first, then, where
/// [`exec_flag::HAS_NETNS`] is set, four bytes of the inode number of its network namespace, then `args_len`
/// bytes of arguments, each followed by a zero byte.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ExecFrame {
    /// What, when and where.
    pub header: Header,
    /// The process after `execve`.
    pub identity: Identity,
    /// Start of its parent, nanoseconds since boot.
    pub parent_start_ns: u64,
    /// `exec_id` of its parent.
    pub parent_exec_id: u64,
    /// Process id of its parent.
    pub parent_tgid: u32,
    /// Bits of [`exec_flag`].
    pub flags: u32,
    /// Bytes of path components.
    pub exe_len: u32,
    /// Bytes of arguments.
    pub args_len: u32,
    /// Name of the controlling terminal, e.g. `pts0`, padded with zeros; empty: none.
    pub tty: Name,
}

/// Bits of [`ExecFrame::flags`].
pub mod exec_flag {
    /// There were more than [`ARGS_MAX`](super::ARGS_MAX) bytes of arguments.
    pub const ARGS_TRUNCATED: u32 = 1;
    /// The executable has no name in any file system.
    pub const EXE_DELETED: u32 = 2;
    /// The path did not fit; its first components are missing.
    pub const EXE_TRUNCATED: u32 = 4;
    /// The arguments could not be read.
    pub const ARGS_UNREADABLE: u32 = 8;
    /// Its network namespace is told; not so in recordings of versions before it was.
    pub const HAS_NETNS: u32 = 16;
}

/// A process was forked.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ForkFrame {
    /// What, when and where.
    pub header: Header,
    /// Start of the child, nanoseconds since boot.
    pub child_start_ns: u64,
    /// `exec_id` of the child, as inherited.
    pub child_exec_id: u64,
    /// Start of the parent.
    pub parent_start_ns: u64,
    /// `exec_id` of the parent.
    pub parent_exec_id: u64,
    /// Process id of the child.
    pub child_tgid: u32,
    /// Process id of the parent.
    pub parent_tgid: u32,
    /// Name of the child, as inherited.
    pub comm: Name,
}

/// The last thread of a process ended. Its sockets are closed after this.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ExitFrame {
    /// What, when and where.
    pub header: Header,
    /// Start of the process.
    pub start_ns: u64,
    /// Its process id.
    pub tgid: u32,
    /// Zero.
    pub reserved: u32,
}

/// A cgroup was made. Behind the fixed part lies its path, ended by a zero byte.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CgroupFrame {
    /// What, when and where.
    pub header: Header,
    /// Its kernfs id.
    pub id: u64,
    /// Number of its hierarchy; zero is the unified one.
    pub hierarchy: u32,
    /// Bytes of path, the zero byte included.
    pub path_len: u32,
}
