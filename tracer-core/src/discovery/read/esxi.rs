//! The logs of `ESXi` that tell what was done on a host: `shell.log`, `auth.log` and `hostd.log`, as they
//! are on the host or as it sends them to a collector of syslog.
//!
//! A command in `shell.log` has the id of the shell's world, and `auth.log` says with that id through what
//! the session came.
//!
//! Formats: <https://knowledge.broadcom.com/external/article/321910/auditing-esxi-shell-logins-and-commands.html>
//! (shell and logins), <https://knowledge.broadcom.com/external/article/421596> (the mark of the severity
//! since 8.0), <https://artefacts.help/vmware_esxi.html> (samples, also of `hostd.log`).

use jiff::Timestamp;

use super::{Reader, Unreadable, recent::Recent, words};
use crate::discovery::{Act, Actor, Analytic, Origin, What};

/// Levels that `hostd` wrote before its name until 8.0.
const LEVELS: [&str; 6] = ["panic", "error", "warning", "info", "verbose", "trivia"];
/// What the shell says of itself, in the place of a command.
const STARTED: &str = "Interactive shell session started";

/// Reads the logs of an `ESXi` host, or of several.
#[derive(Debug, Default)]
pub struct Esxi {
    /// Address that a process of the SSH daemon serves.
    connections: Recent<(String, u32), String>,
    /// Address of the latest login of a user through SSH.
    accepted: Recent<(String, String), String>,
    /// Sessions of shells, by their worlds.
    shells: Recent<(String, u32), Session>,
    /// Address of the client of a session of the interface.
    clients: Recent<(String, String), String>,
}

/// Through what a shell came.
#[derive(Clone, Debug, Default)]
struct Session {
    via: &'static str,
    user: String,
    from: Option<String>,
    tty: Option<String>,
}

/// Whether a line is of a log of `ESXi`.
#[must_use]
pub fn recognises(line: &str) -> bool {
    head(line).is_some_and(|head| {
        let is_told = match head.program.to_ascii_lowercase().as_str() {
            "shell" => head.message.starts_with('[') || head.message == STARTED,
            "hostd" => head.message.starts_with("[Originator@"),
            "dcui" => true,
            // Other systems have them as well, but no stamp without a host behind it.
            "login" | "sshd" | "ssh" | "esxshell" => head.host.is_empty(),
            _ => false,
        };
        is_told || head.is_marked
    })
}

impl Reader<Act> for Esxi {
    fn line(&mut self, line: &str, origin: &Origin, acts: &mut Vec<Act>) -> Result<(), Unreadable> {
        // Messages of `hostd` have further lines, which begin so.
        if line.trim().is_empty() || line.trim_start().starts_with("-->") {
            return Ok(());
        }
        let head =
            head(line).ok_or_else(|| Unreadable::new("does not begin with a time in UTC"))?;
        let found = match head.program.to_ascii_lowercase().as_str() {
            "shell" => self.shell(&head),
            "sshd" => self.sshd(&head),
            "hostd" => self.hostd(&head),
            "login" => self.login(&head),
            "dcui" => self.dcui(&head),
            _ => None,
        };
        acts.extend(found.map(|(what, actor)| Act {
            analytic: Analytic::Esxi,
            time: head.time,
            host: head.host.to_owned(),
            what,
            actor,
            origin: origin.clone(),
        }));
        Ok(())
    }
}

impl Esxi {
    /// `[USER]: COMMAND`; before 6.0 only the command.
    fn shell(&self, head: &Head<'_>) -> Option<(What, Actor)> {
        let named = head.message.strip_prefix('[');
        let (user, command) = match named.and_then(|named| named.split_once("]: ")) {
            Some((user, command)) => (Some(user.to_owned()), command),
            None => (None, head.message),
        };
        if command.is_empty() || command == STARTED {
            return None;
        }
        let session = head
            .pid
            .and_then(|pid| self.shells.get(&(head.host.to_owned(), pid)));
        let session = session.cloned().unwrap_or_default();
        let actor = Actor {
            pid: head.pid,
            user: user.or_else(|| some(&session.user)),
            session: head.pid.map(|pid| pid.to_string()),
            tty: session.tty,
            via: some(session.via),
            from: session.from,
            ..Actor::default()
        };
        Some((command_of(command), actor))
    }

