//! Packets that were let through or not.

use super::*;

#[test]
fn what_is_let_through_or_not() {
    for (line, expected) in [
        (
            "%ASA-2-106001: Inbound TCP connection denied from 203.0.113.1/4000 to 192.0.2.5/25 flags SYN  on interface outside",
            "tcp outside:203.0.113.1/4000 -- -:192.0.2.5/25 | denied | - | Inbound TCP connection denied",
        ),
        (
            "%ASA-2-106006: Deny inbound UDP from 203.0.113.1/4000 to 192.0.2.5/137 on interface outside.",
            "udp outside:203.0.113.1/4000 -- -:192.0.2.5/137 | denied | - | Deny inbound UDP",
        ),
        (
            "%ASA-2-106007: Deny inbound UDP from 203.0.113.1/53 to 192.0.2.5/4000 due to DNS Response",
            "udp -:203.0.113.1/53 -- -:192.0.2.5/4000 | denied | - | Deny inbound UDP due to DNS Response",
        ),
        (
            "%ASA-3-106014: Deny inbound icmp src outside:203.0.113.1 dst inside:10.0.0.5 (type 8, code 0)",
            "icmp outside:203.0.113.1 -- inside:10.0.0.5 | denied | - | Deny inbound icmp",
        ),
        (
            "%ASA-6-106015: Deny TCP (no connection) from 192.168.0.6/2278 to 203.0.113.8/80 flags RST on interface inside",
            "tcp inside:192.168.0.6/2278 -- -:203.0.113.8/80 | denied | - | Deny TCP (no connection)",
        ),
        (
            "%ASA-4-106023: Deny tcp src dmz:10.1.2.30/63016(LOCAL\\bob (x)) dst outside:203.0.113.8/53 by access-group \"acl dmz\" [0xe3aab522, 0x0]",
            "tcp dmz:10.1.2.30/63016 LOCAL\\bob (x) -- outside:203.0.113.8/53 | denied | acl dmz | -",
        ),
        (
            "%ASA-4-106023: Deny icmp src outside:2001:db8::1 dst inside:2001:db8::2 (type 3, code 1) by access-group acl_out [0x0, 0x0]",
            "ipv6-icmp outside:2001:db8::1 -- inside:2001:db8::2 | denied | acl_out | -",
        ),
        (
            "%ASA-4-106023: Deny protocol 47 src 10.0.0.5 dst outside:203.0.113.8 by access_group \"a\"",
            "gre -:10.0.0.5 -- outside:203.0.113.8 | denied | a | -",
        ),
        (
            "%ASA-session-5-106100: access-list inside_in permitted udp inside/10.0.0.5(1029)(LOCAL\\bob) -> outside/203.0.113.8(53) hit-cnt 3 300-second interval [0x0, 0x0]",
            "udp inside:10.0.0.5/1029 LOCAL\\bob -- outside:203.0.113.8/53 | allowed | inside_in | hit-cnt 3 300-second interval",
        ),
        (
            "%ASA-6-106100: access-list outside_in denied icmp outside/203.0.113.8(8) -> inside/10.0.0.5(0) hit-cnt 1 first hit [0x0, 0x0]",
            "icmp outside:203.0.113.8 -- inside:10.0.0.5 | denied | outside_in | hit-cnt 1 first hit",
        ),
        (
            "%ASA-6-106100: access-list x est-allowed tcp NP Identity Ifc/2001:db8::1(80) -> inside/2001:db8::2(4000) hit-cnt 1 first hit",
            "tcp NP Identity Ifc:2001:db8::1/80 -- inside:2001:db8::2/4000 | allowed | x | hit-cnt 1 first hit",
        ),
        (
            "%ASA-6-106102: access-list vpn permitted tcp for user 'alice b' outside/203.0.113.8(5000) -> inside/10.0.0.5(445) hit-cnt 1 first hit [0x0, 0x0]",
            "tcp outside:203.0.113.8/5000 alice b -- inside:10.0.0.5/445 | allowed | vpn | hit-cnt 1 first hit",
        ),
        (
            "%ASA-4-106103: access-list vpn denied udp for user bob outside/203.0.113.8 5000 inside/10.0.0.5 53 hit-cnt 1 first hit [0x0, 0x0]",
            "udp outside:203.0.113.8/5000 bob -- inside:10.0.0.5/53 | denied | vpn | hit-cnt 1 first hit",
        ),
        (
            "%ASA-7-710002: UDP access permitted from 10.0.0.5/3421 to inside:10.0.0.1/snmp",
            "udp inside:10.0.0.5/3421 -- -:10.0.0.1/161 | allowed | - | -",
        ),
        (
            "%ASA-3-710003: TCP access denied by ACL from 203.0.113.8/3421 to outside:192.0.2.1/22",
            "tcp outside:203.0.113.8/3421 -- -:192.0.2.1/22 | denied | - | TCP access denied by ACL",
        ),
        (
            "%ASA-3-313001: Denied ICMP type=8, code=0 from 203.0.113.8 on interface outside",
            "icmp outside:203.0.113.8 -- -: | denied | - | Denied ICMP type=8, code=0",
        ),
        (
            "%ASA-4-313004: Denied ICMP type=0, from laddr 10.0.0.5 on interface inside to 203.0.113.8: no matching session",
            "icmp inside:10.0.0.5 -- -:203.0.113.8 | denied | - | Denied ICMP type=0: no matching session",
        ),
        (
            "%ASA-4-313005: No matching connection for ICMP error message: icmp src outside:203.0.113.8 dst inside:10.0.0.5 (type 3, code 3) on outside interface.  Original IP payload: udp src 10.0.0.5/53 dst 203.0.113.8/6789.",
            "icmp outside:203.0.113.8 -- inside:10.0.0.5 | denied | - | No matching connection for ICMP error message: udp src 10.0.0.5/53 dst 203.0.113.8/6789",
        ),
    ] {
        assert_eq!(told(&only(&[line])), expected, "{line}");
    }
}

