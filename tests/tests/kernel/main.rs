//! conntracer on the running kernel, on every rung of the ladder of hooks.
//!
//! Each test makes its own traffic in a network namespace of the tests and asserts what is said of
//! it: process, user, cgroup, addresses, order, outcome and bytes.

mod endings;
mod hygiene;
mod listeners;
mod loss;
mod owners;
mod selection;
mod talking;
