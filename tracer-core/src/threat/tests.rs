//! What is met by what feeds say.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use ipnet::IpNet;
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::scope::Scope;

const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

fn feed(name: &str, text: &str) -> Arc<Feed> {
    Arc::new(read(name, text.as_bytes()).unwrap())
}

fn asked(bad: &[Arc<Feed>], allowed: &str) -> Indicators {
    let allowed = read_allowed("allowed", allowed.as_bytes());
    let allowed: Vec<_> = allowed.into_iter().map(Arc::new).collect();
    Indicators::new(bad, &allowed, Options::default())
}

fn told(hits: &[Hit]) -> Vec<String> {
    let told = |hit: &Hit| format!("{} {}", hit.feed, hit.indicator);
    hits.iter().map(told).collect()
}

fn of(indicators: &Indicators, ip: &str, port: Option<u16>) -> Vec<String> {
    told(&indicators.of_address(ip.parse().unwrap(), port, Scope::External, NOW))
}

#[test]
fn each_feed_tells_the_most_specific_it_says() {
    let one = feed(
        "one",
        "203.0.113.0/24\n203.0.113.0/28\n203.0.113.7\n203.0.113.7:443",
    );
    let two = feed("two", "203.0.0.0/16\n203.0.113.9:22");
    let all = asked(&[one, two], "");
    let networks = |ip| of(&all, ip, Some(443));
    assert_eq!(
        networks("203.0.113.7"),
        ["one 203.0.113.7:443", "two 203.0.0.0/16"]
    );
    assert_eq!(
        networks("203.0.113.8"),
        ["one 203.0.113.0/28", "two 203.0.0.0/16"]
    );
    assert_eq!(
        networks("203.0.113.99"),
        ["one 203.0.113.0/24", "two 203.0.0.0/16"]
    );
    assert_eq!(networks("203.0.99.1"), ["two 203.0.0.0/16"]);
    assert!(networks("203.1.0.0").is_empty());
    assert_eq!(
        of(&all, "203.0.113.7", Some(80)),
        ["one 203.0.113.7", "two 203.0.0.0/16"]
    );
    assert_eq!(
        of(&all, "203.0.113.7", None),
        ["one 203.0.113.7", "two 203.0.0.0/16"]
    );
    assert_eq!(
        of(&all, "203.0.113.9", None),
        ["one 203.0.113.0/28", "two 203.0.113.9:22"]
    );
    assert_eq!(
        of(&all, "203.0.113.9", Some(443)),
        ["one 203.0.113.0/28", "two 203.0.0.0/16"]
    );
}

#[test]
fn an_address_in_ipv6_that_has_one_of_ipv4_in_it_is_that_one() {
    let all = asked(&[feed("f", "203.0.113.7\n2001:db8::/32")], "");
    for ip in [
        "::ffff:203.0.113.7",
        "64:ff9b::203.0.113.7",
        "2002:cb00:7107::1",
    ] {
        assert_eq!(of(&all, ip, None), ["f 203.0.113.7"], "{ip}");
    }
    assert_eq!(of(&all, "2001:db8::1", None), ["f 2001:db8::/32"]);
    assert!(of(&all, "::203.0.113.7", None).is_empty());
    let all = asked(&[feed("f", "::/1")], "");
    assert!(of(&all, "203.0.113.7", None).is_empty());
}

#[test]
fn only_external_addresses_are_met_unless_all_are_asked_for() {
    let list = [feed("f", "10.0.0.0/8")];
    assert_eq!(list[0].special.first, ["10.0.0.0/8"]);
    let ip = "10.1.2.3".parse().unwrap();
    let asked = |every_scope| {
        let all = Indicators::new(&list, &[], Options { every_scope });
        told(&all.of_address(ip, None, Scope::Private, NOW))
    };
    assert!(asked(false).is_empty());
    assert_eq!(asked(true), ["f 10.0.0.0/8"]);
}

