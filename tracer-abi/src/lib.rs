//! The bytes that cross the kernel boundary, and nothing else.
//!
//! Both halves of conntracer depend on this crate: `tracer-ebpf` writes these structures, the user
//! half reads them. Everything here is plain integers and byte arrays with no padding, so that any
//! bytes can be decoded and no uninitialised kernel memory can leave through a gap; the derives of
//! `zerocopy` make the compiler prove it.
#![no_std]
#![expect(
    clippy::inline_always,
    reason = "a program of the kernel half has 512 bytes of stack and no cheap calls"
)]

mod address;
mod answer;
mod connection;
mod counters;
mod destination;
mod frame;
mod identity;
mod look;
mod name;
mod offsets;
mod process;
mod selection;
mod settings;
mod socket;

pub use address::Address;
pub use answer::{ANSWER_MAX, AnswerFrame};
pub use connection::{
    Attribution, Connection, ConnectionFrame, Detail, Direction, Protocol, sock_flag, tcp,
};
pub use counters::{Cell, Counted, CpuCounters};
pub use destination::DestinationFrame;
pub use frame::{Header, Kind};
pub use identity::{Identity, identity_flag};
pub use look::{Glance, Look, LookFrame, look_flag};
pub use name::Name;
pub use offsets::Offsets;
pub use process::{
    ARGS_MAX, CGROUP_PATH_MAX, CgroupFrame, EXE_MAX, ExecFrame, ExitFrame, ForkFrame, exec_flag,
};
pub use selection::{CgroupPrefix, Predicates, Selection, Sets, Subject, net_bit, satisfied};
pub use settings::Settings;
pub use socket::{SocketFrame, family, socket_type};
