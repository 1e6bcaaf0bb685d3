//! What is read from files of each format.

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/fixtures/threat/", $name)).as_slice()
    };
}

/// All indicators with what is said about them.
fn told(feed: &Feed) -> Vec<String> {
    let told = feed.indicators.iter().map(|one| {
        let label = one.label.as_ref().map(|label| format!(" ({label})"));
        let sure = one.confidence.map(|of_100| format!(" {of_100}%"));
        format!(
            "{}{}{}",
            one.text(),
            label.unwrap_or_default(),
            sure.unwrap_or_default()
        )
    });
    told.collect()
}

fn good(bytes: &[u8], format: &str) -> Feed {
    let feed = read("f", bytes).unwrap();
    assert_eq!(feed.format, format);
    feed
}

fn problems(feed: &Feed) -> Vec<String> {
    assert_eq!(feed.problems.count, feed.problems.first.len() as u64);
    feed.problems
        .first
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn not_used(feed: &Feed) -> Vec<(&str, u64)> {
    let all = feed.not_used.iter();
    all.map(|(why, count)| (why.as_str(), *count)).collect()
}

fn refused(bytes: &[u8]) -> String {
    read("f", bytes).unwrap_err().0
}

#[test]
fn a_list() {
    let feed = good(fixture!("list.txt"), "list");
    assert_eq!(
        told(&feed),
        [
            "198.51.100.4:8443",
            "198.51.100.9",
            "203.0.113.1",
            "203.0.113.2",
            "203.0.113.3 (Example family)",
            "203.0.113.8-203.0.113.11",
            "203.0.113.77/28",
            "[2001:db8::5]:443",
            "2001:db8:6::/48 (a network)",
            "https://bad.example.com:8080/path?x#y",
            "evil.example.net",
            "*.wild.example.org (and below)",
        ]
    );
    let url = feed.indicators.iter().find(|one| one.port == Some(8080));
    assert!(url.is_some(), "the port of a URL counts");
    assert_eq!(
        problems(&feed),
        [
            "line 15: `010.1.1.1`: a number that begins with 0 is ambiguous",
            "line 16: `0.0.0.0/0`: every address there is",
            "line 17: `not an indicator`: neither an address nor a name",
        ]
    );
}

#[test]
fn marks_of_comments_are_in_urls_too() {
    let list = "http://a.example.com/x#y;z # one\nb.example.com#two\nc.example.com // three";
    let feed = good(list.as_bytes(), "list");
    assert_eq!(
        told(&feed),
        [
            "http://a.example.com/x#y;z (one)",
            "b.example.com (two)",
            "c.example.com (three)",
        ]
    );
}

#[test]
fn a_typed_value_is_of_its_type() {
    for (value, why) in [
        (r#""type":"domain","value":"http://example.com/x""#, "a URL"),
        (r#""type":"domain","value":"203.0.113.1""#, "not a name"),
        (r#""type":"ip-dst","value":"example.com""#, "not an address"),
        (r#""type":"ip-dst|port","value":"203.0.113.1""#, "no `|`"),
        (
            r#""type":"ip-dst|port","value":"203.0.113.1:1|2""#,
            "two ports",
        ),
    ] {
        let told = refused(format!(r#"{{"Attribute":[{{"to_ids":true,{value}}}]}}"#).as_bytes());
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn a_netset_and_what_is_private_in_it() {
    let feed = good(fixture!("firehol.netset"), "list");
    assert_eq!(
        told(&feed),
        ["0.0.0.0/8", "10.0.0.0/8", "198.51.100.0/24", "203.0.113.7"]
    );
    assert_eq!(feed.special.count, 4);
    let feed = good(b"8.8.8.0/24\n192.0.0.0/8\n9.9.9.9\n2606:4700::1", "list");
    assert_eq!(feed.special.first, ["192.0.0.0/8"]);
}

#[test]
fn lists_of_spamhaus() {
    let feed = good(fixture!("spamhaus.json"), "spamhaus");
    let expected = [
        "198.51.100.0/24 (SBL000001)",
        "203.0.113.0/25 (SBL000002)",
        "2001:db8:bad::/48 (SBL000003)",
    ];
    assert_eq!(told(&feed), expected);
    assert_eq!(not_used(&feed), [("listed more than once", 1)]);
    assert!(problems(&feed)[0].starts_with("line 4: broken JSON"));
    let feed = good(fixture!("spamhaus.txt"), "list");
    assert_eq!(told(&feed), expected[..2]);
}

#[test]
fn tables_of_abuse_ch() {
    let feed = good(fixture!("feodo.csv"), "csv");
    assert_eq!(
        told(&feed),
        [
            "203.0.113.20:443 (Example Bot)",
            "203.0.113.22:8080 (Other)"
        ]
    );
    assert_eq!(problems(&feed), ["line 8: not a port"]);
    let feed = good(fixture!("feodo.json"), "json");
    assert_eq!(told(&feed), ["203.0.113.20:443 (Example Bot)"]);
    let feed = good(fixture!("sslbl.csv"), "csv");
    assert_eq!(told(&feed), ["203.0.113.9:443", "203.0.113.10:9001"]);
}

#[test]
fn exports_of_threatfox() {
    let feed = good(fixture!("threatfox.csv"), "csv");
    assert_eq!(
        told(&feed),
        [
            "203.0.113.30:443 (Example RAT) 75%",
            "c2.example.com (Example RAT) 100%",
            "http://files.example.net/x (Example RAT) 50%",
        ]
    );
    assert_eq!(not_used(&feed), [("type md5_hash", 1)]);
    let feed = good(fixture!("threatfox.json"), "threatfox");
    assert_eq!(told(&feed), ["203.0.113.30:443 (Example RAT) 75%"]);
    let feed = good(fixture!("threatfox-answer.json"), "threatfox");
    assert_eq!(told(&feed), ["c2.example.com (Example RAT) 100%"]);
}

#[test]
fn events_of_misp() {
    let event = fixture!("misp.json");
    let feed = good(event, "misp");
    let with_label = |text: &str| format!("{text} (Example campaign)");
    let expected = [
        "198.51.100.0/28",
        "203.0.113.40",
        "203.0.113.41:8443",
        "203.0.113.42",
        "dual.example.com",
        "host.example.com:53",
        "object.example.com",
    ];
    assert_eq!(told(&feed), expected.map(with_label));
    assert!(feed.indicators.iter().all(|one| one.valid_until.is_none()));
    assert_eq!(
        not_used(&feed),
        [
            ("deleted", 1),
            ("not for detection (to_ids)", 1),
            ("type md5", 1)
        ]
    );
    assert_eq!(problems(&feed), ["attribute 9: not a port"]);
    let event = std::str::from_utf8(event).unwrap();
    for around in [format!(r#"{{"response":[{event}]}}"#), format!("[{event}]")] {
        assert_eq!(good(around.as_bytes(), "misp").indicators, feed.indicators);
    }
}

#[test]
fn a_table_of_misp() {
    let feed = good(fixture!("misp.csv"), "csv");
    assert_eq!(told(&feed)[1..], ["203.0.113.51:443"]);
    assert!(told(&feed)[0].starts_with("203.0.113.50 (two"));
    assert_eq!(
        not_used(&feed),
        [("not for detection (to_ids)", 1), ("type sha1", 1)]
    );
    assert!(problems(&feed).is_empty());
}

#[test]
fn a_warninglist_is_only_an_allow_list() {
    let list = fixture!("warninglist.json");
    assert!(refused(list).contains("only be an allow-list"));
    let feed = read_allowed("f", list).unwrap();
    assert_eq!(
        told(&feed),
        [
            "203.0.113.53 (Example resolvers)",
            "2001:db8:53::/48 (Example resolvers)"
        ]
    );
    let regex = br#"{"name":"x","type":"regex","list":[".*"]}"#;
    assert!(
        read_allowed("f", regex)
            .unwrap_err()
            .0
            .contains("type regex")
    );
    assert!(read_allowed("f", b"http://example.com/fine").is_err());
}

#[test]
fn a_bundle_of_stix() {
    let feed = good(fixture!("stix.json"), "stix");
    assert_eq!(
        told(&feed),
        [
            "203.0.113.60 (One address) 80%",
            "203.0.113.61 (Several)",
            "203.0.113.62 (Several)",
            "203.0.113.63:443 (With a port)",
            "2001:db8:60::/48 (Several)",
            "stix.example.com (Several)",
        ]
    );
    assert_eq!(
        feed.indicators[0].valid_until,
        Some("2026-02-01T00:00:00Z".parse().unwrap())
    );
    assert_eq!(
        not_used(&feed),
        [
            ("object of type identity", 1),
            ("older version", 1),
            ("pattern of type snort", 1),
            ("pattern with FOLLOWEDBY", 1),
            ("pattern with file:hashes.'SHA-256' =", 1),
            ("revoked", 2),
        ]
    );
    assert_eq!(
        problems(&feed),
        ["object 11: pattern `[ipv4-addr:value = '203.0.113.70]`: a quote is not closed"]
    );
}

#[test]
fn tables_of_ones_own() {
    let feed = good(fixture!("table.csv"), "csv");
    assert_eq!(told(&feed), ["203.0.113.80:4444 (Example)", "203.0.113.81"]);
    let feed = good(b"ip\n203.0.113.1 # one\n203.0.113.2\n", "list");
    assert_eq!(told(&feed), ["203.0.113.1 (one)", "203.0.113.2"]);
    let feed = good(b"ip,note\n203.0.113.1,\"open\n203.0.113.2,closed\n", "csv");
    assert_eq!(told(&feed), ["203.0.113.2"]);
    assert_eq!(problems(&feed), ["line 2: a quote is not closed"]);
    let feed = good(b"# ip, domain\n203.0.113.1\n", "list");
    assert_eq!(told(&feed), ["203.0.113.1"]);
}

#[test]
fn what_is_no_feed_is_refused_with_the_reason() {
    for (bytes, why) in [
        (&b""[..], "empty"),
        (b" \r\n\xef\xbb\xbf", "no indicator"),
        (b"\xef\xbb\xbf\n", "empty"),
        (fixture!("portal.html"), "begins with `<!DOCTYPE html>`"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"\xff\xfe1\x00", "UTF-16"),
        (b"203.0.113.1\0", "binary"),
        (b"# only a comment\n", "no indicator in it, read as list"),
        (b"404: Not Found", "line 1: `404: Not Found`"),
        (br#"{"error":"not found"}"#, "keys error"),
        (br#"{"Event":{"info":"x"#, "broken JSON"),
        (
            br#"{"Event":{"Attribute":[{"to_ids":false}]}}"#,
            "1 not used: not for detection",
        ),
        (b"[]", "nothing known"),
        (b"[[1]]", "neither a text nor an object"),
    ] {
        let told = refused(bytes);
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn one_bad_line_takes_nothing_with_it() {
    let long = "x".repeat(MOST_BYTES_OF_LINE + 1);
    let text = format!("203.0.113.1\n{long}\n203.0.113.2\nf\u{fc}");
    let feed = good(text.as_bytes(), "list");
    assert_eq!(told(&feed), ["203.0.113.1", "203.0.113.2"]);
    assert_eq!(feed.problems.count, 2);
    let latin = good(b"# caf\xe9\n203.0.113.1 # \xe9\n", "list");
    assert_eq!(latin.indicators.len(), 1);
}

#[test]
fn what_is_shown_is_bounded_and_all_is_counted() {
    let lines = (0..1000).map(|at| format!("10.0.{}.{}\nbad line {at}", at / 250, at % 250));
    let text = lines.collect::<Vec<_>>().join("\n");
    let feed = good(text.as_bytes(), "list");
    assert_eq!((feed.special.count, feed.problems.count), (1000, 1000));
    assert!(feed.special.first.len() < 20 && feed.problems.first.len() < 20);
    let rows = (0..1000).map(|at| format!("203.0.113.1,type{at}"));
    let rows = rows.collect::<Vec<_>>().join("\n");
    let told = format!("ip,type\n203.0.113.1,ip\n{rows}");
    let feed = good(told.as_bytes(), "csv");
    assert!(feed.not_used.len() < 40);
    assert_eq!(feed.not_used.values().sum::<u64>(), 1000);
}
