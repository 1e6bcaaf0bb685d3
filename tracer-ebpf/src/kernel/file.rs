//! `struct file`: descriptors, sockets, and the path of an executable.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use tracer_abi::EXE_MAX;

use super::memory::{Plain, probe};
use crate::globals::offset;

const S_IFMT: u16 = 0o170_000;
const S_IFSOCK: u16 = 0o140_000;
/// How many descriptors are looked at for a file: a table is never smaller.
const DESCRIPTORS_MAX: usize = 64;
/// Longest name of a directory entry, its zero byte included.
const NAME_MAX: usize = 256;
/// Directories and mount points a path may have; a deeper one is reported as truncated.
const DEPTH_MAX: u32 = 40;

/// An open file.
#[derive(Clone, Copy)]
pub struct File {
    at: *const u8,
}

/// The room a path needs: the longest one and one more name, because a name is read before it is
/// known whether it still fits; rounded up to the mask that bounds its length.
pub const PATH_ROOM: usize = 2 * EXE_MAX;
const _: () = assert!(PATH_ROOM.is_power_of_two() && EXE_MAX + NAME_MAX <= PATH_ROOM);

/// A path as it was written.
#[derive(Clone, Copy)]
pub struct Path {
    /// Bytes written, at most [`EXE_MAX`] and a name more.
    pub len: u32,
    /// The first components are missing.
    pub is_truncated: bool,
}

impl File {
    #[inline(always)]
    pub fn new(at: *const u8) -> Self {
        Self { at }
    }

    /// Whether one of the first descriptors of a `files_struct` is the file.
    #[inline(always)]
    pub fn is_in_table(files: *const u8, file: *const u8) -> bool {
        let table = probe::<*const u8>(files, offset!(files_table));
        let slots = probe::<*const u8>(table, offset!(table_files));
        let mut descriptor = 0;
        while descriptor < DESCRIPTORS_MAX {
            // Any table has that many slots, empty ones included.
            if probe::<*const u8>(slots, descriptor * size_of::<usize>()) == file {
                return true;
            }
            descriptor += 1;
        }
        false
    }

    /// The file behind a descriptor of a `files_struct`.
    #[inline(always)]
    pub fn of_table(files: *const u8, descriptor: u32) -> Option<Self> {
        let table = probe::<*const u8>(files, offset!(files_table));
        if descriptor >= probe::<u32>(table, offset!(table_max)) {
            return None;
        }
        let slots = probe::<*const u8>(table, offset!(table_files));
        let at = probe::<*const u8>(slots, descriptor as usize * size_of::<usize>());
        (!at.is_null()).then_some(Self { at })
    }

    #[inline(always)]
    fn read<T: Plain>(self, offset: usize) -> T {
        probe::<T>(self.at, offset)
    }

    #[inline(always)]
    fn inode<T: Plain>(self, offset: usize) -> T {
        let inode: *const u8 = self.read(offset!(file_inode));
        probe::<T>(inode, offset)
    }

    /// The socket it is, if it is one.
    #[inline(always)]
    pub fn socket(self) -> Option<Socket> {
        (self.inode::<u16>(offset!(inode_mode)) & S_IFMT == S_IFSOCK)
            .then(|| Socket::new(self.read(offset!(file_private))))
    }

    /// No directory names it any more. Not so where there is no file: a process that ends has none.
    #[inline(always)]
    pub fn is_deleted(self) -> bool {
        let inode: *const u8 = self.read(offset!(file_inode));
        !inode.is_null() && probe::<u32>(inode, offset!(inode_links)) == 0
    }

    /// Its inode.
    #[inline(always)]
    pub fn inode_address(self) -> *const u8 {
        self.read(offset!(file_inode))
    }

    /// The directory entry that it was opened by.
    #[inline(always)]
    pub fn dentry(self) -> *const u8 {
        self.read(offset!(file_dentry))
    }

    /// Where it is named.
    #[inline(always)]
    pub fn place(self) -> Place {
        Place::new(self.dentry(), self.read(offset!(file_mount)))
    }

