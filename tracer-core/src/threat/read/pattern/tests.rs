//! What patterns mean, and which are refused.

use super::*;

fn told(pattern: &str) -> (Vec<String>, Vec<String>) {
    let meaning = read(pattern).unwrap();
    let told = |meant: &Meant| {
        let host = meant.host.as_deref().unwrap_or("-");
        meant
            .port
            .map_or(host.to_owned(), |port| format!("{host} {port}"))
    };
    (
        meaning.alternatives.iter().map(told).collect(),
        meaning.refused,
    )
}

#[test]
fn what_is_beside_something_unknown_stays_and_what_is_with_it_does_not() {
    let (meant, refused) = told("[ipv4-addr:value = 'a' OR x:y = 'b' AND ipv4-addr:value = 'c']");
    assert_eq!((meant, refused.len()), (vec!["a".into()], 1));
    let (meant, _) =
        told("[(ipv4-addr:value = 'a' OR x:y = 'b') AND network-traffic:dst_port = 1]");
    assert_eq!(meant, ["a 1"]);
    let (meant, refused) = told("[ipv4-addr:value NOT = 'a'] OR [ipv4-addr:value LIKE 'b%']");
    assert_eq!((meant.len(), refused.len()), (0, 2));
    let (meant, _) = told("[network-traffic:src_ref.value = 'a' AND network-traffic:dst_port = 1]");
    assert!(meant.is_empty(), "the port is at the other end");
    let (meant, _) = told("[ipv4-addr:value = 'a' AND ipv4-addr:value = 'b']");
    assert!(meant.is_empty());
    let (meant, _) =
        told("[network-traffic:dst_ref.type = 'domain-name' AND ipv4-addr:value = 'a']");
    assert!(meant.is_empty());
}

#[test]
fn lists_are_multiplied_and_bounded() {
    let (meant, _) =
        told("[ipv4-addr:value IN ('a', 'b\\'') AND network-traffic:dst_port IN (1, 2)]");
    assert_eq!(meant, ["a 1", "a 2", "b' 1", "b' 2"]);
    let many = vec!["1"; 300].join(",");
    let (meant, refused) = told(&format!(
        "[ipv4-addr:value IN ({many}) AND network-traffic:dst_port IN ({many})]"
    ));
    assert_eq!(
        (meant.len(), refused),
        (0, vec!["too many alternatives".to_owned()])
    );
}

#[test]
fn what_is_not_supported_is_refused_as_a_whole() {
    for pattern in [
        "[ipv4-addr:value = 'a'] AND [ipv4-addr:value = 'b']",
        "[ipv4-addr:value = 'a'] WITHIN 5 SECONDS",
        "([ipv4-addr:value = 'a'] REPEATS 5 TIMES)",
        "[ipv4-addr:value = 'a'] START t'2026-01-01T00:00:00Z' STOP t'2026-01-02T00:00:00Z'",
    ] {
        assert!(
            matches!(read(pattern), Err(Error::NotSupported(_))),
            "{pattern}"
        );
    }
    let deep = format!("{}[a:b = 'c']{}", "(".repeat(100_000), ")".repeat(100_000));
    for pattern in [
        "",
        "[",
        "[]",
        "ipv4-addr:value = 'a'",
        "[a:b = ]",
        "[a:b[0 = 1",
        &deep,
    ] {
        assert!(matches!(read(pattern), Err(Error::Broken(_))), "{pattern}");
    }
}