#[test]
fn an_allow_list_silences_and_it_is_counted() {
    let list = feed("f", "203.0.113.0/24\nbad.example.com\n*.example.org");
    let all = asked(
        &[list],
        "203.0.113.7\n203.0.113.8:443\nbad.example.com\nfine.example.org",
    );
    assert!(of(&all, "203.0.113.7", Some(1)).is_empty());
    assert!(of(&all, "203.0.113.8", Some(443)).is_empty());
    assert_eq!(all.silenced(), 2);
    // In doubt it is told.
    assert_eq!(of(&all, "203.0.113.8", None), ["f 203.0.113.0/24"]);
    assert_eq!(of(&all, "203.0.113.9", Some(443)), ["f 203.0.113.0/24"]);
    assert!(all.of_name("BAD.example.com.", NOW).is_empty());
    assert!(all.of_name("fine.example.org", NOW).is_empty());
    assert_eq!(all.silenced(), 4);
    assert_eq!(
        told(&all.of_name("x.example.org", NOW)),
        ["f *.example.org"]
    );
    assert!(of(&all, "192.0.2.1", None).is_empty());
    assert_eq!(all.silenced(), 4, "what no feed knows is not silenced");
}

#[test]
fn names_are_met_exactly_or_below_where_the_feed_says_so() {
    let list = feed(
        "f",
        "Exact.Example.com\n*.wild.example.org\n.dot.example.net\nbücher.example",
    );
    let all = asked(&[list], "");
    let name = |name| told(&all.of_name(name, NOW));
    assert_eq!(name("EXACT.example.COM."), ["f exact.example.com"]);
    assert!(name("www.exact.example.com").is_empty());
    assert!(name("example.com").is_empty());
    assert_eq!(name("a.b.wild.example.org"), ["f *.wild.example.org"]);
    assert_eq!(name("wild.example.org"), ["f *.wild.example.org"]);
    assert!(name("notwild.example.org").is_empty());
    assert_eq!(name("x.dot.example.net"), ["f *.dot.example.net"]);
    assert_eq!(name("BÜCHER.example"), ["f bücher.example"]);
    assert!(name("").is_empty());
    assert!(name(&"a.".repeat(4096)).is_empty());
}