    /// The pointer that its operations keep for themselves.
    #[inline(always)]
    pub fn private(self) -> *const u8 {
        self.read(offset!(file_private))
    }
}

/// A place in the file systems, as a mount namespace sees it.
#[derive(Clone, Copy)]
pub struct Place {
    dentry: *const u8,
    mount: *const u8,
}

impl Place {
    #[inline(always)]
    pub fn new(dentry: *const u8, mount: *const u8) -> Self {
        Self { dentry, mount }
    }

    /// Writes the components of its path, each with a zero byte, the last one first.
    ///
    /// `d_path` of the kernel may be called from a few hooks only, and this is none of them. Like
    /// `/proc/PID/exe` for a process in another mount namespace, the path ends at the root of the
    /// mount tree the file is in.
    ///
    /// # Safety
    /// `into` points to [`PATH_ROOM`] bytes.
    #[inline(always)]
    pub unsafe fn write_path(self, into: *mut u8) -> Path {
        let mut dentry = self.dentry;
        let mut vfs_mount = self.mount;
        let mut len = 0_usize;
        let mut depth = 0;
        while depth < DEPTH_MAX {
            depth += 1;
            let root = probe::<*const u8>(vfs_mount, offset!(vfs_root));
            let parent = probe::<*const u8>(dentry, offset!(dentry_parent));
            // A file of no directory has a name all the same, e.g. one that is in memory only.
            let is_alone = dentry == parent && dentry != root && len == 0;
            if (dentry == root || dentry == parent) && !is_alone {
                let mount = vfs_mount.wrapping_sub(offset!(mount_vfs));
                let above = probe::<*const u8>(mount, offset!(mount_parent));
                if above == mount || above.is_null() {
                    return Path {
                        len: len as u32,
                        is_truncated: false,
                    };
                }
                dentry = probe::<*const u8>(mount, offset!(mount_point));
                vfs_mount = above.wrapping_add(offset!(mount_vfs));
                continue;
            }
            let name = probe::<*const u8>(dentry, offset!(dentry_name));
            // SAFETY: `len` is at most EXE_MAX, so a name fits into the room that is left.
            let read = unsafe {
                bpf_probe_read_kernel_str(into.add(len).cast(), NAME_MAX as u32, name.cast())
            };
            if read <= 0 {
                break;
            }
            // The mask gives the verifier the same bounds in each round, so that it need not follow
            // every sum of lengths.
            len = (len + read as usize) & (PATH_ROOM - 1);
            if len > EXE_MAX {
                break;
            }
            if is_alone {
                return Path {
                    len: len as u32,
                    is_truncated: false,
                };
            }
            dentry = parent;
        }
        Path {
            len: len as u32,
            is_truncated: true,
        }
    }
}

/// The user-space side of a socket: what a descriptor refers to.
#[derive(Clone, Copy)]
pub struct Socket {
    at: *const u8,
}

impl Socket {
    /// No connect has been begun on it (`SS_UNCONNECTED`, uapi).
    const UNCONNECTED: u32 = 1;

    #[inline(always)]
    pub fn new(at: *const u8) -> Self {
        Self { at }
    }

    #[inline(always)]
    fn read<T: Plain>(self, offset: usize) -> T {
        probe::<T>(self.at, offset)
    }

    /// A connect now would begin an attempt rather than ask after one.
    #[inline(always)]
    pub fn is_unconnected(self) -> bool {
        self.read::<u32>(offset!(socket_state)) == Self::UNCONNECTED
    }

    /// Its inode number: names it as long as it lives, and to whoever looks into `/proc/PID/fd`.
    #[inline(always)]
    pub fn inode(self) -> u64 {
        let within = self.at.wrapping_sub(offset!(socket_within));
        probe::<u64>(within, offset!(socket_inode))
    }

    /// Its `struct sock`; null once it is released.
    #[inline(always)]
    pub fn sk(self) -> *const u8 {
        self.read(offset!(socket_sk))
    }
}
