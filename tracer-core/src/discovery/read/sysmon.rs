//! What Sysmon says that processes did.
//!
//! Format: the schema of the events as samples have it, of Windows
//! <https://github.com/elastic/beats/tree/main/x-pack/winlogbeat/module/sysmon/test/testdata> and of Linux
//! <https://github.com/microsoft/SysmonForLinux>. Event 1 is a process that was created, 3 a connection,
//! 10 a process that opened another one.

use std::{iter::repeat_n, net::IpAddr, str::Chars};

use jiff::Timestamp;

use super::{
    Unreadable,
    recent::Recent,
    windows::{self, Record},
};
use crate::discovery::{Act, Actor, Analytic, Origin, Parent, What, act::Beside};

/// The provider on Linux.
pub const LINUX: &str = "Linux-Sysmon";
/// The session of Linux that is none.
const NO_SESSION: &str = "4294967295";
/// The integrity levels of those who may do more than an ordinary user.
const PRIVILEGED: [&str; 2] = ["High", "System"];
/// What the name of the account ends with that starts services, and has all privileges already.
const SYSTEM: &str = "\\SYSTEM";
/// Who keeps credentials.
const KEEPER: &str = "\\lsass.exe";

/// Makes acts of Sysmon's events.
#[derive(Debug, Default)]
pub struct Sysmon {
    /// The sessions of processes, which only the event of their creation has.
    sessions: Recent<String, String>,
}

impl Sysmon {
    /// Takes an event.
    ///
    /// # Errors
    /// If it has no time.
    pub fn take(
        &mut self,
        record: &Record,
        origin: &Origin,
        acts: &mut Vec<Act>,
    ) -> Result<(), Unreadable> {
        let (whats, actor) = match record.id {
            1 => self.created(record),
            3 if is_outgoing(record) => (
                vec![What::Beside(Beside::Connection)],
                self.connected(record),
            ),
            10 if is_keeper(record) => {
                (vec![What::Beside(Beside::Credentials)], self.opened(record))
            }
            _ => return Ok(()),
        };
        let time = time(record).ok_or_else(|| Unreadable::new("an event without a time"))?;
        acts.extend(whats.into_iter().map(|what| Act {
            analytic: analytic(record),
            time,
            host: record.host.clone(),
            what,
            actor: actor.clone(),
            origin: origin.clone(),
        }));
        Ok(())
    }

    fn created(&mut self, record: &Record) -> (Vec<What>, Actor) {
        let session = session(record);
        if let (Some(process), Some(session)) = (record.owned("ProcessGuid"), &session) {
            self.sessions.insert(process, session.clone());
        }
        let parent = Parent {
            pid: record.number("ParentProcessId"),
            exe: record.owned("ParentImage"),
            command: record.owned("ParentCommandLine"),
        };
        let actor = Actor {
            pid: record.number("ProcessId"),
            exe: record.owned("Image"),
            parent: (parent != Parent::default()).then_some(parent),
            user: record.owned("User"),
            session,
            tty: record
                .owned("TerminalSessionId")
                .filter(|_| !is_linux(record)),
            ..Actor::default()
        };
        let args = record.data("CommandLine").map(words);
        let args = args.or_else(|| Some(vec![actor.exe.clone()?]));
        let risen = has_risen(record).then_some(What::Beside(Beside::Privilege));
        (
            args.map(What::Command).into_iter().chain(risen).collect(),
            actor,
        )
    }

    fn connected(&self, record: &Record) -> Actor {
        Actor {
            pid: record.number("ProcessId"),
            exe: record.owned("Image"),
            user: record.owned("User"),
            session: self.session(record.owned("ProcessGuid")),
            ..Actor::default()
        }
    }

    /// Who opened another process. winlogbeat's module gives him the names that he has in other events.
    fn opened(&self, record: &Record) -> Actor {
        let process = record
            .owned("SourceProcessGUID")
            .or_else(|| record.owned("ProcessGuid"));
        Actor {
            pid: record
                .number("SourceProcessId")
                .or_else(|| record.number("ProcessId")),
            exe: record
                .owned("SourceImage")
                .or_else(|| record.owned("Image")),
            user: record.owned("SourceUser").or_else(|| record.owned("User")),
            session: self.session(process),
            ..Actor::default()
        }
    }

    fn session(&self, process: Option<String>) -> Option<String> {
        self.sessions.get(&process?).cloned()
    }
}

fn is_linux(record: &Record) -> bool {
    record.provider.eq_ignore_ascii_case(LINUX)
}

fn analytic(record: &Record) -> Analytic {
    if is_linux(record) {
        Analytic::Linux
    } else {
        Analytic::Windows
    }
}

/// What names the session of a process. On Linux `LogonId` is the user, and `TerminalSessionId` the session
/// that the audit system has.
fn session(record: &Record) -> Option<String> {
    if is_linux(record) {
        return record
            .owned("TerminalSessionId")
            .filter(|session| session != NO_SESSION);
    }
    record.owned("LogonId")
}

/// When it was done. On Linux `UtcTime` is counted from the start of the system and falls behind by the time
/// for which it slept.
fn time(record: &Record) -> Option<Timestamp> {
    let done = record.data("UtcTime").and_then(windows::time);
    if is_linux(record) {
        record.time.or(done)
    } else {
        done.or(record.time)
    }
}