    /// Learns from where sessions come. A command that is given to SSH passes by the shell's log.
    fn sshd(&mut self, head: &Head<'_>) -> Option<(What, Actor)> {
        let pid = head.pid?;
        if let Some(peer) = head.message.strip_prefix("Connection from ") {
            let (address, _) = peer.split_once(" port ")?;
            self.connections
                .insert((head.host.to_owned(), pid), address.to_owned());
        } else if let Some(login) = head.message.strip_prefix("Accepted ") {
            let (_, login) = login.split_once(" for ")?;
            let (user, peer) = login.split_once(" from ")?;
            let (address, _) = peer.split_once(" port ")?;
            self.connections
                .insert((head.host.to_owned(), pid), address.to_owned());
            let login = (head.host.to_owned(), user.to_owned());
            self.accepted.insert(login, address.to_owned());
        } else if let Some(opened) = head.message.strip_prefix("Session opened for '") {
            let (user, tty) = opened.split_once("' on ")?;
            let session = Session {
                via: "ssh",
                user: user.to_owned(),
                from: self.peer(head.host, pid, user),
                tty: some(tty),
            };
            self.shells.insert((head.host.to_owned(), pid), session);
        } else if let Some(given) = head.message.strip_prefix("User '") {
            let (user, command) = given.split_once("' running command '")?;
            let actor = Actor {
                pid: Some(pid),
                user: some(user),
                session: Some(pid.to_string()),
                via: Some("ssh".to_owned()),
                from: self.peer(head.host, pid, user),
                ..Actor::default()
            };
            let command = command.strip_suffix('\'').unwrap_or(command);
            return Some((command_of(command), actor));
        }
        None
    }

    /// From where a process of the SSH daemon was reached. The one that opens a session is not the one
    /// that accepted the login, and does not name it: then it is the latest login of the user.
    fn peer(&self, host: &str, pid: u32, user: &str) -> Option<String> {
        let connection = self.connections.get(&(host.to_owned(), pid));
        connection
            .or_else(|| self.accepted.get(&(host.to_owned(), user.to_owned())))
            .cloned()
    }

    /// `USER login on 'TERMINAL'`: the shell at the console.
    fn login(&mut self, head: &Head<'_>) -> Option<(What, Actor)> {
        let (user, tty) = head.message.split_once(" login on '")?;
        let session = Session {
            via: "console",
            user: user.to_owned(),
            from: None,
            tty: some(tty.trim_end_matches('\'')),
        };
        self.shells
            .insert((head.host.to_owned(), head.pid?), session);
        None
    }

    /// `User USER logged in`: at the menu of the direct console.
    fn dcui(&mut self, head: &Head<'_>) -> Option<(What, Actor)> {
        let user = head
            .message
            .strip_prefix("User ")?
            .strip_suffix(" logged in")?;
        let session = Session {
            via: "dcui",
            user: user.to_owned(),
            ..Session::default()
        };
        self.shells
            .insert((head.host.to_owned(), head.pid?), session);
        None
    }

    /// `[Originator@… sub=… opID=… sid=… user=…] TEXT`: what is done through the interface. The number
    /// behind `hostd` is that of a thread that serves any client, and is not taken for a process.
    fn hostd(&mut self, head: &Head<'_>) -> Option<(What, Actor)> {
        let (about, text) = head
            .message
            .strip_prefix("[Originator@")?
            .split_once("] ")?;
        let field = |key: &str| {
            let mut words = about.split(' ');
            words.find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
        };
        let session = field("sid");
        if let Some((session, address)) = session.zip(client(text)) {
            let session = (head.host.to_owned(), session.to_owned());
            self.clients.insert(session, address.to_owned());
            return None;
        }
        let from = session.and_then(|session| {
            let session = (head.host.to_owned(), session.to_owned());
            self.clients.get(&session)
        });
        let actor = Actor {
            user: field("user").and_then(some),
            session: session.and_then(some),
            via: Some("api".to_owned()),
            from: from.cloned(),
            ..Actor::default()
        };
        Some((What::Call(operation(text)?), actor))
    }
}

/// The address in `Event NUMBER : User USER@ADDRESS logged in as AGENT`.
fn client(text: &str) -> Option<&str> {
    let (_, event) = text.strip_prefix("Event ")?.split_once(" : User ")?;
    let (user, _) = event.split_once(" logged in")?;
    Some(user.rsplit_once('@')?.1)
}

/// The operation that a text of `hostd` says is begun.
fn operation(text: &str) -> Option<String> {
    if let Some(task) = text.strip_prefix("Task Created : ") {
        return Some(task_operation(task));
    }
    if !text.contains("Invoke") && !text.contains("Activation") {
        return None;
    }
    let named = |prefix| named(text, prefix);
    invoked(text)
        .or_else(|| named("vim.EsxCLI."))
        .or_else(|| named("ha-cli-handler-"))
}

