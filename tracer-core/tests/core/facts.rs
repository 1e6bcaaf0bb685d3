//! Facts and counters, of the world that the frames are of.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use proptest::{collection::vec, option::of, prelude::*};
use tracer_core::{
    clock::Anchor,
    fact::{
        Account, Cgroup, Container, CrossCheck, Detached, Ends, Executable, Fact, Hash, Hidden,
        Holder, Hook, Host, Listed, Networks, Pod, Process, Program, Resident, Service, Source,
        Tracing,
    },
    protocol::Protocol,
    totals::{Counters, Counts},
};

use crate::frames::{number, pid, time};

pub fn any_fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        any::<[String; 4]>().prop_map(|[name, kernel, boot_id, machine_id]| {
            Fact::Host(Host {
                name,
                kernel,
                boot_id,
                machine_id,
            })
        }),
        anchor().prop_map(Fact::Clock),
        tracing().prop_map(Fact::Tracing),
        detached().prop_map(Fact::Detached),
        vec((0_u32..4, any::<String>()), 0..4).prop_map(|accounts| {
            let accounts = accounts.into_iter();
            Fact::Users(accounts.map(|(uid, name)| Account { uid, name }).collect())
        }),
        vec(service(), 0..4).prop_map(Fact::Services),
        vec(any::<IpAddr>(), 0..4).prop_map(Fact::Addresses),
        (vec(network(), 0..3), vec(network(), 0..3))
            .prop_map(|(internal, external)| Fact::Networks(Networks { internal, external })),
        process().prop_map(Fact::Process),
        (number(), any::<bool>(), any::<String>())
            .prop_map(|(id, is_v1, path)| Fact::Cgroup(Cgroup { id, is_v1, path })),
        container().prop_map(Fact::Container),
        (process(), number(), any::<bool>(), of(any::<String>())).prop_map(
            |(process, cgroup, is_v1, name)| {
                Fact::Resident(Resident {
                    pid: process.pid,
                    start_ticks: process.start_ticks,
                    cgroup,
                    is_v1,
                    uid: process.parent,
                    name,
                })
            }
        ),
        (process(), number(), hash()).prop_map(|(process, exec_id, hash)| {
            Fact::Executable(Executable {
                pid: process.pid,
                start_ticks: process.start_ticks,
                exec_id,
                path: process.exe,
                hash,
            })
        }),
        cross_check().prop_map(Fact::CrossCheck),
    ]
}

fn container() -> impl Strategy<Value = Container> {
    let pod = any::<[Option<String>; 4]>().prop_map(|[uid, name, namespace, container]| Pod {
        uid,
        name,
        namespace,
        container,
    });
    (any::<String>(), any::<[Option<String>; 3]>(), of(pod)).prop_map(
        |(id, [runtime, name, image], pod)| Container {
            id,
            runtime,
            name,
            image,
            pod,
        },
    )
}

pub fn anchor() -> impl Strategy<Value = Anchor> {
    (time(), any::<i64>(), any::<i32>(), any::<String>()).prop_map(
        |(boot_ns, utc_ns, offset_s, zone)| Anchor {
            boot_ns,
            utc_ns,
            offset_s,
            zone,
        },
    )
}

fn tracing() -> impl Strategy<Value = Tracing> {
    (
        any::<[String; 2]>(),
        vec(any::<[String; 2]>(), 0..3),
        vec(any::<[String; 2]>(), 0..3),
        vec(any::<String>(), 0..3),
    )
        .prop_map(|([version, object_sha256], hooks, programs, degraded)| {
            let hooks = hooks.into_iter();
            let programs = programs.into_iter();
            Tracing {
                version,
                object_sha256,
                hooks: hooks.map(|[name, via]| Hook { name, via }).collect(),
                programs: programs.map(|[name, tag]| Program { name, tag }).collect(),
                degraded,
            }
        })
}

fn detached() -> impl Strategy<Value = Detached> {
    (any::<String>(), vec(any::<[String; 2]>(), 0..3)).prop_map(|(program, hooks)| {
        let hooks = hooks.into_iter();
        Detached {
            program,
            hooks: hooks.map(|[name, via]| Hook { name, via }).collect(),
        }
    })
}

fn service() -> impl Strategy<Value = Service> {
    (0_u16..3, "(tcp|udp)", any::<String>()).prop_map(|(port, protocol, name)| Service {
        port,
        protocol,
        name,
    })
}

fn network() -> impl Strategy<Value = IpNet> {
    (any::<IpAddr>(), 0_u8..=32).prop_filter_map("every address has 32 bits", |(address, len)| {
        IpNet::new(address, len).ok()
    })
}

fn process() -> impl Strategy<Value = Process> {
    (
        pid(),
        number(),
        pid(),
        any::<[String; 3]>(),
        of(vec(any::<String>(), 0..3)),
        any::<[bool; 2]>(),
    )
        .prop_map(
            |(pid, start_ticks, parent, [name, exe, tty], args, [exe_deleted, args_truncated])| {
                Process {
                    pid,
                    start_ticks,
                    parent,
                    name,
                    exe,
                    exe_deleted,
                    args,
                    args_truncated,
                    tty,
                }
            },
        )
}

fn hash() -> impl Strategy<Value = Hash> {
    prop_oneof![
        any::<String>().prop_map(Hash::Sha256),
        Just(Hash::TooLarge),
        Just(Hash::Changed),
        Just(Hash::Unreadable),
    ]
}

fn cross_check() -> impl Strategy<Value = CrossCheck> {
    (
        time(),
        vec(hidden(), 0..3),
        vec(any::<String>(), 0..2),
        any::<[u64; 2]>(),
    )
        .prop_map(
            |(time_ns, hidden, not_compared, [namespaces, sockets])| CrossCheck {
                time_ns,
                namespaces,
                sockets,
                hidden,
                not_compared,
            },
        )
}

fn hidden() -> impl Strategy<Value = Hidden> {
    let source = prop_oneof![
        Just(Source::Iterator),
        Just(Source::SockDiag),
        Just(Source::ProcNet)
    ];
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)];
    let end = || (any::<IpAddr>(), 0_u16..4).prop_map(SocketAddr::from);
    let ends = (0_u32..3, protocol, end(), of(end()))
        .prop_map(|(netns, protocol, local, remote)| Ends::new(netns, protocol, local, remote));
    (ends, vec(source, 0..3), any::<u64>(), vec(listed(), 0..3)).prop_map(
        |(ends, from, missing, sockets)| Hidden {
            ends,
            from,
            missing,
            sockets,
        },
    )
}

fn listed() -> impl Strategy<Value = Listed> {
    let holder = (pid(), number(), any::<u32>()).prop_map(|(pid, start_ticks, uid)| Holder {
        pid,
        start_ticks,
        uid,
        ..Holder::default()
    });
    (
        0_u8..14,
        of(any::<u32>()),
        of(any::<u64>()),
        vec(holder, 0..3),
    )
        .prop_map(|(state, uid, inode, holders)| Listed {
            state,
            uid,
            inode,
            holders,
        })
}

pub fn any_counters() -> impl Strategy<Value = Counters> {
    (counts(), counts()).prop_map(|(connections, processes)| Counters {
        connections,
        processes,
    })
}

fn counts() -> impl Strategy<Value = Counts> {
    prop::array::uniform9(number()).prop_map(
        |[
            seen,
            selected_out,
            ring_full,
            map_full,
            hook_missed,
            hook_detached,
            received,
            output,
            own,
        ]| Counts {
            seen,
            selected_out,
            ring_full,
            map_full,
            hook_missed,
            hook_detached,
            received,
            output,
            own,
        },
    )
}
