//! `struct task_struct`: who is running.

use aya_ebpf::helpers::generated::bpf_get_current_task;
use tracer_abi::{Identity, Name, Offsets, identity_flag};

use super::{
    Cgroup, File, Place, Sock, Socket,
    memory::{Plain, Probed, probe},
    net_inode,
};
use crate::globals::{global, offset};

const PF_KTHREAD: u32 = 0x0020_0000;
/// x86: the system call was made through the 32-bit entry.
const TS_COMPAT: u32 = 0x0002;

/// A task.
#[derive(Clone, Copy)]
pub struct Task {
    at: *const u8,
}

impl Task {
    #[inline(always)]
    pub fn new(at: *const u8) -> Self {
        Self { at }
    }

    /// The running task. A name for an owner only in process context: in a softirq it is a stranger.
    #[inline(always)]
    pub fn current() -> Self {
        // SAFETY: the helper has no preconditions.
        Self::new(unsafe { bpf_get_current_task() } as *const u8)
    }

    #[inline(always)]
    fn read<T: Plain>(self, offset: usize) -> T {
        probe::<T>(self.at, offset)
    }

    /// Process id, initial pid namespace.
    #[inline(always)]
    pub fn tgid(self) -> u32 {
        self.read(offset!(task_tgid))
    }

    /// Thread id, initial pid namespace.
    #[inline(always)]
    pub fn tid(self) -> u32 {
        self.read(offset!(task_pid))
    }

    #[inline(always)]
    pub fn leader(self) -> Self {
        Self::new(self.read(offset!(task_leader)))
    }

    #[inline(always)]
    pub fn parent(self) -> Self {
        Self::new(self.read(offset!(task_parent)))
    }

    /// Start of the process, nanoseconds since boot: its leader's, which survives `execve`.
    #[inline(always)]
    pub fn start_ns(self) -> u64 {
        self.leader().read(offset!(task_start))
    }

    #[inline(always)]
    pub fn exec_id(self) -> u64 {
        self.read(offset!(task_exec_id))
    }

    #[inline(always)]
    pub fn is_kernel_thread(self) -> bool {
        self.read::<u32>(offset!(task_flags)) & PF_KTHREAD != 0
    }

    /// The system call in progress was made through the 32-bit entry.
    #[inline(always)]
    pub fn is_compat(self) -> bool {
        global!(OFFSETS.task_status) != Offsets::MISSING
            && self.read::<u32>(offset!(task_status)) & TS_COMPAT != 0
    }

    /// No thread of the process is left.
    #[inline(always)]
    pub fn is_last_thread(self) -> bool {
        self.signal::<i32>(offset!(signal_live)) == 0
    }

    #[inline(always)]
    fn signal<T: Plain>(self, offset: usize) -> T {
        let signal: *const u8 = self.read(offset!(task_signal));
        probe::<T>(signal, offset)
    }

    /// A socket of the task, by descriptor.
    #[inline(always)]
    pub fn socket(self, descriptor: u32) -> Option<Socket> {
        self.file(descriptor)?.socket()
    }

    /// The same without its user-space side; `None` where it is released.
    #[inline(always)]
    pub fn sock(self, descriptor: u32) -> Option<Sock<Probed>> {
        let sk = self.socket(descriptor)?.sk();
        (!sk.is_null()).then(|| Sock::new(sk))
    }

    /// Its open files are not those of the leader of its threads, whom one asks first.
    #[inline(always)]
    pub fn has_files_of_its_own(self) -> bool {
        let leader = self.leader();
        leader.at == self.at
            || self.read::<*const u8>(offset!(task_files))
                != leader.read::<*const u8>(offset!(task_files))
    }

    /// Whether one of its first descriptors is the file.
    #[inline(always)]
    pub fn holds(self, file: *const u8) -> bool {
        File::is_in_table(self.read(offset!(task_files)), file)
    }

    /// A file of the task, by descriptor.
    #[inline(always)]
    pub fn file(self, descriptor: u32) -> Option<File> {
        File::of_table(self.read(offset!(task_files)), descriptor)
    }

