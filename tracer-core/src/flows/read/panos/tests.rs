use jiff::tz::{Offset, TimeZone};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{super::table::tests::origin, *};
use crate::flows::Stage;

/// The columns to the session end reason, as "Traffic Log Fields" of PAN-OS 6.1 lists them; a header of
/// syslog as RFC 3164 has it, as devices with default settings send it.
const END: &str = "<14>Nov 30 16:09:08 PA-220 1,2018/11/30 16:09:07,012801096514,TRAFFIC,end,2049,2018/11/30 16:09:07,192.168.15.207,198.51.100.99,203.0.113.63,198.51.100.99,\"out, \"\"new\"\"\",corp\\alice,bob@corp.example,apple-maps,vsys1,trust,untrust,ethernet1/2,ethernet1/1,send_to_mac,2018/11/30 16:09:07,22751,1,55113,443,16418,443,0x400053,tcp,allow,7734,1758,5976,36,2018/11/30 15:59:04,586,\"computer,info\",0,32091112,0x0,192.168.0.0-192.168.255.255,United States,0,16,20,tcp-fin";
/// What 7.1 appends, and what 8.0 to 11.0 do in the same document: Link Switches has commas without quotes.
const OF_7: &str = ",0,0,0,0,,PA-220,from-policy";
const OF_11: &str = ",,,0,,0,,N/A,0,0,0,0,00000000-0000-0000-0000-000000000001,0,0,,{a, b, {c}},,,,,,,,,,,,,,,,,,,,,,,,,,,,,,2018-11-30T16:09:07.432+01:00,,,maps,general-internet,browser-based,2,,,untunneled,no,no,0";

/// The vendor's format for CEF ("PAN-OS CEF Configuration Guide", Traffic), with what it may stand for.
const CEF: &str = r"Nov 30 16:09:08 PA-220 CEF:0|Palo Alto Networks|PAN-OS|10.0.0|end|TRAFFIC|1|rt=Nov 30 2018 15:09:07 GMT deviceExternalId=012801096514 src=192.168.15.207 dst=198.51.100.99 sourceTranslatedAddress=203.0.113.63 destinationTranslatedAddress=0.0.0.0 cs1Label=Rule cs1=out \= new, all suser=corp\\alice duser= app=apple-maps cs3Label=Virtual System cs3=vsys1 cs4Label=Source Zone cs4=trust cs5Label=Destination Zone cs5=untrust deviceInboundInterface=ethernet1/2 deviceOutboundInterface=ethernet1/1 cs6Label=LogProfile cs6=send_to_mac cn1Label=SessionID cn1=22751 cnt=1 spt=55113 dpt=443 sourceTranslatedPort=16418 destinationTranslatedPort=0 flexString1Label=Flags flexString1=0x400053 proto=tcp act=allow flexNumber1Label=Total bytes flexNumber1=7734 in=1758 out=5976 cn2Label=Packets cn2=36 PanOSPacketsReceived=20 PanOSPacketsSent=16 start=Nov 30 2018 15:09:07 GMT cn3Label=Elapsed time in seconds cn3=586 cs2Label=URL Category cs2=computer info externalId=32091112 reason=tcp-fin dvchost=PA-220 cat=from-policy";

/// The vendor's format for LEEF, as IBM's guide of the integration has it ("Palo Alto PA Series sample event
/// messages"): with bars in place of tabs.
const LEEF: &str = r"<14>Nov 30 16:09:08 PA-220 LEEF:1.0|Palo Alto Networks|PAN-OS Syslog Integration|10.1.5|allow|cat=TRAFFIC|ReceiveTime=2018/11/30 16:09:07|SerialNumber=012801096514|Type=TRAFFIC|Subtype=end|devTime=Nov 30 2018 15:09:07 GMT|src=192.168.15.207|dst=198.51.100.99|srcPostNAT=203.0.113.63|dstPostNAT=0.0.0.0|RuleName=out = new, all|usrName=corp\alice|SourceUser=corp\alice|DestinationUser=|Application=apple-maps|VirtualSystem=vsys1|SourceZone=trust|DestinationZone=untrust|IngressInterface=ethernet1/2|EgressInterface=ethernet1/1|LogForwardingProfile=x|SessionID=22751|RepeatCount=1|srcPort=55113|dstPort=443|srcPostNATPort=16418|dstPostNATPort=0|Flags=0x400053|proto=tcp|action=allow|totalBytes=7734|dstBytes=5976|srcBytes=1758|totalPackets=36|StartTime=2018/11/30 15:59:04|ElapsedTime=586|URLCategory=any|sequence=32091112|dstPackets=20|srcPackets=16|SessionEndReason=tcp-fin|DeviceName=PA-220";

