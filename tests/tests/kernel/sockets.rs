//! Sockets of kinds that are not followed: one record each, with who opened it.

use nix::libc::{
    AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, AF_VSOCK, EACCES, EAFNOSUPPORT,
    EPROTONOSUPPORT, ESOCKTNOSUPPORT, IPPROTO_DCCP, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_MPTCP,
    IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, SOCK_CLOEXEC, SOCK_DCCP, SOCK_DGRAM,
    SOCK_NONBLOCK, SOCK_RAW, SOCK_STREAM,
};
use tracer_tests::{
    bpf,
    netns::Netns,
    on_rungs_of_attempts, on_the_best_rung,
    peer::{self, Peer},
    record::Record,
    rung::Rung,
    tracer::Tracer,
};

on_rungs_of_attempts!(
    each_kind_is_reported_with_who_opened_it,
    what_this_kernel_may_lack,
    what_is_followed_or_stays_on_this_host_gives_nothing,
);

on_rungs_of_attempts!(
    own:
    what_is_refused_gives_nothing,
    users_and_namespaces_are_selected_in_the_kernel,
    user_space_selects_sockets_too,
    a_raw_socket_of_tcp_is_no_connection,
);

on_the_best_rung!(own: tests_on_ports_and_addresses_do_not_match);

const AF_XDP: i32 = 44;
/// As `socket` wants it: in network byte order.
const ALL_FRAMES: i32 = 0x0300;

/// Family, type and protocol of a socket.
type Asked = (i32, i32, i32);
/// Kind, family, type and protocol, as a record says them; empty: not said.
type Said = [&'static str; 4];

const ICMP: (Asked, Said) = (
    (AF_INET, SOCK_RAW, IPPROTO_ICMP),
    ["raw", "ipv4", "raw", "icmp"],
);

/// What every kernel has.
const ALWAYS: [(Asked, Said); 8] = [
    ICMP,
    (
        (AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6),
        ["raw", "ipv6", "raw", "icmpv6"],
    ),
    ((AF_INET, SOCK_RAW, 253), ["raw", "ipv4", "raw", "253"]),
    (
        (AF_PACKET, SOCK_RAW, ALL_FRAMES),
        ["packet", "", "raw", "all"],
    ),
    (
        (AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, 0),
        ["packet", "", "datagram", ""],
    ),
    ((AF_XDP, SOCK_RAW, 0), ["xdp", "", "raw", ""]),
    (
        (AF_INET, SOCK_DGRAM, IPPROTO_ICMP),
        ["icmp", "ipv4", "datagram", "icmp"],
    ),
    (
        (AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6),
        ["icmp", "ipv6", "datagram", "icmpv6"],
    ),
];

/// What some kernels have.
const SOMETIMES: [(Asked, Said); 4] = [
    ((AF_VSOCK, SOCK_STREAM, 0), ["vsock", "", "stream", ""]),
    (
        (AF_INET, SOCK_STREAM, IPPROTO_SCTP),
        ["sctp", "ipv4", "stream", "sctp"],
    ),
    (
        (AF_INET6, SOCK_DCCP, IPPROTO_DCCP),
        ["dccp", "ipv6", "", "dccp"],
    ),
    (
        (AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE),
        ["ip", "ipv4", "datagram", "udplite"],
    ),
];

/// A process that opens a socket and is gone. Its id, and the inode number of the socket or the
/// errno.
fn open(netns: &Netns, words: &[&str], asked: Asked) -> (u64, Result<u64, i32>) {
    let (family, kind, protocol) = asked;
    let numbers = [family, kind, protocol].map(|number| number.to_string());
    let mut all = words.to_vec();
    all.push("socket");
    all.extend(numbers.iter().map(String::as_str));
    let mut peer = Peer::start(netns, &all);
    let pid = peer.pid();
    let line = peer.line();
    peer.finish();
    let answer = match line.strip_prefix("errno ") {
        Some(errno) => Err(errno.parse().unwrap()),
        None => Ok(line.parse().unwrap()),
    };
    (pid, answer)
}

fn is_of(record: &Record, pid: u64) -> bool {
    record.number("process.pid") == Some(pid)
}

/// The record of the socket that a process opened.
fn socket_of(tracer: &Tracer, pid: u64) -> Record {
    tracer.wait(&format!("socket of {pid}"), |record| {
        record.event() == "socket" && is_of(record, pid)
    })
}

fn assert_said(record: &Record, said: Said, inode: u64) {
    let found = ["kind", "family", "type", "protocol"].map(|field| record.text(field));
    assert_eq!(found, said);
    assert_eq!(record.number("inode"), Some(inode));
    assert_eq!(record.text("attribution"), "socket");
    assert_eq!(record.text("process.name"), "peer");
    let args = record.at("process.args").as_array().unwrap();
    assert!(args.iter().any(|arg| arg == "socket"), "{args:?}");
    assert_eq!(record.at("ancestry")[0]["pid"], std::process::id());
    assert_eq!(record.number("netns"), Some(Netns::shared().inode()));
}

/// The namespace that all tests share, in which root may ping.
fn netns() -> &'static Netns {
    let netns = Netns::shared();
    netns.sysctl("net.ipv4.ping_group_range", "0 0");
    netns
}

