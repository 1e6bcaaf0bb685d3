//! How fast a history answers, how large it is, and how fast it is written.
//!
//! What it is asked has been made up: connections of a month, of which most are of few programs with few
//! hosts, as it is on a host. They are written as the schema says, in bulk; what the agent's own writer
//! takes is measured apart, beside what `sqlite3 .import` takes for the same columns.

use std::{
    fmt::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, ensure};
use rusqlite::{Connection as Database, params};
use tracer_tests::{conntracer, scratch::Scratch};

use super::median;

const SCHEMA: &str = include_str!("../../../../tracer-user/src/store/schema.sql");
/// What names a history, as the writer does.
const APPLICATION: i64 = 0x636e_7472;
const DAYS: u64 = 30;
const DAY_NS: u64 = 86_400_000_000_000;
const PARTIES: u64 = 200;
const OWNERS: u64 = 20_000;
const REMOTES: u64 = 5000;
const PORTS: [u64; 8] = [443, 443, 443, 80, 5432, 6379, 53, 8443];
/// By their places, from 1: what the rows below refer to.
const WORDS: [&str; 5] = ["connect", "close", "finished", "CLOSED", "https"];
/// Connections that are written by the agent's own writer.
const WRITTEN: u64 = 200_000;

/// Measures it, and says what it came to.
pub fn report(connections: u64, rounds: usize) -> anyhow::Result<()> {
    let scratch = Scratch::new();
    let history = scratch.path().join("history.db");
    make(&history, connections)?;
    let bytes = std::fs::metadata(&history)?.len();
    println!("history of {connections} connections in {DAYS} days");
    println!("  size                          {:>8} MiB", bytes >> 20);
    println!(
        "  for a million connections     {:>8} MiB",
        (bytes >> 20) * 1_000_000 / connections.max(1)
    );
    let asked: [(&str, Vec<&str>); 6] = [
        ("hosts --port 5432", vec!["hosts", "--port", "5432"]),
        (
            "hosts --external --since 30d",
            vec!["hosts", "--external", "--since", "30d"],
        ),
        (
            "hosts --external, a day",
            vec!["hosts", "--external", "--since", "1d"],
        ),
        (
            "one address: hosts",
            vec!["hosts", "--remote", "203.0.113.7"],
        ),
        (
            "one address: trace",
            vec!["trace", "--remote", "203.0.113.7", "-o", "json"],
        ),
        (
            "snapshot, a day ago",
            vec!["snapshot", "--at", "1d", "-o", "json"],
        ),
    ];
    for (name, words) in &asked {
        let mut times = Vec::new();
        let mut lines = 0;
        for _ in 0..rounds {
            let (seconds, out) = ask(&history, words)?;
            lines = out;
            times.push(seconds);
        }
        println!(
            "  {name:<29} {:>8.0} ms, {lines} lines",
            median(&times) * 1e3
        );
    }
    write(scratch.path(), rounds)
}

/// How long an answer takes, and how many lines it has.
fn ask(history: &Path, words: &[&str]) -> anyhow::Result<(f64, usize)> {
    let began = Instant::now();
    let output = Command::new(conntracer())
        .args(words)
        .arg("--history")
        .arg(history)
        .stderr(Stdio::null())
        .output()?;
    let seconds = began.elapsed().as_secs_f64();
    // A part of the window may not be covered, which is said.
    ensure!(
        matches!(output.status.code(), Some(0 | 3)),
        "{words:?}: {}",
        output.status
    );
    let lines = output.stdout.split(|byte| *byte == b'\n').count() - 1;
    Ok((seconds, lines))
}

