//! The processes that osquery saw start.
//!
//! Format: <https://osquery.readthedocs.io/en/stable/deployment/logging/>, each line an object: of one row
//! (`columns`), of the rows of a snapshot, or of those that were added and removed (`diffResults`). The rows
//! that are read are those of `process_events` and `es_process_events`
//! <https://osquery.io/schema/#es_process_events>: which they are the query's name says, or that they have
//! columns that only tables of events have.
//!
//! Rows of Linux have the same form; columns that only they have tell them apart.

use jiff::Timestamp;
use serde_json::Value;

use super::{Reader, Unreadable, json, recent::Recent};
use crate::discovery::{Act, Actor, Analytic, Origin, Parent, What};

/// What is in the names of queries of the tables that are read.
const TABLES: &str = "process_events";
/// Columns of tables of events that have a command line.
const OF_EVENTS: [&str; 4] = ["time", "event_type", "syscall", "auid"];
/// Columns that rows of Linux have and those of macOS have not.
const OF_LINUX: [&str; 2] = ["syscall", "fsuid"];
/// The account of who did not log in.
const NOBODY: u32 = u32::MAX;

/// Whether a line is of such a log.
pub fn recognises(line: &str) -> bool {
    let line = line.trim();
    let value = || serde_json::from_str::<Value>(line).ok();
    line.starts_with('{')
        && value().is_some_and(|value| {
            let has = |name| value.get(name).is_some();
            host(&value).is_some() && has("unixTime") && rows(&value).is_ok()
        })
}

/// Reads osquery's results.
#[derive(Debug, Default)]
pub struct Osquery {
    /// The processes that were seen, by host and process id.
    processes: Recent<(String, u32), Process>,
}

/// What is known of a process.
#[derive(Debug)]
struct Process {
    exe: Option<String>,
    command: Option<String>,
}

impl Reader<Act> for Osquery {
    fn line(&mut self, line: &str, origin: &Origin, acts: &mut Vec<Act>) -> Result<(), Unreadable> {
        if line.trim().is_empty() {
            return Ok(());
        }
        let value: Value = serde_json::from_str(line)?;
        let host = host(&value).ok_or_else(|| Unreadable::new("no host"))?;
        for row in rows(&value)? {
            if !is_execution(&value, row) {
                continue;
            }
            acts.push(Act {
                analytic: analytic(row),
                time: time(&value, row).ok_or_else(|| Unreadable::new("no time"))?,
                host: host.to_owned(),
                what: What::Command(args(row)),
                actor: self.actor(host, row),
                origin: origin.clone(),
            });
        }
        Ok(())
    }
}

impl Osquery {
    /// Who did what a row says. Is remembered as what later ones may be started by.
    fn actor(&mut self, host: &str, row: &Value) -> Actor {
        let (pid, exe) = (number(row, "pid"), text(row, "path"));
        let parent = number(row, "parent").map(|parent| self.parent(host, parent));
        if let Some(pid) = pid {
            let process = Process {
                exe: exe.clone(),
                command: text(row, "cmdline"),
            };
            self.processes.insert((host.to_owned(), pid), process);
        }
        Actor {
            pid,
            exe,
            parent,
            user: text(row, "username"),
            uid: number(row, "uid"),
            auid: number(row, "auid").filter(|auid| *auid != NOBODY),
            ..Actor::default()
        }
    }

    fn parent(&self, host: &str, pid: u32) -> Parent {
        let known = self.processes.get(&(host.to_owned(), pid));
        Parent {
            pid: Some(pid),
            exe: known.and_then(|process| process.exe.clone()),
            command: known.and_then(|process| process.command.clone()),
        }
    }
}

/// The host; versions before 2 call it otherwise.
fn host(value: &Value) -> Option<&str> {
    json::text(value, "hostIdentifier").or_else(|| json::text(value, "hostname"))
}

/// The rows that a result has now and had not before. Nothing of what has no rows: osquery's own log.
fn rows(value: &Value) -> Result<Vec<&Value>, Unreadable> {
    let list = |path| json::at(value, path).and_then(Value::as_array);
    if let Some(row) = value.get("columns") {
        let is_gone = json::text(value, "action") == Some("removed");
        return Ok(if is_gone { Vec::new() } else { vec![row] });
    }
    if value.get("snapshot").is_some() || value.get("diffResults").is_some() {
        let rows = list("snapshot").or_else(|| list("diffResults.added"));
        return Ok(rows.into_iter().flatten().collect());
    }
    let is_status = value.get("severity").is_some() && value.get("message").is_some();
    let nothing = is_status.then(Vec::new);
    nothing.ok_or_else(|| Unreadable::new("no result of osquery"))
}

/// Whether a row says that a program was executed, not only that a process began as a copy or ended.
fn is_execution(value: &Value, row: &Value) -> bool {
    let is_named = json::text(value, "name").is_some_and(|name| name.contains(TABLES));
    let is_of_events = OF_EVENTS.iter().any(|column| row.get(*column).is_some());
    let is_kind = |column| json::text(row, column).is_none_or(|kind| kind.starts_with("exec"));
    let has_command = text(row, "cmdline").is_some() && (is_named || is_of_events);
    (has_command || is_named && text(row, "path").is_some())
        && is_kind("event_type")
        && is_kind("syscall")
}

