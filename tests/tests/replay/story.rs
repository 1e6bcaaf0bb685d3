//! What happened on `web-1` one afternoon: something of everything.

use nix::libc::{ECONNREFUSED, ECONNRESET, EHOSTUNREACH, EPERM, ETIMEDOUT};
use tracer_abi::{
    Attribution, Connection, Detail, Direction, Identity, Kind, family, sock_flag, socket_type, tcp,
};
use tracer_core::fact::{
    Account, Cgroup, Container, Fact, Hook, Host, Networks, Pod, Process, Program, Service, Tracing,
};
use tracer_tests::scene::{Scene, connection, task};

/// A container's id.
const CONTAINER: &str = "3f4e5d6c7b8a99887766554433221100ffeeddccbbaa00112233445566778899";
/// A pod's uid.
const POD: &str = "6f3a1c2e-8b4d-4e5f-9a0b-1c2d3e4f5a6b";

const SESSION: u64 = 11;
const NGINX: u64 = 12;
const IN_POD: u64 = 13;

const HERE: &str = "192.0.2.17";

/// The recording of it.
pub fn recording() -> Vec<u8> {
    let mut scene = Scene::new(&facts());
    let shell = shell();
    already_there(&mut scene);
    short_life(&mut scene, &shell);
    attempts(&mut scene, &shell);
    let nginx = web_server(&mut scene);
    scene.lose(3);
    in_a_pod(&mut scene);
    handed_over(&mut scene, &nginx);
    hostile(&mut scene, &shell);
    older(&mut scene);
    every_state(&mut scene, &shell);
    scene.finish()
}

fn facts() -> Vec<Fact> {
    let account = |uid, name: &str| Account {
        uid,
        name: name.to_owned(),
    };
    let service = |port, name: &str| Service {
        port,
        protocol: "tcp".to_owned(),
        name: name.to_owned(),
    };
    let cgroup = |id, path: &str| {
        Fact::Cgroup(Cgroup {
            id,
            is_v1: false,
            path: path.to_owned(),
        })
    };
    vec![
        Fact::Tracing(Tracing {
            version: "0.1.0".to_owned(),
            hooks: vec![Hook {
                name: "connect".to_owned(),
                via: "fentry".to_owned(),
            }],
            programs: vec![Program {
                name: "connect_fentry".to_owned(),
                tag: "0123456789abcdef".to_owned(),
            }],
            object_sha256: "00".repeat(32),
            degraded: Vec::new(),
        }),
        Fact::Networks(Networks::default()),
        Fact::Host(Host {
            name: "web-1".to_owned(),
            kernel: "6.1.0".to_owned(),
            boot_id: "01234567-89ab-cdef-0123-456789abcdef".to_owned(),
            machine_id: "0123456789abcdef0123456789abcdef".to_owned(),
        }),
        in_shop(),
        Fact::Users(vec![
            account(0, "root"),
            account(33, "www-data"),
            account(1000, "alice"),
        ]),
        Fact::Services(vec![service(80, "http"), service(443, "https")]),
        Fact::Addresses(vec![
            HERE.parse().unwrap(),
            "2001:db8::17".parse().unwrap(),
            "127.0.0.1".parse().unwrap(),
        ]),
        cgroup(SESSION, "/user.slice/user-1000.slice/session-3.scope"),
        cgroup(NGINX, "/system.slice/nginx.service"),
        Fact::Process(Process {
            pid: 400,
            start_ticks: 400,
            parent: 1,
            name: "bash".to_owned(),
            exe: "/usr/bin/bash".to_owned(),
            args: Some(vec!["-bash".to_owned()]),
            tty: "pts0".to_owned(),
            ..Process::default()
        }),
    ]
}

/// Alice's shell, which was there before.
fn shell() -> Identity {
    Identity {
        auid: 1000,
        audit_session: 3,
        ..task(400, b"bash", 1000, SESSION)
    }
}

/// A child of the shell, in its session.
fn child(pid: u32, name: &[u8], shell: &Identity) -> Identity {
    Identity {
        exec_id: 2,
        sid: shell.sid,
        auid: shell.auid,
        audit_session: shell.audit_session,
        ..task(pid, name, shell.uid, shell.cgroup_id)
    }
}

fn owned(mut connection: Connection, owner: &Identity, attribution: u8) -> Connection {
    connection.owner = *owner;
    connection.attribution = attribution;
    connection
}

fn state(old_state: u8, new_state: u8) -> Detail {
    Detail {
        old_state,
        new_state,
        ..Detail::default()
    }
}