    /// Inode number of its network namespace.
    #[inline(always)]
    pub fn netns(self) -> u32 {
        let namespaces: *const u8 = self.read(offset!(task_nsproxy));
        net_inode(probe(namespaces, offset!(nsproxy_net)))
    }

    /// Its working directory.
    #[inline(always)]
    pub fn directory(self) -> Place {
        let fs: *const u8 = self.read(offset!(task_fs));
        Place::new(
            probe(fs, offset!(fs_pwd_dentry)),
            probe(fs, offset!(fs_pwd_mount)),
        )
    }

    /// The file of the running program.
    #[inline(always)]
    pub fn executable(self) -> File {
        let mm: *const u8 = self.read(offset!(task_mm));
        File::new(probe::<*const u8>(mm, offset!(mm_exe)))
    }

    /// Where in user memory the arguments of the program begin and end.
    #[inline(always)]
    pub fn arguments(self) -> (u64, u64) {
        let mm: *const u8 = self.read(offset!(task_mm));
        (
            probe(mm, offset!(mm_args_start)),
            probe(mm, offset!(mm_args_end)),
        )
    }

    /// What tells it from all other threads of the machine.
    #[inline(always)]
    pub fn key(self) -> u64 {
        u64::from(self.tgid()) << 32 | u64::from(self.tid())
    }

    /// Process id in the innermost pid namespace.
    #[inline(always)]
    fn ns_tgid(self) -> u32 {
        let pid: *const u8 = self.leader().read(offset!(task_thread_pid));
        let level = probe::<u32>(pid, offset!(pid_level)) as usize;
        number(pid, level)
    }

    /// Session id, initial pid namespace.
    #[inline(always)]
    fn session(self) -> u32 {
        let slot = global!(OFFSETS.pid_type_session) as usize * size_of::<usize>();
        number(self.signal(offset!(signal_pids) + slot), 0)
    }

    #[inline(always)]
    fn cred<T: Plain>(self, offset: usize) -> T {
        let cred: *const u8 = self.read(offset!(task_cred));
        probe::<T>(cred, offset)
    }

    /// A field that a kernel without audit lacks; then the value audit uses for "unset".
    #[inline(always)]
    fn audit(self, at: u32) -> u32 {
        if at == Offsets::MISSING {
            u32::MAX
        } else {
            self.read(at as usize)
        }
    }

    /// Writes down who the task is.
    #[inline(always)]
    pub fn identify(self, identity: &mut Identity) {
        let leader = self.leader();
        let (cgroup_id, is_v1) = Cgroup::id_of(self.read(offset!(task_cgroups)));
        identity.start_ns = leader.read(offset!(task_start));
        identity.exec_id = self.exec_id();
        identity.cgroup_id = cgroup_id;
        identity.tgid = self.tgid();
        identity.tid = self.tid();
        identity.ns_tgid = self.ns_tgid();
        identity.sid = self.session();
        identity.uid = self.cred(offset!(cred_uid));
        identity.gid = self.cred(offset!(cred_gid));
        identity.euid = self.cred(offset!(cred_euid));
        identity.auid = self.audit(global!(OFFSETS.task_auid));
        identity.audit_session = self.audit(global!(OFFSETS.task_audit_session));
        identity.flags = if is_v1 { identity_flag::CGROUP_V1 } else { 0 };
        if self.is_kernel_thread() {
            identity.flags |= identity_flag::KERNEL_THREAD;
        } else if self.executable().is_deleted() {
            identity.flags |= identity_flag::EXE_DELETED;
        }
        identity.comm = leader.comm();
    }

    #[inline(always)]
    pub fn comm(self) -> Name {
        Name::from_words(self.read(offset!(task_comm)))
    }

    /// Name of the controlling terminal; zeros: none.
    #[inline(always)]
    pub fn tty(self) -> Name {
        let tty: *const u8 = self.signal(offset!(signal_tty));
        // Null without a terminal, and then nothing can be read there.
        Name::from_words(probe(tty, offset!(tty_name)))
    }
}

/// `pid->numbers[level].nr`
#[inline(always)]
pub fn number(pid: *const u8, level: usize) -> u32 {
    let slot = offset!(pid_numbers) + level * offset!(upid_size) + offset!(upid_number);
    probe::<u32>(pid, slot)
}
