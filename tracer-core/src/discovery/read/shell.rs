//! Commands that shells, `snoopy` and `sudo` log through syslog on Linux.
//!
//! Formats: <https://github.com/a2o/snoopy/blob/master/etc/snoopy.ini.in> and
//! <https://github.com/a2o/snoopy/blob/master/packaging/deb/README.Debian> (snoopy),
//! <https://www.sudo.ws/docs/man/sudoers.man/#EVENT_LOGGING> (sudo),
//! <https://blog.rootshell.be/2009/02/28/bash-history-to-syslog/> (bash).

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

use super::{MONTHS, Reader, Unreadable, words};
use crate::discovery::{Act, Actor, Analytic, Origin, What, act::Beside};

/// How long a stamp without a year is.
const STAMP_BYTES: usize = "Nov 22 08:00:00".len();
/// A year that has every day.
const LEAP_YEAR: i16 = 2000;
/// Programs that write to the same files on most distributions, but not on network devices.
const NEIGHBOURS: [&str; 4] = ["CRON", "crond", "systemd", "systemd-logind"];

/// Reads lines of syslog.
#[derive(Debug)]
pub struct Shell {
    /// The year of stamps that have none.
    pub year: i16,
}

impl Default for Shell {
    fn default() -> Self {
        Self { year: 1970 }
    }
}

/// Whether a line is of a log that commands are written to.
#[must_use]
pub fn recognises(line: &str) -> bool {
    head(line, LEAP_YEAR).is_some_and(|head| {
        let is_writer = ["snoopy", "sudo"].contains(&head.program);
        is_writer || NEIGHBOURS.contains(&head.program) || command(&head).is_some()
    })
}

impl Reader<Act> for Shell {
    fn line(&mut self, line: &str, origin: &Origin, acts: &mut Vec<Act>) -> Result<(), Unreadable> {
        if line.trim().is_empty() {
            return Ok(());
        }
        let head = head(line, self.year)
            .ok_or_else(|| Unreadable::new("no time and host of syslog at its begin"))?;
        let Some(found) = command(&head).filter(|found| !found.arguments.is_empty()) else {
            return Ok(());
        };
        let act = |what, actor| Act {
            analytic: Analytic::Linux,
            time: head.time,
            host: head.host.to_owned(),
            what,
            actor,
            origin: origin.clone(),
        };
        acts.push(act(What::Command(found.arguments), found.actor.clone()));
        if found.is_elevated {
            acts.push(act(What::Beside(Beside::Privilege), found.actor));
        }
        Ok(())
    }
}

/// What syslog puts before a message, and the message.
#[derive(Debug)]
struct Head<'a> {
    time: Timestamp,
    host: &'a str,
    program: &'a str,
    pid: Option<u32>,
    message: &'a str,
}

fn head(line: &str, year: i16) -> Option<Head<'_>> {
    let (time, rest) = stamp(without_priority(line), year)?;
    let (host, rest) = rest.trim_start().split_once(' ')?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
    if host.is_empty() || host.ends_with(':') || !host.bytes().all(is_name) {
        return None;
    }
    // Some messages, like of a repetition, are of no program.
    let tagged = rest.split_once(':').filter(|(tag, _)| !tag.contains(' '));
    let (tag, message) = tagged.unwrap_or(("", rest));
    let (program, pid) = match tag.strip_suffix(']').and_then(|tag| tag.split_once('[')) {
        Some((program, pid)) => (program, pid.parse().ok()),
        None => (tag, None),
    };
    Some(Head {
        time,
        host,
        program,
        pid,
        message: message.trim(),
    })
}

/// A line without the `<PRIORITY>` that it has on the wire.
fn without_priority(line: &str) -> &str {
    let priority = line.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    match priority {
        Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => line,
    }
}

/// The time at the begin of a line, and what follows it. Times without a zone are taken for UTC.
fn stamp(line: &str, year: i16) -> Option<(Timestamp, &str)> {
    if line.starts_with(|first: char| first.is_ascii_digit()) {
        let (stamp, rest) = line.split_once(' ')?;
        return Some((stamp.parse().ok()?, rest));
    }
    let (stamp, rest) = line.split_at_checked(STAMP_BYTES)?;
    let mut words = stamp.split_ascii_whitespace();
    let month = words.next()?;
    let month = MONTHS.iter().zip(1..).find(|(name, _)| **name == month)?.1;
    let date = Date::new(year, month, words.next()?.parse().ok()?).ok()?;
    let mut parts = words.next()?.split(':').map(|part| part.parse().ok());
    let time = Time::new(parts.next()??, parts.next()??, parts.next()??, 0).ok()?;
    let time = DateTime::from_parts(date, time);
    let rest = rest.strip_prefix(' ')?;
    Some((TimeZone::UTC.to_timestamp(time).ok()?, rest))
}

/// A command that a line tells of.
#[derive(Debug)]
struct Command {
    arguments: Vec<String>,
    actor: Actor,
    is_elevated: bool,
}