fn closed(old_state: u8, sent: u64, received: u64) -> Detail {
    Detail {
        sent_bytes: sent,
        received_bytes: received,
        rtt_us: 12_500,
        sock_flags: sock_flag::DONE | sock_flag::DEAD,
        ..state(old_state, tcp::CLOSE)
    }
}

/// A listener and its connection, one that two processes hold, one that waits to be accepted, and
/// what is left of one, all from before the start.
fn already_there(scene: &mut Scene) {
    let sshd = task(77, b"sshd", 0, SESSION);
    let before = |scene: &mut Scene, direction, local, remote| {
        let mut connection = connection(direction, local, remote);
        scene.wait(1);
        scene.open(&mut connection);
        connection.flags |= Connection::OPEN_BEFORE | Connection::ACCEPTED;
        connection
    };
    let open = Detail {
        rtt_us: 9_000,
        sent_bytes: 70_000,
        received_bytes: 8_000,
        ..state(tcp::ESTABLISHED, tcp::ESTABLISHED)
    };
    let far = ("203.0.113.7", 60_001);
    let session = before(scene, Direction::UNKNOWN, (HERE, 22), far);
    scene.report(Kind::EXISTING, &session, open);
    let listener = before(scene, Direction::LISTENING, ("::", 22), ("::", 0));
    scene.report(Kind::EXISTING, &listener, state(tcp::LISTEN, tcp::LISTEN));
    let far = ("198.51.100.20", 443);
    let shared = before(scene, Direction::UNKNOWN, (HERE, 52_000), far);
    scene.report(Kind::EXISTING, &shared, open);
    let left = before(scene, Direction::UNKNOWN, (HERE, 52_001), far);
    scene.report(Kind::EXISTING, &left, state(tcp::TIME_WAIT, tcp::TIME_WAIT));
    let mut waiting = before(
        scene,
        Direction::INBOUND,
        (HERE, 22),
        ("203.0.113.7", 60_002),
    );
    waiting.flags = Connection::OPEN_BEFORE;
    scene.report(
        Kind::EXISTING,
        &waiting,
        state(tcp::ESTABLISHED, tcp::ESTABLISHED),
    );
    scene.hold(&listener, &sshd);
    scene.hold(&session, &sshd);
    scene.hold(&shared, &sshd);
    scene.hold(&shared, &task(78, b"sshd", 0, SESSION));
    scene.surveyed();
    scene.wait(60_000);
    let later = Detail {
        sent_bytes: 71_000,
        ..open
    };
    scene.report(
        Kind::UPDATE,
        &owned(session, &sshd, Attribution::EXISTING),
        later,
    );
}

/// The shell is gone before the connection is, and is named all the same.
fn short_life(scene: &mut Scene, shell: &Identity) {
    let curl = child(500, b"curl", shell);
    scene.wait(10);
    let args: [&[u8]; 2] = [b"curl", b"https://198.51.100.9/"];
    scene.exec(&curl, shell, "/usr/bin/curl", &args);
    let mut connection = connection(Direction::OUTBOUND, (HERE, 41_158), ("198.51.100.9", 443));
    scene.open(&mut connection);
    let connection = owned(connection, &curl, Attribution::CONNECT);
    scene.report(Kind::CONNECT, &connection, state(tcp::CLOSE, tcp::SYN_SENT));
    scene.wait(27);
    let established = Detail {
        rtt_us: 27_000,
        ..state(tcp::SYN_SENT, tcp::ESTABLISHED)
    };
    scene.report(Kind::ESTABLISHED, &connection, established);
    scene.exit(shell);
    scene.wait(120);
    scene.report(Kind::CLOSE, &connection, closed(tcp::LAST_ACK, 517, 4190));
    scene.exit(&curl);
}

/// Every way in which nothing comes of it.
fn attempts(scene: &mut Scene, shell: &Identity) {
    let python = child(501, b"python3", shell);
    scene.exec(
        &python,
        shell,
        "/usr/bin/python3.11",
        &[b"python3", b"scan.py"],
    );
    let after_syn = [
        (4444, ECONNREFUSED),
        (4445, ETIMEDOUT),
        (4446, 0),
        (4447, EHOSTUNREACH),
    ];
    for (port, errno) in after_syn {
        let far = ("198.51.100.9", port);
        let mut connection = connection(Direction::OUTBOUND, (HERE, 33_602), far);
        scene.wait(1);
        scene.open(&mut connection);
        let connection = owned(connection, &python, Attribution::CONNECT);
        scene.report(Kind::CONNECT, &connection, state(tcp::CLOSE, tcp::SYN_SENT));
        scene.wait(5);
        fail(scene, &connection, errno);
    }
    let far = ("198.51.100.10", 25);
    let mut denied = connection(Direction::OUTBOUND, ("0.0.0.0", 0), far);
    scene.open(&mut denied);
    denied.flags = Connection::NO_SYN;
    fail(scene, &owned(denied, &python, Attribution::CONNECT), EPERM);
}