/// Of 106001, 106014, 106100, 313001 and 710003.
#[test]
fn what_else_is_told_of_them() {
    let icmp = |kind, code| Some(Icmp { kind, code });
    let flow = only(&[
        "%ASA-6-106015: Deny TCP (no connection) from 10.0.0.5/1 to 203.0.113.8/80 flags SYN ACK  on interface inside",
    ]);
    assert_eq!((flow.flags, flow.stage), (Some(TcpFlags(0x12)), None));
    let flow = only(&[
        "%ASA-6-106015: Deny TCP (no connection) from 10.0.0.5/1 to 203.0.113.8/80 flags ODD on interface inside",
    ]);
    assert_eq!(
        (flow.flags, flow.reason.as_deref()),
        (None, Some("Deny TCP (no connection) flags ODD"))
    );
    let flow = only(&[
        "%ASA-3-106014: Deny inbound icmp src outside:203.0.113.1 dst inside:10.0.0.5 (type 3, code 13)",
    ]);
    assert_eq!(flow.icmp, icmp(3, 13));
    let flow =
        only(&["%ASA-3-313001: Denied ICMP type=8, code=1 from 203.0.113.8 on interface outside"]);
    assert_eq!((flow.icmp, flow.destination), (icmp(8, 1), End::default()));
    let flow = only(&[
        "%ASA-3-710003: TCP access denied by ACL from 203.0.113.8/1 to outside:192.0.2.1/own-word",
    ]);
    assert_eq!(
        (flow.service.as_deref(), flow.destination.port),
        (Some("own-word"), None)
    );
    for (action, hits, stage) in [
        ("permitted", "first hit", Some(Stage::Start)),
        ("permitted", "300-second interval", Some(Stage::Update)),
        ("denied", "first hit", None),
        ("denied", "300-second interval", Some(Stage::Update)),
    ] {
        let line = format!(
            "%ASA-6-106100: access-list a {action} icmp a/10.0.0.5(3) -> b/203.0.113.8(4) hit-cnt 2 {hits} [0x0, 0x0]"
        );
        let flow = only(&[&line]);
        assert_eq!((flow.stage, flow.icmp), (stage, icmp(3, 4)), "{line}");
        assert!(flow.packets.is_unknown());
    }
}
