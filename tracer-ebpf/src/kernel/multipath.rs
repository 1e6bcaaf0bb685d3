//! Multipath TCP (since 5.6): `struct mptcp_sock` and `struct mptcp_subflow_context`.
//!
//! What a program has a descriptor of speaks to nobody. It is the parent of TCP sockets, one for each
//! path, which no descriptor means; the first belongs to the connection from its beginning, others
//! join it from a softirq or from a worker of the kernel's.

use core::ptr;

use tracer_abi::Offsets;

use super::{
    memory::{Memory, Probed, probe},
    sock::Sock,
};
use crate::globals::{global, offset};

/// `IPPROTO_MPTCP`
pub const MULTIPATH_TCP: u16 = 262;

/// `MPTCP_SUBFLOWS_MAX`
const PATHS_MAX: u32 = 8;

/// Whether the kernel has such sockets.
#[inline(always)]
fn is_supported() -> bool {
    global!(OFFSETS.multipath_first) != Offsets::MISSING
}

impl<M: Memory> Sock<M> {
    /// The socket that speaks: of the parent of a multipath connection that of its first path, else
    /// itself.
    #[inline(always)]
    pub fn speaker(self) -> Sock<Probed> {
        Sock::new(if is_supported() && self.is_multipath() {
            probe(self.address(), offset!(multipath_first))
        } else {
            self.address()
        })
    }

    /// Does something with each path of its connection that has joined by now, the first included.
    #[inline(always)]
    pub fn each_path(self, act: impl Fn(Sock<Probed>)) {
        let Some(parent) = self.parent() else {
            return;
        };
        let head = parent.address().wrapping_add(offset!(multipath_paths));
        let mut node = probe::<*const u8>(head, 0);
        for _ in 0..PATHS_MAX {
            if node.is_null() || node == head {
                return;
            }
            let context = node.wrapping_sub(offset!(path_node));
            act(Sock::new(probe(context, offset!(path_sock))));
            node = probe(node, 0);
        }
    }

    /// The first path of the connection that this socket has joined as another one; `None` for any
    /// other socket.
    #[inline(always)]
    pub fn first_path(self) -> Option<Sock<Probed>> {
        let first = self.parent()?.speaker();
        (!first.address().is_null() && first.address() != self.address()).then_some(first)
    }

    /// The parent of a multipath connection, of any of its sockets; `None` for any other socket.
    #[inline(always)]
    pub fn parent(self) -> Option<Sock<Probed>> {
        let at = if !is_supported() {
            ptr::null()
        } else if self.is_multipath() {
            self.address()
        } else if self.is_path() {
            let context = probe::<*const u8>(self.address(), offset!(upper_data));
            probe(context, offset!(path_parent))
        } else {
            ptr::null()
        };
        (!at.is_null()).then(|| Sock::new(at))
    }

    /// A TCP socket that is a path.
    #[inline(always)]
    fn is_path(self) -> bool {
        const NAME: u64 = u64::from_ne_bytes(*b"mptcp\0\0\0");
        let upper = probe::<*const u8>(self.address(), offset!(upper_ops));
        !upper.is_null() && probe::<u64>(upper, offset!(upper_name)) == NAME
    }
}
