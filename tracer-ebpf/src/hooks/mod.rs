//! The programs, by the fact that they report.
//!
//! A program is named `<fact>_<kind of hook>`; the kernel keeps fifteen characters of it.

mod accept;
mod cgroup;
mod close;
mod connect;
mod destroy;
mod listen;
mod process;
mod refusal;
mod state;
mod sys_exit;