fn each_kind_is_reported_with_who_opened_it(rung: Rung) {
    let tracer = Tracer::shared(rung);
    for (asked, said) in ALWAYS {
        let (pid, answer) = open(netns(), &[], asked);
        let record = socket_of(tracer, pid);
        assert_said(&record, said, answer.unwrap());
        let of_process = tracer.records().into_iter().filter(|r| is_of(r, pid));
        assert_eq!(of_process.count(), 1);
    }
}

fn what_this_kernel_may_lack(rung: Rung) {
    let tracer = Tracer::shared(rung);
    for (asked, said) in SOMETIMES {
        match open(netns(), &[], asked) {
            (pid, Ok(inode)) => assert_said(&socket_of(tracer, pid), said, inode),
            (pid, Err(errno)) => {
                let lacks = [EAFNOSUPPORT, EPROTONOSUPPORT, ESOCKTNOSUPPORT];
                assert!(lacks.contains(&errno), "{said:?}: errno {errno}");
                assert_nothing_of(tracer, &[pid]);
            }
        }
    }
}

/// A socket that is opened later is reported, and nothing before it of these processes.
fn assert_nothing_of(tracer: &Tracer, pids: &[u64]) {
    let (barrier, _) = open(Netns::shared(), &[], ICMP.0);
    socket_of(tracer, barrier);
    let of_them = |record: &Record| pids.iter().any(|pid| is_of(record, *pid));
    let found: Vec<Record> = tracer.records().into_iter().filter(of_them).collect();
    assert!(found.is_empty(), "{found:?}");
}

