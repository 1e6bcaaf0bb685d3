//! Every test of the selection that the kernel half decides.

use std::collections::BTreeSet;

use nix::libc::ENETUNREACH;
use tracer_tests::{
    cgroup::Cgroup, netns::Netns, on_every_rung, on_outer_rungs, peer::Peer, record::Record,
    rung::Rung, scratch::Scratch, tracer::Tracer, wait_until,
};

on_every_rung!(own: all_tests_at_once);
on_outer_rungs!(own: a_feed_that_changes_is_what_counts);

/// An address that is external, and that nothing leads to from a namespace of the tests.
const EXTERNAL: &str = "1.1.1.1:443";
/// Another one, which no feed has at first.
const OTHER: &str = "1.3.3.3:443";

/// Attempts to reach an address, in vain; the process that did.
fn attempt(netns: &Netns, identity: &[&str], address: &str) -> u64 {
    let words: Vec<&str> = identity
        .iter()
        .copied()
        .chain(["refused", address])
        .collect();
    let mut peer = Peer::start(netns, &words);
    assert_eq!(peer.line(), ENETUNREACH.to_string());
    let pid = peer.pid();
    peer.finish();
    pid
}

/// One connection that passes every test that there is. The verifier sees all of them in force.
fn all_tests_at_once(rung: Rung) {
    let netns = Netns::new();
    let path = format!("/conntracer-all-{}-{}", std::process::id(), rung as u8);
    let cgroup = Cgroup::new(&path);
    let scratch = Scratch::new();
    let feed = scratch.write("feed.txt", b"1.1.1.1:443\n1.1.1.0/28\n");
    let feed = feed.to_str().unwrap_or_default();
    let flags = [
        ["--feed", feed],
        ["--port", "443"],
        ["--remote-port", "400-500"],
        ["--not-local-port", "443"],
        ["--remote", "1.0.0.0/8"],
        ["--not-remote", "1.2.0.0/16"],
        ["--protocol", "tcp"],
        ["--user", "1234"],
        ["--not-user", "0"],
        ["--login", "1000"],
        ["--not-login", "0"],
        ["--cgroup", path.as_str()],
        ["--not-cgroup", "/nowhere"],
    ];
    let mut all = vec!["--external", "--threat"];
    all.extend(flags.as_flattened());
    let tracer = Tracer::on(rung, &netns, &all);
    let directory = cgroup.directory();
    for part in [
        ["--cgroup", &directory, "--login", "1000"],
        ["--cgroup", &directory, "--uid", "1234"],
        ["--login", "1000", "--uid", "1234"],
    ] {
        attempt(&netns, &part, EXTERNAL);
    }
    let whole = ["--cgroup", &directory, "--login", "1000", "--uid", "1234"];
    attempt(&netns, &whole, OTHER);
    let wanted = attempt(&netns, &whole, EXTERNAL);
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    assert_eq!(finished.pids(), BTreeSet::from([wanted]));
    // Where `--remote` is asked for, the kernel tests that, and user space drops what no feed has.
    assert_eq!(finished.stop().number("kernel.delivered"), Some(2));
}

/// The kernel drops what is in no network of the feed, by the feed as it is now.
fn a_feed_that_changes_is_what_counts(rung: Rung) {
    let netns = Netns::new();
    let scratch = Scratch::new();
    let feed = scratch.write("feed.txt", b"1.1.1.1\n");
    let path = feed.to_str().unwrap_or_default();
    let tracer = Tracer::on(rung, &netns, &["--feed", path, "--threat"]);
    attempt(&netns, &[], OTHER);
    let first = attempt(&netns, &[], EXTERNAL);
    let of = |ip: &'static str| {
        move |record: &Record| record.event() == "failed" && record.text("remote.ip") == ip
    };
    let hit = tracer.wait("the first attempt", of("1.1.1.1"));
    assert_eq!(hit.number("process.pid"), Some(first));
    assert_eq!(hit.at("remote.threat")[0]["indicator"], "1.1.1.1");
    assert!(!tracer.records().iter().any(of("1.3.3.3")));
    let _ = scratch.write("feed.txt", b"# another\n1.3.3.0/24\n");
    wait_until("the feed has been read again", || {
        attempt(&netns, &[], OTHER);
        tracer.records().iter().any(of("1.3.3.3"))
    });
    let last = attempt(&netns, &[], EXTERNAL);
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    assert!(!finished.pids().contains(&last));
    assert!(
        finished.stderr.contains("was read again"),
        "{}",
        finished.stderr
    );
    assert!(finished.stop().number("kernel.selected_out") > Some(1));
}