/// `--tz` of these tests: two hours before UTC, where no device of them is.
fn around() -> Around {
    Around {
        zone: TimeZone::fixed(Offset::constant(-2)),
        year: None,
        fields: None,
        now: "2026-01-02T00:00:00Z"
            .parse::<jiff::Timestamp>()
            .unwrap()
            .into(),
    }
}

fn read(line: &str) -> Result<Vec<Flow>, Unreadable> {
    let mut told = Vec::new();
    let mut reader = Panos::new(&around());
    reader.line(line, &origin(1), &mut told)?;
    reader.end(&mut told)?;
    Ok(told)
}

fn one(line: &str) -> Flow {
    let mut told = read(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(told.len(), 1, "{line}");
    told.remove(0)
}

fn why(line: &str) -> String {
    read(line).unwrap_err().0
}

/// `END` with other texts in its columns.
fn with(columns: &[(usize, &str)]) -> String {
    let head = head(END).unwrap();
    let row = super::super::table::row(head.rest).unwrap();
    let mut row: Vec<&str> = row.iter().collect();
    for (at, text) in columns {
        row[at - 4] = text;
    }
    let rest = super::super::table::tests::written(row);
    format!("1,2018/11/30 16:09:07,012801096514,TRAFFIC,{rest}")
}

/// What all three writings of one session tell.
fn session() -> Value {
    json!({
        "time": "2018-11-30T14:59:04.000000000Z",
        "end": "2018-11-30T15:08:50.000000000Z",
        "format": "panos-traffic",
        "origin": {"file": "x", "line": 1},
        "source": {
            "ip": "192.168.15.207", "port": 55113, "user": "corp\\alice",
            "nat": {"ip": "203.0.113.63", "port": 16418},
        },
        "destination": {"ip": "198.51.100.99", "port": 443},
        "initiator_known": true,
        "protocol": "tcp",
        "bytes": {"forward": 1758, "reverse": 5976},
        "packets": {"forward": 16, "reverse": 20},
        "action": "allowed",
        "stage": "end",
        "reason": "tcp-fin",
        "rule": "out = new, all",
        "ingress": {"interface": "ethernet1/2", "zone": "trust"},
        "egress": {"interface": "ethernet1/1", "zone": "untrust"},
        "session": "22751",
        "application": "apple-maps",
        "device": "PA-220",
    })
}

fn told(flow: &Flow) -> Value {
    serde_json::to_value(flow).unwrap()
}

#[test]
fn a_session_in_columns() {
    let mut expected = session();
    expected["rule"] = json!("out, \"new\"");
    expected["destination"]["user"] = json!("bob@corp.example");
    // The high resolution time says of which zone the others are.
    assert_eq!(told(&one(&format!("{END}{OF_7}{OF_11}"))), expected);
    // Without it, they are of the zone that is told.
    expected["time"] = json!("2018-11-30T17:59:04.000000000Z");
    expected["end"] = json!("2018-11-30T18:08:50.000000000Z");
    assert_eq!(told(&one(&format!("{END}{OF_7}"))), expected);
    expected["device"] = json!("012801096514");
    assert_eq!(told(&one(END)), expected);
}

#[test]
fn a_session_by_keys() {
    let mut cef = session();
    // Its one time is when it was told: the session ended then, at the latest.
    cef["time"] = json!("2018-11-30T14:59:21.000000000Z");
    cef["end"] = json!("2018-11-30T15:09:07.000000000Z");
    assert_eq!(told(&one(CEF)), cef);
    assert_eq!(told(&one(LEEF)), session());
    for between in ["\t", "#011"] {
        let (head, pairs) = LEEF.split_once("cat=").unwrap();
        let line = format!("{head}cat={}", pairs.replace('|', between));
        assert_eq!(told(&one(&line)), session());
    }
    for delimiter in ["^", "x5e", "0x5E"] {
        let (head, pairs) = LEEF.split_once("cat=").unwrap();
        let head = head.replace("LEEF:1.0", "LEEF:2.0");
        let line = format!("{head}{delimiter}|cat={}", pairs.replace('|', "^"));
        assert_eq!(told(&one(&line)), session());
    }
}

#[test]
fn keys_that_others_have_chosen() {
    let other = CEF.replace("cs1Label=Rule", "cs1Label=Tag");
    assert_eq!(one(&other).rule, None);
    let cloud = CEF.replace("|end|TRAFFIC|", "|TRAFFIC|end|");
    assert_eq!(one(&cloud).stage, Some(Stage::End));
    let times = CEF.replace("start=Nov 30 2018 15:09:07 GMT", "start=1543590547000");
    assert_eq!(one(&times).time, one(CEF).time);
    let threat = CEF.replace("|end|TRAFFIC|", "|url|THREAT|");
    assert_eq!(read(&threat), Ok(Vec::new()));
    let unknown = CEF.replace("|end|TRAFFIC|", "|a|b|");
    assert!(why(&unknown).contains("without a type"));
    assert_eq!(
        why(&CEF.replace(" src=192.168.15.207", "")),
        "`src`: nothing there"
    );
    assert_eq!(
        why(&LEEF.replace("dstPort=443", "dstPort=99999")),
        "`dstPort`: not a number that it may be: `99999`"
    );
}

#[test]
fn what_is_told_of_sessions() {
    use crate::flows::Action::{Allowed, Denied};
    // Subtypes and actions as "Traffic Log Fields" lists them, and with dashes as PAN-OS 9 and later write them.
    for (subtype, action, reason, expected) in [
        (
            "start",
            "allow",
            "n/a",
            (Some(Allowed), Some(Stage::Start), None),
        ),
        (
            "end",
            "allow",
            "aged-out",
            (Some(Allowed), Some(Stage::End), Some("aged-out")),
        ),
        (
            "drop",
            "deny",
            "policy-deny",
            (Some(Denied), Some(Stage::End), Some("policy-deny")),
        ),
        (
            "deny",
            "allow",
            "",
            (Some(Denied), Some(Stage::End), Some("allow")),
        ),
        ("", "drop ICMP", "", (Some(Denied), None, Some("drop ICMP"))),
        (
            "other",
            "reset-both",
            "n/a",
            (Some(Denied), None, Some("reset-both")),
        ),
        (
            "end",
            "reset client",
            "",
            (Some(Denied), Some(Stage::End), Some("reset client")),
        ),
        ("end", "", "", (None, Some(Stage::End), None)),
        ("end", "alert", "", (None, Some(Stage::End), Some("alert"))),
    ] {
        let flow = one(&with(&[(4, subtype), (30, action), (46, reason)]));
        let found = (flow.action, flow.stage, flow.reason.as_deref());
        assert_eq!(found, expected, "{subtype} {action}");
        assert_eq!(flow.end.is_none(), subtype == "start");
    }
}

#[test]
fn what_is_not_there() {
    let flow = one(&with(&[
        (9, "0.0.0.0"),
        (26, "0"),
        (24, "0"),
        (25, "0"),
        (29, "icmp"),
        (32, ""),
        (33, ""),
        (44, ""),
        (45, ""),
        (35, ""),
        (18, ""),
        (16, ""),
    ]));
    assert_eq!(
        told(&flow)["source"],
        json!({"ip": "192.168.15.207", "user": "corp\\alice"})
    );
    assert_eq!(
        (flow.bytes.sum(), flow.bytes.total),
        (Some(7734), Some(7734))
    );
    assert_eq!(flow.packets.total, Some(36));
    assert_eq!(flow.destination.port, None);
    assert_eq!(flow.ingress, None);
    assert_eq!(flow.time.to_string(), "2018-11-30T17:59:21Z");
    let flow = one(&with(&[(35, ""), (6, ""), (36, "")]));
    assert_eq!(
        (flow.time.to_string().as_str(), flow.end),
        ("2018-11-30T18:09:07Z", None)
    );
    let flow = one(&with(&[
        (7, "2001:db8::7"),
        (8, "2001:db8::8"),
        (9, "::"),
        (10, "::"),
    ]));
    assert_eq!(flow.source.nat.ip, None);
}

#[test]
fn what_is_wrong() {
    for (at, text, expected) in [
        (
            7,
            "host",
            "column 7 (Source Address): not an address: `host`",
        ),
        (8, "", "column 8 (Destination Address): nothing there"),
        (
            24,
            "70000",
            "column 24 (Source Port): not a number that it may be: `70000`",
        ),
        (29, "tpc", "column 29 (Protocol): not a protocol: `tpc`"),
        (
            32,
            "-1",
            "column 32 (Bytes Sent): not a number that it may be: `-1`",
        ),
        (
            35,
            "yesterday",
            "column 35 (Start Time): not a time: `yesterday`",
        ),
        (
            36,
            "99999999999",
            "column 36 (Elapsed Time): not a number that it may be: `99999999999`",
        ),
    ] {
        assert_eq!(why(&with(&[(at, text)])), expected);
    }
    let (cut, _) = END.rsplit_once(",0,16").unwrap();
    assert_eq!(why(cut), "it ends before column 43 (FUTURE_USE)");
    let (cut, _) = END.split_once(",info").unwrap();
    assert_eq!(why(cut), "a quote is not closed");
    assert!(why("Nov 30 16:09:08 host sshd[9]: Connection").contains("TRAFFIC"));
}

#[test]
fn lines_that_are_recognised() {
    // The first columns of a threat log and of a system log, as their documents list them; the title of an export
    // of the web interface.
    let threat = "1,2018/11/30 16:09:07,012801096514,THREAT,url,2049,2018/11/30 16:09:07,10.0.0.1,203.0.113.1";
    let system =
        "Nov 30 16:09:08 1,2018/11/30 16:09:07,012801096514,SYSTEM,general,0,,x,\",TRAFFIC,\"";
    let title = "Domain,Receive Time,Serial #,Type,Threat/Content Type";
    for line in [threat, system, title, ""] {
        assert_eq!(read(line), Ok(Vec::new()), "{line}");
        assert_eq!(recognises(line), !line.is_empty(), "{line}");
    }
    for line in [END, CEF, LEEF] {
        assert!(recognises(line));
    }
    for line in [
        "a,b,c,TRAFFIC,d",
        "CEF:0|Somebody|PAN-OS|1|end|TRAFFIC|1|src=10.0.0.1",
        "xCEF:0|Palo Alto Networks|",
    ] {
        assert!(!recognises(line), "{line}");
    }
}

proptest! {
    #[test]
    fn nothing_panics(text in ".{0,80}", at in 0_usize..700, column in 4_usize..47) {
        let whole = format!("{END}{OF_7}{OF_11}");
        let cut: String = whole.chars().take(at).collect();
        for line in [text.clone(), format!("{cut}{text}"), with(&[(column, &text)])] {
            let _ = (recognises(&line), read(&line));
        }
        for line in [CEF, LEEF] {
            let cut: String = line.chars().take(at).collect();
            let rest: String = line.chars().skip(at).collect();
            let line = format!("{cut}{text}{rest}");
            let _ = (recognises(&line), read(&line));
        }
    }

    #[test]
    fn what_is_quoted_is_what_it_was(rule in "[a-z][a-z, \"\u{e9}]{0,10}[a-z]") {
        let flow = one(&with(&[(11, &rule)]));
        prop_assert_eq!(flow.rule, Some(rule));
    }
}
