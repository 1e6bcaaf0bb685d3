//! Records of one host or of several, and the page of them.

use serde_json::{Value, json};

use super::*;
use crate::{
    people::Profiles,
    redact::Redactor,
    threat::{self, Indicators, Options},
};

/// A name that would like to be markup.
const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\u{2028}{{title}}";

fn arguments() -> Arguments {
    Arguments::Redacted(Box::new(Redactor::new(&[], Vec::new()).unwrap()))
}

fn span(since: &str) -> Span {
    Span {
        since: Some(since.parse().unwrap()),
        until: None,
    }
}

fn time(second: u32) -> String {
    format!(
        "2026-11-20T03:{:02}:{:02}.000000000Z",
        second / 60,
        second % 60
    )
}

fn start(host: &str) -> Value {
    json!({
        "time": time(0), "event": "start", "seq": 1, "host": host, "version": "0.1.0", "kernel": "6.1.0",
        "boot_id": format!("boot of {host}"), "hooks": [{"name": "connect", "via": "fentry"}],
        "degraded": ["datagrams are not counted"], "not_covered": ["forwarded packets"],
        "filter": {"match": "all", "connections": {"port": ["443"]}, "records": {}, "in_kernel": []},
        "external_rules": [{"scope": "self", "from": "host", "networks": ["192.0.2.17/32"]}],
    })
}

fn stop(second: u32, lost: u64) -> Value {
    let lost = if lost > 0 {
        json!({"ring_full": lost})
    } else {
        json!({})
    };
    json!({"time": time(second), "event": "stop", "seq": 99, "host": "web1", "kernel": {"lost": lost}})
}

/// A record of a connection to a host, by its last byte.
fn record(second: u32, event: &str, to: u8, bytes: Option<[u64; 2]>) -> Value {
    let mut record = json!({
        "time": time(second), "event": event, "seq": second + 2, "host": "web1", "id": format!("{to:x}-0"),
        "protocol": "tcp", "direction": "outbound", "direction_source": "observed", "netns": 1,
        "local": {"ip": "192.0.2.17", "port": 40000 + u32::from(to)},
        "remote": {"ip": format!("203.0.113.{to}"), "port": 443, "scope": "external", "name": HOSTILE},
        "process": {"pid": 7, "name": HOSTILE, "exe": "/usr/bin/curl", "args": ["curl", "--password=hunter2", HOSTILE]},
        "user": {"uid": 33, "name": "www-data"},
    });
    if let Some([sent, received]) = bytes {
        record["bytes"] = json!({"sent": sent, "received": received});
    }
    record
}

fn told(window: Span, records: &[Value]) -> Report {
    let mut report = Report::new(window, arguments());
    report.begin();
    for record in records {
        report.line(&record.to_string()).unwrap();
    }
    report
}

#[test]
fn what_feeds_call_bad_is_the_first_to_be_read() {
    let records = [
        start("web1"),
        record(5, "established", 9, None),
        record(9, "close", 9, Some([10, 20])),
        record(6, "failed", 10, None),
        stop(10, 0),
    ];
    let mut report = told(Span::default(), &records);
    let feed = threat::read("/feeds/bad.txt", b"203.0.113.9 # <b>c2</b>\n").unwrap();
    let profiles = Profiles::read(b"account,name\nwww-data,<i>Web</i>\n").unwrap();
    report.enrich(Arc::new(Enrichment {
        indicators: Indicators::new(&[Arc::new(feed)], &[], Options::default()),
        profiles: Arc::new(profiles),
        ..Enrichment::default()
    }));
    let page = page(report);
    let sentence = "1 connection and 0 failed attempts with 1 host that feeds call bad; the first was 203.0.113.9 (&lt;/script";
    assert!(page.contains(sentence), "{page}");
    assert!(page.contains("bad.txt:203.0.113.9"));
    assert!(page.contains(">Threat<") && page.contains(">Account<") && !page.contains(">Where<"));
    assert!(!page.contains("<b>c2") && !page.contains("<i>Web"));
}

fn page(report: Report) -> String {
    report.page(&Cover {
        version: "0.1.0".to_owned(),
        made: "2026-11-20T05:00:00Z".parse().unwrap(),
        sources: vec!["web1.json".to_owned()],
        selection: vec!["--external".to_owned()],
    })
}

