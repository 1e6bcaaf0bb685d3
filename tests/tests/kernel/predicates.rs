//! Every test of the selection that the kernel half decides.

use std::collections::BTreeSet;

use nix::libc::ENETUNREACH;
use tracer_tests::{
    cgroup::Cgroup, netns::Netns, on_every_rung, peer::Peer, rung::Rung, tracer::Tracer,
};

on_every_rung!(own: all_tests_at_once);

/// An address that is external, and that nothing leads to from a namespace of the tests.
const EXTERNAL: &str = "1.1.1.1:443";

/// One connection that passes every test that there is. The verifier sees all of them in force.
fn all_tests_at_once(rung: Rung) {
    let netns = Netns::new();
    let path = format!("/conntracer-all-{}-{}", std::process::id(), rung as u8);
    let cgroup = Cgroup::new(&path);
    let flags = [
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
    let mut all = vec!["--external"];
    all.extend(flags.as_flattened());
    let tracer = Tracer::on(rung, &netns, &all);
    let attempt = |identity: &[&str]| {
        let words: Vec<&str> = identity
            .iter()
            .copied()
            .chain(["refused", EXTERNAL])
            .collect();
        let mut peer = Peer::start(&netns, &words);
        assert_eq!(peer.line(), ENETUNREACH.to_string());
        let pid = peer.pid();
        peer.finish();
        pid
    };
    let directory = cgroup.directory();
    attempt(&["--cgroup", &directory, "--login", "1000"]);
    attempt(&["--cgroup", &directory, "--uid", "1234"]);
    attempt(&["--login", "1000", "--uid", "1234"]);
    let whole = ["--cgroup", &directory, "--login", "1000", "--uid", "1234"];
    let wanted = attempt(&whole);
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    assert_eq!(finished.pids(), BTreeSet::from([wanted]));
    assert_eq!(finished.stop().number("kernel.delivered"), Some(1));
}