/// A pseudo-random number of a number: the same in every run.
fn mixed(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// As the database has it.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// One of so many, the first ones far more often.
fn often(number: u64, of: u64) -> u64 {
    let share = mixed(number) % 1_000_000;
    // The third power: half of all are of the first eighth.
    let share = u128::from(share);
    let cube = share * share * share / 1_000_000_000_000;
    u64::try_from(cube).unwrap_or_default() * of / 1_000_000
}

fn make(path: &Path, connections: u64) -> anyhow::Result<()> {
    let until = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let until = u64::try_from(until.as_nanos())?;
    let mut db = Database::open(path)?;
    // A WAL of all of it would be slow to look things up in.
    db.execute_batch(
        "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
         PRAGMA cache_size = -500000",
    )?;
    db.execute_batch(SCHEMA)?;
    db.execute_batch(
        "DROP INDEX connection_first; DROP INDEX connection_closed; DROP INDEX connection_long; DROP INDEX connection_remote;
         DROP INDEX connection_port",
    )?;
    let begin = until - DAYS * DAY_NS;
    let transaction = db.transaction()?;
    names(&transaction, begin, until)?;
    {
        let mut insert = transaction.prepare(
            "INSERT INTO connection (run, opened_ns, cpu, first, newest, closed, event, last_event, protocol, family,
                direction, flags, state, outcome, local, local_port, remote, remote_port, port, other_port, service,
                netns, sent, received, rtt_us, retransmits, duration_us, attribution, owner, tid)
             VALUES (1, ?1, 0, ?2, ?3, ?3, 1, 2, 6, 4, ?4, 0, 4, 3, 1, ?5, ?6, ?7, ?8, ?9, 5, 4026531840, ?10, ?11,
                1000, 0, 50000, 1, ?12, ?13)",
        )?;
        for number in 0..connections {
            let first = begin + number * (DAYS * DAY_NS / connections);
            let party = often(number, PARTIES);
            let owner = party + PARTIES * (mixed(number ^ 1) % (OWNERS / PARTIES)) + 1;
            let remote = (party * 25 + often(number ^ 2, 25)) % REMOTES + 2;
            let port = PORTS
                .get(usize::try_from(remote)? % PORTS.len())
                .copied()
                .unwrap_or(443);
            let ephemeral = 32_768 + mixed(number ^ 3) % 28_000;
            insert.execute(params![
                signed(number),
                signed(first),
                signed(first + 50_000_000),
                1,
                signed(ephemeral),
                signed(remote),
                signed(port),
                signed(port),
                signed(ephemeral),
                signed(mixed(number ^ 4) % 10_000),
                signed(mixed(number ^ 5) % 100_000),
                signed(owner),
                signed(owner),
            ])?;
        }
    }
    for level in [60, 3600, 86_400] {
        transaction.execute(SUM, [level])?;
    }
    transaction.execute_batch(
        "CREATE INDEX connection_first ON connection (first);
         CREATE INDEX connection_closed ON connection (closed);
         CREATE INDEX connection_long ON connection (closed) WHERE closed - first > 3600000000000;
         CREATE INDEX connection_remote ON connection (remote, first);
         CREATE INDEX connection_port ON connection (port, first)",
    )?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", 1)?;
    transaction.commit()?;
    db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    Ok(())
}

const SUM: &str = "\
INSERT INTO rollup
SELECT ?1, first / 1000000000 / ?1 * ?1, o.party, protocol, direction, local, remote, port, 0, netns, 0, count(*), 0,
    sum(sent), sum(received), min(first), max(newest), 0, NULL, service, state
FROM connection c JOIN owner o ON o.id = c.owner
GROUP BY 2, o.party, protocol, direction, local, remote, port, netns, service, state";

fn names(db: &Database, begin: u64, until: u64) -> anyhow::Result<()> {
    for word in WORDS {
        db.execute("INSERT INTO text (text) VALUES (?1)", [word])?;
    }
    db.execute(
        "INSERT INTO address (ip, scope) VALUES ('192.0.2.17', '')",
        [],
    )?;
    for remote in 0..REMOTES {
        let (ip, scope) = match remote {
            // Most are external.
            _ if remote % 5 == 4 => (format!("10.0.{}.{}", remote / 250, remote % 250), "private"),
            _ if remote < 250 => (format!("203.0.113.{remote}"), "external"),
            _ => (
                format!(
                    "198.{}.{}.{}",
                    20 + remote / 62_500,
                    remote / 250,
                    remote % 250
                ),
                "external",
            ),
        };
        db.execute(
            "INSERT INTO address (ip, scope) VALUES (?1, ?2)",
            params![ip, scope],
        )?;
    }
    for party in 0..PARTIES {
        let party = format!(
            r#"{{"name":"program-{party}","exe":"/usr/bin/program-{party}","uid":{},"user":"user"}}"#,
            1000 + party % 7
        );
        db.execute(
            "INSERT INTO party (digest, party) VALUES (CAST(?1 AS BLOB), ?1)",
            [party],
        )?;
    }
    for owner in 0..OWNERS {
        let party = owner % PARTIES;
        let json = format!(
            r#"{{"process":{{"pid":{pid},"tid":{pid},"name":"program-{party}","exe":"/usr/bin/program-{party}","start_time":"2026-10-01T00:00:00.00Z"}},"user":{{"uid":{uid},"name":"user","name_from":"host","gid":100}},"cgroup":{{"id":{party},"path":"/system.slice/program-{party}.service"}},"unit":"program-{party}.service"}}"#,
            pid = owner + 1,
            uid = 1000 + party % 7,
        );
        db.execute(
            "INSERT INTO owner (digest, party, pid, owner) VALUES (CAST(?1 AS BLOB), ?2, ?3, ?1)",
            params![json, signed(party + 1), signed(owner + 1)],
        )?;
    }
    let time: String = db.query_row(
        "SELECT strftime('%Y-%m-%dT%H:%M:%S', ?1 / 1000000000, 'unixepoch')",
        [signed(begin)],
        |row| row.get(0),
    )?;
    let start = start_record(&time);
    db.execute(
        "INSERT INTO run (host, boot_id, started, heartbeat, start) VALUES ('made-up', 'boot', ?1, ?2, ?3)",
        params![signed(begin), signed(until), start],
    )?;
    Ok(())
}

