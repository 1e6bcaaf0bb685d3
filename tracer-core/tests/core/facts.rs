//! Facts and counters, of the world that the frames are of.

use std::net::IpAddr;

use ipnet::IpNet;
use proptest::{collection::vec, prelude::*};
use tracer_core::{
    clock::Anchor,
    fact::{Account, Cgroup, Fact, Hook, Host, Networks, Process, Program, Service, Tracing},
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
    ]
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
        prop::option::of(vec(any::<String>(), 0..3)),
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

pub fn any_counters() -> impl Strategy<Value = Counters> {
    (counts(), counts()).prop_map(|(connections, processes)| Counters {
        connections,
        processes,
    })
}

fn counts() -> impl Strategy<Value = Counts> {
    prop::array::uniform8(number()).prop_map(
        |[
            seen,
            selected_out,
            ring_full,
            map_full,
            hook_missed,
            received,
            output,
            own,
        ]| Counts {
            seen,
            selected_out,
            ring_full,
            map_full,
            hook_missed,
            received,
            output,
            own,
        },
    )
}
