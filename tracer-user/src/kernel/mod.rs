//! The door to the kernel: programs, maps and the ring. The only place that knows aya.

pub mod btf;
pub mod cross_check;
mod detached;
pub mod drain;
pub mod interrupts;
pub mod iterate;
pub mod ladder;
pub mod load;
pub mod log;
pub mod maps;
pub mod missed;
pub mod object;
pub mod offsets;
pub mod policy;
mod received;
mod shared;
pub mod source;
pub mod survey;
mod version;
