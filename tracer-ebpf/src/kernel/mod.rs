//! Kernel structures: the only place that reads them.
//!
//! Every offset comes from the running kernel's BTF, through [`crate::globals::OFFSETS`].

mod address;
mod cgroup;
mod file;
mod memory;
pub mod registers;
mod sock;
mod task;

pub use address::SocketAddress;
pub use cgroup::Cgroup;
pub use file::{File, PATH_ROOM, Socket};
pub use memory::{Memory, Probed, Trusted};
pub use sock::{Sock, wire_family};
pub use task::Task;