/// What the script reads.
fn data(page: &str) -> Value {
    let (_, data) = page.split_once("id=\"data\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    serde_json::from_str(data).unwrap()
}

/// Cells of a column, as texts or numbers.
fn column(page: &str, table: &str, title: &str) -> Vec<Value> {
    let data = data(page);
    let tables = data["tables"].as_array().unwrap();
    let table = tables.iter().find(|one| one["id"] == table).unwrap();
    let columns = table["columns"].as_array().unwrap();
    let Some(at) = columns.iter().position(|column| column["title"] == title) else {
        return Vec::new();
    };
    let is_text = ["text", "address", "level"]
        .iter()
        .any(|kind| columns[at]["kind"] == *kind);
    let rows = table["rows"].as_array().unwrap().iter();
    let cell = |row: &Value| match row[at].as_u64() {
        Some(place) if is_text => data["texts"][usize::try_from(place).unwrap()].clone(),
        _ => row[at].clone(),
    };
    rows.map(cell).collect()
}

#[test]
fn a_page_has_all_of_it_and_no_name_is_markup() {
    let report = told(
        Span::default(),
        &[
            start("web1"),
            record(10, "connect", 1, None),
            record(20, "close", 1, Some([5_000_000, 300])),
            stop(30, 0),
        ],
    );
    assert!(report.is_complete());
    let page = page(report);
    // The script, its data and the one that reads it.
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(!page.contains("<img") && !page.contains('\u{2028}'));
    assert!(!page.contains("hunter2"));
    for part in [
        "<title>Connections of web1</title>",
        "web1 was watched from 2026-11-20 03:00:00 to 2026-11-20 03:00:30 UTC, 30 s.",
        "1 connection and 0 failed attempts with 1 other host, 1 of them external.",
        "5.00 MB went out and 300 B came back",
        "Nothing was lost of what is covered.",
        "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;\\u{2028}{{title}}",
        "--password=[redacted]",
        "forwarded packets",
        "datagrams are not counted",
        "connect through fentry",
        "Asked for here: --external",
        "--port 443",
        "192.0.2.17/32",
        "web1.json",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(column(&page, "hosts", "To destination"), [5_000_000]);
    let names = column(&page, "hosts", "Name");
    assert_eq!(
        names,
        ["</script><img src=x onerror=alert(1)>\\u{2028}{{title}}"]
    );
}

#[test]
fn what_is_lost_cut_off_or_has_no_room_is_said() {
    let lost = told(Span::default(), &[start("web1"), stop(30, 12)]);
    assert!(!lost.is_complete());
    assert!(page(lost).contains("This is not all: 12 records were lost."));
    let cut_off = told(Span::default(), &[start("web1")]);
    assert!(!cut_off.is_complete());
    assert!(page(cut_off).contains("cut off: what was lost is not known"));
    let mut full = Report::keeping(1, Span::default(), Arguments::None);
    full.begin();
    for record in [
        start("web1"),
        record(1, "close", 1, None),
        record(2, "close", 2, None),
        stop(3, 0),
    ] {
        full.line(&record.to_string()).unwrap();
    }
    assert_eq!(full.left_out(), 1);
    assert!(!full.is_complete());
    assert!(page(full).contains("there was no room for 1 record"));
}

/// Four connections: one over before the window, one open throughout, one of which more was told in the window, and
/// one that is new; and one more time to the first.
fn before_and_in_window() -> Vec<Value> {
    let mut again = record(100, "close", 1, Some([9, 9]));
    again["id"] = json!("aa-0");
    vec![
        start("web1"),
        record(1, "connect", 1, None),
        record(2, "close", 1, Some([1, 1])),
        record(3, "established", 2, None),
        record(4, "connect", 3, None),
        record(30, "update", 3, Some([1_000, 50])),
        record(70, "update", 3, Some([1_500, 60])),
        record(90, "close", 3, Some([4_000, 70])),
        record(80, "connect", 4, None),
        record(85, "close", 4, Some([10, 20])),
        again,
        stop(120, 0),
    ]
}

#[test]
fn what_was_before_the_window_tells_what_is_new() {
    let report = told(span("2026-11-20T03:01:00Z"), &before_and_in_window());
    let page = page(report);
    assert_eq!(column(&page, "new", "Destination"), ["203.0.113.4:443"]);
    let mut all: Vec<(Value, Value)> = column(&page, "hosts", "Destination")
        .into_iter()
        .zip(column(&page, "hosts", "To destination"))
        .collect();
    all.sort_by_key(|(destination, _)| destination.to_string());
    let expected = [
        ("203.0.113.1", json!(9)),
        // Open all the time, and nobody counted.
        ("203.0.113.2", json!(null)),
        ("203.0.113.3", json!(3_000)),
        ("203.0.113.4", json!(10)),
    ];
    let expected = expected.map(|(destination, bytes)| (json!(destination), bytes));
    assert_eq!(all, expected);
    assert!(
        page.contains("between 2026-11-20 03:00:01 and 2026-11-20 03:00:30 (29 s)"),
        "baseline"
    );
    assert!(
        page.contains("2026-11-20 03:01:00 to 2026-11-20 03:02:00"),
        "window"
    );
}

#[test]
fn what_happened_at_the_end_of_the_window_is_not_of_it() {
    let window = Span {
        since: None,
        until: Some("2026-11-20T03:01:20Z".parse().unwrap()),
    };
    let page = page(told(window, &before_and_in_window()));
    assert_eq!(column(&page, "hosts", "Destination").len(), 3);
    let open = column(&page, "hosts", "Open");
    assert_eq!(open.iter().filter(|open| **open == json!(1)).count(), 2);
}

#[test]
fn bytes_move_when_they_were_counted() {
    let report = told(span("2026-11-20T03:01:00Z"), &before_and_in_window());
    let (since, until) = report.extent().unwrap();
    let mut timeline = timeline::Timeline::new(since, until);
    report.hosts.connections(|connections| {
        for connection in connections {
            timeline.add(&connection);
        }
    });
    let sum = |of: fn(&timeline::Step) -> u64| timeline.steps.iter().map(of).sum::<u64>();
    // 500 of the third by its update, 2500 after it; 10 of the fourth; 9 of the fifth.
    assert_eq!(sum(timeline::Step::sent), 3_019);
    assert_eq!(sum(timeline::Step::opened), 2);
    let until_update = 10_000 / timeline.step_ms;
    let early = timeline
        .steps
        .iter()
        .take(usize::try_from(until_update).unwrap());
    let early: u64 = early.map(timeline::Step::sent).sum();
    assert_eq!(early, 500);
}

#[test]
fn findings_loss_and_other_sockets_are_told() {
    let report = told(
        Span::default(),
        &[
            start("web1"),
            json!({"time": time(5), "event": "discovery", "seq": 2, "host": "web1", "severity": "high",
                "behaviours": ["proc_net_read"], "reasons": ["a shell of a web server"], "analytic": "AN0904",
                "process": {"pid": 9, "name": HOSTILE, "args": ["ss", "--token", "hunter2"]}, "user": {"uid": 33, "name": "www-data"}}),
            json!({"time": time(6), "event": "loss", "seq": 3, "host": "web1", "lost": {"ring_full": 7}, "since": time(5)}),
            json!({"time": time(7), "event": "socket", "seq": 4, "host": "web1", "kind": "packet", "process": {"name": "tcpdump"}}),
            json!({"time": time(8), "event": "existing", "seq": 5, "host": "web1", "id": "ff-0", "protocol": "tcp", "netns": 1,
                "hidden_from": ["proc_net"], "local": {"ip": "0.0.0.0", "port": 31337}, "direction": "listening"}),
            stop(9, 7),
        ],
    );
    let page = page(report);
    for part in [
        "1 finding tells who looked at the connections of a host",
        "1 socket is hidden from who lists sockets; the first is 0.0.0.0:31337 on web1, hidden from proc_net.",
        "packet by tcpdump",
        "7 ring_full between 2026-11-20T03:00:05",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("hunter2"));
    assert_eq!(
        column(&page, "findings", "Why it is told"),
        ["a shell of a web server"]
    );
}

#[test]
fn the_graph_is_bounded_and_says_so() {
    let mut records = vec![start("web1")];
    records.extend((1..=60).map(|to| record(u32::from(to), "close", to, Some([u64::from(to), 0]))));
    records.push(stop(100, 0));
    let report = told(Span::default(), &records);
    let rows = summary::Gathered::of(&report).rows;
    let graph = graph::Graph::of(&rows);
    assert_eq!((graph.edges.len(), graph.left_out), (40, 20));
    assert_eq!(graph.left_out_bytes, (1..=20).sum::<u128>());
    assert!(page(report).contains("20 more lines with 210 B are not"));
}

#[test]
fn hosts_have_a_statement_each() {
    let mut report = told(Span::default(), &[start("web1"), stop(30, 0)]);
    report.begin();
    for record in [start("db1"), stop(30, 3)] {
        report.line(&record.to_string()).unwrap();
    }
    let page = page(report);
    assert!(page.contains("Connections of db1 and web1"));
    assert!(page.contains("<td class=\"good\">nothing</td>"));
    assert!(page.contains("<td class=\"alarm\">3 ring_full</td>"));
}
