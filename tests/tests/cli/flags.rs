//! What each selecting flag keeps that the kernel half decides.

use std::collections::BTreeSet;

use nix::libc::ENETUNREACH;
use tracer_tests::{
    cgroup::Cgroup,
    netns::Netns,
    peer::{self, Peer},
    rung::Rung,
    tracer::Tracer,
};

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

/// What one flag keeps of the traffic, and its negated form the rest.
#[test]
fn each_flag_and_its_negated_form() {
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
        Tracer::on(Rung::Auto, &netns, &flags)
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
        assert_eq!(kept.pids(), expected, "--{flag}");
        assert_eq!(rest.pids(), &all - &expected, "--not-{flag}");
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
    assert_eq!(by_path.stop().pids(), all);
}
