//! What each mutable element changes.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::discovery::{
    Analytic::{Esxi, Iaas, Linux, Macos, NetworkDevice, Windows},
    act::{Actor, Beside, Parent},
    elements::{Expression, Globs, Threshold, Users},
};
use crate::logs::Origin;

/// A Monday, at noon.
const NOON: &str = "2025-11-24T12:00:00Z";

fn act(analytic: Analytic, what: What, actor: Actor) -> Act {
    Act {
        analytic,
        time: NOON.parse().unwrap(),
        host: "host1".to_owned(),
        what,
        actor,
        origin: Origin {
            file: "log".into(),
            line: 1,
        },
    }
}

fn typed(line: &str) -> What {
    What::Command(line.split(' ').map(str::to_owned).collect())
}

fn child_of(exe: &str) -> Actor {
    Actor {
        parent: Some(Parent {
            exe: Some(exe.to_owned()),
            ..Parent::default()
        }),
        ..Actor::default()
    }
}

fn user(name: &str) -> Actor {
    Actor {
        user: Some(name.to_owned()),
        ..Actor::default()
    }
}

/// The same, seconds later.
fn later(act: &Act, seconds: i64) -> Act {
    let mut later = act.clone();
    later.time += SignedDuration::from_secs(seconds);
    later.origin.line += 1;
    later
}

fn globs(patterns: &[&str]) -> Globs {
    serde_json::from_value(patterns.into()).unwrap()
}

fn expressions(patterns: &[&str]) -> Vec<Expression> {
    serde_json::from_value(patterns.into()).unwrap()
}

fn judged(acts: &[Act], elements: &Elements) -> (Vec<Finding>, Passed) {
    let mut judge = Judge::new(elements.clone());
    acts.iter().cloned().for_each(|act| judge.take(act));
    let (findings, passed) = judge.end();
    for finding in &findings {
        let written = serde_json::to_string(finding).unwrap();
        let read: Finding = serde_json::from_str(&written).unwrap();
        assert_eq!(read, *finding);
    }
    (findings, passed)
}

/// The severities of what is found.
fn severities(acts: &[Act], elements: &Elements) -> Vec<Severity> {
    let (findings, _) = judged(acts, elements);
    findings.iter().map(|finding| finding.severity).collect()
}

/// What is found as it is, and with an element changed.
fn both(acts: &[Act], change: impl FnOnce(&mut Elements)) -> [Vec<Severity>; 2] {
    let mut changed = Elements::default();
    change(&mut changed);
    assert_ne!(changed, Elements::default());
    [
        severities(acts, &Elements::default()),
        severities(acts, &changed),
    ]
}

const INFO: Severity = Severity::Info;
const LOW: Severity = Severity::Low;
const MEDIUM: Severity = Severity::Medium;
const HIGH: Severity = Severity::High;

#[test]
fn command_pattern_list_of_windows() {
    let netstat = act(Windows, typed("netstat -ano"), Actor::default());
    let script = What::Script("Get-NetTCPConnection -State Listen".to_owned());
    let script = act(Windows, script, Actor::default());
    let other = act(Windows, typed("ipconfig /all"), Actor::default());
    let found = both(
        &[netstat, later(&script, 100), later(&other, 200)],
        |elements| {
            elements.windows.command_pattern_list = expressions(&["ipconfig"]);
        },
    );
    assert_eq!(found, [vec![INFO, INFO], vec![INFO]]);
}

#[test]
fn suspicious_parent_processes() {
    let by = r"C:\Program Files\Microsoft Office\WINWORD.EXE";
    let found = both(
        &[act(Windows, typed("netstat"), child_of(by))],
        |elements| {
            elements.windows.suspicious_parent_processes = globs(&["java.exe"]);
        },
    );
    assert_eq!(found, [vec![HIGH], vec![INFO]]);
    let by = "/usr/sbin/nginx";
    let found = both(&[act(Linux, typed("ss -t"), child_of(by))], |elements| {
        elements.linux.suspicious_parent_processes = globs(&[]);
    });
    assert_eq!(found, [vec![HIGH], vec![INFO]]);
}

