//! Frames as the kernel half writes them, out of a world so small that they meet again.

use proptest::prelude::*;
use tracer_abi::{
    Address, CgroupFrame, Connection, ConnectionFrame, DestinationFrame, Detail, Direction,
    ExecFrame, ExitFrame, ForkFrame, Glance, Header, Identity, Kind, Look, LookFrame, Name,
    Protocol, SocketFrame, family, tcp,
};
use tracer_core::clock::NS_PER_TICK;
use zerocopy::{Immutable, IntoBytes};

/// What a frame of a fixed part and a tail begins with.
pub fn header<T>(kind: u16, time_ns: u64, tail: usize) -> Header {
    Header {
        time_ns,
        kind,
        cpu: 0,
        len: length(size_of::<T>() + tail),
    }
}

pub fn bytes(fixed: &(impl IntoBytes + Immutable), tail: &[u8]) -> Vec<u8> {
    [fixed.as_bytes(), tail].concat()
}

pub fn of_connection(kind: u16, time_ns: u64, connection: Connection, detail: Detail) -> Vec<u8> {
    let frame = ConnectionFrame {
        header: header::<ConnectionFrame>(kind, time_ns, 0),
        connection,
        detail,
    };
    bytes(&frame, &[])
}

/// That a connection also has the destination that it has itself.
pub fn of_destination(kind: u16, time_ns: u64, connection: &Connection) -> Vec<u8> {
    let frame = DestinationFrame {
        header: header::<DestinationFrame>(kind, time_ns, 0),
        opened_ns: connection.opened_ns,
        opened_cpu: connection.opened_cpu,
        port: connection.remote_port,
        reserved: 0,
        address: connection.remote,
    };
    bytes(&frame, &[])
}

/// An exec frame: `components` of the path with the last one first, as the kernel walks it.
pub fn of_exec(fixed: ExecFrame, components: &[Vec<u8>], args: &[Vec<u8>]) -> Vec<u8> {
    let (exe, args) = (ended_by_zeros(components), ended_by_zeros(args));
    let header = header::<ExecFrame>(Kind::EXEC, fixed.header.time_ns, exe.len() + args.len());
    let fixed = ExecFrame {
        header,
        exe_len: length(exe.len()),
        args_len: length(args.len()),
        ..fixed
    };
    bytes(&fixed, &[exe, args].concat())
}

/// That a process looks at connections, from the directory `/tmp`.
pub fn of_look(time_ns: u64, actor: Identity, netns: u32, look: Look) -> Vec<u8> {
    let cwd = ended_by_zeros(&[b"tmp".to_vec()]);
    let frame = LookFrame {
        header: header::<LookFrame>(Kind::LOOK, time_ns, cwd.len()),
        actor,
        look,
        netns,
        cwd_len: length(cwd.len()),
        cwd_is_truncated: 0,
        reserved: 0,
    };
    bytes(&frame, &cwd)
}

pub fn of_cgroup(time_ns: u64, id: u64, hierarchy: u32, path: &str) -> Vec<u8> {
    let path = ended_by_zeros(&[path.as_bytes().to_vec()]);
    let frame = CgroupFrame {
        header: header::<CgroupFrame>(Kind::CGROUP, time_ns, path.len()),
        id,
        hierarchy,
        path_len: length(path.len()),
    };
    bytes(&frame, &path)
}

fn ended_by_zeros(parts: &[Vec<u8>]) -> Vec<u8> {
    parts
        .iter()
        .flat_map(|part| part.iter().copied().chain([0]))
        .collect()
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// A frame of any kind.
pub fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => connection_frame(),
        1 => (exec_fixed(), texts(), texts())
            .prop_map(|(fixed, components, args)| of_exec(fixed, &components, &args)),
        1 => socket_frame(),
        1 => (Kind::REQUESTED..=Kind::TRANSLATED, time(), connection())
            .prop_map(|(kind, time, connection)| of_destination(kind, time, &connection))
            // All of them side by side are more than the stack of a test has room for.
            .boxed(),
        1 => look_frame().boxed(),
        1 => fork_frame(),
        1 => exit_frame(),
        1 => (time(), number(), 0_u32..2, "(/[a-z0-9.-]{1,8}){1,4}")
            .prop_map(|(time, id, hierarchy, path)| of_cgroup(time, id, hierarchy, &path)),
    ]
}

pub fn connection_frame() -> impl Strategy<Value = Vec<u8>> {
    let detail = any::<[u8; size_of::<Detail>()]>().prop_map(|bytes| zerocopy::transmute!(bytes));
    let kind = prop_oneof![4 => Kind::CONNECT..=Kind::UNLISTEN, 1 => Just(Kind::STATE)];
    (kind, time(), connection(), detail).prop_map(|(kind, time, connection, detail)| {
        let (connection, detail) = if kind == Kind::STATE {
            changed(connection, detail)
        } else {
            (connection, detail)
        };
        of_connection(kind, time, connection, detail)
    })
}

/// The same as a connection whose state has changed: one of TCP, and no listener.
fn changed(connection: Connection, detail: Detail) -> (Connection, Detail) {
    let old = detail.old_state % tcp::CLOSING;
    let connection = Connection {
        protocol: Protocol::TCP,
        direction: connection.direction % Direction::LISTENING,
        ..connection
    };
    let detail = Detail {
        old_state: old + 1,
        new_state: (old + 1) % tcp::CLOSING + 1,
        ..detail
    };
    (connection, detail)
}

