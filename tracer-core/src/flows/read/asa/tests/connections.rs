//! Connections that were built and torn down.

use super::*;
use crate::flows::Origin;

#[test]
fn who_has_begun() {
    for (line, expected) in [
        // Document 116149: management of the device, from inside.
        (
            "%ASA-6-302013: Built inbound TCP connection 8 for inside:10.1.1.2/12523 (10.1.1.2/12523) to NP Identity Ifc:10.1.1.1/22 (10.1.1.1/22)",
            "tcp inside:10.1.1.2/12523 -> NP Identity Ifc:10.1.1.1/22",
        ),
        // Document 116149: from inside to outside: the first is who is asked.
        (
            "%ASA-6-302013: Built outbound TCP connection 9 for outside:203.0.113.1/22 (203.0.113.1/22) to inside:10.1.1.2/53496 (198.51.100.1/1024)",
            "tcp inside:10.1.1.2/53496=198.51.100.1/1024 -> outside:203.0.113.1/22",
        ),
        // Document 116149: from outside to inside.
        (
            "%ASA-6-302013: Built inbound TCP connection 11 for outside:203.0.113.1/21647 (203.0.113.1/21647) to inside:10.1.1.2/22 (198.51.100.5/22)",
            "tcp outside:203.0.113.1/21647 -> inside:10.1.1.2/22=198.51.100.5/22",
        ),
        (
            "%ASA-6-302015: Built outbound UDP connection 5 for outside:203.0.113.2/53 (203.0.113.2/53) to inside:10.1.1.2/52925 (198.51.100.1/25882)",
            "udp inside:10.1.1.2/52925=198.51.100.1/25882 -> outside:203.0.113.2/53",
        ),
        (
            "%FTD-6-302013: Built inbound Probe TCP connection 12 for outside:2001:db8::1/62477 (2001:db8::1/62477) to identity:2001:db8::2/443 (2001:db8::2/443)",
            "tcp outside:2001:db8::1/62477 -> identity:2001:db8::2/443",
        ),
        (
            "%ASA-6-302035: Built inbound SCTP connection 7 for outside:203.0.113.1/5000 (203.0.113.1/5000) to inside:10.0.0.5/2905 (192.0.2.5/2905)",
            "sctp outside:203.0.113.1/5000 -> inside:10.0.0.5/2905=192.0.2.5/2905",
        ),
        (
            "%ASA-6-302017: Built inbound GRE connection 3 from outside:203.0.113.1 (203.0.113.1) to inside:10.0.0.5/7 (192.0.2.5/7)",
            "gre outside:203.0.113.1 -> inside:10.0.0.5=192.0.2.5",
        ),
        (
            "%ASA-6-302017: Built outbound GRE connection 3 from outside:203.0.113.1 (203.0.113.1) to inside:10.0.0.5/7 (192.0.2.5/7)",
            "gre outside:203.0.113.1 -- inside:10.0.0.5=192.0.2.5",
        ),
        (
            "%ASA-6-302303: Built TCP state-bypass connection 4 from inside:10.0.0.5/40000(10.0.0.5/40000) to outside:203.0.113.1/80(203.0.113.1/80)",
            "tcp inside:10.0.0.5/40000 -> outside:203.0.113.1/80",
        ),
        (
            "%ASA-6-302305: Built SCTP state-bypass connection 4 for outside:203.0.113.1/80 (203.0.113.1/80) to inside:10.0.0.5/40000 (10.0.0.5/40000)",
            "sctp outside:203.0.113.1/80 -- inside:10.0.0.5/40000",
        ),
        (
            "%ASA-6-302020: Built inbound ICMP connection for faddr 203.0.113.1/7 gaddr 198.51.100.5/0 laddr 10.0.0.5/0 type 8 code 0",
            "icmp -:203.0.113.1 -> -:10.0.0.5=198.51.100.5",
        ),
        (
            "%ASA-6-302020: Built outbound ICMP connection for faddr 2001:db8::1/0 gaddr 2001:db8::2/7 laddr 2001:db8::2/7(LOCAL\\alice) type 128 code 0",
            "ipv6-icmp -:2001:db8::2 LOCAL\\alice -> -:2001:db8::1",
        ),
    ] {
        let flow = only(&[line]);
        assert_eq!(
            told(&flow),
            format!("{expected} | allowed | - | -"),
            "{line}"
        );
        assert_eq!((flow.stage, flow.end), (Some(Stage::Start), None), "{line}");
        assert_eq!(flow.time.to_string(), "2018-10-10T12:34:56Z");
        assert_eq!(flow.device.as_deref(), Some("fw1"));
    }
}

