//! What files of the user say of hosts and accounts, in flows and in rows.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

use std::{path::Path, process::Command};

use serde_json::Value;
use tracer_tests::{conntracer, record::Record, schema::violations_of_flow, scratch::Scratch};

/// A session of a firewall, with an account that it names.
const LOG: &str = "\
Nov 20 10:00:00 fw1 %ASA-6-302013: Built outbound TCP connection 7 for outside:89.160.20.112/443 (89.160.20.112/443) to inside:10.0.0.5/52344 (192.0.2.1/52344) (alice)
Nov 20 10:00:05 fw1 %ASA-6-302014: Teardown TCP connection 7 for outside:89.160.20.112/443 to inside:10.0.0.5/52344 duration 0:00:05 bytes 5000 TCP FINs (alice)
";
const ACCOUNTS: &str =
    "account,name,department,networks\nCORP\\alice,Alice A.,Finance,10.0.0.0/8\n";

struct Files {
    scratch: Scratch,
}

impl Files {
    fn new() -> Self {
        let scratch = Scratch::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["City", "ASN"] {
            let from = root.join(format!("fixtures/mmdb/GeoLite2-{name}-Test.mmdb"));
            std::fs::copy(from, scratch.file(&format!("{name}.mmdb"))).unwrap();
        }
        let _ = scratch.write("fw.log", LOG.as_bytes());
        let _ = scratch.write("accounts.csv", ACCOUNTS.as_bytes());
        let _ = scratch.write("feed.txt", b"89.160.20.0/24 # bad\n10.0.0.0/8\n");
        Self { scratch }
    }

    /// What it writes, how it ends, and what it says.
    fn run(&self, words: &str) -> (String, Option<i32>, String) {
        let output = Command::new(conntracer())
            .current_dir(self.scratch.path())
            .args(words.split_whitespace())
            .output()
            .unwrap();
        (
            String::from_utf8(output.stdout).unwrap(),
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }

    fn json(&self, words: &str) -> Vec<Record> {
        let (text, status, said) = self.run(&format!("{words} -o json"));
        assert_eq!(status, Some(0), "{said}");
        let lines = text.lines();
        lines
            .map(|line| Record(serde_json::from_str(line).unwrap()))
            .collect()
    }
}

const ALL: &str = "--geo City.mmdb,ASN.mmdb --accounts accounts.csv --feed feed.txt";

#[test]
fn a_flow_says_where_its_ends_are_and_whose() {
    let files = Files::new();
    let flows = files.json(&format!("flows read fw.log {ALL}"));
    let [flow] = flows.as_slice() else {
        panic!("{flows:?}");
    };
    assert_eq!(violations_of_flow(flow), Vec::<String>::new());
    assert_eq!(flow.text("destination.geo.country"), "SE");
    assert_eq!(flow.text("destination.geo.registered_country"), "DE");
    assert_eq!(flow.number("destination.as.number"), Some(29518));
    assert_eq!(
        flow.at("destination.threat")[0]["indicator"],
        "89.160.20.0/24"
    );
    assert_eq!(flow.text("source.profile.department"), "Finance");
    assert_eq!(flow.at("source.unexpected"), &Value::Bool(true));
    // What is near is asked of nobody.
    for path in ["source.geo", "source.as", "source.threat"] {
        assert!(flow.at(path).is_null(), "{path}");
    }
    let (csv, ..) = files.run(&format!("flows read fw.log {ALL} -o csv"));
    assert!(
        csv.contains("AS29518 Bredband2 AB") && csv.contains("feed.txt:89.160.20.0/24"),
        "{csv}"
    );
}

#[test]
fn rows_of_accounts_say_what_they_speak_with() {
    let files = Files::new();
    let rows = files.json(&format!("hosts --from fw.log --by user {ALL}"));
    let [row] = rows.as_slice() else {
        panic!("{rows:?}");
    };
    assert_eq!(row.text("group.name"), "alice");
    assert_eq!(row.text("host"), "fw1");
    assert_eq!(row.number("bytes.either_way"), Some(5000));
    assert_eq!(row.text("geo.city"), "Link\u{f6}ping");
    assert_eq!(row.at("threat")[0]["feed"], "feed.txt");
    assert_eq!(row.at("users")[0]["profile"]["name"], "Alice A.");
    assert_eq!(row.at("unexpected"), &Value::Bool(true));
    let (table, ..) = files.run(&format!("hosts --from fw.log {ALL}"));
    assert!(
        table.contains("5.00 KB both") && table.contains("SE AS29518"),
        "{table}"
    );
    let (table, ..) = files.run(&format!("hosts --from fw.log --by user {ALL}"));
    let heading = "user alice, Alice A., Finance, 1 destination, 5.00 KB, first seen ";
    assert!(table.contains(heading), "{table}");
    // Flows and records are in one table, and what is of neither is said.
    let record = r#"{"time":"2026-11-20T10:00:01Z","event":"connect","seq":1,"host":"web1","id":"1f-0","protocol":"tcp","family":"ipv4","direction":"outbound","direction_source":"observed","state":"SYN_SENT","local":{"ip":"10.0.0.5","port":52344},"remote":{"ip":"89.160.20.112","port":443,"scope":"external"},"netns":1,"attribution":"none"}"#;
    let _ = files
        .scratch
        .write("web1.json", format!("{record}\n").as_bytes());
    let rows = files.json("hosts --from fw.log web1.json --feed feed.txt --threat");
    let hosts: Vec<&str> = rows.iter().map(|row| row.text("host")).collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(
        hosts.contains(&"fw1") && hosts.contains(&"web1"),
        "{hosts:?}"
    );
    let (_, status, said) = files.run("hosts --from accounts.csv");
    assert_eq!(status, Some(1));
    assert!(said.contains("looks like no flow log"), "{said}");
}

#[test]
fn files_that_make_no_sense_are_named() {
    let files = Files::new();
    for (words, status, part) in [
        (
            "flows read fw.log --threat",
            2,
            "--threat: there is no feed",
        ),
        (
            "flows read fw.log --feed nothing.txt",
            1,
            "cannot read nothing.txt",
        ),
        (
            "flows read fw.log --geo feed.txt",
            1,
            "feed.txt: no MMDB database",
        ),
        (
            "flows read fw.log --accounts feed.txt",
            1,
            "no column `account`",
        ),
        ("hosts --from fw.log --process curl", 2, "--process"),
        (
            "flows read fw.log --since 2026-11-20T11:00:00Z --until 2026-11-20T10:00:00Z",
            2,
            "--since",
        ),
    ] {
        let (_, ended, said) = files.run(words);
        assert_eq!(ended, Some(status), "{words}: {said}");
        assert!(said.contains(part), "{words}: {said}");
    }
    // A window that ends before the session has nothing of it, one that begins within has it.
    let count = |window: &str| files.json(&format!("flows read fw.log {window}")).len();
    assert_eq!(count("--until 2026-11-20T10:00:00Z"), 0);
    assert_eq!(count("--since 2026-11-20T10:00:04Z"), 1);
}
