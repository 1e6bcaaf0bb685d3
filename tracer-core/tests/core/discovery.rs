//! Who looks at connections, as a story of frames tells it.

use tracer_abi::{
    Address, Connection, Detail, ExecFrame, ExitFrame, ForkFrame, Glance, Identity, Kind, Look,
    Name, Protocol, look_flag,
};
use tracer_core::{
    decode::decode,
    discovery::{
        Elements, Finding, Severity,
        finding::Behaviour::{self, FdSweep, ProcNetRead, SockDiagDump, UtilityExec},
    },
    pipeline::Pipeline,
    record::{Record, Stop},
    select::{Selection, Term, Test},
    totals::Counters,
};
use zerocopy::FromZeros as _;

use crate::{
    frames::{bytes, header, of_connection, of_exec, of_look},
    reading::line,
    runs::started,
};

const SECOND: u64 = 1_000_000_000;
const NETNS: u32 = 5;

/// A world in which time passes.
struct Story {
    pipeline: Pipeline,
    records: Vec<Record>,
    now_ns: u64,
}

/// A process of an administrator who has logged in.
fn process(pid: u32) -> Identity {
    Identity {
        start_ns: u64::from(pid) * SECOND,
        exec_id: 1,
        tgid: pid,
        tid: pid,
        ns_tgid: pid,
        sid: 100,
        auid: 1000,
        audit_session: 3,
        ..Identity::NOBODY
    }
}

fn tcp_dump() -> Look {
    Look {
        glance: Glance::DIAG_DUMP,
        family: 2,
        protocol: 6,
        states: u32::MAX,
        listed: NETNS,
        ..Look::NONE
    }
}

fn list(name: &[u8]) -> Look {
    let mut padded = [0; 16];
    padded[..name.len()].copy_from_slice(name);
    Look {
        glance: Glance::PROC_NET,
        listed: NETNS,
        name: Name(padded),
        ..Look::NONE
    }
}

fn sweep(count: u32) -> Look {
    Look {
        glance: Glance::FD_SWEEP,
        count,
        ..Look::NONE
    }
}

impl Story {
    fn of(elements: Elements, selection: Selection) -> Self {
        let (pipeline, records) = started(selection);
        Self {
            pipeline: pipeline.discovering(Some(elements)),
            records,
            now_ns: 10 * SECOND,
        }
    }

    fn new() -> Self {
        Self::of(Elements::default(), Selection::default())
    }

    fn frame(&mut self, frame: &[u8]) {
        let frame = decode(frame).unwrap_or_else(|error| panic!("{error}"));
        self.pipeline.frame(frame, &mut self.records);
    }

    fn fork(&mut self, parent: &Identity, child: &Identity) {
        let frame = ForkFrame {
            header: header::<ForkFrame>(Kind::FORK, self.now_ns, 0),
            child_start_ns: child.start_ns,
            child_exec_id: child.exec_id,
            parent_start_ns: parent.start_ns,
            parent_exec_id: parent.exec_id,
            child_tgid: child.tgid,
            parent_tgid: parent.tgid,
            comm: child.comm,
        };
        self.frame(&bytes(&frame, &[]));
    }

    fn exec(&mut self, actor: Identity, path: &str, args: &[&str]) {
        let mut fixed = ExecFrame::new_zeroed();
        fixed.identity = actor;
        fixed.header.time_ns = self.now_ns;
        let components: Vec<Vec<u8>> = path
            .rsplit('/')
            .filter(|part| !part.is_empty())
            .map(|part| part.as_bytes().to_vec())
            .collect();
        let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        self.frame(&of_exec(fixed, &components, &args));
    }

    fn look(&mut self, actor: Identity, look: Look) {
        self.frame(&of_look(self.now_ns, actor, NETNS, look));
    }

    fn connect(&mut self, owner: Identity, remote: [u8; 4]) {
        let mut connection = Connection::new_zeroed();
        connection.family = 4;
        connection.direction = 1;
        connection.protocol = Protocol::TCP;
        connection.opened_ns = self.now_ns;
        connection.remote = Address::from_v4(u32::from_ne_bytes(remote));
        connection.remote_port = 443;
        connection.selected = 1;
        connection.owner = owner;
        let detail = Detail::new_zeroed();
        self.frame(&of_connection(
            Kind::CONNECT,
            self.now_ns,
            connection,
            detail,
        ));
    }

    fn exit(&mut self, actor: &Identity) {
        let frame = ExitFrame {
            header: header::<ExitFrame>(Kind::EXIT, self.now_ns, 0),
            start_ns: actor.start_ns,
            tgid: actor.tgid,
            reserved: 0,
        };
        self.frame(&bytes(&frame, &[]));
    }

    fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now_ns += SECOND;
            self.pipeline
                .count(self.now_ns, Counters::default(), &mut self.records);
        }
    }

    fn findings(&self) -> Vec<&Finding> {
        let findings = self.records.iter().filter_map(|record| match record {
            Record::Discovery(finding) => {
                let written = line(record);
                let read = Record::read(&written);
                assert!(read.is_ok_and(|read| line(&read) == written), "{written}");
                Some(&**finding)
            }
            _ => None,
        });
        findings.collect()
    }

    /// The only finding.
    fn finding(&self) -> &Finding {
        let findings = self.findings();
        assert_eq!(findings.len(), 1, "{findings:#?}");
        findings[0]
    }

    fn end(mut self) -> (Vec<Record>, Box<Stop>) {
        self.pipeline.stop(self.now_ns, &mut self.records);
        match self.records.pop() {
            Some(Record::Stop(stop)) => (self.records, stop),
            other => panic!("{other:?}"),
        }
    }
}

/// `ss` at a terminal, as far as it has been run.
fn ss(story: &mut Story, pid: u32) -> Identity {
    let actor = process(pid);
    story.exec(actor, "/usr/bin/ss", &["ss", "-tanp"]);
    story.look(actor, tcp_dump());
    actor
}

fn severity_of(elements: Elements, act: impl FnOnce(&mut Story)) -> Vec<Severity> {
    let mut story = Story::of(elements, Selection::default());
    act(&mut story);
    story.wait(3);
    let severities = story.findings().into_iter().map(|finding| finding.severity);
    severities.collect()
}

#[test]
fn a_run_is_one_record_when_the_process_ends() {
    let mut story = Story::new();
    let actor = ss(&mut story, 7);
    story.look(actor, tcp_dump());
    story.look(actor, sweep(20));
    story.look(actor, sweep(80));
    assert!(story.findings().is_empty());
    story.exit(&actor);
    let finding = story.finding();
    assert_eq!(finding.behaviours, [UtilityExec, SockDiagDump, FdSweep]);
    assert_eq!(finding.severity, Severity::Info);
    assert_eq!(finding.details.swept, Some(80));
    assert_eq!(finding.details.matched, "ss");
    assert!(finding.details.netns.is_empty(), "its own");
    assert!(finding.details.first_seen);
    assert_eq!(
        (finding.cwd.as_deref(), finding.netns),
        (Some("/tmp"), Some(NETNS))
    );
    assert_eq!(finding.owner().unwrap().process.pid, 7);
    assert_eq!(
        finding.reasons,
        [
            "ss is in UtilityNameList",
            "it had the kernel list tcp over ipv4 (sock_diag)",
            "it listed the descriptors of 80 other processes or more",
        ]
    );
    let (records, stop) = story.end();
    let output = &stop.output;
    assert_eq!(
        output.delivered + output.derived,
        output.suppressed + output.written
    );
    assert_eq!(stop.kernel.delivered, 4);
    assert_eq!(records.len(), 2);
}

#[test]
fn who_goes_on_is_told_within_two_seconds_and_again_once_a_minute() {
    let mut story = Story::new();
    let poller = process(8);
    for _ in 0..13 {
        story.look(poller, list(b"tcp"));
        story.wait(10);
    }
    let repeats: Vec<u64> = story
        .findings()
        .iter()
        .map(|finding| finding.repeat)
        .collect();
    assert_eq!(repeats, [0, 5, 5]);
    let behaviours: Vec<&[Behaviour]> = story
        .findings()
        .iter()
        .map(|finding| &*finding.behaviours)
        .collect();
    assert_eq!(behaviours, [[ProcNetRead]; 3]);
    story.look(poller, list(b"udp"));
    story.wait(2);
    assert_eq!(story.findings().len(), 4, "something new is told at once");
}

#[test]
fn what_was_not_told_is_told_at_the_end() {
    let mut story = Story::new();
    story.look(process(8), list(b"tcp"));
    let (records, _) = story.end();
    assert!(matches!(records.last(), Some(Record::Discovery(_))));
}

#[test]
fn another_program_of_a_process_is_another_run() {
    let mut story = Story::new();
    let shell = process(9);
    story.look(shell, list(b"tcp"));
    let other = Identity {
        exec_id: 2,
        ..shell
    };
    story.exec(other, "/usr/bin/ss", &["ss"]);
    story.exit(&other);
    let findings = story.findings();
    assert_eq!(findings.len(), 2);
    assert_eq!(findings[0].behaviours, [ProcNetRead]);
    assert_eq!(findings[1].behaviours, [UtilityExec]);
}

#[test]
fn nothing_is_told_where_it_is_not_asked_for() {
    let (pipeline, records) = started(Selection::default());
    let mut story = Story {
        pipeline,
        records,
        now_ns: 10 * SECOND,
    };
    let actor = ss(&mut story, 7);
    story.exit(&actor);
    story.wait(3);
    let (records, stop) = story.end();
    assert_eq!((records.len(), stop.discovery), (1, None));
}

