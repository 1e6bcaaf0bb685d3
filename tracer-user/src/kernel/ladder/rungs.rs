//! The rungs of each fact, best first.

use super::{
    Family, Hook, Program, Rung,
    shared::{ATTEMPTS, ATTEMPTS_AND_URING, CALLS, CALLS_AND_URING},
};

pub(super) const fn program(name: &'static str, hook: Hook) -> Program {
    Program {
        name,
        again: None,
        hook,
        made_for: None,
    }
}

pub(super) const fn twice(name: &'static str, again: &'static str, hook: Hook) -> Program {
    Program {
        name,
        again: Some(again),
        hook,
        made_for: None,
    }
}

pub(super) const fn rung(
    via: &'static str,
    family: Family,
    programs: &'static [Program],
    cost: Option<&'static str>,
) -> Rung {
    Rung {
        via,
        family,
        programs,
        cost,
    }
}

pub(super) const CONNECT: &[Rung] = &[
    rung(
        "fentry",
        Family::Fentry,
        &[twice(
            "connect_fentry",
            "connect_again",
            Hook::Fentry("tcp_connect"),
        )],
        None,
    ),
    rung(
        "kprobe",
        Family::Kprobe,
        &[program("connect_kprobe", Hook::Kprobe("tcp_connect"))],
        None,
    ),
    rung(
        "sock_ops",
        Family::Tracepoint,
        &[program("connect_sockops", Hook::SockOps)],
        None,
    ),
];

pub(super) const REFUSAL: &[Rung] = &[
    rung(
        "fexit",
        Family::Fentry,
        &[
            twice(
                "secure_fentry",
                "secure_again",
                Hook::Fentry("security_socket_connect"),
            ),
            twice(
                "secure_fexit",
                "secure_x_again",
                Hook::Fexit("security_socket_connect", 3),
            ),
            twice(
                "attempt_fentry",
                "attempt_again",
                Hook::Fentry("__inet_stream_connect"),
            ),
            twice(
                "attempt_fexit",
                "attempt_x_again",
                Hook::Fexit("__inet_stream_connect", 5),
            ),
            twice(
                "send_fentry",
                "send_again",
                Hook::Fentry("security_socket_sendmsg"),
            ),
        ],
        None,
    ),
    rung(
        "kretprobe",
        Family::Kprobe,
        &[
            program("secure_kprobe", Hook::Kprobe("security_socket_connect")),
            program(
                "secure_kretprob",
                Hook::Kretprobe("security_socket_connect"),
            ),
            program("attempt_kprobe", Hook::Kprobe("__inet_stream_connect")),
            program("attempt_kretpro", Hook::Kretprobe("__inet_stream_connect")),
            program("send_kprobe", Hook::Kprobe("security_socket_sendmsg")),
        ],
        None,
    ),
    rung(
        "cgroup",
        Family::Tracepoint,
        ATTEMPTS_AND_URING,
        Some(
            "attempts through io_uring that a security module forbids are not seen, nor, where a program \
             of a cgroup rewrites it, what was asked for through it, with sendmmsg or by 32-bit programs \
             that send datagrams",
        ),
    ),
    rung(
        "cgroup",
        Family::Tracepoint,
        ATTEMPTS,
        Some(
            "attempts through io_uring that fail before anything leaves this host are not seen, nor, \
             where a program of a cgroup rewrites it, what was asked for through it, with sendmmsg or by \
             32-bit programs that send datagrams",
        ),
    ),
];

pub(super) const ACCEPT: &[Rung] = &[
    rung(
        "fentry",
        Family::Fentry,
        &[twice(
            "accept_fentry",
            "accept_again",
            Hook::Fentry("security_sock_graft"),
        )],
        None,
    ),
    rung(
        "kprobe",
        Family::Kprobe,
        &[program(
            "accept_kprobe",
            Hook::Kprobe("security_sock_graft"),
        )],
        None,
    ),
    rung(
        "fexit",
        Family::Fentry,
        &[
            twice(
                "accept_fexit4",
                "accept_again4",
                Hook::Fexit("inet_csk_accept", 4),
            ),
            twice(
                "accept_fexit2",
                "accept_again2",
                Hook::Fexit("inet_csk_accept", 2),
            ),
        ],
        Some(
            "what threads take that were already waiting in accept at the start is seen only when \
             it ends",
        ),
    ),
    rung(
        "kretprobe",
        Family::Kprobe,
        &[program(
            "accept_kretprobe",
            Hook::Kretprobe("inet_csk_accept"),
        )],
        Some(
            "what threads take that were already waiting in accept at the start is seen only when \
             it ends, and so is some of it where many threads wait at once",
        ),
    ),
    rung(
        "tp_btf",
        Family::Tracepoint,
        CALLS_AND_URING,
        Some("what io_uring takes without a descriptor is seen only when it ends"),
    ),
    rung(
        "tp_btf",
        Family::Tracepoint,
        CALLS,
        Some("what io_uring takes is seen only when it ends"),
    ),
];