#[test]
fn time_window() {
    let in_session = |analytic, what| {
        let actor = Actor {
            session: Some("0x3e7".to_owned()),
            ..Actor::default()
        };
        act(analytic, what, actor)
    };
    for (analytic, command) in [(Windows, "netstat"), (Linux, "ss")] {
        for (what, after) in [
            (Beside::Connection, 300),
            (Beside::Privilege, -300),
            (Beside::Credentials, 300),
        ] {
            let listing = in_session(analytic, typed(command));
            let other = later(&in_session(analytic, What::Beside(what)), after);
            let found = both(&[listing.clone(), other.clone()], |elements| {
                elements.windows.time_window = SignedDuration::from_secs(299);
                elements.linux.time_window = SignedDuration::from_secs(299);
            });
            assert_eq!(found, [vec![HIGH], vec![INFO]], "{analytic:?} {what:?}");
            let mut elsewhere = other;
            elsewhere.actor.session = Some("0x4".to_owned());
            let found = severities(&[listing, elsewhere], &Elements::default());
            assert_eq!(found, [INFO], "another session");
        }
    }
}

#[test]
fn utility_name_list() {
    let acts = [
        act(Linux, typed("/usr/bin/netstat -tan"), Actor::default()),
        act(Linux, typed("connlist --all"), Actor::default()),
        // Whatever it is called.
        act(Linux, typed("cat /proc/4/net/tcp6"), Actor::default()),
    ];
    let found = both(&acts, |elements| {
        elements.linux.utility_name_list = globs(&["conn*"]);
    });
    assert_eq!(found, [vec![INFO; 2], vec![INFO; 2]]);
    let (findings, _) = judged(&acts, &Elements::default());
    let matched: Vec<&str> = findings
        .iter()
        .map(|f| f.details.matched.as_str())
        .collect();
    assert_eq!(matched, ["netstat", "/proc/4/net/tcp6"]);
}

#[test]
fn command_pattern_list_of_linux() {
    let acts = [act(Linux, typed("python3 -m psutil.net"), Actor::default())];
    let found = both(&acts, |elements| {
        elements.linux.command_pattern_list = expressions(&[r"\bpsutil\.net\b"]);
    });
    assert_eq!(found, [vec![], vec![INFO]]);
}

#[test]
fn user_context_scope() {
    let by = |uid, auid| {
        let actor = Actor {
            uid: Some(uid),
            auid,
            ..Actor::default()
        };
        act(Linux, typed("ss"), actor)
    };
    let all = [
        by(0, None),
        by(33, None),
        by(0, Some(1000)),
        by(1000, Some(1000)),
    ];
    let found = |users| {
        let mut elements = Elements::default();
        elements.linux.user_context_scope.users = users;
        let (findings, passed) = judged(&all, &elements);
        assert_eq!(
            findings.len() as u64 + passed.out_of_scope + folded(&findings),
            4
        );
        findings
            .iter()
            .map(|finding| finding.severity)
            .collect::<Vec<_>>()
    };
    assert_eq!(found(Users::All), [INFO, MEDIUM, INFO]);
    assert_eq!(found(Users::NotAdministrators), [MEDIUM, INFO]);
    assert_eq!(found(Users::Services), [MEDIUM]);
    assert_eq!(found(Users::Containers), []);
    let mut elements = Elements::default();
    elements.linux.user_context_scope.service_uids = (100, 200);
    assert_eq!(severities(&all, &elements), [INFO; 3]);
}

#[test]
fn allow_list() {
    let actor = Actor {
        exe: Some("/opt/agent/ss".to_owned()),
        uid: Some(998),
        ..Actor::default()
    };
    let acts = [act(Linux, typed("ss -t"), actor)];
    let list = |value| {
        let mut elements = Elements::default();
        elements.linux.allow_list = serde_json::from_value(value).unwrap();
        elements
    };
    let allowed = list(serde_json::json!([{"exe": ["/opt/agent/*"], "user": ["998"]}]));
    assert_eq!(severities(&acts, &Elements::default()), [MEDIUM]);
    assert_eq!(severities(&acts, &allowed), []);
    assert_eq!(judged(&acts, &allowed).1.allowed, 1, "and is counted");
    let other = list(serde_json::json!([{"exe": ["/opt/agent/*"], "user": ["agent"]}]));
    assert_eq!(severities(&acts, &other), [MEDIUM]);
    let contained = list(serde_json::json!([{"exe": ["/opt/agent/*"], "image": ["*"]}]));
    assert_eq!(
        severities(&acts, &contained),
        [MEDIUM],
        "a log names no image"
    );
}