/// The first record of a run that began then.
fn start_record(time: &str) -> String {
    format!(
        r#"{{"time":"{time}.000000000Z","event":"start","seq":1,"host":"made-up","version":"0","kernel":"0","boot_id":"boot","clock":{{"boot_ns":0,"utc":"{time}.000000000Z"}},"hooks":[],"programs":[],"object_sha256":"","degraded":[],"not_covered":[],"filter":{{"match":"all","connections":{{}},"records":{{}},"in_kernel":[]}},"external_rules":[]}}"#
    )
}

/// How fast the agent's writer writes what comes as JSON, and `sqlite3 .import` the same as plain rows.
fn write(scratch: &Path, rounds: usize) -> anyhow::Result<()> {
    let (json, csv) = (scratch.join("records.json"), scratch.join("rows.csv"));
    std::fs::write(&json, records())?;
    std::fs::write(&csv, rows())?;
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let began = Instant::now();
        let status = Command::new(conntracer())
            .args(["history", "import", "--quiet", "--from"])
            .arg(&json)
            .arg("--history")
            .arg(scratch.join(format!("written-{round}.db")))
            .stderr(Stdio::null())
            .status()?;
        // The records have no end.
        ensure!(matches!(status.code(), Some(0 | 3)), "import: {status}");
        ours.push(began.elapsed().as_secs_f64());
        let began = Instant::now();
        let status = Command::new("sqlite3")
            .arg(scratch.join(format!("plain-{round}.db")))
            .arg(format!(".import --csv {} connection", csv.display()))
            .status()
            .context("sqlite3 is needed to compare with")?;
        ensure!(status.success(), "sqlite3: {status}");
        plain.push(began.elapsed().as_secs_f64());
    }
    #[expect(clippy::cast_precision_loss, reason = "a report rounds anyway")]
    let rate = |times: &[f64]| WRITTEN as f64 / median(times);
    println!("\nwriting {WRITTEN} connections of three records each");
    println!(
        "  from JSON, with sums and indexes   {:>8.0} connections/s",
        rate(&ours)
    );
    println!(
        "  sqlite3 .import of plain rows      {:>8.0} rows/s",
        rate(&plain)
    );
    Ok(())
}

/// When a connection of those that are written began: second and nanoseconds of its day.
fn time_of(number: u64, after_ns: u64) -> String {
    let at = number * 400_000 + after_ns;
    let (second, ns) = (at / 1_000_000_000, at % 1_000_000_000);
    format!(
        "2026-11-01T{:02}:{:02}:{:02}.{ns:09}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

fn records() -> String {
    let mut out = start_record("2026-11-01T00:00:00") + "\n";
    for number in 0..WRITTEN {
        let party = often(number, PARTIES);
        let pid = party * 100 + mixed(number) % 100 + 1;
        let port = 32_768 + mixed(number ^ 3) % 28_000;
        let of_all = format!(
            r#""host":"made-up","id":"{number:x}-0","protocol":"tcp","family":"ipv4","direction":"outbound","direction_source":"observed","local":{{"ip":"192.0.2.17","port":{port}}},"remote":{{"ip":"198.51.100.{}","port":443,"scope":"external"}},"service":"https","netns":4026531840,"attribution":"connect","process":{{"pid":{pid},"tid":{pid},"name":"program-{party}","exe":"/usr/bin/program-{party}","args":["program-{party}","--serve"],"start_time":"2026-11-01T00:00:00.00Z"}},"user":{{"uid":1000,"name":"user","name_from":"host","gid":100}},"cgroup":{{"id":{party},"path":"/system.slice/program-{party}.service"}},"unit":"program-{party}.service""#,
            often(number ^ 2, 250)
        );
        for (event, state, after_ns, more) in [
            ("connect", "SYN_SENT", 0, ""),
            ("established", "ESTABLISHED", 1000, r#","latency_us":1"#),
            (
                "close",
                "CLOSED",
                300_000,
                r#","outcome":"finished","bytes":{"sent":1000,"received":5000},"rtt_us":900,"retransmits":0,"duration_us":300"#,
            ),
        ] {
            let time = time_of(number, after_ns);
            // Writing to a text does not fail.
            let _ = writeln!(
                out,
                r#"{{"time":"{time}","event":"{event}","seq":0,{of_all},"state":"{state}"{more}}}"#
            );
        }
    }
    out
}

fn rows() -> String {
    let mut out = String::from(
        "opened,closed,protocol,direction,local_ip,local_port,remote_ip,remote_port,sent,received,pid,process,exe,user,unit,outcome\n",
    );
    for number in 0..WRITTEN {
        let party = often(number, PARTIES);
        let _ = writeln!(
            out,
            "{},{},tcp,outbound,192.0.2.17,{},198.51.100.{},443,1000,5000,{},program-{party},/usr/bin/program-{party},user,program-{party}.service,finished",
            time_of(number, 0),
            time_of(number, 300_000),
            32_768 + mixed(number ^ 3) % 28_000,
            often(number ^ 2, 250),
            party * 100 + mixed(number) % 100 + 1,
        );
    }
    out
}