fn command(head: &Head<'_>) -> Option<Command> {
    match head.program {
        "snoopy" => snoopy(head),
        "sudo" | "sudoedit" => sudo(head),
        _ => history(head).or_else(|| prompted(head)),
    }
}

/// `[FIELDS]: COMMAND`, with the fields of the default format or of the packages of distributions.
fn snoopy(head: &Head<'_>) -> Option<Command> {
    let (fields, command) = head.message.strip_prefix('[')?.split_once("]: ")?;
    let ssh = fields.split_once("ssh:(").map(|(_, connection)| connection);
    let from = ssh
        .and_then(|connection| connection.split([' ', ')']).next())
        .and_then(known);
    let (name, uid) = match field(fields, "uid").map(user) {
        Some((name, uid)) => (name.and_then(known), uid),
        None => (None, None),
    };
    let actor = Actor {
        pid: head.pid,
        exe: field(fields, "filename").and_then(known),
        user: name.or_else(|| field(fields, "login").and_then(known)),
        uid,
        session: field(fields, "sid").and_then(known),
        tty: field(fields, "tty").and_then(known),
        via: from.is_some().then(|| "ssh".to_owned()),
        from,
        ..Actor::default()
    };
    Some(Command {
        arguments: words(command),
        actor,
        is_elevated: false,
    })
}

/// The value of a field of snoopy, up to a space.
fn field<'a>(fields: &'a str, key: &str) -> Option<&'a str> {
    let mut words = fields.split(' ');
    words.find_map(|word| word.strip_prefix(key)?.strip_prefix(':'))
}

/// A value, unless it says that there is none.
fn known(value: &str) -> Option<String> {
    (!value.is_empty() && !value.starts_with('(')).then(|| value.to_owned())
}

/// The name and id of a user: `1000` or `alice(1000)/root(0)`, of which the first one is real.
fn user(text: &str) -> (Option<&str>, Option<u32>) {
    match text.split_once('(') {
        Some((name, rest)) => {
            let id = rest.split_once(')').and_then(|(id, _)| id.parse().ok());
            (Some(name), id)
        }
        None => (None, text.parse().ok()),
    }
}

/// `USER : TTY=… ; PWD=… ; USER=… ; COMMAND=…`. Where a reason comes first, nothing was executed.
fn sudo(head: &Head<'_>) -> Option<Command> {
    let (name, rest) = head.message.split_once(" : ")?;
    if !rest.starts_with("TTY=") && !rest.starts_with("PWD=") && !rest.starts_with("HOST=") {
        return None;
    }
    let (fields, command) = rest.split_once(" COMMAND=")?;
    let field = |key: &str| {
        let mut fields = fields.split(" ; ");
        let value = fields.find_map(|field| field.strip_prefix(key)?.strip_prefix('='))?;
        Some(value.trim_end_matches([' ', ';']))
    };
    let actor = Actor {
        pid: head.pid,
        user: known(name),
        tty: field("TTY").filter(|tty| *tty != "unknown").and_then(known),
        ..Actor::default()
    };
    Some(Command {
        arguments: arguments(command),
        actor,
        is_elevated: field("USER").is_some_and(|user| user != name),
    })
}

/// The arguments of a command as sudo writes them: those with spaces are in single quotes, in which a
/// backslash takes the meaning from what follows it. Older versions did not do so, so a quote that has
/// no end is one that was typed.
fn arguments(command: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut rest = command.trim_start();
    while !rest.is_empty() {
        let (argument, behind) = quoted(rest).unwrap_or_else(|| {
            let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
            (word.to_owned(), behind)
        });
        arguments.push(argument);
        rest = behind.trim_start();
    }
    arguments
}

/// The argument between quotes that a text begins with, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('\'')?;
    let mut argument = String::new();
    let mut characters = inner.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => argument.extend(characters.next().map(|(_, escaped)| escaped)),
            '\'' => {
                let behind = inner.split_at_checked(at + 1)?.1;
                let is_end = behind.is_empty() || behind.starts_with(' ');
                return is_end.then_some((argument, behind));
            }
            _ => argument.push(character),
        }
    }
    None
}

/// `HISTORY: PID=… UID=… COMMAND`, which bash writes if compiled to do so.
fn history(head: &Head<'_>) -> Option<Command> {
    let rest = head.message.strip_prefix("HISTORY")?;
    let rest = rest.strip_prefix(" (TRUNCATED)").unwrap_or(rest);
    let (pid, rest) = rest.strip_prefix(": PID=")?.split_once(" UID=")?;
    let (uid, command) = rest.split_once(' ')?;
    let actor = Actor {
        pid: pid.parse().ok(),
        uid: uid.parse().ok(),
        ..Actor::default()
    };
    Some(Command {
        arguments: words(command),
        actor,
        is_elevated: false,
    })
}

