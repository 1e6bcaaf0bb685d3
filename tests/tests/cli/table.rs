//! The table, as wide as the terminal.

use tracer_tests::{
    cgroup::Cgroup,
    netns::Netns,
    peer::{self, Peer},
    scratch::Scratch,
};

use crate::shown::{Shown, command};

/// How many records the traffic makes: seven for the exchange, two for each refusal.
const RECORDS: &str = "11";

/// An exchange in a container with the longest of names, and refusals over IPv4 and IPv6.
fn make_traffic(netns: &Netns) {
    let id = format!("{:064x}", std::process::id());
    let cgroup = Cgroup::new(&format!("/system.slice/docker-{id}.scope"));
    let name = "120,120,120,120,120,120,120,120,120,120,120,120,120,120,120";
    let prepare = ["--cgroup", &cgroup.directory(), "--name", name];
    let serve = ["serve", "127.0.0.1:0", "1", "1000", "999999"];
    let mut server = Peer::start(netns, &[&prepare[..], &serve].concat());
    let target = format!("127.0.0.1:{}", server.port());
    let connect = ["connect", &target, "1000", "999999"];
    peer::run(netns, &[&prepare[..], &connect].concat());
    server.finish();
    peer::run(netns, &["refused", "127.0.0.1:9"]);
    peer::run(netns, &["refused", "[::1]:9"]);
}

/// The header and the rows of the same traffic.
fn rows(netns: &Netns, shown: Shown) -> Vec<String> {
    let first = shown.line();
    assert!(first.contains("times are"), "{first}");
    let mut rows = vec![shown.line()];
    make_traffic(netns);
    let (rest, status) = shown.end();
    assert!(status.success(), "{rest:#?}");
    rows.extend(rest);
    let last = rows.pop().unwrap();
    assert!(last.contains(" 0 lost"), "{last}");
    assert_eq!((rows.len() - 1).to_string(), RECORDS);
    rows
}

fn on_terminal(columns: u16, flags: &[&str]) -> Vec<String> {
    let netns = Netns::new();
    let flags = [&["--count", RECORDS], flags].concat();
    rows(&netns, Shown::on_terminal(columns, &netns, &flags))
}

fn piped(flags: &[&str]) -> Vec<String> {
    let netns = Netns::new();
    let flags = [&["--count", RECORDS], flags].concat();
    rows(&netns, Shown::piped(&netns, &flags))
}

/// What each row has below a title of the header, up to the next blank; nothing, if the row ends before.
fn below<'a>(rows: &'a [String], title: &str) -> Vec<&'a str> {
    let before = &rows[0][..rows[0].find(title).unwrap()];
    let at = before.chars().count();
    let cell = |row: &'a String| {
        let Some((at, _)) = row.char_indices().nth(at) else {
            return "";
        };
        assert!(at == 0 || row[..at].ends_with(' '), "{title}: {rows:#?}");
        row[at..].split(' ').next().unwrap()
    };
    rows[1..].iter().map(cell).collect()
}

fn assert_aligned(rows: &[String], address: &str) {
    let events = [
        "listen",
        "connect",
        "established",
        "accept",
        "close",
        "unlisten",
        "failed",
        "state",
    ];
    for event in below(rows, "EVENT") {
        assert!(events.contains(&event), "{event}: {rows:#?}");
    }
    for process in below(rows, "PROCESS") {
        let (name, pid) = process.split_once('(').unwrap();
        assert!(name.starts_with("xxx") || name == "peer", "{rows:#?}");
        assert!(
            pid.strip_suffix(')').unwrap().parse::<u32>().is_ok(),
            "{rows:#?}"
        );
    }
    for address in below(rows, address) {
        let is_local = address.starts_with("127.0.0.1:") || address.starts_with("[::1]:");
        assert!(is_local || address == "-", "{rows:#?}");
    }
}

#[test]
fn rows_fit_and_are_aligned_at_80_columns() {
    let rows = on_terminal(80, &["--color", "never"]);
    assert!(
        rows.iter().all(|row| row.chars().count() <= 80),
        "{rows:#?}"
    );
    assert_aligned(&rows, "ADDRESS");
    // What came of it is there, too.
    assert!(
        rows.iter().any(|row| row.ends_with(" 1.00 KB/999 KB")),
        "{rows:#?}"
    );
    assert!(
        rows.iter().any(|row| row.ends_with(" refused")),
        "{rows:#?}"
    );
}

#[test]
fn state_changes_fit_and_say_where_they_come_from_if_there_is_room() {
    let flags = ["--color", "never", "--states", "--event", "state"];
    let rows = on_terminal(80, &flags);
    assert!(
        rows.iter().all(|row| row.chars().count() <= 80),
        "{rows:#?}"
    );
    assert_aligned(&rows, "ADDRESS");
    let has = |rows: &[String], part: &str| {
        assert!(rows.iter().any(|row| row.ends_with(part)), "{rows:#?}");
    };
    has(&rows, " ESTABLISHED");
    has(&rows, " SYN_SENT");
    has(&on_terminal(200, &flags), " ESTABLISHED from SYN_SENT");
}