fn socket_frame() -> impl Strategy<Value = Vec<u8>> {
    let families = [
        family::IPV4,
        family::IPV6,
        family::PACKET,
        family::VSOCK,
        family::XDP,
    ];
    (
        time(),
        identity(),
        1_u32..4,
        prop::sample::select(families.to_vec()),
        any::<u16>(),
        0_u32..300,
        number(),
    )
        .prop_map(
            |(time_ns, owner, netns, family, socket_type, protocol, inode)| {
                let frame = SocketFrame {
                    header: header::<SocketFrame>(Kind::SOCKET, time_ns, 0),
                    owner: Identity {
                        tgid: owner.tgid.max(1),
                        ..owner
                    },
                    inode,
                    netns,
                    protocol,
                    family,
                    socket_type,
                    reserved: 0,
                };
                bytes(&frame, &[])
            },
        )
}

fn look_frame() -> impl Strategy<Value = Vec<u8>> {
    let look = (
        0..Glance::COUNT,
        any::<u16>(),
        0_u32..3,
        name(),
        any::<u32>(),
    )
        .prop_map(|(glance, number, listed, name, count)| Look {
            glance,
            flags: number % 2,
            listed,
            family: number % 20,
            protocol: number % 300,
            states: count,
            count,
            name,
            ..Look::NONE
        });
    (time(), identity(), 0_u32..3, look).prop_map(|(time_ns, actor, netns, look)| {
        let actor = Identity {
            tgid: actor.tgid.max(1),
            ..actor
        };
        of_look(time_ns, actor, netns, look)
    })
}

/// Bytes without a zero: components of a path, or arguments.
fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(1_u8.., 0..6), 0..4)
}

pub fn exec_fixed() -> impl Strategy<Value = ExecFrame> {
    (
        time(),
        identity(),
        number(),
        time(),
        pid(),
        0_u32..16,
        name(),
    )
        .prop_map(
            |(time_ns, identity, parent_exec_id, parent_start_ns, parent_tgid, flags, tty)| {
                ExecFrame {
                    header: header::<ExecFrame>(Kind::EXEC, time_ns, 0),
                    identity,
                    parent_start_ns,
                    parent_exec_id,
                    parent_tgid,
                    flags,
                    exe_len: 0,
                    args_len: 0,
                    tty,
                }
            },
        )
}

fn fork_frame() -> impl Strategy<Value = Vec<u8>> {
    (
        time(),
        (time(), number(), pid()),
        (time(), number(), pid()),
        name(),
    )
        .prop_map(|(time_ns, child, parent, comm)| {
            let frame = ForkFrame {
                header: header::<ForkFrame>(Kind::FORK, time_ns, 0),
                child_start_ns: child.0,
                child_exec_id: child.1,
                child_tgid: child.2,
                parent_start_ns: parent.0,
                parent_exec_id: parent.1,
                parent_tgid: parent.2,
                comm,
            };
            bytes(&frame, &[])
        })
}

fn exit_frame() -> impl Strategy<Value = Vec<u8>> {
    (time(), time(), pid()).prop_map(|(time_ns, start_ns, tgid)| {
        let frame = ExitFrame {
            header: header::<ExitFrame>(Kind::EXIT, time_ns, 0),
            start_ns,
            tgid,
            reserved: 0,
        };
        bytes(&frame, &[])
    })
}

fn connection() -> impl Strategy<Value = Connection> {
    (
        (time(), 0_u16..2),
        prop_oneof![Just(4_u8), Just(6)],
        0_u8..=3,
        0_u32..2,
        (address(), 0_u16..3),
        (address(), 0_u16..3),
        0_u8..6,
        (prop_oneof![Just(6_u8), Just(17)], 0_u8..2, any::<u8>()),
        identity(),
    )
        .prop_map(
            |(id, family, direction, netns, local, remote, attribution, flags, owner)| Connection {
                opened_ns: id.0,
                opened_cpu: id.1,
                family,
                direction,
                netns,
                local: local.0,
                local_port: local.1,
                remote: remote.0,
                remote_port: remote.1,
                attribution,
                protocol: flags.0,
                selected: flags.1,
                flags: flags.2,
                owner,
            },
        )
}

fn identity() -> impl Strategy<Value = Identity> {
    (
        time(),
        number(),
        number(),
        pid(),
        pid(),
        (any::<u32>(), any::<u32>()),
        0_u32..4,
        name(),
    )
        .prop_map(
            |(start_ns, exec_id, cgroup_id, tgid, sid, (uid, auid), flags, comm)| Identity {
                start_ns,
                exec_id,
                cgroup_id,
                tgid,
                sid,
                uid,
                auid,
                flags,
                comm,
                ..Identity::NOBODY
            },
        )
}

fn address() -> impl Strategy<Value = Address> {
    prop_oneof![
        Just(Address::UNSPECIFIED),
        any::<u32>().prop_map(Address::from_v4),
        any::<[u8; 16]>().prop_map(Address),
    ]
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![
        Just(Name(*b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0")),
        any::<[u8; 16]>().prop_map(Name),
    ]
}

/// A process id; zero is nobody.
pub fn pid() -> impl Strategy<Value = u32> {
    0_u32..4
}

/// A number that is met again, or any at all.
pub fn number() -> impl Strategy<Value = u64> {
    prop_oneof![7 => 0_u64..4, 1 => any::<u64>()]
}

/// A time that is met again, some of them minutes apart, or any at all.
pub fn time() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (0_u64..4).prop_map(|ticks| ticks * NS_PER_TICK),
        3 => (0_u64..4).prop_map(|minutes| minutes * 60_000_000_001),
        1 => any::<u64>(),
    ]
}