#[test]
fn who_matters_more() {
    let of_service = |story: &mut Story| {
        let actor = Identity {
            uid: 33,
            auid: u32::MAX,
            ..process(7)
        };
        story.look(actor, list(b"tcp"));
    };
    assert_eq!(
        severity_of(Elements::default(), of_service),
        [Severity::Medium]
    );
    let below_a_server = |story: &mut Story| {
        let (server, shell, tool) = (process(5), process(6), process(7));
        story.exec(server, "/usr/sbin/nginx", &["nginx"]);
        story.fork(&server, &shell);
        story.exec(shell, "/bin/sh", &["sh", "-c", "x"]);
        story.fork(&shell, &tool);
        story.exec(tool, "/usr/bin/x", &["x"]);
        story.look(tool, tcp_dump());
    };
    let found = severity_of(Elements::default(), below_a_server);
    assert_eq!(found, [Severity::High], "a shell between hides nothing");
    let brought_along = |story: &mut Story| {
        let actor = process(7);
        story.exec(actor, "/tmp/x", &["x"]);
        story.look(actor, tcp_dump());
    };
    assert_eq!(
        severity_of(Elements::default(), brought_along),
        [Severity::Low]
    );
    let through_a_ring = |story: &mut Story| {
        let look = Look {
            flags: look_flag::IO_URING,
            ..list(b"tcp")
        };
        story.look(process(7), look);
    };
    assert_eq!(
        severity_of(Elements::default(), through_a_ring),
        [Severity::Low]
    );
}

#[test]
fn what_the_session_did_beside_it_matters() {
    let after_a_connection = |remote: [u8; 4], look: Look| {
        move |story: &mut Story| {
            story.connect(process(6), remote);
            story.wait(60);
            story.look(process(7), look);
        }
    };
    let outside = [8, 8, 8, 8];
    let found = severity_of(Elements::default(), after_a_connection(outside, tcp_dump()));
    assert_eq!(found, [Severity::High]);
    let before_a_connection = |story: &mut Story| {
        story.look(process(7), tcp_dump());
        story.wait(60);
        for _ in 0..2 {
            story.connect(process(6), outside);
        }
    };
    let found = severity_of(Elements::default(), before_a_connection);
    assert_eq!(
        found,
        [Severity::Info, Severity::High],
        "told again, and once"
    );
    let found = severity_of(
        Elements::default(),
        after_a_connection([10, 0, 0, 1], tcp_dump()),
    );
    assert_eq!(found, [Severity::Info], "another host of the same network");
    let found = severity_of(Elements::default(), after_a_connection(outside, sweep(20)));
    assert_eq!(
        found,
        [Severity::Info],
        "a sweep says nothing of connections"
    );
    let mut elements = Elements::default();
    elements.linux.time_window = jiff::SignedDuration::from_secs(30);
    let found = severity_of(elements, after_a_connection(outside, tcp_dump()));
    assert_eq!(found, [Severity::Info], "longer ago than TimeWindow");
}

#[test]
fn sudo_is_beside_what_others_do_and_not_beside_what_it_starts() {
    let gain = |story: &mut Story| {
        let (sudo, tool) = (process(6), process(7));
        story.exec(
            Identity { uid: 1000, ..sudo },
            "/usr/bin/sudo",
            &["sudo", "ss"],
        );
        story.fork(&sudo, &tool);
        story.exec(tool, "/usr/bin/ss", &["ss"]);
        story.look(tool, tcp_dump());
    };
    assert_eq!(severity_of(Elements::default(), gain), [Severity::Info]);
    let other = |story: &mut Story| {
        story.exec(process(6), "/usr/bin/sudo", &["sudo", "id"]);
        story.look(process(7), tcp_dump());
    };
    assert_eq!(severity_of(Elements::default(), other), [Severity::High]);
    let mut elements = Elements::default();
    let scope = &mut elements.linux.user_context_scope;
    scope.administrators.push("1000".to_owned());
    assert_eq!(
        severity_of(elements, other),
        [Severity::Info],
        "gains nothing"
    );
}

#[test]
fn often_is_unusual() {
    let mut elements = Elements::default();
    elements.linux.execution_frequency_threshold.count = 3;
    let often = |story: &mut Story| {
        for pid in 7..10 {
            let actor = ss(story, pid);
            story.exit(&actor);
        }
    };
    let found = severity_of(elements, often);
    assert_eq!(found, [Severity::Info, Severity::Info, Severity::Medium]);
}

#[test]
fn only_what_is_selected_is_told() {
    let of_netns = |netns: u32| Selection {
        terms: vec![Term {
            test: Test::Netns(vec![netns]),
            is_negated: false,
        }],
        ..Selection::default()
    };
    let told = |selection: Selection| {
        let mut story = Story::of(Elements::default(), selection);
        let actor = ss(&mut story, 7);
        story.exit(&actor);
        story.findings().len()
    };
    assert_eq!(told(of_netns(NETNS)), 1);
    assert_eq!(told(of_netns(NETNS + 1)), 0);
}