/// `302014` and the like, as documented.
#[test]
fn one_flow_of_two_lines() {
    let flow = only(&[
        "Oct 10 2018 12:33:26 fw1 : %ASA-6-302013: Built outbound TCP connection 9 for outside:203.0.113.1/22 (203.0.113.1/22) to inside:10.1.1.2/53496 (198.51.100.1/1024)",
        "%ASA-6-302014: Teardown TCP connection 9 for outside:203.0.113.1/22 to inside:10.1.1.2/53496(LOCAL\\bob) duration 0:01:31 bytes 38110 TCP Reset-I from inside (alice)",
    ]);
    assert_eq!(
        told(&flow),
        "tcp inside:10.1.1.2/53496=198.51.100.1/1024 LOCAL\\bob -> outside:203.0.113.1/22 | allowed | - | TCP Reset-I from inside"
    );
    assert_eq!(
        (flow.bytes, flow.stage),
        (Amount::total(38110), Some(Stage::End))
    );
    assert_eq!(
        flow.time.to_string(),
        "2018-10-10T12:33:26Z",
        "as it was built"
    );
    assert_eq!(
        flow.end.map(|end| end.to_string()).as_deref(),
        Some("2018-10-10T12:34:56Z")
    );
    assert_eq!(flow.session.as_deref(), Some("9"));
    let Origin::Line { line, .. } = flow.origin else {
        panic!("a line tells it");
    };
    assert_eq!(line, 1);

    let flow = only(&[
        "Oct 10 2018 12:34:54 fw1 : %ASA-6-302020: Built outbound ICMP connection for faddr 203.0.113.1/0 gaddr 198.51.100.1/7 laddr 10.0.0.5/7",
        "%ASA-6-302021: Teardown ICMP connection for faddr 203.0.113.1/0 gaddr 198.51.100.1/7 laddr 10.0.0.5/7 (alice) type 8 code 0",
    ]);
    assert_eq!(
        told(&flow),
        "icmp -:10.0.0.5=198.51.100.1 alice -> -:203.0.113.1 | allowed | - | -"
    );
    assert_eq!(flow.icmp, Some(Icmp { kind: 8, code: 0 }));
    assert!(flow.end > Some(flow.time) && flow.bytes.is_unknown() && flow.session.is_none());
}

#[test]
fn only_the_end_is_told() {
    for (line, expected) in [
        (
            "%ASA-6-302014: Teardown TCP connection 9 for outside:203.0.113.1/22 to inside:10.1.1.2/53496 duration 125:04:02 bytes 0 SYN Timeout",
            "tcp outside:203.0.113.1/22 -- inside:10.1.1.2/53496 | allowed | - | SYN Timeout",
        ),
        (
            "%ASA-6-302014: Teardown TCP connection 9 for outside:203.0.113.1/22 to inside:10.1.1.2/53496 duration 125:04:02 bytes 0 Deny Terminate (alice (x))",
            "tcp outside:203.0.113.1/22 -- inside:10.1.1.2/53496 | denied | - | Deny Terminate (alice (x))",
        ),
        // Without the colon, as some relays write it.
        (
            "%ASA-6-302016 Teardown UDP connection 9 for outside:203.0.113.1/53(LOCAL\\Speci\u{e4}l \u{d6}01) to dmz:OCSP_Server/5678 duration 125:04:02 bytes 140 (alice)",
            "udp outside:203.0.113.1/53 LOCAL\\Speci\u{e4}l \u{d6}01 -- dmz:<OCSP_Server>/5678 | allowed | - | (alice)",
        ),
        (
            "%ASA-6-302018: Teardown GRE connection 3 from outside:203.0.113.1 (203.0.113.1) to inside:10.0.0.5/7 (192.0.2.5/7) duration 125:04:02 bytes 12",
            "gre outside:203.0.113.1 -- inside:10.0.0.5=192.0.2.5 | allowed | - | -",
        ),
        (
            "%ASA-6-302036: Teardown SCTP connection 7 for outside:203.0.113.1/5000 to inside:10.0.0.5/2905 duration 125:04:02 bytes 1 reason",
            "sctp outside:203.0.113.1/5000 -- inside:10.0.0.5/2905 | allowed | - | reason",
        ),
        // The commas are in the document.
        (
            "%ASA-6-302304: Teardown TCP state-bypass connection 4 from inside:10.0.0.5/40000 to outside:203.0.113.1/80 duration 125:04:02, bytes 5, TCP FINs",
            "tcp inside:10.0.0.5/40000 -> outside:203.0.113.1/80 | allowed | - | TCP FINs",
        ),
        (
            "%ASA-6-302306: Teardown SCTP state-bypass connection 4 for outside:203.0.113.1/80 to inside:10.0.0.5/40000 duration 125:04:02 bytes 5 x",
            "sctp outside:203.0.113.1/80 -- inside:10.0.0.5/40000 | allowed | - | x",
        ),
    ] {
        let flow = only(&[line]);
        assert_eq!(told(&flow), expected, "{line}");
        assert_eq!(flow.stage, Some(Stage::End));
        assert_eq!(flow.time.to_string(), "2018-10-05T07:30:54Z", "{line}");
    }
    let flow = only(&[
        "%ASA-6-302021: Teardown ICMP connection for faddr 203.0.113.1/0 gaddr 198.51.100.1/7 laddr 10.0.0.5/7",
    ]);
    assert_eq!(
        told(&flow),
        "icmp -:203.0.113.1 -- -:10.0.0.5=198.51.100.1 | allowed | - | -"
    );
    assert_eq!((flow.end, flow.stage), (Some(flow.time), Some(Stage::End)));
}

