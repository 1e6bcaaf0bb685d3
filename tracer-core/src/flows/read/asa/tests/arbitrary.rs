//! Lines that nobody has thought of.

use proptest::prelude::*;

use super::*;

/// The words that messages have, so that lines of them come far.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "Built",
        "Teardown",
        "inbound",
        "outbound",
        "TCP",
        "ICMP",
        "connection",
        "9",
        "for",
        "from",
        "to",
        "src",
        "dst",
        "inside:10.0.0.1/1",
        "a/10.0.0.1(1)",
        "->",
        "(10.0.0.1/1)",
        "(",
        ")",
        "(LOCAL\\a)",
        "duration",
        "0:00:01",
        "bytes",
        "7",
        "faddr",
        "gaddr",
        "laddr",
        "10.0.0.1/1",
        "by",
        "access-group",
        "\"",
        "access-list",
        "permitted",
        "hit-cnt",
        "on",
        "interface",
        "flags",
        "SYN",
        "type",
        "code",
        "translation",
        "\u{e9}",
        ":",
        "'",
        "user",
        "no matching",
        "Deny",
        "denied",
    ]);
    prop::collection::vec(word, 0..24).prop_map(|words| words.join(" "))
}

fn ip() -> impl Strategy<Value = IpAddr> {
    let v4 = any::<u8>().prop_map(|last| [192, 0, 2, last].into());
    let v6 = any::<u16>().prop_map(|last| [0x2001, 0xdb8, 0, 0, 0, 0, 0, last].into());
    prop_oneof![v4, v6]
}

#[test]
fn hostile_lines() {
    let open = "(() ".repeat(20_000);
    for line in [
        BUILT.replace("(203.0.113.1/22)", &open),
        TORN.replace("TCP FINs", &open),
        format!("{TIME}%ASA-6-302013: {}", "Built ".repeat(100_000)),
        format!("{}%ASA-6-302013: Built", "Oct 10 12:34:56 ".repeat(100_000)),
        "<".repeat(100_000),
        "%ASA-".repeat(100_000),
    ] {
        read(&mut asa(), &[&line]);
    }
}

proptest! {
    #[test]
    fn no_line_makes_it_panic(text in ".*", words in words()) {
        let mut reader = asa();
        let mut lines = vec![text.clone()];
        for (number, _) in FORMS {
            lines.push(format!("{TIME}%ASA-6-{number}: {words}"));
            lines.push(format!("{text} %ASA-6-{number}: {text}"));
        }
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        read(&mut reader, &lines);
    }

    #[test]
    fn what_was_written_is_told(
        ends in (ip(), any::<u16>(), ip(), any::<u16>()),
        id in any::<u32>(),
        is_outbound in any::<bool>(),
        is_udp in any::<bool>(),
        hours in 0..1000_i64,
        bytes in any::<u64>(),
    ) {
        let (a, a_port, b, b_port) = ends;
        let direction = if is_outbound { "outbound" } else { "inbound" };
        let word = if is_udp { "UDP" } else { "TCP" };
        let built = format!("%ASA-6-302013: Built {direction} {word} connection {id} for o:{a}/{a_port} ({a}/{a_port}) to i:{b}/{b_port} ({b}/1)");
        let torn = format!("%ASA-6-302014: Teardown {word} connection {id} for o:{a}/{a_port} to i:{b}/{b_port} duration {hours}:00:00 bytes {bytes}");
        let (one, mut other) = (End::at(a, a_port), End::at(b, b_port));
        let alone = only(&[&torn]);
        prop_assert_eq!((&alone.source, &alone.destination), (&one, &other));
        let end: Timestamp = alone.end.unwrap();
        prop_assert_eq!(end.duration_since(alone.time).as_hours(), hours);
        other.translate(Some(b), Some(1));
        let flow = only(&[&built, &torn]);
        let (source, destination) = if is_outbound { (&other, &one) } else { (&one, &other) };
        prop_assert_eq!((&flow.source, &flow.destination), (source, destination));
        prop_assert_eq!(flow.protocol, Some(if is_udp { IpProtocol::UDP } else { IpProtocol::TCP }));
        prop_assert_eq!(flow.bytes, Amount::total(bytes));
        prop_assert!(flow.initiator_known && flow.stage == Some(Stage::End));
    }
}
