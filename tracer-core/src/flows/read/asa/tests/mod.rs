//! Whole lines. The lines follow the forms that "Cisco Secure Firewall ASA Series Syslog Messages" gives for the
//! number of each, and document 116149 where it is named; addresses are those for documentation.

mod arbitrary;
mod connections;
mod events;

use std::net::IpAddr;

use jiff::{Timestamp, tz::TimeZone};

use super::*;
use crate::flows::{Action, Amount, End, Icmp, Nat, Side, Stage, TcpFlags, ip::IpProtocol};

const BUILT: &str = "%ASA-6-302013: Built outbound TCP connection 9 for outside:203.0.113.1/22 (203.0.113.1/22) to inside:10.1.1.2/53496 (198.51.100.1/1024)";
const TORN: &str = "%ASA-6-302014: Teardown TCP connection 9 for outside:203.0.113.1/22 to inside:10.1.1.2/53496 duration 0:00:30 bytes 7 TCP FINs";
const TIME: &str = "Oct 10 2018 12:34:56 fw1 : ";

fn asa() -> Asa {
    Asa::new(&Around {
        zone: TimeZone::UTC,
        year: None,
        fields: None,
        now: "2026-01-02T00:00:00Z".parse::<Timestamp>().unwrap().into(),
    })
}

/// What is told of lines, of which those without a header get one, before the end of the file and at it.
fn read(reader: &mut Asa, lines: &[&str]) -> (Vec<Flow>, Vec<Flow>, Vec<String>) {
    let (mut flows, mut last, mut why) = (Vec::new(), Vec::new(), Vec::new());
    for (line, at) in lines.iter().zip(1..) {
        let origin = logs::Origin {
            file: "asa.log".into(),
            line: at,
        };
        let line = match line.strip_prefix('%') {
            Some(message) => format!("{TIME}%{message}"),
            None => (*line).to_owned(),
        };
        let result = reader.line(&line, &origin, &mut flows);
        why.extend(result.err().map(|error| error.0));
    }
    reader.end(&mut last).unwrap();
    (flows, last, why)
}

/// The only flow that lines tell.
fn only(lines: &[&str]) -> Flow {
    let (mut flows, last, why) = read(&mut asa(), lines);
    flows.extend(last);
    assert_eq!((flows.len(), why.as_slice()), (1, &[][..]), "{flows:?}");
    flows.remove(0)
}

/// A flow in one line: protocol, ends with translations and users, what was done, by which rule, and why.
fn told(flow: &Flow) -> String {
    let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let protocol = flow.protocol.map(|protocol| protocol.to_string());
    format!(
        "{} {} {} {} | {} | {} | {}",
        protocol.unwrap_or_default(),
        told_end(&flow.source, flow.ingress.as_ref()),
        if flow.initiator_known { "->" } else { "--" },
        told_end(&flow.destination, flow.egress.as_ref()),
        match flow.action {
            Some(Action::Allowed) => "allowed",
            Some(Action::Denied) => "denied",
            None => "-",
        },
        said(&flow.rule),
        said(&flow.reason),
    )
}

fn told_end(end: &End, side: Option<&Side>) -> String {
    let interface = side.and_then(|side| side.interface.as_deref());
    let name = end.name.as_ref().map(|name| format!("<{name}>"));
    let place = |ip: Option<IpAddr>, port: Option<u16>| {
        let ip = ip.map(|ip| ip.to_string()).unwrap_or_default();
        ip + &port.map(|port| format!("/{port}")).unwrap_or_default()
    };
    let nat = (end.nat != Nat::default()).then(|| format!("={}", place(end.nat.ip, end.nat.port)));
    let user = end.user.as_ref().map(|user| format!(" {user}"));
    [
        interface.unwrap_or("-").to_owned(),
        ":".to_owned(),
        name.unwrap_or_default(),
        place(end.ip, end.port),
        nat.unwrap_or_default(),
        user.unwrap_or_default(),
    ]
    .concat()
}

#[test]
fn what_is_no_flow_is_no_error() {
    let (flows, last, why) = read(
        &mut asa(),
        &[
            "%ASA-5-111008: User 'enable_15' executed the 'configure term' command.",
            "%ASA-6-113012",
            // Without a time: what is not told needs none.
            "<166>%ASA-4-733100: Object drop rate rate-1 exceeded.",
            "",
        ],
    );
    assert_eq!((flows.len(), last.len(), why.len()), (0, 0, 0), "{why:?}");
}

#[test]
fn what_cannot_be_read_is_told() {
    let cut = |text: &str, at: &str| {
        text.split_once(at)
            .map(|(before, _)| before.to_owned())
            .unwrap()
    };
    for (line, part) in [
        ("hello".to_owned(), "no message"),
        ("Oct 10 2018 12:34:56 fw1 %SYS-5-CONFIG_I: x".to_owned(), "no message"),
        (format!("<166>{BUILT}"), "no time"),
        (format!("Feb 30 2018 12:34:56 fw1 : {BUILT}"), "not a day"),
        (cut(BUILT, " to inside"), "message 302013: `to` is missing"),
        (cut(BUILT, "/53496"), "message 302013: an end without its port"),
        (cut(TORN, " bytes"), "message 302014: `bytes`"),
        (TORN.replace("0:00:30", "30"), "no duration"),
        (TORN.replace("0:00:30", "4294967295:00:00"), "no duration"),
        (TORN.replace("bytes 7", "bytes -7"), "no number of bytes"),
        (TORN.replace("203.0.113.1", "203.0.113.300"), "no address"),
        (TORN.replace("TCP", "XYZ"), "no protocol"),
        ("%ASA-4-106023: Deny tcp src a:10.0.0.1/1 dst b:10.0.0.2/2".to_owned(), "`by` is missing"),
        ("%ASA-4-106023: Deny icmp src a:10.0.0.1 dst b:10.0.0.2 (type x, code 1) by access-group a".to_owned(), "no type"),
        ("%ASA-6-106100: access-list a maybe tcp a/10.0.0.1(1) -> b/10.0.0.2(2) hit-cnt 1".to_owned(), "neither"),
        ("%ASA-6-305011: Built dynamic TCP translation from inside".to_owned(), "message 305011"),
    ] {
        let (flows, last, why) = read(&mut asa(), &[&line]);
        assert_eq!((flows.len(), last.len(), why.len()), (0, 0, 1), "{line}: {flows:?}");
        assert!(why[0].contains(part), "{line}: {}", why[0]);
    }
}

#[test]
fn a_first_line_tells() {
    assert!(recognises(&format!("{TIME}{BUILT}")));
    assert!(recognises("<166>%ASA-session-5-106100: x"));
    assert!(!recognises(
        "Oct 10 12:34:56 web1 sshd[1]: Accepted publickey for alice"
    ));
}
