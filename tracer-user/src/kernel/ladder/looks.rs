//! The rungs of what tells of discovery, best first. Above the lowest rung all hooks are functions that run
//! for nothing else than what shows connections or descriptors.

use super::{
    Family, Hook, Program, Rung,
    rungs::{program, rung, twice},
    shared::made_for_completion,
};

/// What system calls returned.
const CALLS: &[Program] = &[twice(
    "look_exit",
    "look_exit_again",
    Hook::TpBtf("sys_exit"),
)];

/// What misses nothing, as trampolines.
const fn fentry(programs: &'static [Program]) -> Rung {
    rung("fentry", Family::Fentry, programs, None)
}

/// The same, as breakpoints.
const fn kprobe(programs: &'static [Program]) -> Rung {
    rung("kprobe", Family::Kprobe, programs, None)
}

/// The lowest rung, and what it misses.
const fn calls(cost: &'static str) -> Rung {
    rung("tp_btf", Family::Tracepoint, CALLS, Some(cost))
}

pub(super) const PROC_NET: &[Rung] = &[
    fentry(&[
        twice("list_fentry", "list_again", Hook::Fentry("proc_reg_open")),
        twice("read_fentry", "read_again", Hook::Fentry("proc_reg_read")),
    ]),
    kprobe(&[
        program("list_kprobe", Hook::Kprobe("proc_reg_open")),
        program("read_kprobe", Hook::Kprobe("proc_reg_read")),
    ]),
    calls(
        "who reads a list through a descriptor that was opened before the start is not seen, nor what \
             io_uring opens without a descriptor",
    ),
];

pub(super) const DUMP: &[Rung] = &[
    fentry(&[
        twice(
            "dump_fentry",
            "dump_again",
            Hook::Fentry("__netlink_dump_start"),
        ),
        twice(
            "kill_fentry",
            "kill_again",
            Hook::Fentry("sock_diag_destroy"),
        ),
    ]),
    kprobe(&[
        program("dump_kprobe", Hook::Kprobe("__netlink_dump_start")),
        program("kill_kprobe", Hook::Kprobe("sock_diag_destroy")),
    ]),
    calls(
        "what is asked with write, through io_uring or by 32-bit programs is not known, nor are dumps \
             seen on sockets that were opened before the start or, of conntrack, asked for in these ways",
    ),
];

/// The function that lists descriptors: as it is called in newer kernels, and as it was before.
const FD_DIRECTORY: [&str; 2] = ["proc_fd_iterate", "proc_readfd"];

const LINKS_FENTRY: Program = twice(
    "links_fentry",
    "links_again",
    Hook::Fentry("proc_pid_readlink"),
);
const LINKS_KPROBE: Program = program("links_kprobe", Hook::Kprobe("proc_pid_readlink"));

const fn directory_fentry(function: &'static str) -> Program {
    twice("fds_fentry", "fds_again", Hook::Fentry(function))
}

const fn directory_kprobe(function: &'static str) -> Program {
    program("fds_kprobe", Hook::Kprobe(function))
}

pub(super) const FD_SWEEP: &[Rung] = &[
    fentry(&[directory_fentry(FD_DIRECTORY[0]), LINKS_FENTRY]),
    fentry(&[directory_fentry(FD_DIRECTORY[1]), LINKS_FENTRY]),
    kprobe(&[directory_kprobe(FD_DIRECTORY[0]), LINKS_KPROBE]),
    kprobe(&[directory_kprobe(FD_DIRECTORY[1]), LINKS_KPROBE]),
    calls("who reads the links to descriptors without opening their directories is not seen"),
];

pub(super) const ITERATOR: &[Rung] = &[
    fentry(&[twice(
        "iter_fentry",
        "iter_again",
        Hook::Fentry("bpf_seq_read"),
    )]),
    kprobe(&[program("iter_kprobe", Hook::Kprobe("bpf_seq_read"))]),
    calls("iterators that are pinned, or were opened before the start, are not seen"),
];

pub(super) const IO_URING: &[Rung] = &[rung(
    "tp_btf",
    Family::Tracepoint,
    &[
        made_for_completion("ppp", twice("look_uring3", "look_u_again3", COMPLETION)),
        made_for_completion("ppiiiii", twice("look_uring7", "look_u_again7", COMPLETION)),
        made_for_completion("ppiii", twice("look_uring7", "look_u_again7", COMPLETION)),
        made_for_completion("piii", program("look_uring4", COMPLETION)),
        made_for_completion(
            "piii",
            program("look_submit", Hook::TpBtf("io_uring_submit_sqe")),
        ),
    ],
    None,
)];

const COMPLETION: Hook = Hook::TpBtf("io_uring_complete");
