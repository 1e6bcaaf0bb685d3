//! The host is as it was.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use nix::sys::signal::Signal;
use tracer_tests::{
    bpf::{Foreign, programs, programs_of},
    cgroup::Cgroup,
    netns::Netns,
    on_every_rung,
    peer::{self, Peer},
    rung::Rung,
    tracer::Tracer,
    wait_until,
};

on_every_rung!(no_fact_falls_behind_the_others);

on_every_rung!(own: nothing_stays_after_a_kill, the_programs_speak_when_asked);

fn nothing_stays_after_a_kill(rung: Rung) {
    let netns = Netns::new();
    let cgroup = Cgroup::new(&format!(
        "/conntracer-kill-{}-{}",
        std::process::id(),
        rung as u8
    ));
    let directory = cgroup.directory();
    let _forbids = Foreign::forbid(&directory);
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let settings = settings();
    let tracer = Tracer::on(rung, &netns, &[]);
    let ours = programs_of(tracer.pid());
    assert!(!ours.is_empty());
    tracer.signal(Signal::SIGKILL);
    let finished = tracer.end();
    assert!(!finished.status.success());
    // The kernel frees programs when their last user is gone, which may be a moment later.
    wait_until("its programs are gone", || {
        let now = programs();
        !ours.iter().any(|id| now.contains_key(id))
    });
    assert_eq!(
        std::fs::read_to_string("/proc/self/mounts").unwrap(),
        mounts
    );
    assert_eq!(self::settings(), settings);
    // The program of somebody else still works.
    let mut client = Peer::start(&netns, &["--cgroup", &directory, "refused", "127.0.0.1:9"]);
    assert_eq!(client.line(), nix::libc::EPERM.to_string());
    client.finish();
}

/// Every one of them passes the verifier with its diagnostics in force.
fn the_programs_speak_when_asked(rung: Rung) {
    let netns = Netns::new();
    let tracer = Tracer::on(rung, &netns, &["--kernel-log", "debug"]);
    let mut server = Peer::start(&netns, &["serve", "127.0.0.1:0", "1", "0", "0"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let client = peer::run(&netns, &["connect", &target, "0", "0"]);
    server.finish();
    tracer.event("close", port, client);
    let finished = tracer.stop();
    let sentence = format!("DEBUG kind 0 pid {client} ports ");
    assert!(finished.stderr.contains(&sentence), "{}", finished.stderr);
}

/// A kernel that grants a kind of hook grants it for every fact that has a rung of it: a program of ours
/// that the verifier refuses would be missed by nobody, for the next rung does its work, too.
fn no_fact_falls_behind_the_others(rung: Rung) {
    let start = Tracer::shared(rung).wait("start", |record| record.event() == "start");
    let hooks = start.at("hooks").as_array().unwrap();
    let kind = |fact: &str| {
        let hook = hooks.iter().find(|hook| hook["name"] == fact);
        match hook.and_then(|hook| hook["via"].as_str()) {
            Some("fentry" | "fexit") => "trampoline",
            Some("kprobe" | "kretprobe") => "probe",
            Some(_) => "tracepoint",
            None => "nothing",
        }
    };
    let best = kind("connect");
    for fact in ["accept", "refusal", "close", "socket"] {
        assert_eq!(kind(fact), best, "{fact} in {hooks:?}");
    }
}

/// What a tracer could have changed of the host: the settings of its network, of BPF and of ftrace.
fn settings() -> BTreeMap<PathBuf, String> {
    let of_kernel = [
        "unprivileged_bpf_disabled",
        "bpf_stats_enabled",
        "ftrace_enabled",
    ];
    let of_kernel = of_kernel.map(|name| Path::new("/proc/sys/kernel").join(name));
    let of_network = [
        "/proc/sys/net/core",
        "/proc/sys/net/ipv4",
        "/proc/sys/net/ipv6",
    ]
    .into_iter()
    .filter_map(|directory| std::fs::read_dir(directory).ok())
    .flatten()
    .filter_map(|entry| Some(entry.ok()?.path()));
    of_kernel
        .into_iter()
        .chain(of_network)
        .filter_map(|path| Some((path.clone(), std::fs::read_to_string(path).ok()?)))
        .collect()
}
