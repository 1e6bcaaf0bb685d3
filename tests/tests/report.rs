//! Reports, as whoever opens one sees them: in a browser.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};
use tracer_tests::{browser::Browser, conntracer, scratch::Scratch, terminal::Terminal};

/// A name that would like to be markup.
const HOSTILE: &str = "</script><img src=x onerror=alert(1)><script>alert(2)</script>";

/// Widths of a screen and of a phone.
const WIDTHS: [u32; 2] = [1280, 390];

fn intrusion() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest
        .parent()
        .unwrap_or(manifest)
        .join("docs/exercise/intrusion.rec")
}

fn run(from: &Path, flags: &[&str]) -> Output {
    let mut command = Command::new(conntracer());
    command.args(["report", "--from"]).arg(from).args(flags);
    command.output().unwrap()
}

/// A report of a file.
fn report(scratch: &Scratch, from: &Path, flags: &[&str]) -> PathBuf {
    let page = scratch.path().join("report.html");
    let path = page.to_str().unwrap();
    let output = run(from, &[&["--output-file", path][..], flags].concat());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    page
}

/// The cells of a column that are shown.
fn shown(browser: &mut Browser, table: &str, title: &str) -> Vec<String> {
    let script = format!(
        "(() => {{ const root = document.getElementById('{table}');
           const heads = [...root.querySelectorAll('th')].map((head) => head.textContent);
           return [...root.querySelectorAll('tbody tr')].map((row) => row.cells[heads.indexOf('{title}')].textContent); }})()"
    );
    let cells = browser.value(&script);
    let cells = cells.as_array().unwrap().iter();
    cells
        .map(|cell| cell.as_str().unwrap().to_owned())
        .collect()
}

fn click(browser: &mut Browser, table: &str, title: &str) {
    let script = format!(
        "[...document.querySelectorAll('#{table} th')].find((head) => head.textContent === '{title}').click()"
    );
    browser.value(&script);
}

/// Types into the search of a table, and waits until that has been searched for.
fn search(browser: &mut Browser, table: &str, words: &str) {
    let script = format!(
        "(async () => {{ const root = document.getElementById('{table}');
           const input = root.querySelector('input'), body = root.querySelector('tbody');
           const drawn = new Promise((done) => new MutationObserver(done).observe(body, {{childList: true}}));
           input.value = '{words}'; input.dispatchEvent(new Event('input')); await drawn; }})()"
    );
    browser.value(&script);
}

/// It says nothing, and asks nobody.
fn assert_quiet(browser: &Browser, page: &Path) {
    let requests = browser.requests();
    assert_eq!(requests, [format!("file://{}", page.display())]);
    assert!(browser.said().is_empty(), "{:#?}", browser.said());
}

#[test]
fn a_recording_is_a_page_that_sorts_and_searches_and_asks_nobody() {
    let scratch = Scratch::new();
    let page = report(&scratch, &intrusion(), &[]);
    let mut browser = Browser::start();
    for scheme in ["light", "dark"] {
        for width in WIDTHS {
            browser.look(width, 900, scheme);
            browser.open(&page);
            let is_wider = "document.documentElement.scrollWidth > innerWidth";
            assert_eq!(browser.value(is_wider), false, "at {width}");
            assert_quiet(&browser, &page);
        }
    }
    assert_eq!(browser.value("document.querySelectorAll('svg').length"), 2);
    click(&mut browser, "hosts", "Port");
    let ports = shown(&mut browser, "hosts", "Port");
    let ports: Vec<u16> = ports.iter().filter_map(|port| port.parse().ok()).collect();
    assert!(ports.len() > 10 && ports.is_sorted(), "{ports:?}");
    click(&mut browser, "hosts", "Port");
    let ports = shown(&mut browser, "hosts", "Port");
    let ports: Vec<u16> = ports.iter().filter_map(|port| port.parse().ok()).collect();
    assert!(ports.iter().rev().is_sorted(), "{ports:?}");
    search(&mut browser, "hosts", "kworkerd 8443");
    let found = shown(&mut browser, "hosts", "Destination");
    assert_eq!(found, ["203.0.113.66"]);
    search(&mut browser, "hosts", "nothing of this");
    assert!(shown(&mut browser, "hosts", "Port").is_empty());
    assert_quiet(&browser, &page);
}