/// Whether a process has privileges that the one that started it, another user's, has not.
fn has_risen(record: &Record) -> bool {
    let is_privileged = record.data("IntegrityLevel").is_some_and(|level| {
        PRIVILEGED
            .iter()
            .any(|privileged| privileged.eq_ignore_ascii_case(level))
    });
    let is_another = match (record.data("User"), record.data("ParentUser")) {
        (Some(user), Some(parent)) => {
            !parent.eq_ignore_ascii_case(user) && !ends_with(parent, SYSTEM)
        }
        _ => false,
    };
    is_privileged && is_another
}

/// Whether a connection was opened to another host.
fn is_outgoing(record: &Record) -> bool {
    let address = record
        .data("DestinationIp")
        .and_then(|text| text.parse::<IpAddr>().ok());
    let is_elsewhere = address.is_some_and(|address| !address.to_canonical().is_loopback());
    let is_initiated = |text: &str| text.eq_ignore_ascii_case("true");
    is_elsewhere && record.data("Initiated").is_some_and(is_initiated)
}

fn is_keeper(record: &Record) -> bool {
    record
        .data("TargetImage")
        .is_some_and(|image| ends_with(image, KEEPER))
}

/// Whether a text ends so, in upper or lower case.
fn ends_with(text: &str, end: &str) -> bool {
    let at = text.len().checked_sub(end.len());
    at.and_then(|at| text.get(at..))
        .is_some_and(|found| found.eq_ignore_ascii_case(end))
}

/// The arguments of a command line, by the rules of
/// <https://learn.microsoft.com/en-us/cpp/c-language/parsing-c-command-line-arguments>.
fn words(line: &str) -> Vec<String> {
    let mut letters = line.trim_start().chars();
    let mut words = Vec::new();
    if !letters.as_str().is_empty() {
        words.push(program(&mut letters));
    }
    while let Some(word) = argument(&mut letters) {
        words.push(word);
    }
    words
}

/// The name of the program, in which backslashes are nothing special.
fn program(letters: &mut Chars<'_>) -> String {
    let mut word = String::new();
    let mut is_quoted = false;
    for letter in letters.by_ref() {
        match letter {
            '"' => is_quoted = !is_quoted,
            space if space.is_ascii_whitespace() && !is_quoted => break,
            other => word.push(other),
        }
    }
    word
}

/// The next argument. Backslashes are special before a quotation mark, and two marks in quotes are one.
fn argument(letters: &mut Chars<'_>) -> Option<String> {
    let rest = letters.as_str().trim_ascii_start();
    if rest.is_empty() {
        return None;
    }
    *letters = rest.chars();
    let mut word = String::new();
    let mut is_quoted = false;
    let mut backslashes = 0;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                backslashes += 1;
                continue;
            }
            '"' => {
                word.extend(repeat_n('\\', backslashes / 2));
                let is_doubled = is_quoted && letters.as_str().starts_with('"');
                if backslashes % 2 == 1 {
                    word.push('"');
                } else if is_doubled {
                    letters.next();
                    word.push('"');
                } else {
                    is_quoted = !is_quoted;
                }
            }
            other => {
                word.extend(repeat_n('\\', backslashes));
                if other.is_ascii_whitespace() && !is_quoted {
                    return Some(word);
                }
                word.push(other);
            }
        }
        backslashes = 0;
    }
    word.extend(repeat_n('\\', backslashes));
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_command_lines() {
        for (line, expected) in [
            ("", vec![]),
            ("netstat  -ano ", vec!["netstat", "-ano"]),
            (
                r#""C:\Program Files\x.exe" -a"#,
                vec![r"C:\Program Files\x.exe", "-a"],
            ),
            (r#"x "a b c" d e"#, vec!["x", "a b c", "d", "e"]),
            (r#"x "ab\"c" "\\" d"#, vec!["x", "ab\"c", "\\", "d"]),
            (r#"x a\\\b d"e f"g h"#, vec!["x", r"a\\\b", "de fg", "h"]),
            (r#"x a\\\"b c d"#, vec!["x", r#"a\"b"#, "c", "d"]),
            (r#"x a\\\\"b c" d e"#, vec!["x", r"a\\b c", "d", "e"]),
            (r#"x "" C:\"#, vec!["x", "", r"C:\"]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }

    #[test]
    fn privileges_that_the_parent_has_not() {
        for (level, user, parent, expected) in [
            ("High", "CORP\\admin", "CORP\\alice", true),
            ("System", "NT AUTHORITY\\SYSTEM", "CORP\\alice", true),
            ("Medium", "CORP\\admin", "CORP\\alice", false),
            ("High", "CORP\\alice", "corp\\Alice", false),
            ("High", "CORP\\alice", "-", false),
            // Services, and logging in.
            (
                "System",
                "NT AUTHORITY\\LOCAL SERVICE",
                "NT AUTHORITY\\SYSTEM",
                false,
            ),
        ] {
            let data = [
                ("IntegrityLevel", level),
                ("User", user),
                ("ParentUser", parent),
            ];
            let record = Record::new("Microsoft-Windows-Sysmon", 1, &data);
            assert_eq!(has_risen(&record), expected, "{data:?}");
        }
    }
}
