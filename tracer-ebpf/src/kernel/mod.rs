//! Kernel structures: the only place that reads them.
//!
//! Every offset comes from the running kernel's BTF, through [`crate::globals::OFFSETS`].

mod address;
mod cgroup;
mod destination;
mod file;
mod look;
mod memory;
mod multipath;
pub mod registers;
mod request;
mod sock;
mod task;

pub use address::{SocketAddress, message_name};
pub use cgroup::Cgroup;
pub use destination::{destination4, destination6, sock_and_port};
pub use file::{File, PATH_ROOM, Place, Socket};
pub use look::{IterFile, NetlinkMessage, ProcFile, is_at_beginning, message_of, netlink_protocol};
pub use memory::{Memory, Probed, Trusted, User, forget_type};
pub use request::{Completion, LookOperation, Operation, Request};
pub use sock::{Sock, net_inode, wire_family};
pub use task::Task;