pub(super) const LISTEN: &[Rung] = &[
    rung(
        "fexit",
        Family::Fentry,
        &[twice(
            "listen_fexit",
            "listen_again",
            Hook::Fexit("inet_listen", 2),
        )],
        None,
    ),
    rung(
        "sock_ops",
        Family::Tracepoint,
        &[program("listen_sockops", Hook::SockOps)],
        None,
    ),
];

pub(super) const SOCKET: &[Rung] = &[
    rung(
        "fentry",
        Family::Fentry,
        &[twice(
            "socket_fentry",
            "socket_again",
            Hook::Fentry("security_socket_post_create"),
        )],
        None,
    ),
    rung(
        "kprobe",
        Family::Kprobe,
        &[program(
            "socket_kprobe",
            Hook::Kprobe("security_socket_post_create"),
        )],
        None,
    ),
    rung(
        "tp_btf",
        Family::Tracepoint,
        CALLS_AND_URING,
        Some(
            "of other kinds than TCP and UDP, what io_uring opens without a descriptor is not seen",
        ),
    ),
    rung(
        "tp_btf",
        Family::Tracepoint,
        CALLS,
        Some("of other kinds than TCP and UDP, what io_uring opens is not seen"),
    ),
];

pub(super) const STATE: &[Rung] = &[rung(
    "tp_btf",
    Family::Tracepoint,
    &[twice(
        "state_tp_btf",
        "state_again",
        Hook::TpBtf("inet_sock_set_state"),
    )],
    None,
)];

pub(super) const CLOSE: &[Rung] = &[
    rung(
        "fentry",
        Family::Fentry,
        &[twice(
            "close_fentry",
            "close_again",
            Hook::Fentry("tcp_close"),
        )],
        None,
    ),
    rung(
        "kprobe",
        Family::Kprobe,
        &[program("close_kprobe", Hook::Kprobe("tcp_close"))],
        None,
    ),
    rung(
        "cgroup",
        Family::Tracepoint,
        &[program("close_cgroup", Hook::Sock)],
        None,
    ),
];

pub(super) const DESTROY: &[Rung] = &[rung(
    "tp_btf",
    Family::Tracepoint,
    &[
        program("destroy_tp_btf", Hook::TpBtf("tcp_destroy_sock")),
        SWEEP_ENDS,
    ],
    None,
)];

/// The iterator over connections that may have ended without a hook that ran.
pub const SWEEP_ENDS: Program = program("sweep_ends", Hook::Iter("bpf_map_elem"));

pub(super) const PROCESS: &[Rung] = &[rung(
    "tp_btf",
    Family::Tracepoint,
    &[
        program("exec_tp_btf", Hook::TpBtf("sched_process_exec")),
        program("fork_tp_btf", Hook::TpBtf("sched_process_fork")),
        program("exit_tp_btf", Hook::TpBtf("sched_process_exit")),
    ],
    None,
)];

pub(super) const CGROUP: &[Rung] = &[rung(
    "tp_btf",
    Family::Tracepoint,
    &[program("cgroup_tp_btf", Hook::TpBtf("cgroup_mkdir"))],
    None,
)];

/// The iterator over TCP sockets, a network namespace at a time.
pub const EXISTING_TCP: Program = program("existing_tcp", Hook::Iter("tcp"));
/// The iterator over UDP sockets, a network namespace at a time.
pub const EXISTING_UDP: Program = program("existing_udp", Hook::Iter("udp"));
/// The iterator over open files.
pub const EXISTING_FILES: Program = program("existing_files", Hook::Iter("task_file"));
/// The iterator over the connections that the kernel half remembers.
pub const UPDATE_ELEMENTS: Program = program("update_elements", Hook::Iter("bpf_map_elem"));

pub(super) const EXISTING: &[Rung] = &[rung(
    "iter",
    Family::Tracepoint,
    &[EXISTING_TCP, EXISTING_UDP, EXISTING_FILES],
    None,
)];

pub(super) const UPDATE: &[Rung] = &[rung(
    "iter",
    Family::Tracepoint,
    &[UPDATE_ELEMENTS, UPDATE_FLOWS],
    None,
)];

/// The iterator over flows of datagrams that go on.
pub const UPDATE_FLOWS: Program = program("update_flows", Hook::Iter("bpf_map_elem"));
/// The iterator over flows of datagrams that may be over.
pub const SWEEP_FLOWS: Program = program("sweep_flows", Hook::Iter("bpf_map_elem"));

pub(super) const DATAGRAM: &[Rung] = &[rung(
    "cgroup_skb",
    Family::Tracepoint,
    &[
        SWEEP_FLOWS,
        program("release_cgroup", Hook::Sock),
        program("born_cgroup", Hook::Sock),
        program("bind_cgroup4", Hook::Sock),
        program("bind_cgroup6", Hook::Sock),
        program("send_cgroup4", Hook::SockAddr),
        program("send_cgroup6", Hook::SockAddr),
        program("datagram_egress", Hook::SkbEgress),
        program("datagram_ingress", Hook::SkbIngress),
    ],
    None,
)];