fn fail(scene: &mut Scene, connection: &Connection, errno: i32) {
    let detail = Detail {
        error: errno.unsigned_abs(),
        ..state(tcp::SYN_SENT, tcp::CLOSE)
    };
    scene.report(Kind::FAILED, connection, detail);
}

/// A listener, a visitor who resets, and one whom nobody took.
fn web_server(scene: &mut Scene) -> Identity {
    let init = task(1, b"systemd", 0, 1);
    let nginx = task(911, b"nginx", 33, NGINX);
    scene.exec(
        &nginx,
        &init,
        "/usr/sbin/nginx",
        &[b"nginx: worker process"],
    );
    let mut listener = connection(Direction::LISTENING, ("0.0.0.0", 80), ("0.0.0.0", 0));
    scene.open(&mut listener);
    let listener = owned(listener, &nginx, Attribution::LISTEN);
    scene.report(Kind::LISTEN, &listener, state(tcp::CLOSE, tcp::LISTEN));
    scene.wait(500);
    let mut visitor = connection(Direction::INBOUND, (HERE, 80), ("203.0.113.40", 50_312));
    scene.open(&mut visitor);
    visitor.flags |= Connection::ACCEPTED;
    let visitor = owned(visitor, &nginx, Attribution::ACCEPT);
    scene.report(
        Kind::ACCEPT,
        &visitor,
        state(tcp::ESTABLISHED, tcp::ESTABLISHED),
    );
    scene.wait(40);
    let reset = Detail {
        error: ECONNRESET.unsigned_abs(),
        retransmits: 2,
        ..closed(tcp::ESTABLISHED, 90_000, 312)
    };
    scene.report(Kind::CLOSE, &visitor, reset);
    let mut ignored = connection(Direction::INBOUND, (HERE, 80), ("203.0.113.41", 50_313));
    scene.open(&mut ignored);
    scene.wait(3);
    scene.report(Kind::CLOSE, &ignored, closed(tcp::LAST_ACK, 0, 0));
    scene.report(Kind::UNLISTEN, &listener, state(tcp::LISTEN, tcp::CLOSE));
    nginx
}

/// What containerd says of the container.
fn in_shop() -> Fact {
    let some = |text: &str| Some(text.to_owned());
    Fact::Container(Container {
        id: CONTAINER.to_owned(),
        runtime: some("containerd"),
        name: some("web"),
        image: some("registry.example/shop/web:1.27"),
        pod: Some(Pod {
            uid: some(POD),
            name: some("web-0"),
            namespace: some("shop"),
            container: some("web"),
        }),
    })
}

/// A process in a container of a pod, over IPv6.
fn in_a_pod(scene: &mut Scene) {
    scene.make_cgroup(IN_POD, &format!("/kubepods/burstable/pod{POD}/{CONTAINER}"));
    let shim = task(650, b"containerd-shim", 0, 1);
    let app = Identity {
        ns_tgid: 1,
        ..task(700, b"app", 1000, IN_POD)
    };
    scene.exec(
        &app,
        &shim,
        "/app/server",
        &[b"/app/server", b"--port", b"8443"],
    );
    let far = ("2001:db8:1::9", 8443);
    let mut connection = connection(Direction::OUTBOUND, ("2001:db8::17", 45_000), far);
    scene.open(&mut connection);
    let connection = owned(connection, &app, Attribution::CONNECT);
    scene.report(Kind::CONNECT, &connection, state(tcp::CLOSE, tcp::SYN_SENT));
    scene.wait(2);
    scene.report(
        Kind::ESTABLISHED,
        &connection,
        state(tcp::SYN_SENT, tcp::ESTABLISHED),
    );
    scene.wait(61_000);
    scene.report(Kind::CLOSE, &connection, closed(tcp::FIN_WAIT2, 1 << 31, 7));
}

/// One process takes the connection, another one closes it.
fn handed_over(scene: &mut Scene, nginx: &Identity) {
    let worker = task(912, b"php-fpm", 33, NGINX);
    scene.exec(
        &worker,
        nginx,
        "/usr/sbin/php-fpm8.2",
        &[b"php-fpm: pool www"],
    );
    let mut visitor = connection(Direction::INBOUND, (HERE, 443), ("203.0.113.42", 50_400));
    scene.open(&mut visitor);
    visitor.flags |= Connection::ACCEPTED;
    let taken = owned(visitor, nginx, Attribution::ACCEPT);
    scene.report(
        Kind::ACCEPT,
        &taken,
        state(tcp::ESTABLISHED, tcp::ESTABLISHED),
    );
    scene.wait(8);
    let given = owned(visitor, &worker, Attribution::CLOSE);
    scene.report(Kind::CLOSE, &given, closed(tcp::FIN_WAIT2, 2048, 1024));
}