fn analytic(row: &Value) -> Analytic {
    let is_linux = OF_LINUX.iter().any(|column| row.get(*column).is_some());
    if is_linux {
        Analytic::Linux
    } else {
        Analytic::Macos
    }
}

/// When a program was executed, or else when osquery told of it.
fn time(value: &Value, row: &Value) -> Option<Timestamp> {
    let done = json::number(row, "time").filter(|time| *time > 0);
    let seconds = done.or_else(|| json::number(value, "unixTime"))?;
    Timestamp::from_second(i64::try_from(seconds).ok()?).ok()
}

/// The arguments, or the path where the query asks for no more.
fn args(row: &Value) -> Vec<String> {
    let args = text(row, "cmdline")
        .map(|line| words(&line))
        .unwrap_or_default();
    if args.is_empty() {
        text(row, "path").into_iter().collect()
    } else {
        args
    }
}

fn text(row: &Value, column: &str) -> Option<String> {
    let text = json::text(row, column).filter(|text| !text.trim().is_empty());
    text.map(str::to_owned)
}

/// A number; that of a process whose parent is not known is negative.
fn number(row: &Value, column: &str) -> Option<u32> {
    json::number(row, column).and_then(|number| u32::try_from(number).ok())
}

/// The words of a command line, with what is in quotes as one. Arguments are joined without quotes where
/// they had none, so that a quote without another is what it is.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line;
    while let Some(letter) = rest.chars().next() {
        rest = rest.split_at(letter.len_utf8()).1;
        let quoted = matches!(letter, '"' | '\'')
            .then(|| rest.split_once(letter))
            .flatten();
        if let Some((inside, behind)) = quoted {
            word.get_or_insert_default().push_str(inside);
            rest = behind;
        } else if letter.is_ascii_whitespace() {
            words.extend(word.take());
        } else {
            word.get_or_insert_default().push(letter);
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::read::windows::tests::read;

    const LOG: &str = include_str!("../../../../tests/fixtures/discovery/osquery.log");

    #[test]
    fn rows_of_results() {
        let (acts, unreadable) = read(&mut Osquery::default(), LOG);
        let expected = [
            "1 AN0905 2026-03-02T08:19:40Z mac1.corp.example: -zsh; pid=640 exe=/bin/zsh ppid=600 user=alice uid=501",
            "2 AN0905 2026-03-02T08:19:50Z mac1.corp.example: netstat|-an|-p|tcp; pid=702 exe=/usr/sbin/netstat ppid=640 pexe=/bin/zsh pcommand=-zsh user=alice uid=501",
            "5 AN0905 2026-03-02T08:20:20Z mac1.corp.example: sh|-c|lsof -i | grep LISTEN; pid=810 exe=/bin/sh ppid=640 pexe=/bin/zsh pcommand=-zsh uid=0 auid=501",
            "6 AN0905 2026-03-02T08:20:25Z mac1.corp.example: lsof|-i; pid=811 exe=/usr/sbin/lsof uid=0",
            "9 AN0905 2026-03-02T08:19:50Z mac1.corp.example: who; pid=900 exe=/usr/bin/who ppid=640 pexe=/bin/zsh pcommand=-zsh user=alice uid=501",
            "9 AN0905 2026-03-02T08:19:50Z mac1.corp.example: ls|/Users/alice/a b; pid=901 exe=/bin/ls ppid=640 pexe=/bin/zsh pcommand=-zsh user=alice uid=501",
            "10 AN0905 2026-03-02T08:19:50Z mac1.corp.example: scutil|--nwi; pid=902 exe=/usr/sbin/scutil ppid=640 pexe=/bin/zsh pcommand=-zsh user=alice uid=501",
            "14 AN0904 2026-03-02T08:20:20Z mac1.corp.example: ss|-t; pid=950 exe=/usr/bin/ss ppid=1 uid=0 auid=501",
            "16 AN0905 2026-03-02T08:20:00Z mac2: /usr/sbin/netstat; pid=903 exe=/usr/sbin/netstat ppid=640",
        ];
        assert_eq!(acts, expected);
        assert_eq!(unreadable, [11, 12]);
    }

    #[test]
    fn first_lines() {
        let recognised: Vec<usize> = (LOG.lines().zip(1..))
            .filter_map(|(line, number)| recognises(line).then_some(number))
            .collect();
        assert_eq!(recognised, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16]);
    }

    #[test]
    fn words_of_command_lines() {
        for (line, expected) in [
            ("netstat  -an ", vec!["netstat", "-an"]),
            (
                "sh -c 'netstat -an | grep x'",
                vec!["sh", "-c", "netstat -an | grep x"],
            ),
            ("x --a=\"b c\"d ''", vec!["x", "--a=b cd", ""]),
            ("say it's \"so", vec!["say", "it's", "\"so"]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }
}