/// The operation in the name of a task: `haTask-ENTITY-OPERATION-NUMBER`.
fn task_operation(task: &str) -> String {
    let task = task.trim();
    let name = match task.rsplit_once('-') {
        Some((name, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => task,
    };
    let operation = name
        .split_once("-vim.")
        .map(|(_, operation)| format!("vim.{operation}"));
    operation.unwrap_or_else(|| name.to_owned())
}

/// `Invoke done [METHOD] on [TYPE:OBJECT]`.
fn invoked(text: &str) -> Option<String> {
    let (_, call) = text.split_once("Invoke done [")?;
    let (method, object) = call.split_once("] on [")?;
    let kind = object.split([':', ']']).next()?;
    Some(if method.contains('.') {
        method.to_owned()
    } else {
        format!("{kind}.{method}")
    })
}

/// The name in a text that begins so.
fn named(text: &str, prefix: &str) -> Option<String> {
    let (_, name) = text.split_at_checked(text.find(prefix)?)?;
    let is_end = |character: char| !character.is_ascii_alphanumeric() && !"._-".contains(character);
    let name = name.split(is_end).next()?;
    Some(name.trim_end_matches(['.', '-']).to_owned())
}

/// What stands before a message, and the message.
#[derive(Debug)]
struct Head<'a> {
    time: Timestamp,
    /// Empty in the logs of the host itself.
    host: &'a str,
    /// Empty: there is none where it is looked for.
    program: &'a str,
    pid: Option<u32>,
    message: &'a str,
    /// Whether the severity is marked as only `ESXi` does: `In(14)`.
    is_marked: bool,
}

/// Takes `TIME [SEVERITY] [HOST] PROGRAM[PID]: MESSAGE` apart.
fn head(line: &str) -> Option<Head<'_>> {
    let (stamp, mut rest) = without_priority(line).split_once(' ')?;
    let stamp = stamp.trim_end_matches(':');
    let mut head = Head {
        time: stamp.ends_with('Z').then(|| stamp.parse().ok())??,
        host: "",
        program: "",
        pid: None,
        message: "",
        is_marked: false,
    };
    loop {
        rest = rest.trim_start();
        let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
        if let Some((program, pid)) = program(word) {
            (head.program, head.pid, head.message) = (program, pid, behind.trim());
            return Some(head);
        } else if is_mark(word) {
            head.is_marked = true;
        } else if is_name(word) && head.host.is_empty() && !LEVELS.contains(&word) {
            head.host = word;
        } else if !LEVELS.contains(&word) {
            return Some(head);
        }
        rest = behind;
    }
}

/// A line without the `<PRIORITY>` that it has on the wire.
fn without_priority(line: &str) -> &str {
    let priority = line.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    match priority {
        Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => line,
    }
}

/// `NAME[PID]:`, `NAME[PID]` or `NAME:`.
fn program(word: &str) -> Option<(&str, Option<u32>)> {
    let tag = word.strip_suffix(':');
    let numbered = tag.unwrap_or(word).strip_suffix(']');
    let (name, pid) = match numbered.and_then(|tag| tag.split_once('[')) {
        // Threads had hexadecimal numbers, which say nothing.
        Some((name, pid)) => (name, pid.parse().ok()),
        None => (tag?, None),
    };
    is_name(name).then_some((name, pid))
}

fn is_name(word: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
    !word.is_empty() && word.bytes().all(is_part)
}

/// Whether a word is a severity since 8.0: two letters, and a number in parentheses.
fn is_mark(word: &str) -> bool {
    let mark = word.strip_suffix(')').and_then(|word| word.split_once('('));
    mark.is_some_and(|(severity, number)| {
        ["Em", "Al", "Cr", "Er", "Wa", "No", "In", "Db"].contains(&severity)
            && number.parse::<u16>().is_ok()
    })
}