#[test]
fn rows_fit_and_are_aligned_at_200_columns() {
    let rows = on_terminal(200, &["--color", "never"]);
    assert!(
        rows.iter().all(|row| row.chars().count() <= 200),
        "{rows:#?}"
    );
    assert_aligned(&rows, "LOCAL");
    assert_aligned(&rows, "REMOTE");
    let names = below(&rows, "PROCESS");
    assert!(
        names
            .iter()
            .any(|name| name.starts_with("xxxxxxxxxxxxxxx(")),
        "{rows:#?}"
    );
    let has = |part: &str| assert!(rows.iter().any(|row| row.contains(part)), "{rows:#?}");
    has(" finished 1.00 KB/999 KB ");
    has(" refused ECONNREFUSED");
}

#[test]
fn wide_shows_everything_whatever_the_terminal() {
    let id = format!("{:064x}", std::process::id());
    let exe = std::fs::canonicalize(tracer_tests::peer()).unwrap();
    for rows in [
        on_terminal(80, &["-o", "wide", "--color=never"]),
        piped(&["-o", "wide"]),
    ] {
        assert_aligned(&rows, "LOCAL");
        for row in &rows[1..] {
            assert!(row.contains(exe.to_str().unwrap()), "{row}");
            assert!(row.contains("--netns"), "{row}");
        }
        let has = |part: &str| assert!(rows.iter().any(|row| row.contains(part)), "{rows:#?}");
        has(&id);
        has(" self ");
    }
}

#[test]
fn datagrams_are_told_from_connections_at_80_columns() {
    let netns = Netns::new();
    let flags = ["--color", "never", "--count", "1", "--event", "listen"];
    let shown = Shown::on_terminal(80, &netns, &flags);
    shown.line();
    shown.line();
    let mut server = Peer::start(&netns, &["hear", "127.0.0.1:0", "1"]);
    let target = format!("127.0.0.1:{}", server.port());
    let row = shown.line();
    assert!(row.ends_with(&format!(" {target}/udp")), "{row}");
    peer::run(&netns, &["tell", &target, "1", "1"]);
    server.finish();
}

#[test]
fn columns_are_as_the_flag_says() {
    let chosen = ["--columns", "process,remote,protocol,outcome"];
    let rows = on_terminal(120, &[&chosen[..], &["--color", "never"]].concat());
    let titles: Vec<&str> = rows[0].split_whitespace().collect();
    assert_eq!(titles, ["PROCESS(PID)", "REMOTE", "PROTO", "OUTCOME"]);
    let refused = below(&rows, "OUTCOME");
    assert_eq!(refused.iter().filter(|one| **one == "refused").count(), 2);
    let rows = on_terminal(120, &["--columns", "+netns,-user", "--color", "never"]);
    assert!(rows[0].contains(" NETNS "), "{rows:#?}");
    assert!(!rows[0].contains("USER"), "{rows:#?}");
    assert!(rows[0].ends_with("RESULT OUT/IN"), "{rows:#?}");
    assert_aligned(&rows, "REMOTE");
}

#[test]
fn of_a_long_name_the_domain_stays() {
    let scratch = Scratch::new();
    let config = scratch.file("config.toml");
    let name = "a-very-long-name.of.a-host.in.some.cluster.svc.example.com";
    std::fs::write(&config, format!("[names]\n\"127.0.0.1\" = \"{name}\"\n")).unwrap();
    let flags = ["--config", &config, "--color", "never"];
    for (columns, end) in [(80, "…svc.example.com"), (200, "…luster.svc.example.com")] {
        let rows = on_terminal(columns, &flags);
        assert!(rows.iter().any(|row| row.contains(end)), "{rows:#?}");
        assert!(
            rows.iter().all(|row| row.chars().count() <= columns.into()),
            "{rows:#?}"
        );
    }
    let rows = piped(&["--config", &config]);
    assert!(rows.iter().any(|row| row.contains(name)), "{rows:#?}");
}

#[test]
fn nothing_is_cut_in_a_pipe() {
    let rows = piped(&[]);
    assert_aligned(&rows, "LOCAL");
    assert!(rows.iter().all(|row| !row.contains('…')), "{rows:#?}");
}

fn is_coloured(rows: &[String]) -> bool {
    rows.iter().any(|row| row.contains('\u{1b}'))
}

#[test]
fn a_terminal_has_colours_and_a_pipe_has_none() {
    assert!(is_coloured(&on_terminal(80, &[])));
    assert!(!is_coloured(&piped(&[])));
}

#[test]
fn colours_are_as_the_flag_says() {
    assert!(!is_coloured(&on_terminal(80, &["--color", "never"])));
    assert!(is_coloured(&piped(&["--color", "always"])));
}

#[test]
fn no_color_counts_unless_it_is_empty() {
    for (value, expected) in [("1", false), ("", true)] {
        let netns = Netns::new();
        let mut command = command(&netns, &["--count", RECORDS]);
        command.env("NO_COLOR", value);
        let shown = Shown::start_on_terminal(80, command);
        assert_eq!(is_coloured(&rows(&netns, shown)), expected, "`{value}`");
    }
}

#[test]
fn each_colour_ends_with_its_line() {
    for row in on_terminal(80, &[]) {
        let is_plain = !row.contains('\u{1b}');
        assert!(is_plain || row.ends_with("\u{1b}[0m"), "{row:?}");
    }
}
