//! conntracer on the running kernel, on every rung of the ladder of hooks.
//!
//! Each test makes its own traffic in a network namespace of the tests and asserts what is said of
//! it: process, user, cgroup, addresses, order, outcome and bytes.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

mod coverage;
mod cross_check;
mod datagrams;
mod discovery;
mod elsewhere;
mod endings;
mod existing;
mod hiding;
mod history;
mod hosts;
mod hygiene;
mod listeners;
mod loss;
mod names;
mod owners;
mod predicates;
mod selection;
mod sockets;
mod states;
mod stress;
mod talking;
mod uring;