fn command_of(line: &str) -> What {
    What::Command(words(line))
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = include_str!("../../../../tests/fixtures/discovery/esxi.log");

    fn origin(line: u64) -> Origin {
        Origin {
            file: "esxi.log".into(),
            line,
        }
    }

    fn read(text: &str) -> (Vec<Act>, Vec<u64>) {
        let mut reader = Esxi::default();
        let (mut acts, mut unreadable) = (Vec::new(), Vec::new());
        for (line, number) in text.lines().zip(1..) {
            if reader.line(line, &origin(number), &mut acts).is_err() {
                unreadable.push(number);
            }
        }
        (acts, unreadable)
    }

    #[test]
    fn commands_and_calls_become_acts() {
        let text = |text: &str| Some(text.to_owned());
        let user = |pid: u32, via| Actor {
            pid: Some(pid),
            user: text("root"),
            session: Some(pid.to_string()),
            via,
            ..Actor::default()
        };
        let ssh = Actor {
            tty: text("/dev/char/pty/t0"),
            from: text("192.0.2.7"),
            ..user(2_099_123, text("ssh"))
        };
        let console = Actor {
            tty: text("char/tty/1"),
            ..user(2_099_200, text("console"))
        };
        let given = Actor {
            from: text("192.0.2.8"),
            ..user(2_099_300, text("ssh"))
        };
        let client = |session: Option<&str>, user: &str, from: Option<&str>| Actor {
            user: text(user),
            session: session.map(str::to_owned),
            via: text("api"),
            from: from.map(str::to_owned),
            ..Actor::default()
        };
        let call = |name: &str| What::Call(name.into());
        let vcenter = client(Some("8c327895"), r"vpxuser:CORP\\alice", None);
        let expected = [
            (
                5,
                "00",
                "",
                command_of("esxcli network ip connection list"),
                ssh.clone(),
            ),
            (6, "01.5", "", command_of("vim-cmd vmsvc/getallvms"), ssh),
            (
                8,
                "03",
                "",
                command_of("esxcli network ip connection list"),
                console,
            ),
            (
                10,
                "05",
                "",
                command_of("esxcli network ip neighbor list 2>&1"),
                given,
            ),
            (
                13,
                "08",
                "",
                call("vim.HostSystem.enterMaintenanceMode"),
                vcenter,
            ),
            (
                15,
                "10",
                "",
                call("vim.EsxCLI.network.ip.connection.list"),
                client(Some("52f0e556"), "root", Some("192.0.2.9")),
            ),
            (
                17,
                "11",
                "",
                call("vim.Folder.registerVm"),
                client(None, "dcui", None),
            ),
            (
                18,
                "12",
                "esx1.example",
                command_of("netstat"),
                user(2_099_123, None),
            ),
        ];
        let expected = expected.map(|(line, seconds, host, what, actor)| Act {
            analytic: Analytic::Esxi,
            time: format!("2025-12-02T17:54:{seconds}Z").parse().unwrap(),
            host: host.into(),
            what,
            actor,
            origin: origin(line),
        });
        let (acts, unreadable) = read(LOG);
        assert_eq!(acts, expected);
        assert_eq!(unreadable, [20]);
    }

    #[test]
    fn operations_are_found_in_texts() {
        let list = "vim.EsxCLI.network.ip.connection.list";
        for (text, expected) in [
            (
                "Task Created : haTask--vim.SearchIndex.findByUuid-17",
                Some("vim.SearchIndex.findByUuid"),
            ),
            ("Task Created : other", Some("other")),
            (
                "Task Completed : haTask-ha-host-vim.HostSystem.reboot-1 Status success",
                None,
            ),
            (
                "Invoke done [waitForUpdates] on [vmodl.query.PropertyCollector:ha]",
                Some("vmodl.query.PropertyCollector.waitForUpdates"),
            ),
            ("Invoke vim.EsxCLI.network.ip.connection.list.", Some(list)),
            (
                "Activation finished; <ha-cli-handler-network-ip-connection, x>",
                Some("ha-cli-handler-network-ip-connection"),
            ),
            ("Activation failed", None),
        ] {
            assert_eq!(operation(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn recognises_logs_of_esxi_only() {
        for line in [
            "2025-12-02T17:54:15.123Z shell[2099123]: [root]: ls",
            "2025-12-02T17:54:15Z ESXShell: ESXi Shell unavailable",
            "2025-12-02T17:54:15Z In(182) vmkernel: cpu0:2098001)Jumpstart plugin swapobjd activated.",
            "2025-12-02T17:54:15Z info hostd[9F81B70] [Originator@6876 sub=Default] x",
            "<14>2025-12-02T17:54:15Z esx1 DCUI: User root logged in",
        ] {
            assert!(recognises(line), "{line}");
        }
        for line in [
            "",
            "2025-12-02T17:54:15Z",
            "2025-12-02T17:54:15Z web1 sshd[7]: Connection from 192.0.2.7 port 50000",
            "2025-12-02T17:54:15+00:00 web1 snoopy[7]: [uid:0 sid:1 tty:x cwd:/]: ls",
            "Nov 22 08:00:00 web1 sudo: alice : TTY=pts/0 ; COMMAND=/bin/ls",
        ] {
            assert!(!recognises(line), "{line}");
        }
    }
}
