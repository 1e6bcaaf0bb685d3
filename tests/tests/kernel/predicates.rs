//! Every test of the selection that the kernel half decides.

use std::collections::BTreeSet;

use nix::libc::ENETUNREACH;
use tracer_tests::{
    cgroup::Cgroup,
    netns::Netns,
    on_every_rung, on_the_best_rung,
    peer::{self, Peer},
    rung::Rung,
    tracer::{Finished, Tracer},
};

on_every_rung!(own: all_tests_at_once);

on_the_best_rung!(own: each_flag_and_its_negated_form);

/// An address that is external, and that nothing leads to from a namespace of the tests.
const EXTERNAL: &str = "1.1.1.1:443";

/// Connections that differ in everything the kernel half can select by, and who made them.
struct Traffic {
    /// Root, over IPv4.
    plain: u64,
    /// User 1234, who logged in as 1000.
    user: u64,
    /// In the cgroup, over IPv6.
    cgroup: u64,
    /// To an external address.
    external: u64,
}

/// Servers for the traffic, each for one connection.
struct Servers {
    plain: Peer,
    user: Peer,
    cgroup: Peer,
}

impl Servers {
    fn start(netns: &Netns) -> Self {
        let serve = |address: &str| Peer::start(netns, &["serve", address, "1", "0", "0"]);
        Self {
            plain: serve("127.0.0.1:0"),
            user: serve("127.0.0.1:0"),
            cgroup: serve("[::1]:0"),
        }
    }

    fn pids(&self) -> [u64; 3] {
        [self.plain.pid(), self.user.pid(), self.cgroup.pid()]
    }

    fn finish(self) {
        for server in [self.plain, self.user, self.cgroup] {
            server.finish();
        }
    }
}

fn make_traffic(netns: &Netns, ports: [u16; 3], cgroup: &Cgroup) -> Traffic {
    let [plain, user, in_cgroup] = ports;
    let connect = |identity: &[&str], target: &str| {
        let words: Vec<&str> = identity
            .iter()
            .copied()
            .chain(["connect", target, "0", "0"])
            .collect();
        peer::run(netns, &words)
    };
    let mut external = Peer::start(netns, &["refused", EXTERNAL]);
    assert_eq!(external.line(), ENETUNREACH.to_string());
    let traffic = Traffic {
        plain: connect(&[], &format!("127.0.0.1:{plain}")),
        user: connect(
            &["--login", "1000", "--uid", "1234"],
            &format!("127.0.0.1:{user}"),
        ),
        cgroup: connect(
            &["--cgroup", &cgroup.directory()],
            &format!("[::1]:{in_cgroup}"),
        ),
        external: external.pid(),
    };
    external.finish();
    traffic
}

/// The processes that records of connections are about. A listener has no remote end, so that every
/// `--not-` of one keeps it.
fn pids(finished: &Finished) -> BTreeSet<u64> {
    let connections = finished
        .records
        .iter()
        .filter(|record| record.text("direction") != "listening");
    connections
        .filter_map(|record| record.number("process.pid"))
        .collect()
}

/// What one flag keeps of the traffic, and its negated form the rest.
fn each_flag_and_its_negated_form(rung: Rung) {
    let netns = Netns::new();
    let cgroup = Cgroup::new(&format!("/conntracer-flags-{}", std::process::id()));
    let path = format!("/conntracer-flags-{}", std::process::id());
    let mut servers = Servers::start(&netns);
    let ports = [
        servers.plain.port(),
        servers.user.port(),
        servers.cgroup.port(),
    ];
    let [at_plain, at_user, at_cgroup] = servers.pids();
    let port = ports[0].to_string();
    let trace = |flag: &str, value: &[&str]| {
        let flags: Vec<&str> = [&[flag], value].concat();
        Tracer::on(rung, &netns, &flags)
    };
    let flags: [(&str, &[&str]); 9] = [
        ("port", &[&port]),
        ("local-port", &[&port]),
        ("remote-port", &[&port]),
        ("remote", &["::1/128,10.0.0.0/8"]),
        ("external", &[]),
        ("protocol", &["tcp"]),
        ("user", &["1234"]),
        ("login", &["1000"]),
        ("cgroup", &[&path]),
    ];
    let tracers: Vec<(Tracer, Tracer)> = flags
        .iter()
        .map(|(flag, value)| {
            let kept = trace(&format!("--{flag}"), value);
            (kept, trace(&format!("--not-{flag}"), value))
        })
        .collect();
    let by_path = Tracer::start(&["--netns", &netns.path()]);
    let traffic = make_traffic(&netns, ports, &cgroup);
    servers.finish();
    let all = BTreeSet::from([
        traffic.plain,
        traffic.user,
        traffic.cgroup,
        traffic.external,
        at_plain,
        at_user,
        at_cgroup,
    ]);
    let expected: [&[u64]; 9] = [
        &[traffic.plain, at_plain],
        &[at_plain],
        &[traffic.plain],
        &[traffic.cgroup, at_cgroup],
        &[traffic.external],
        &all.iter().copied().collect::<Vec<_>>(),
        &[traffic.user],
        &[traffic.user],
        &[traffic.cgroup],
    ];
    for (((flag, _), expected), (kept, rest)) in flags.iter().zip(expected).zip(tracers) {
        let kept = kept.stop();
        let rest = rest.stop();
        let expected: BTreeSet<u64> = expected.iter().copied().collect();
        assert_eq!(pids(&kept), expected, "--{flag}");
        assert_eq!(pids(&rest), &all - &expected, "--not-{flag}");
        for finished in [kept, rest] {
            finished.assert_totals_add_up();
            // The kernel half decided it all.
            assert_eq!(
                finished.stop().number("output.suppressed"),
                Some(0),
                "{flag}"
            );
        }
    }
    assert_eq!(pids(&by_path.stop()), all);
}

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
    assert_eq!(pids(&finished), BTreeSet::from([wanted]));
    assert_eq!(finished.stop().number("kernel.delivered"), Some(1));
}