#[test]
fn the_page_is_whole_without_its_script() {
    let scratch = Scratch::new();
    let page = std::fs::read_to_string(report(&scratch, &intrusion(), &[])).unwrap();
    let (without, _) = page.split_once("<script").unwrap();
    for part in [
        "Connections of web1",
        "198.51.100.99:443",
        "curl of www-data",
        "Nothing was lost",
        "holds only what was selected when it was made",
        "was recorded without --discovery",
        "it ends with the hash 57bdfd6ce516f62639bed1fd20844b453c05b5effde368ed595e7a3ac139ac1c",
        "special-purpose registries",
        "<svg class=\"timeline\"",
        "<svg class=\"graph\"",
    ] {
        assert!(without.contains(part), "{part}");
    }
    assert!(!page.contains("http-equiv=\"refresh\"") && !page.contains(" src="));
}

fn start() -> Value {
    json!({"time": "2026-11-20T03:00:00.000000000Z", "event": "start", "seq": 1, "host": HOSTILE, "version": "0.1.0",
        "kernel": "6.12", "boot_id": "b", "hooks": [], "degraded": [HOSTILE], "not_covered": [],
        "filter": {"match": "all", "connections": {"process": [HOSTILE]}, "records": {}, "in_kernel": []},
        "external_rules": []})
}

fn stop(lost: &Value) -> Value {
    json!({"time": "2026-11-20T04:59:59.000000000Z", "event": "stop", "seq": 9, "host": HOSTILE, "kernel": {"lost": lost}})
}

/// The end of a connection to a host, by its number.
fn close(number: u32, name: &str) -> Value {
    let (second, sent) = (number % 3600, u64::from(number) * 7919 % 100_003);
    let ip = std::net::Ipv4Addr::from_bits(0x2d00_0000 + number * 3);
    json!({"time": format!("2026-11-20T03:{:02}:{:02}.{number:09}Z", second / 60, second % 60), "event": "close",
        "seq": number + 2, "host": HOSTILE, "id": format!("{number:x}-0"), "protocol": "tcp", "direction": "outbound",
        "direction_source": "observed", "netns": 1, "local": {"ip": "192.0.2.17", "port": 1024 + number % 60000},
        "remote": {"ip": ip, "port": 443, "scope": "external", "name": name},
        "bytes": {"sent": sent, "received": 1}, "process": {"pid": 7, "name": name, "args": [name, "--password=hunter2"]}})
}

fn lines(records: impl Iterator<Item = Value>) -> String {
    records.fold(String::new(), |mut lines, record| {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{record}");
        lines
    })
}

#[test]
fn names_of_processes_are_text_and_nothing_else() {
    let scratch = Scratch::new();
    let records = [start(), close(1, HOSTILE), stop(&json!({}))];
    let from = scratch.write("hostile.json", lines(records.into_iter()).as_bytes());
    let page = report(&scratch, &from, &[]);
    let mut browser = Browser::start();
    browser.open(&page);
    assert_eq!(
        browser.value("document.title"),
        format!("Connections of {HOSTILE}")
    );
    assert_eq!(shown(&mut browser, "hosts", "Name"), [HOSTILE]);
    assert_eq!(browser.value("document.querySelectorAll('img').length"), 0);
    assert_eq!(browser.value("document.scripts.length"), 2);
    let text = std::fs::read_to_string(&page).unwrap();
    assert!(!text.contains("hunter2") && text.contains("--password=[redacted]"));
    assert_quiet(&browser, &page);
    // And if one got in, it would not run.
    let inject = "(() => { const script = document.createElement('script'); script.textContent = 'window.ran = true';
        document.body.append(script); return window.ran === true; })()";
    assert_eq!(browser.value(inject), false);
}

