use proptest::prelude::*;

use super::*;
use crate::{
    flows::{Amount, End, ip::IpProtocol},
    record::Record,
};

/// 2026-11-20, at so many seconds.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_132_800 + seconds).unwrap()
}

/// A run of a host from one second to another.
struct Host {
    known: Known,
    begun: u64,
    netns: u32,
    direction: &'static str,
}

impl Host {
    fn from(seconds: i64, more: &str) -> Self {
        let mut host = Self {
            known: Known::default(),
            begun: 0,
            netns: 1,
            direction: "outbound",
        };
        host.take(seconds, "start", &format!(
            r#""version":"1","kernel":"6","boot_id":"b","clock":{{"boot_ns":0,"utc":"{}"}},"hooks":[],"programs":[],"object_sha256":"","degraded":[],"not_covered":[],"filter":{{"match":"all","connections":{{}},"records":{{}},"in_kernel":[]}},"external_rules":[]{more}"#,
            at(seconds)
        ));
        host
    }

    fn take(&mut self, seconds: i64, event: &str, rest: &str) {
        let time = at(seconds);
        let line = format!(r#"{{"time":"{time:.9}","event":"{event}","seq":1,"host":"h",{rest}}}"#);
        self.known.record(&Record::read(&line).unwrap());
    }

    fn lose(&mut self, category: &str, (since, until): (i64, i64)) {
        let since = at(since);
        let lost = format!(r#""lost":{{"{category}":3}},"since":"{since}""#);
        self.take(until, "loss", &lost);
    }

    fn until(mut self, seconds: i64) -> Known {
        self.record(seconds, "update", (9, "192.0.2.77", 9), "192.0.2.78", 9, 1);
        self.known
    }

    /// A record of the connection that has this number, port and other end.
    fn record(
        &mut self,
        seconds: i64,
        event: &str,
        (id, ip, port): (u64, &str, u16),
        remote: &str,
        to: u16,
        pid: u32,
    ) {
        let (netns, direction) = (self.netns, self.direction);
        let process = format!(
            r#""process":{{"pid":{pid},"tid":{pid},"name":"p{pid}","start_time":"2026-11-20T00:00:00Z"}},"user":{{"uid":0,"gid":0}},"cgroup":{{"id":1,"path":"/"}}"#
        );
        self.take(seconds, event, &format!(
            r#""id":"{id:x}-0","protocol":"tcp","family":"ipv4","direction":"{direction}","local":{{"ip":"{ip}","port":{port}}},"remote":{{"ip":"{remote}","port":{to},"scope":"external"}},"netns":{netns},"attribution":"connect",{process}"#
        ));
    }

    /// One of a container, in a network namespace of its own.
    fn contained(&mut self, (ip, port): (&str, u16), pid: u32, (since, until): (i64, i64)) {
        self.begun += 1;
        let ends = (self.begun << 8, ip, port);
        self.netns = 2;
        self.record(since, "connect", ends, "203.0.113.9", 443, pid);
        self.record(until, "close", ends, "203.0.113.9", 443, pid);
        self.netns = 1;
    }

    /// A connection of 10.0.0.5 to 203.0.113.9:443 from one second to another.
    fn connection(&mut self, port: u16, pid: u32, (since, until): (i64, i64)) {
        self.begun += 1;
        let ends = (self.begun << 8, "10.0.0.5", port);
        self.record(since, "connect", ends, "203.0.113.9", 443, pid);
        self.record(until, "close", ends, "203.0.113.9", 443, pid);
    }
}

/// A flow of a port of 10.0.0.5 to 203.0.113.9:443.
fn flow(port: u16, (since, until): (i64, i64)) -> Flow {
    let origin = Origin::Line {
        file: "fw.log".into(),
        line: 1,
    };
    let mut flow = Flow::new(at(since), Format::CiscoAsa, origin);
    flow.end = Some(at(until));
    flow.source = End::at([10, 0, 0, 5].into(), port);
    flow.destination = End::at([203, 0, 113, 9].into(), 443);
    flow.protocol = Some(IpProtocol::TCP);
    flow.bytes = Amount::total(1);
    flow
}

fn attribution(known: Known, flows: &[Flow]) -> Attribution {
    Attribution::new(known, flows, SignedDuration::from_secs(5))
}

/// What one flow was, and the process.
fn of(known: Known, flow: &Flow) -> (Match, Option<u32>) {
    let found = attribution(known, std::slice::from_ref(flow)).of(flow);
    (found.verdict, found.owner.map(|owner| owner.process.pid))
}

fn host() -> Known {
    let mut host = Host::from(0, "");
    host.connection(52344, 7, (100, 110));
    host.connection(52345, 8, (100, 110));
    host.until(1000)
}

#[test]
fn a_flow_has_the_process_of_its_connection() {
    assert_eq!(
        of(host(), &flow(52344, (100, 110))),
        (Match::Matched, Some(7))
    );
    assert_eq!(
        of(host(), &flow(52345, (100, 110))),
        (Match::Matched, Some(8))
    );
    // Who is written first has not always begun it.
    let mut turned = flow(52344, (100, 110));
    std::mem::swap(&mut turned.source, &mut turned.destination);
    assert_eq!(of(host(), &turned), (Match::Matched, Some(7)));
    // The device tells what it made of the address.
    let mut translated = flow(52344, (100, 110));
    translated
        .source
        .translate(Some([192, 0, 2, 1].into()), Some(1025));
    assert_eq!(of(host(), &translated), (Match::Matched, Some(7)));
    let mut outside = flow(1025, (100, 110));
    outside.source.ip = Some([192, 0, 2, 1].into());
    outside
        .source
        .translate(Some([10, 0, 0, 5].into()), Some(52344));
    assert_eq!(of(host(), &outside), (Match::Matched, Some(7)));
    let mut mapped = flow(52344, (100, 110));
    mapped.source.ip = "::ffff:10.0.0.5".parse().ok();
    assert_eq!(of(host(), &mapped), (Match::Matched, Some(7)));
}

#[test]
fn what_is_no_connection_is_told_apart() {
    let verdict = |flow: &Flow| of(host(), flow).0;
    assert_eq!(verdict(&flow(1, (100, 110))), Match::Absent);
    // At another time, with the same ends.
    assert_eq!(verdict(&flow(52344, (300, 310))), Match::Absent);
    assert_eq!(verdict(&flow(1, (-100, -90))), Match::Uncovered);
    assert_eq!(verdict(&flow(1, (990, 1010))), Match::Uncovered);
    let mut other = flow(52344, (100, 110));
    other.source.ip = Some([10, 0, 0, 6].into());
    assert_eq!(verdict(&other), Match::Elsewhere);
    let mut icmp = flow(52344, (100, 110));
    icmp.protocol = Some(IpProtocol(1));
    assert_eq!(verdict(&icmp), Match::Uncovered);
    let mut inbound = flow(1, (100, 110));
    std::mem::swap(&mut inbound.source, &mut inbound.destination);
    assert_eq!(verdict(&inbound), Match::Absent);
    inbound.action = Some(Action::Denied);
    assert_eq!(verdict(&inbound), Match::NotArrived);
}

#[test]
fn what_was_not_seen_is_no_proof() {
    let gap = format!(
        r#","uncovered":[{{"since":"{}","until":"{}","why":"agent_stopped"}}]"#,
        at(200),
        at(300)
    );
    let with = |more: &str| Host::from(0, more).until(1000);
    for (flow, verdict) in [
        (flow(1, (250, 260)), Match::Uncovered),
        (flow(1, (400, 410)), Match::Absent),
    ] {
        let mut known = with(&gap);
        known.address([10, 0, 0, 5].into());
        assert_eq!(of(known, &flow).0, verdict);
    }
    let lossy = |category: &str| {
        let mut host = Host::from(0, "");
        host.lose(category, (200, 300));
        host.connection(52344, 7, (100, 110));
        attribution(host.until(1000), &[]).of(&flow(1, (250, 260)))
    };
    let found = lossy("ring_full");
    assert_eq!(found.verdict, Match::Uncovered);
    assert!(found.why.unwrap().starts_with("3 records were lost"));
    // Of processes only: every connection was seen.
    assert_eq!(lossy("processes").verdict, Match::Absent);
}

#[test]
fn what_is_lost_may_have_had_the_same_ends() {
    let found = |is_lossy: bool, is_shared: bool, when: (i64, i64)| {
        let mut host = Host::from(0, "");
        host.connection(52344, 7, (100, 110));
        if is_shared {
            host.netns = 2;
            host.connection(52345, 8, (50, 60));
        }
        if is_lossy {
            host.lose("hook_missed", (90, 120));
        }
        of(host.until(1000), &flow(52344, when))
    };
    let (at_the_time, later) = ((101, 109), (112, 114));
    let matched = (Match::Matched, Some(7));
    assert_eq!(found(false, true, at_the_time), matched);
    assert_eq!(found(true, false, at_the_time), matched);
    // The other namespace may have had the port, too.
    assert_eq!(found(true, true, at_the_time), (Match::Ambiguous, None));
    // The port may have been used again.
    assert_eq!(found(false, false, later), matched);
    assert_eq!(found(true, false, later), (Match::Ambiguous, None));
}

#[test]
fn no_process_is_named_that_it_may_not_be() {
    let twice = |second: u32| {
        let mut host = Host::from(0, "");
        host.connection(52344, 7, (100, 102));
        host.connection(52344, second, (103, 105));
        host.until(1000)
    };
    assert_eq!(
        of(twice(8), &flow(52344, (101, 104))),
        (Match::Ambiguous, None)
    );
    assert_eq!(
        of(twice(7), &flow(52344, (101, 104))),
        (Match::Matched, Some(7))
    );
    let found = attribution(twice(8), &[]).of(&flow(52344, (101, 104)));
    assert_eq!(found.candidates.len(), 2);
}

#[test]
fn what_the_host_translates_is_no_accusation() {
    let known = || {
        let mut host = Host::from(0, "");
        host.connection(1, 7, (100, 110));
        host.contained(("172.17.0.2", 40_000), 8, (100, 110));
        host.contained(("172.17.0.3", 40_001), 9, (100, 110));
        host.until(1000)
    };
    // The port is kept, if it can be.
    assert_eq!(
        of(known(), &flow(40_000, (100, 110))),
        (Match::Translated, Some(8))
    );
    // It may be another.
    let found = attribution(known(), &[]).of(&flow(1025, (100, 110)));
    assert_eq!(
        (found.verdict, found.candidates.len()),
        (Match::Ambiguous, 2)
    );
    // What is known exactly needs no guess, and what went elsewhere or at another time is none.
    assert_eq!(of(known(), &flow(1, (100, 110))), (Match::Matched, Some(7)));
    assert_eq!(of(known(), &flow(40_000, (300, 310))).0, Match::Absent);
    let mut other = flow(40_000, (100, 110));
    other.destination.port = Some(80);
    assert_eq!(of(known(), &other).0, Match::Absent);
    // Both have that port, so one of them has another behind the translation.
    let mut host = Host::from(0, "");
    host.connection(1, 7, (100, 110));
    host.contained(("172.17.0.2", 40_000), 8, (100, 110));
    host.contained(("172.17.0.3", 40_000), 9, (100, 110));
    let found = attribution(host.until(1000), &[]).of(&flow(40_000, (100, 110)));
    assert_eq!(
        (found.verdict, found.candidates.len()),
        (Match::Ambiguous, 2)
    );
}

#[test]
fn what_comes_to_a_published_port_is_of_its_container() {
    let mut host = Host::from(0, "");
    host.connection(1, 7, (100, 110));
    (host.netns, host.direction) = (2, "inbound");
    host.record(100, "accept", (1, "172.17.0.2", 80), "203.0.113.9", 443, 8);
    let mut inbound = flow(8080, (100, 110));
    std::mem::swap(&mut inbound.source, &mut inbound.destination);
    let found = attribution(host.until(1000), &[]).of(&inbound);
    assert_eq!(found.verdict, Match::Translated);
    assert_eq!(found.owner.unwrap().process.pid, 8);
    assert!(found.is_of_destination);
}

#[test]
fn another_address_of_the_same_namespace_is_not_translated() {
    let mut host = Host::from(0, "");
    host.connection(1, 7, (100, 110));
    host.record(
        100,
        "connect",
        (1, "192.0.2.5", 40_000),
        "203.0.113.9",
        443,
        8,
    );
    let found = of(host.until(1000), &flow(40_000, (100, 110)));
    assert_eq!(found, (Match::Absent, None));
}

#[test]
fn clocks_may_be_apart() {
    let hours = 2 * 3600 + 3;
    let mut host = Host::from(0, "");
    let mut flows = Vec::new();
    for port in 1..6 {
        let begun = i64::from(port) * 50;
        host.connection(port, u32::from(port), (begun, begun + 4));
        flows.push(flow(port, (begun + hours, begun + hours + 4)));
    }
    let mut attributing = attribution(host.until(1000), &flows);
    let skew = attributing.skew().unwrap();
    assert_eq!(
        (skew.offset, skew.pairs),
        (SignedDuration::from_secs(hours), 5)
    );
    assert!(skew.is_of_zones());
    for (port, flow) in (1..6).zip(&flows) {
        assert_eq!(attributing.of(flow).owner.unwrap().process.pid, port);
    }
    // Two are too few to tell.
    let mut host = Host::from(0, "");
    host.connection(1, 1, (50, 54));
    host.connection(2, 2, (100, 104));
    assert_eq!(attribution(host.until(1000), &flows).skew(), None);
}

#[test]
fn what_no_log_tells_of_is_found() {
    let mut host = Host::from(0, "");
    host.connection(1, 7, (100, 110));
    host.connection(2, 8, (100, 110));
    // The log may tell of it later.
    host.connection(3, 9, (950, 960));
    let mut attribution = attribution(host.until(1000), &[]);
    attribution.of(&flow(1, (100, 110)));
    attribution.of(&flow(9, (0, 1)));
    attribution.of(&flow(9, (1000, 1000)));
    let unlogged = attribution.unlogged();
    let ports: Vec<_> = unlogged.iter().map(|flow| flow.source.port).collect();
    assert_eq!(ports, [Some(2)]);
    let found = unlogged[0].attributed.as_ref().unwrap();
    assert_eq!(found.verdict, Match::Unlogged);
    assert_eq!(found.owner.as_ref().unwrap().process.pid, 8);
}

proptest! {
    #[test]
    fn never_the_wrong_process(
        connections in prop::collection::vec((1_u16..6, 0_i64..400, 1_i64..30), 1..30),
        skew in -9000_i64..9000,
    ) {
        let mut host = Host::from(0, "");
        let mut flows = Vec::new();
        let mut free = [0; 6];
        for (at, (port, after, lasts)) in connections.iter().enumerate() {
            // One tuple is of one connection at a time.
            let begun = free[usize::from(*port)] + after;
            free[usize::from(*port)] = begun + lasts;
            host.connection(*port, u32::try_from(at).unwrap(), (begun, begun + lasts));
            flows.push(flow(*port, (begun + skew, begun + lasts + skew)));
        }
        let mut attribution = attribution(host.until(50_000), &flows);
        let is_known = attribution.skew().is_some_and(|known| known.offset.as_secs() == skew);
        for (at, flow) in flows.iter().enumerate() {
            let found = attribution.of(flow);
            if is_known {
                prop_assert!(matches!(found.verdict, Match::Matched | Match::Ambiguous));
                if let Some(owner) = found.owner {
                    prop_assert_eq!(owner.process.pid as usize, at);
                }
            }
        }
    }
}
