//! The programs of the lowest rung that several facts share: what system calls returned, and what
//! `io_uring` did. What the latter's tracepoint hands over changed with the versions, so there is one for
//! each form of it.

use super::{
    Hook, Program,
    rungs::{program, twice},
};

/// What system calls returned.
pub const CALLS: &[Program] = &[SYS_EXIT];
/// The same, and what `io_uring` did.
pub const CALLS_AND_URING: &[Program] = &[
    URING_NEW,
    URING_LONG,
    URING,
    URING_OLD,
    URING_SUBMIT,
    SYS_EXIT,
];
/// What system calls to connect asked for, and what they returned.
pub const ATTEMPTS: &[Program] = &[SYS_ENTER, ATTEMPT4, ATTEMPT6, SYS_EXIT];
/// The same, and what `io_uring` did.
pub const ATTEMPTS_AND_URING: &[Program] = &[
    URING_NEW,
    URING_LONG,
    URING,
    URING_OLD,
    URING_SUBMIT,
    SYS_ENTER,
    ATTEMPT4,
    ATTEMPT6,
    SYS_EXIT,
];

const SYS_ENTER: Program = twice(
    "sys_enter_tp_btf",
    "sys_enter_again",
    Hook::TpBtf("sys_enter"),
);
const SYS_EXIT: Program = twice("sys_exit_tp_btf", "sys_exit_again", Hook::TpBtf("sys_exit"));
const ATTEMPT4: Program = program("attempt_cgroup4", Hook::SockAddr);
const ATTEMPT6: Program = program("attempt_cgroup6", Hook::SockAddr);

/// What a tracepoint hands over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// The tracepoint.
    pub tracepoint: &'static str,
    /// A letter each: `p` a pointer, `i` a number.
    pub kinds: &'static str,
}

/// From 6.14 on: ring, request, completion.
const URING_NEW: Program = made_for_completion("ppp", uring("uring_tp_btf3", "uring_again3"));
/// From 5.19 on: ring, request, user data, result, flags and two more.
const URING_LONG: Program = made_for_completion("ppiiiii", uring("uring_tp_btf7", "uring_again7"));
/// 5.18: the same without the two.
const URING: Program = made_for_completion("ppiii", uring("uring_tp_btf7", "uring_again7"));
/// From 5.14 on, and in 5.10 since it has the `io_uring` of 5.15: ring, user data, result, flags.
const URING_OLD: Program = made_for_completion("piii", completion("uring_tp_btf4"));
/// Which request that is, is told when it is submitted.
const URING_SUBMIT: Program = made_for_completion(
    "piii",
    program("uring_submit", Hook::TpBtf("io_uring_submit_sqe")),
);

const COMPLETION: &str = "io_uring_complete";

const fn completion(name: &'static str) -> Program {
    program(name, Hook::TpBtf(COMPLETION))
}

const fn uring(name: &'static str, again: &'static str) -> Program {
    twice(name, again, Hook::TpBtf(COMPLETION))
}

/// The program, for kernels in which a completion has these arguments.
pub(super) const fn made_for_completion(kinds: &'static str, program: Program) -> Program {
    Program {
        made_for: Some(Arguments {
            tracepoint: COMPLETION,
            kinds,
        }),
        ..program
    }
}