fn stages(flows: &[Flow]) -> Vec<(Option<Stage>, bool, Option<u16>)> {
    let one = |flow: &Flow| (flow.stage, flow.initiator_known, flow.source.port);
    flows.iter().map(one).collect()
}

#[test]
fn a_number_that_is_used_again() {
    let again = BUILT.replace("53496", "53497");
    let (start, known) = ((Some(Stage::Start), true), (Some(Stage::End), true));
    let (flows, last, why) = read(&mut asa(), &[BUILT, &again, TORN, BUILT]);
    assert_eq!(why, [""; 0]);
    assert_eq!(
        stages(&flows),
        [
            (start.0, start.1, Some(53496)),
            (start.0, start.1, Some(53497)),
            // It is of the first, which is no longer remembered.
            (Some(Stage::End), false, Some(22)),
        ]
    );
    assert_eq!(stages(&last), [(start.0, start.1, Some(53496))]);
    // Of another device, and of another protocol, it is another number.
    let other = TORN.replace('%', "Oct 10 2018 12:34:56 fw2 : %");
    let udp = TORN.replace("302014: Teardown TCP", "302016: Teardown UDP");
    let (flows, last, _) = read(&mut asa(), &[BUILT, &other, &udp, TORN]);
    assert_eq!(
        stages(&flows),
        [
            (Some(Stage::End), false, Some(22)),
            (Some(Stage::End), false, Some(22)),
            (known.0, known.1, Some(53496)),
        ]
    );
    assert!(last.is_empty());
}

#[test]
fn the_end_is_in_the_next_file() {
    let mut reader = asa();
    let (flows, last, _) = read(&mut reader, &[BUILT]);
    assert_eq!(
        (flows.len(), stages(&last)),
        (0, vec![(Some(Stage::Start), true, Some(53496))])
    );
    let (flows, last, _) = read(&mut reader, &[TORN]);
    assert_eq!(stages(&flows), [(Some(Stage::End), true, Some(53496))]);
    assert_eq!(flows[0].source.nat.port, Some(1024));
    assert!(last.is_empty());
}

#[test]
fn of_too_many_the_oldest_is_told() {
    let lines: Vec<String> = (0..5000)
        .map(|number| BUILT.replace("connection 9 ", &format!("connection {number} ")))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut reader = asa();
    let (flows, last, _) = read(&mut reader, &lines);
    assert_eq!(flows.len() + last.len(), lines.len());
    assert_eq!(flows[0].session.as_deref(), Some("0"));
    assert!(flows.len() > 500);
}

#[test]
fn users() {
    for (users, expected) in [
        // Of each end, and of who has begun.
        (
            ["(LOCAL\\alice)", "(LOCAL\\bob, 5:Staff)", " (carol)"],
            (Some("LOCAL\\bob"), Some("LOCAL\\alice")),
        ),
        (["", "", " (carol (ext))"], (Some("carol (ext)"), None)),
        (["", "(LOCAL\\bob)", ""], (Some("LOCAL\\bob"), None)),
        (
            ["", " (LOCAL\\bob)", " (carol)"],
            (Some("LOCAL\\bob"), None),
        ),
        (["", "", " ()"], (None, None)),
    ] {
        let [first, second, last] = users;
        let line = format!(
            "%ASA-6-302013: Built outbound TCP connection 9 for outside:203.0.113.1/22 (203.0.113.1/22){first} to inside:10.1.1.2/5 (10.1.1.2/5){second}{last}"
        );
        let flow = only(&[&line]);
        let found = (
            flow.source.user.as_deref(),
            flow.destination.user.as_deref(),
        );
        assert_eq!(found, expected, "{line}");
    }
}

/// 305011 and 305012.
#[test]
fn translations_are_known_to_what_follows() {
    let built = "%ASA-6-305011: Built dynamic TCP translation from inside:10.1.1.2/53496(LOCAL\\bob) to outside:198.51.100.1/1024";
    let other = built.replace("to outside", "to dmz");
    let gone = "%ASA-6-305012: Teardown dynamic TCP translation from inside (acl):10.1.1.2/53496 to outside:198.51.100.1/1024 duration 0:00:30";
    let icmp = "%ASA-6-305011: Built dynamic ICMP translation from inside:10.1.1.2/512 to outside:198.51.100.1/7";
    let nat = |lines: &[&str]| only(lines).destination.nat.port;
    assert_eq!(nat(&[built, icmp, TORN]), Some(1024));
    assert_eq!(nat(&[built, gone, TORN]), None);
    assert_eq!(nat(&[&other, TORN]), None, "it went elsewhere");
}