fn folded(findings: &[Finding]) -> u64 {
    findings.iter().map(|finding| finding.repeat).sum()
}

#[test]
fn execution_frequency_threshold() {
    let first = act(Linux, typed("ss"), user("alice"));
    let all: Vec<Act> = (0..4).map(|at| later(&first, at * 15)).collect();
    let found = both(&all, |elements| {
        let within = SignedDuration::from_secs(30);
        elements.linux.execution_frequency_threshold = Threshold::new(3, within);
    });
    assert_eq!(found, [vec![INFO], vec![MEDIUM]]);
    let found = both(&all, |elements| {
        let within = SignedDuration::from_secs(29);
        elements.linux.execution_frequency_threshold = Threshold::new(3, within);
    });
    assert_eq!(found, [vec![INFO], vec![INFO]]);
    let (findings, _) = judged(&all, &Elements::default());
    assert_eq!(folded(&findings), 3);
}

#[test]
fn shell_command_watchlist() {
    let acts = [
        act(Macos, typed("lsof -nP -i TCP"), Actor::default()),
        act(Macos, typed("scutil --nwi"), user("b")),
    ];
    let found = both(&acts, |elements| {
        elements.macos.shell_command_watchlist = expressions(&["^scutil", "lsof"]);
    });
    assert_eq!(found, [vec![INFO], vec![INFO, INFO]]);
}

#[test]
fn terminal_binary_denylist() {
    let found = both(
        &[act(
            Macos,
            typed("netstat -an"),
            child_of("/usr/bin/osascript"),
        )],
        |elements| elements.macos.terminal_binary_denylist = globs(&["*/Terminal"]),
    );
    assert_eq!(found, [vec![HIGH], vec![INFO]]);
}

#[test]
fn execution_origin_check() {
    let actor = Actor {
        via: Some("ssh".to_owned()),
        ..Actor::default()
    };
    let command = typed("esxcli --formatter=csv network ip connection list");
    let found = both(&[act(Esxi, command, actor)], |elements| {
        elements.esxi.execution_origin_check = vec!["dcui".to_owned()];
    });
    assert_eq!(found, [vec![MEDIUM], vec![INFO]]);
}

#[test]
fn expected_admin_access_window() {
    let call = What::Call("vim.EsxCLI.network.ip.connection.list".to_owned());
    let evening = later(&act(Esxi, call, Actor::default()), 8 * 3600);
    let found = both(&[evening], |elements| {
        elements.esxi.expected_admin_access_window.to = "21:00".parse().unwrap();
    });
    assert_eq!(found, [vec![LOW], vec![INFO]]);
}

#[test]
fn command_pattern_list_of_esxi_and_network_devices() {
    let acts = [
        act(Esxi, typed("vsish -e ls /net"), Actor::default()),
        act(NetworkDevice, typed("show tcp brief all"), Actor::default()),
        act(NetworkDevice, typed("show arp"), Actor::default()),
    ];
    let found = both(&acts, |elements| {
        elements.esxi.command_pattern_list = expressions(&["vsish.*/net"]);
        elements.network_device.command_pattern_list = expressions(&["^show (tcp|arp)"]);
    });
    assert_eq!(found, [vec![INFO], vec![INFO; 3]]);
}

#[test]
fn privileged_user_check() {
    let mut actor = user("oper");
    actor.privilege = Some(1);
    let acts = [act(NetworkDevice, typed("sh ip sockets"), actor)];
    let found = both(&acts, |elements| {
        elements.network_device.privileged_user_check.users = globs(&["oper"]);
    });
    assert_eq!(found, [vec![MEDIUM], vec![INFO]]);
    let found = both(&acts, |elements| {
        elements.network_device.privileged_user_check.level = 1;
    });
    assert_eq!(found, [vec![MEDIUM], vec![INFO]]);
    let found = both(&acts, |elements| {
        elements.network_device.privileged_user_check.users = globs(&["admin"]);
        elements.network_device.privileged_user_check.level = 0;
    });
    assert_eq!(
        found,
        [vec![MEDIUM], vec![MEDIUM]],
        "who is not named may not"
    );
}

