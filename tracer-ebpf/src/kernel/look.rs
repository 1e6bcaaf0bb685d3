//! What shows connections: files of `/proc`, requests over netlink, iterators of BPF.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use tracer_abi::{Glance, Look, Name};

use super::{
    File, Sock,
    memory::{Memory, Probed, probe},
    net_inode,
    task::number,
};
use crate::globals::offset;

/// `PROC_SUPER_MAGIC` (`include/uapi/linux/magic.h`)
const PROC_SUPER_MAGIC: u64 = 0x9fa0;

/// A name as it lies in the two words of a [`Name`].
const fn words(name: &[u8]) -> [u64; 2] {
    let mut words = [0_u64; 2];
    let mut at = 0;
    while at < name.len() {
        words[at / 8] |= (name[at] as u64) << (at % 8 * 8);
        at += 1;
    }
    words
}

const NET: [u64; 2] = words(b"net");
const FD: [u64; 2] = words(b"fd");
const CONNTRACK: [u64; 2] = words(b"nf_conntrack");
/// The lists of sockets under `net`. None of their names needs the second word.
const LISTS: [u64; 12] = [
    words(b"tcp")[0],
    words(b"tcp6")[0],
    words(b"udp")[0],
    words(b"udp6")[0],
    words(b"udplite")[0],
    words(b"udplite6")[0],
    words(b"raw")[0],
    words(b"raw6")[0],
    words(b"unix")[0],
    words(b"packet")[0],
    words(b"icmp")[0],
    words(b"icmp6")[0],
];
/// The iterators that show sockets.
const ITERATORS: [[u64; 2]; 5] = [
    words(b"tcp"),
    words(b"udp"),
    words(b"unix"),
    words(b"sockmap"),
    words(b"task_file"),
];

/// A file of `/proc` that shows connections, or whose they are.
pub enum ProcFile {
    /// A list of sockets.
    List(Look),
    /// The directory of the descriptors of this process, by its id in the initial pid namespace.
    Descriptors(u32),
}

impl ProcFile {
    /// What an open file is: known by its place in procfs, whatever path or mount it was opened through.
    #[inline(always)]
    pub fn of(file: File) -> Option<Self> {
        let inode = file.inode_address();
        if !is_of_proc(inode) {
            return None;
        }
        let dentry = file.dentry();
        let name = name_of(dentry);
        if name == FD {
            return Some(Self::Descriptors(process_of(inode)));
        }
        list(inode, dentry, name).map(Self::List)
    }

    /// Of the descriptors of which process a link in `/proc` is one; `None`: it is another link.
    #[inline(always)]
    pub fn of_link(dentry: *const u8) -> Option<u32> {
        let directory = probe::<*const u8>(dentry, offset!(dentry_parent));
        let inode = probe::<*const u8>(dentry, offset!(dentry_inode));
        (name_of(directory) == FD).then(|| process_of(inode))
    }
}

/// The list of sockets that a file is, by its name and that of its directory.
#[inline(always)]
fn list(inode: *const u8, dentry: *const u8, name: [u64; 2]) -> Option<Look> {
    let glance = if name == CONNTRACK {
        Glance::CONNTRACK
    } else if is_list(name) {
        Glance::PROC_NET
    } else {
        return None;
    };
    if name_of(probe(dentry, offset!(dentry_parent))) != NET {
        return None;
    }
    Some(Look {
        glance,
        listed: namespace_of(inode),
        name: Name::from_words(name),
        ..Look::NONE
    })
}

#[inline(always)]
fn is_list(name: [u64; 2]) -> bool {
    let mut at = 0;
    while at < LISTS.len() {
        if name[0] == LISTS[at] {
            return name[1] == 0;
        }
        at += 1;
    }
    false
}

#[inline(always)]
fn is_of_proc(inode: *const u8) -> bool {
    let super_block = probe::<*const u8>(inode, offset!(inode_super));
    probe::<u64>(super_block, offset!(super_magic)) == PROC_SUPER_MAGIC
}

/// The first sixteen bytes of the name of a directory entry.
#[inline(always)]
fn name_of(dentry: *const u8) -> [u64; 2] {
    text(probe(dentry, offset!(dentry_name)))
}

#[inline(always)]
fn text(at: *const u8) -> [u64; 2] {
    let mut name = [0_u64; 2];
    // SAFETY: writes at most the sixteen bytes that there are; takes any address.
    unsafe { bpf_probe_read_kernel_str(name.as_mut_ptr().cast(), 16, at.cast()) };
    name
}

/// What procfs knows of an inode of its own beside it.
#[inline(always)]
fn of_proc<T: super::memory::Plain>(inode: *const u8, offset: usize) -> T {
    probe(inode.wrapping_sub(offset!(proc_inode)), offset)
}

/// The process that an inode of procfs is about; zero: of none.
#[inline(always)]
fn process_of(inode: *const u8) -> u32 {
    let pid: *const u8 = of_proc(inode, offset!(proc_pid));
    if pid.is_null() { 0 } else { number(pid, 0) }
}

/// The network namespace whose file it is: `net` of a namespace keeps it.
#[inline(always)]
fn namespace_of(inode: *const u8) -> u32 {
    let entry: *const u8 = of_proc(inode, offset!(proc_entry));
    let directory: *const u8 = probe(entry, offset!(entry_parent));
    net_inode(probe(directory, offset!(entry_data)))
}

/// The file through which an iterator of BPF is read.
pub struct IterFile;