/// Someone whose name would write to the terminal, root by way of sudo, whose program is a file
/// that is no more.
fn hostile(scene: &mut Scene, shell: &Identity) {
    let villain = Identity {
        uid: 0,
        euid: 0,
        gid: 0,
        ..child(666, b"\x1b[2J\xff\nroot", shell)
    };
    let args: [&[u8]; 3] = [
        b"x\x1b]0;owned\x07",
        b"\xc3\x28",
        "\u{202e}gnp.exe".as_bytes(),
    ];
    scene.exec(&villain, shell, "/tmp/\x1b[31mx", &args);
    let mut connection = connection(Direction::OUTBOUND, (HERE, 40_000), ("203.0.113.66", 443));
    scene.open(&mut connection);
    let connection = owned(connection, &villain, Attribution::CONNECT);
    scene.report(Kind::CONNECT, &connection, state(tcp::CLOSE, tcp::SYN_SENT));
    scene.wait(1);
    fail(scene, &connection, ECONNREFUSED);
    for (family, socket_type, protocol) in [
        (family::PACKET, socket_type::RAW, 0x0003),
        (family::IPV4, socket_type::RAW, 1),
        (family::VSOCK, socket_type::STREAM, 0),
    ] {
        scene.wait(1);
        scene.open_socket(&villain, family, socket_type, protocol);
    }
}

/// A visitor and an attempt, with every state change of theirs.
fn every_state(scene: &mut Scene, shell: &Identity) {
    let nc = child(502, b"nc", shell);
    scene.exec(&nc, shell, "/usr/bin/nc", &[b"nc", b"-l", b"7000"]);
    let mut listener = connection(Direction::LISTENING, ("0.0.0.0", 7000), ("0.0.0.0", 0));
    scene.open(&mut listener);
    let listener = owned(listener, &nc, Attribution::LISTEN);
    scene.report(Kind::LISTEN, &listener, state(tcp::CLOSE, tcp::LISTEN));
    scene.wait(20);
    let mut visitor = connection(Direction::INBOUND, (HERE, 7000), ("203.0.113.43", 50_500));
    scene.open(&mut visitor);
    // Nobody has taken it yet.
    let established = state(tcp::SYN_RECV, tcp::ESTABLISHED);
    scene.report(Kind::STATE, &visitor, established);
    scene.wait(1);
    visitor.flags |= Connection::ACCEPTED;
    let visitor = owned(visitor, &nc, Attribution::ACCEPT);
    let taken = state(tcp::ESTABLISHED, tcp::ESTABLISHED);
    scene.report(Kind::ACCEPT, &visitor, taken);
    for (old, new) in [
        (tcp::ESTABLISHED, tcp::CLOSE_WAIT),
        (tcp::CLOSE_WAIT, tcp::LAST_ACK),
        (tcp::LAST_ACK, tcp::CLOSE),
    ] {
        scene.wait(2);
        scene.report(Kind::STATE, &visitor, state(old, new));
    }
    scene.report(Kind::CLOSE, &visitor, closed(tcp::LAST_ACK, 5, 6));
    scene.report(Kind::UNLISTEN, &listener, state(tcp::LISTEN, tcp::CLOSE));
    let far = ("198.51.100.9", 7001);
    let mut attempt = connection(Direction::OUTBOUND, (HERE, 33_700), far);
    scene.open(&mut attempt);
    let attempt = owned(attempt, &nc, Attribution::CONNECT);
    let syn_sent = state(tcp::CLOSE, tcp::SYN_SENT);
    scene.report(Kind::STATE, &attempt, syn_sent);
    scene.report(Kind::CONNECT, &attempt, syn_sent);
    scene.wait(90);
    scene.report(Kind::STATE, &attempt, state(tcp::SYN_SENT, tcp::CLOSE));
    fail(scene, &attempt, ETIMEDOUT);
}

/// A connection from before the start, of which only who closed it is known.
fn older(scene: &mut Scene) {
    let mut connection = connection(Direction::UNKNOWN, (HERE, 22), ("203.0.113.7", 60_022));
    connection.flags = Connection::OPEN_BEFORE;
    scene.open(&mut connection);
    let sshd = task(77, b"sshd", 0, SESSION);
    let connection = owned(connection, &sshd, Attribution::CLOSE);
    scene.report(
        Kind::CLOSE,
        &connection,
        closed(tcp::LAST_ACK, 80_000, 9_000),
    );
}