#[test]
fn service_principal_allowlist() {
    let call = What::Call("ec2:DescribeNetworkInterfaces".to_owned());
    let arn = "arn:aws:sts::123456789012:assumed-role/inventory/i-0";
    let acts = [act(Iaas, call, user(arn))];
    let found = both(&acts, |elements| {
        elements.iaas.service_principal_allowlist = globs(&["*:assumed-role/inventory/*"]);
    });
    assert_eq!(found, [vec![INFO], vec![]]);
    let mut elements = Elements::default();
    elements.iaas.service_principal_allowlist = globs(&["*"]);
    assert_eq!(judged(&acts, &elements).1.allowed, 1, "and is counted");
}

#[test]
fn burst_query_threshold() {
    let call = |name: &str| act(Iaas, What::Call(name.to_owned()), user("alice"));
    let acts = [
        call("ec2:DescribeNetworkInterfaces"),
        later(&call("ec2:DescribeVpnConnections"), 10),
        later(&call("ec2:DescribeTransitGatewayPeeringAttachments"), 20),
    ];
    let found = both(&acts, |elements| {
        let within = SignedDuration::from_secs(30);
        elements.iaas.burst_query_threshold = Threshold::new(3, within);
    });
    assert_eq!(found, [vec![INFO], vec![MEDIUM]]);
}

#[test]
fn what_is_one_run_is_one_finding() {
    let by = |pid, parent, line: &str| {
        let actor = Actor {
            pid: Some(pid),
            parent: Some(Parent {
                pid: Some(parent),
                ..Parent::default()
            }),
            session: Some("4".to_owned()),
            ..user("alice")
        };
        act(Linux, typed(line), actor)
    };
    let sudo = by(7, 1, "sudo ss -tan");
    let gained = later(&by(7, 1, ""), 0);
    let gained = Act {
        what: What::Beside(Beside::Privilege),
        origin: sudo.origin.clone(),
        ..gained
    };
    let started = later(&by(8, 7, "ss -tan"), 1);
    let acts = [sudo.clone(), gained, started];
    let (findings, _) = judged(&acts[..2], &Elements::default());
    assert_eq!(findings[0].severity, INFO, "sudo is the act itself");
    let (findings, _) = judged(&acts, &Elements::default());
    assert_eq!((findings.len(), findings[0].repeat), (1, 0));
    let again = [sudo.clone(), later(&by(9, 1, "sudo ss -uan"), 60)];
    let (findings, _) = judged(&again, &Elements::default());
    assert_eq!((findings.len(), findings[0].repeat), (1, 1));
    let much_later = [sudo.clone(), later(&sudo, 61)];
    assert_eq!(severities(&much_later, &Elements::default()).len(), 2);
}

#[test]
fn findings_are_in_the_order_of_time_whatever_the_files_are() {
    let first = act(Linux, typed("ss"), user("alice"));
    let acts = [later(&first, 500), first];
    let (findings, _) = judged(&acts, &Elements::default());
    let times: Vec<(u64, Timestamp)> = findings
        .iter()
        .map(|f| (f.head.seq, f.head.time.parse().unwrap()))
        .collect();
    let noon: Timestamp = NOON.parse().unwrap();
    assert_eq!(
        times,
        [(1, noon), (2, noon + SignedDuration::from_secs(500))]
    );
}

#[test]
fn none_of_our_own_patterns_is_dropped() {
    let elements = Elements::default();
    assert_eq!(elements.windows.command_pattern_list.len(), 8);
    assert_eq!(elements.macos.shell_command_watchlist.len(), 4);
    assert_eq!(elements.esxi.command_pattern_list.len(), 4);
    assert_eq!(elements.network_device.command_pattern_list.len(), 6);
}