impl IterFile {
    /// What it shows, if that is sockets. The file must be one of an iterator.
    #[inline(always)]
    pub fn shown(file: File) -> Option<Look> {
        let target: *const u8 = probe(file.private(), offset!(seq_private));
        let iterator = target.wrapping_sub(offset!(iter_target_private));
        let info: *const u8 = probe(iterator, offset!(iter_target));
        let kind: *const u8 = probe(info, offset!(iter_info));
        let name = text(probe(kind, offset!(iter_name)));
        let mut at = 0;
        while at < ITERATORS.len() {
            if name == ITERATORS[at] {
                return Some(Look {
                    glance: Glance::ITERATOR,
                    name: Name::from_words(name),
                    ..Look::NONE
                });
            }
            at += 1;
        }
        None
    }
}

/// Protocols of netlink (`include/uapi/linux/netlink.h`).
pub mod netlink_protocol {
    /// `NETLINK_SOCK_DIAG`
    pub const SOCK_DIAG: u16 = 4;
    /// `NETLINK_NETFILTER`
    pub const NETFILTER: u16 = 12;
}

const AF_NETLINK: u16 = 16;

impl<M: Memory> Sock<M> {
    /// What is spoken on it, if it is a socket of netlink.
    #[inline(always)]
    pub fn netlink(self) -> Option<u16> {
        (self.family() == AF_NETLINK).then(|| self.number_of_protocol())
    }
}

/// A request of netlink: `struct nlmsghdr` and what follows it.
#[derive(Clone, Copy)]
pub struct NetlinkMessage<M: Memory> {
    at: *const u8,
    /// Where what follows the header is.
    body: *const u8,
    memory: core::marker::PhantomData<M>,
}

/// The messages of `NETLINK_SOCK_DIAG` (`include/uapi/linux/{sock_diag,inet_diag}.h`).
pub struct DiagRequest;

impl DiagRequest {
    const TCP: u16 = 18;
    const DCCP: u16 = 19;
    const BY_FAMILY: u16 = 20;
    const DESTROY: u16 = 21;
    /// Where the older form has its states.
    const STATES_OF_OLD: usize = 52;
    /// Where the present form has them.
    const STATES: usize = 4;
}

impl<M: Memory> NetlinkMessage<M> {
    /// `sizeof(struct nlmsghdr)`
    const HEADER: usize = 16;
    /// `NLM_F_DUMP`
    const DUMP: u16 = 0x300;

    #[inline(always)]
    pub fn new(at: *const u8) -> Self {
        Self::of_parts(at, at.wrapping_add(Self::HEADER))
    }

    /// One whose header lies apart.
    #[inline(always)]
    pub fn of_parts(at: *const u8, body: *const u8) -> Self {
        Self {
            at,
            body,
            memory: core::marker::PhantomData,
        }
    }

    #[inline(always)]
    fn kind(self) -> u16 {
        M::read(self.at, 4)
    }

    #[inline(always)]
    pub fn is_dump(self) -> bool {
        M::read::<u16>(self.at, 6) & Self::DUMP != 0
    }

    /// What a request looks at, if it is a dump; `protocol` of netlink.
    #[inline(always)]
    pub fn dump(self, protocol: u16) -> Option<Look> {
        match protocol {
            netlink_protocol::SOCK_DIAG => Some(self.diag()),
            netlink_protocol::NETFILTER if self.is_of_conntrack() => Some(Look {
                glance: Glance::CONNTRACK,
                ..Look::NONE
            }),
            _ => None,
        }
    }

    /// `NFNL_SUBSYS_CTNETLINK`, and of its messages those that list.
    #[inline(always)]
    fn is_of_conntrack(self) -> bool {
        matches!(self.kind(), 0x0101 | 0x0103 | 0x0106 | 0x0107)
    }

    /// It asks for the end of a socket.
    #[inline(always)]
    pub fn destroys(self) -> bool {
        self.kind() == DiagRequest::DESTROY
    }

    #[inline(always)]
    fn diag(self) -> Look {
        let family = M::read::<u8>(self.body, 0);
        let (protocol, states) = match self.kind() {
            DiagRequest::BY_FAMILY => {
                let protocol = M::read::<u8>(self.body, 1);
                // Of other families something else is there.
                let states = if matches!(family, 1 | 2 | 10) {
                    M::read::<u32>(self.body, DiagRequest::STATES)
                } else {
                    0
                };
                (protocol, states)
            }
            DiagRequest::TCP => (6, M::read(self.body, DiagRequest::STATES_OF_OLD)),
            DiagRequest::DCCP => (33, M::read(self.body, DiagRequest::STATES_OF_OLD)),
            _ => (0, 0),
        };
        Look {
            glance: Glance::DIAG_DUMP,
            family: u16::from(family),
            protocol: u16::from(protocol),
            states,
            ..Look::NONE
        }
    }
}

/// The first request in what a program sends: `struct msghdr` of a 64-bit program.
#[inline(always)]
pub fn message_of<M: Memory>(header: *const u8) -> NetlinkMessage<M> {
    const VECTOR: usize = 16;
    let vector: *const u8 = M::read(header, VECTOR);
    let first: *const u8 = M::read(vector, 0);
    let len: u64 = M::read(vector, 8);
    if len > NetlinkMessage::<M>::HEADER as u64 {
        NetlinkMessage::new(first)
    } else {
        NetlinkMessage::of_parts(first, M::read(vector, 16))
    }
}

/// Where a file was read last, given by the pointer to it.
#[inline(always)]
pub fn is_at_beginning(position: *const u8) -> bool {
    Probed::read::<u64>(position, 0) == 0
}