fn what_is_followed_or_stays_on_this_host_gives_nothing(rung: Rung) {
    let asked = [
        (AF_INET, SOCK_STREAM, 0),
        (AF_INET, SOCK_STREAM, IPPROTO_TCP),
        (AF_INET6, SOCK_STREAM, IPPROTO_TCP),
        (AF_INET, SOCK_STREAM, IPPROTO_MPTCP),
        (AF_INET, SOCK_DGRAM, 0),
        (AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
        (AF_UNIX, SOCK_STREAM, 0),
        (AF_UNIX, SOCK_DGRAM, 0),
        (AF_NETLINK, SOCK_RAW, 0),
    ];
    let pids = asked.map(|asked| {
        let (pid, answer) = open(netns(), &[], asked);
        let may_lack = asked.2 == IPPROTO_MPTCP && answer == Err(EPROTONOSUPPORT);
        assert!(answer.is_ok() || may_lack, "{asked:?}: {answer:?}");
        pid
    });
    assert_nothing_of(Tracer::shared(rung), &pids);
}

fn what_is_refused_gives_nothing(rung: Rung) {
    let netns = Netns::new();
    let tracer = Tracer::on(rung, &netns, &[]);
    // Nobody's group may ping in a new namespace.
    let ping = (AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    let (pid, answer) = open(&netns, &["--uid", "1234"], ping);
    assert_eq!(answer, Err(EACCES));
    let (barrier, _) = open(&netns, &[], ICMP.0);
    socket_of(&tracer, barrier);
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    assert!(!finished.records.iter().any(|record| is_of(record, pid)));
}

fn users_and_namespaces_are_selected_in_the_kernel(rung: Rung) {
    let netns = Netns::new();
    netns.sysctl("net.ipv4.ping_group_range", "1234 1234");
    let tracer = Tracer::on(rung, &netns, &["--user", "1234"]);
    open(&netns, &[], ICMP.0).1.unwrap();
    open(Netns::shared(), &[], ICMP.0).1.unwrap();
    let ping = (AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    let (wanted, _) = open(&netns, &["--login", "1000", "--uid", "1234"], ping);
    let record = socket_of(&tracer, wanted);
    assert_eq!(record.number("user.uid"), Some(1234));
    assert_eq!(record.number("user.auid"), Some(1000));
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    let stop = finished.stop();
    let told = finished.without_losses();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(stop.number("output.suppressed"), Some(0));
    assert_eq!(stop.number("kernel.delivered"), Some(1));
    assert!(stop.number("kernel.selected_out").unwrap() >= 2);
}

/// The same code decides on every rung.
fn tests_on_ports_and_addresses_do_not_match(rung: Rung) {
    const ALL: &str = "::/0,0.0.0.0/0";
    let netns = Netns::new();
    let tests: [(&[&str], bool); 6] = [
        (&["--port", "0"], false),
        (&["--remote", ALL], false),
        (&["--external"], false),
        (&["--protocol", "tcp"], false),
        (
            &[
                "--not-port",
                "0",
                "--not-remote",
                ALL,
                "--not-external",
                "--not-protocol",
                "tcp",
            ],
            true,
        ),
        (&["--any", "--port", "0"], true),
    ];
    let tracers = tests.map(|(flags, _)| Tracer::on(rung, &netns, flags));
    let (pid, _) = open(&netns, &[], ICMP.0);
    for ((flags, is_wanted), tracer) in tests.into_iter().zip(tracers) {
        let finished = tracer.stop();
        finished.assert_totals_add_up();
        let records = finished.records.iter();
        let count = records.filter(|record| is_of(record, pid)).count();
        assert_eq!(count, usize::from(is_wanted), "{flags:?}");
    }
}

fn user_space_selects_sockets_too(rung: Rung) {
    let netns = Netns::new();
    let flags = ["--event", "socket", "--process", "pinger"];
    let tracer = Tracer::on(rung, &netns, &flags);
    let name = "112,105,110,103,101,114";
    let (other, _) = open(&netns, &[], ICMP.0);
    peer::run(&netns, &["--name", name, "refused", "127.0.0.1:9"]);
    let (wanted, _) = open(&netns, &["--name", name], ICMP.0);
    let record = socket_of(&tracer, wanted);
    assert_eq!(record.text("process.name"), "pinger");
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    let told = finished.without_losses();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(!finished.records.iter().any(|record| is_of(record, other)));
    assert!(finished.stop().number("output.suppressed").unwrap() >= 2);
}

fn a_raw_socket_of_tcp_is_no_connection(rung: Rung) {
    let netns = Netns::new();
    let tracer = Tracer::on(rung, &netns, &[]);
    let mut peer = Peer::start(&netns, &["raw-tcp", "127.0.0.1:0"]);
    let pid = peer.pid();
    let inode = peer.line().parse().unwrap();
    peer.finish();
    let record = socket_of(&tracer, pid);
    assert_eq!(record.number("inode"), Some(inode));
    assert_eq!(record.text("protocol"), "tcp");
    assert_eq!(bpf::connections_of(tracer.pid(), netns.inode()), 0);
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    let of_process = finished.records.iter().filter(|r| is_of(r, pid));
    assert_eq!(of_process.count(), 1);
}