/// `USER [PID]: COMMAND [STATUS]`, written with `logger` before every prompt: the way that manuals of
/// many distributions give. `logger` names the user as the program.
fn prompted(head: &Head<'_>) -> Option<Command> {
    let rest = head
        .message
        .strip_prefix(head.program)?
        .strip_prefix(" [")?;
    let (pid, rest) = rest.split_once("]:")?;
    let (command, status) = rest.strip_suffix(']')?.rsplit_once(" [")?;
    status.parse::<u8>().ok()?;
    let actor = Actor {
        pid: Some(pid.parse().ok()?),
        user: known(head.program),
        ..Actor::default()
    };
    Some(Command {
        arguments: words(command),
        actor,
        is_elevated: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = include_str!("../../../../tests/fixtures/discovery/shell.log");

    fn origin(line: u64) -> Origin {
        Origin {
            file: "shell.log".into(),
            line,
        }
    }

    #[test]
    fn logged_commands_become_acts() {
        let command = |line| What::Command(words(line));
        let user = |pid, name: &str| Actor {
            pid,
            user: Some(name.into()),
            ..Actor::default()
        };
        let alice = Actor {
            uid: Some(1000),
            session: Some("2210".into()),
            tty: Some("/dev/pts/0".into()),
            via: Some("ssh".into()),
            from: Some("192.0.2.7".into()),
            ..user(Some(2301), "alice")
        };
        let daemon = Actor {
            pid: Some(2302),
            exe: Some("/usr/bin/cat".into()),
            uid: Some(0),
            session: Some("1".into()),
            ..Actor::default()
        };
        let bash = Actor {
            pid: Some(2210),
            uid: Some(1000),
            ..Actor::default()
        };
        let sudo = Actor {
            tty: Some("pts/0".into()),
            ..user(None, "alice")
        };
        let script = ["/bin/sh", "-c", "netstat -tan | grep 'x'"];
        let script = What::Command(script.map(str::to_owned).to_vec());
        let elevated = What::Beside(Beside::Privilege);
        let expected = [
            (1, "08:00:00", "web1", command("netstat -tan"), alice),
            (2, "08:00:01", "web1", command("cat /proc/net/tcp"), daemon),
            (
                3,
                "08:00:02",
                "web1",
                command("ss -tanp | head"),
                bash.clone(),
            ),
            (4, "08:00:03", "web1", command("vi notes"), bash),
            (
                5,
                "08:00:04",
                "web1",
                command("lsof -i :443"),
                user(Some(2210), "alice"),
            ),
            (
                6,
                "08:00:05",
                "web1",
                command("/usr/bin/ss -tanp"),
                sudo.clone(),
            ),
            (6, "08:00:05", "web1", elevated.clone(), sudo.clone()),
            (7, "08:00:06", "web1", command("/usr/bin/id"), sudo),
            (8, "07:00:07.25", "db1", script, user(Some(2400), "bob")),
            (8, "07:00:07.25", "db1", elevated, user(Some(2400), "bob")),
        ];
        let expected = expected.map(|(line, time, host, what, actor)| Act {
            analytic: Analytic::Linux,
            time: format!("2025-11-22T{time}Z").parse().unwrap(),
            host: host.into(),
            what,
            actor,
            origin: origin(line),
        });
        let mut reader = Shell { year: 2025 };
        let (mut acts, mut unreadable) = (Vec::new(), Vec::new());
        for (line, number) in LOG.lines().zip(1..) {
            if reader.line(line, &origin(number), &mut acts).is_err() {
                unreadable.push(number);
            }
        }
        assert_eq!(acts, expected);
        assert_eq!(unreadable, [13]);
    }

    #[test]
    fn quotes_of_sudo_keep_arguments_together() {
        for (command, expected) in [
            (
                r"sh -c 'a \'b\' \\ c' d",
                &["sh", "-c", r"a 'b' \ c", "d"][..],
            ),
            ("echo 'it is", &["echo", "'it", "is"]),
            ("echo ''x ' \\", &["echo", "''x", "'", "\\"]),
            ("", &[]),
        ] {
            assert_eq!(arguments(command), expected, "{command}");
        }
    }

    #[test]
    fn days_that_are_not_in_the_year_are_unreadable() {
        assert!(head("Feb 29 08:00:00 web1 x: y", 2025).is_none());
        assert!(head("Feb 29 08:00:00 web1 x: y", 2024).is_some());
        assert!(head("<86>Nov  2 08:00:00 web1 x: y", 2025).is_some());
        for line in [
            "Nov 22 08:00:0é web1 x: y",
            "Nov 22 8:0",
            "2025-11-22T08:00:00 web1 x: y",
        ] {
            assert!(head(line, 2025).is_none(), "{line}");
        }
    }

    #[test]
    fn recognises_what_commands_are_written_to() {
        for line in LOG.lines().take(8) {
            assert!(recognises(line), "{line}");
        }
        assert!(recognises(
            "Nov 22 08:00:00 web1 CRON[7]: pam_unix(cron:session): session opened"
        ));
        for line in [
            "2025-11-22T08:00:00.123Z shell[7]: [root]: ls",
            "2025-11-22T08:00:00.123Z In(14) shell[7]: [root]: ls",
            "Nov 22 08:00:00 192.0.2.1 45: %SYS-5-CONFIG_I: Configured from console by alice",
            "type=SYSCALL msg=audit(1.000:1): a=1",
        ] {
            assert!(!recognises(line), "{line}");
        }
    }
}