#[test]
fn what_is_no_longer_valid_is_not_met_and_what_is_not_yet_is() {
    let pattern = |ip: &str, more: &str| {
        format!(
            r#"{{"type":"indicator","pattern":"[ipv4-addr:value = '{ip}']","valid_from":"2026-06-01T00:00:00Z"{more}}}"#
        )
    };
    let ended = pattern("203.0.113.1", r#","valid_until":"2026-01-01T00:00:00Z""#);
    let holds = pattern("203.0.113.2", r#","valid_until":"2026-01-01T00:00:01Z""#);
    let open = pattern("203.0.113.3", "");
    let all = asked(&[feed("f", &format!("{ended}\n{holds}\n{open}"))], "");
    assert!(of(&all, "203.0.113.1", None).is_empty());
    assert_eq!(of(&all, "203.0.113.2", None), ["f 203.0.113.2"]);
    assert_eq!(of(&all, "203.0.113.3", None), ["f 203.0.113.3"]);
}

#[test]
fn a_hit_is_told_as_the_contract_has_it() {
    let table = "ip,port,malware,confidence\n203.0.113.7,443,Example,75\n203.0.113.8,,,";
    let all = asked(&[feed("f", table)], "");
    let json = |ip: &str| {
        let ip = ip.parse().unwrap();
        serde_json::to_string(&all.of_address(ip, Some(443), Scope::External, NOW)).unwrap()
    };
    assert_eq!(
        json("203.0.113.7"),
        r#"[{"feed":"f","indicator":"203.0.113.7:443","port":443,"label":"Example","confidence":75}]"#
    );
    assert_eq!(
        json("203.0.113.8"),
        r#"[{"feed":"f","indicator":"203.0.113.8"}]"#
    );
}

#[test]
fn the_networks_are_those_of_the_feeds_each_once() {
    let one = feed(
        "one",
        "203.0.113.7\n203.0.113.7:443\n2001:db8::/32\nexample.com",
    );
    let two = feed("two", "203.0.113.7\n198.51.100.0/24");
    let all = asked(&[one, two], "192.0.2.1");
    let networks: Vec<String> = all.networks().map(|network| network.to_string()).collect();
    assert_eq!(
        networks,
        ["198.51.100.0/24", "203.0.113.7/32", "2001:db8::/32"]
    );
}

/// Networks close to each other, so that many are within others.
fn network() -> impl Strategy<Value = IpNet> {
    let v4 = (any::<u8>(), any::<u8>(), 1_u8..=32)
        .prop_map(|(c, d, len)| IpNet::new(Ipv4Addr::new(198, 51, c & 3, d).into(), len));
    let v6 = (any::<[u8; 2]>(), 1_u8..=128).prop_map(|([c, d], len)| {
        let segments = [0x2001, 0xdb8, u16::from(c & 3), 0, 0, 0, 0, u16::from(d)];
        IpNet::new(Ipv6Addr::from(segments).into(), len)
    });
    prop_oneof![v4, v6].prop_map(|network| network.unwrap().trunc())
}

fn around(network: IpNet) -> Vec<IpAddr> {
    let (first, last) = (network.network(), network.broadcast());
    let beside = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => [
            IpAddr::V4(first.to_bits().wrapping_sub(1).into()),
            IpAddr::V4(last.to_bits().wrapping_add(1).into()),
        ],
        (IpAddr::V6(first), IpAddr::V6(last)) => [
            IpAddr::V6(first.to_bits().wrapping_sub(1).into()),
            IpAddr::V6(last.to_bits().wrapping_add(1).into()),
        ],
        _ => [first, last],
    };
    [first, last].into_iter().chain(beside).collect()
}

proptest! {
    #[test]
    fn look_ups_agree_with_a_scan(
        networks in prop::collection::vec(network(), 1..40),
        others in prop::collection::vec(network(), 0..20),
    ) {
        let text: Vec<String> = networks.iter().map(ToString::to_string).collect();
        let all = asked(&[feed("f", &text.join("\n"))], "");
        for ip in networks.iter().chain(&others).flat_map(|network| around(*network)) {
            let longest = networks
                .iter()
                .filter(|network| network.contains(&ip.to_canonical()))
                .max_by_key(|network| network.prefix_len());
            let found = all.of_address(ip, None, Scope::External, NOW);
            let found: Vec<String> = found.iter().map(|hit| hit.indicator.to_string()).collect();
            let expected = longest.map(|network| {
                let is_one = network.prefix_len() == network.max_prefix_len();
                if is_one { network.addr().to_string() } else { network.to_string() }
            });
            prop_assert_eq!(found, Vec::from_iter(expected), "{}", ip);
        }
    }

    #[test]
    fn a_range_has_just_the_addresses_between(first in any::<u32>(), len in 0_u32..5000) {
        let last = first.saturating_add(len);
        let text = format!("{}-{}", Ipv4Addr::from(first), Ipv4Addr::from(last));
        let all = asked(&[feed("f", &text)], "");
        let is_met = |ip: u32| !of(&all, &Ipv4Addr::from(ip).to_string(), None).is_empty();
        prop_assert!(is_met(first) && is_met(last) && is_met(first + (last - first) / 2));
        prop_assert!(first.checked_sub(1).is_none_or(|before| !is_met(before)));
        prop_assert!(last.checked_add(1).is_none_or(|behind| !is_met(behind)));
    }

    #[test]
    fn names_are_met_as_a_scan_says(
        listed in prop::collection::vec("(\\*\\.)?([ab]\\.){0,3}example", 1..12),
        name in "([ab]\\.){0,4}example",
    ) {
        let Ok(list) = read("f", listed.join("\n").as_bytes()) else { return Ok(()) };
        let all = asked(&[Arc::new(list)], "");
        let is_met = listed.iter().filter(|one| one.trim_start_matches("*.").contains('.')).any(|one| {
            let below = one.strip_prefix("*.");
            let bare = below.unwrap_or(one);
            name == bare || below.is_some() && name.ends_with(&format!(".{bare}"))
        });
        prop_assert_eq!(!all.of_name(&name, NOW).is_empty(), is_met);
    }
}