#[test]
fn a_hundred_thousand_connections_can_be_sorted_and_searched() {
    const COUNT: u32 = 100_000;
    let scratch = Scratch::new();
    let ends = (1..=COUNT).map(|number| close(number, "curl"));
    let records = std::iter::once(start())
        .chain(ends)
        .chain([stop(&json!({}))]);
    let from = scratch.write("many.json", lines(records).as_bytes());
    let page = report(&scratch, &from, &[]);
    let mut browser = Browser::start();
    browser.open(&page);
    let rows = shown(&mut browser, "hosts", "Destination");
    assert_eq!(rows.len(), 50);
    click(&mut browser, "hosts", "Destination");
    let first = shown(&mut browser, "hosts", "Destination");
    assert_eq!(first[..3], ["45.0.0.3", "45.0.0.6", "45.0.0.9"]);
    let count = browser.value("document.querySelector('#hosts .count').textContent");
    assert_eq!(count, "1–50 of 100,000");
    search(&mut browser, "hosts", "45.4.147.224");
    let found = shown(&mut browser, "hosts", "Destination");
    assert_eq!(found, ["45.4.147.224"]);
    assert_quiet(&browser, &page);
}

#[test]
fn what_was_lost_is_an_exit_code_and_a_window_is_cut_out() {
    let scratch = Scratch::new();
    let records = [
        start(),
        close(60, "old"),
        close(600, "new"),
        stop(&json!({"ring_full": 5})),
    ];
    let from = scratch.write("lost.json", lines(records.into_iter()).as_bytes());
    let output = run(
        &from,
        &[
            "--since",
            "2026-11-20T03:05:00Z",
            "--until",
            "2026-11-20T03:20:00Z",
        ],
    );
    assert_eq!(output.status.code(), Some(3));
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(
        page.contains("5 records were lost")
            && page.contains("03:05:00 until before 2026-11-20 03:20:00")
    );
    let data = page.split_once("id=\"data\">").unwrap().1;
    assert!(data.contains("\"new\"") && !data.contains("\"old\""));
}

#[test]
fn what_feeds_call_bad_is_told() {
    let scratch = Scratch::new();
    let feed = scratch.write("bad.txt", b"203.0.113.66\n");
    let feed = feed.to_str().unwrap_or_default();
    let geo = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mmdb/GeoLite2-City-Test.mmdb");
    let geo = geo.to_str().unwrap_or_default();
    let output = run(&intrusion(), &["--feed", feed, "--geo", geo]);
    assert!(output.status.success());
    let page = String::from_utf8_lossy(&output.stdout);
    assert!(page.contains("with 1 host that feeds call bad; the first was 203.0.113.66 at "));
    assert!(page.contains(">Threat<"));
    assert!(page.contains(feed) && page.contains(geo), "what was read");
    // A list of what is harmless says nothing by itself.
    let output = run(&intrusion(), &["--allow", feed]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_page_is_nothing_for_a_terminal() {
    let from = intrusion();
    let mut command = Command::new(conntracer());
    command.args(["report", "--from"]).arg(from);
    let mut terminal = Terminal::run(&mut command);
    assert_eq!(terminal.end().code(), Some(2));
}

#[test]
fn a_report_is_of_files_or_of_a_history() {
    let scratch = Scratch::new();
    let history = scratch.file("none.db");
    let report = |words: &[&str]| {
        let mut command = Command::new(conntracer());
        command
            .arg("report")
            .args(words)
            .args(["--history", &history]);
        command.output().unwrap()
    };
    let neither = report(&[]);
    assert_eq!(neither.status.code(), Some(1));
    let said = String::from_utf8_lossy(&neither.stderr).into_owned();
    assert!(said.contains("there is no history"), "{said}");
    let both = report(&["--from", "case.rec"]);
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn a_file_that_exists_is_kept_unless_forced() {
    let scratch = Scratch::new();
    let path = scratch.write("report.html", b"precious");
    let flags = ["--output-file", path.to_str().unwrap()];
    let output = run(&intrusion(), &flags);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    let output = run(&intrusion(), &[&flags[..], &["--force"]].concat());
    assert!(output.status.success());
    assert!(
        std::fs::read(&path)
            .unwrap()
            .starts_with(b"<!DOCTYPE html>")
    );
}
