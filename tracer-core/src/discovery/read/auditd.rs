//! The audit log of Linux, as `auditd` writes it (`/var/log/audit/audit.log`).
//!
//! An event has several records, a line each, and the records of several events come mixed: `SYSCALL`
//! says who did it, `EXECVE` what the arguments were, `SOCKADDR` to which address.
//!
//! Format: <https://access.redhat.com/articles/4409591> (fields),
//! <http://people.redhat.com/sgrubb/audit/event-enrichment> (what follows the byte 0x1d).

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use jiff::Timestamp;

use super::{Reader, Unreadable, recent::Recent, words};
use crate::discovery::{Act, Actor, Analytic, Origin, Parent, What, act::Beside};

/// An event is complete when so many newer ones began.
const WAITING_MAX: u64 = 64;
/// How long a line may be. The kernel's records are shorter than 9 KiB, names are added to them.
const LINE_BYTES_MAX: usize = 32 << 10;
/// How much is kept of the arguments of one program.
const ARGUMENTS_BYTES_MAX: usize = 256 << 10;
/// How much is kept of a command line for the processes that it starts.
const COMMAND_BYTES_MAX: usize = 4 << 10;
/// An id that is not set: -1.
const UNSET: u32 = u32::MAX;
/// A connection that is being opened: `-EINPROGRESS`.
const IN_PROGRESS: &str = "-115";
/// Programs that start others with the privileges of another user.
const ELEVATING: [&str; 4] = ["sudo", "su", "pkexec", "doas"];

/// Reads the audit log.
#[derive(Debug, Default)]
pub struct Auditd {
    /// Events that more records may belong to, in the order in which they began.
    waiting: VecDeque<Event>,
    begun: u64,
    processes: Processes,
}

/// Whether a line is a record of the audit log.
#[must_use]
pub fn recognises(line: &str) -> bool {
    record(line).is_ok()
}

impl Reader<Act> for Auditd {
    fn line(&mut self, line: &str, origin: &Origin, acts: &mut Vec<Act>) -> Result<(), Unreadable> {
        if line.trim().is_empty() {
            return Ok(());
        }
        let record = record(line)?;
        match record.kind {
            "SYSCALL" | "EXECVE" | "SOCKADDR" | "PROCTITLE" => self.add(&record, origin, acts),
            "EOE" => self.finish(&record.id, acts),
            "USER_CMD" => sudo(&record, origin, acts),
            "TTY" | "USER_TTY" => typed(&record, origin, acts),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, acts: &mut Vec<Act>) -> Result<(), Unreadable> {
        for event in std::mem::take(&mut self.waiting) {
            complete(event, &mut self.processes, acts);
        }
        Ok(())
    }
}

impl Auditd {
    /// Adds a record to its event, which begins if there is none.
    fn add(&mut self, record: &Record<'_>, origin: &Origin, acts: &mut Vec<Act>) {
        if !self.waiting.iter().any(|event| event.id == record.id) {
            self.begin(record.id.clone(), origin.clone(), acts);
        }
        let mut newest_first = self.waiting.iter_mut().rev();
        let Some(event) = newest_first.find(|event| event.id == record.id) else {
            return;
        };
        event.add(record);
        // The kernel writes the title last. Tools that show the log turn the order around, so an event
        // that begins with its title is not complete.
        if record.kind == "PROCTITLE" && event.call.is_some() {
            self.finish(&record.id, acts);
        }
    }

    fn begin(&mut self, id: Id, origin: Origin, acts: &mut Vec<Act>) {
        self.begun += 1;
        self.waiting.push_back(Event::new(id, origin, self.begun));
        let newest = self.begun;
        let is_old = |event: &mut Event| event.number + WAITING_MAX <= newest;
        while let Some(event) = self.waiting.pop_front_if(is_old) {
            complete(event, &mut self.processes, acts);
        }
    }

    /// There are no more records of an event.
    fn finish(&mut self, id: &Id, acts: &mut Vec<Act>) {
        let at = self.waiting.iter().position(|event| event.id == *id);
        if let Some(event) = at.and_then(|at| self.waiting.remove(at)) {
            complete(event, &mut self.processes, acts);
        }
    }
}

/// What records of the same event have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Id {
    node: String,
    time: Timestamp,
    serial: u64,
}

/// An event, as far as its records came.
#[derive(Debug)]
struct Event {
    id: Id,
    origin: Origin,
    /// How many events began up to this one.
    number: u64,
    call: Option<Call>,
    /// By their numbers. They may come in several records, and so may the parts of a long one.
    arguments: BTreeMap<u32, Vec<u8>>,
    arguments_bytes: usize,
    /// The arguments as the process has them in its memory, cut by the kernel at 128 bytes.
    title: Vec<u8>,
    address: Option<IpAddr>,
}

impl Event {
    fn new(id: Id, origin: Origin, number: u64) -> Self {
        Self {
            id,
            origin,
            number,
            call: None,
            arguments: BTreeMap::new(),
            arguments_bytes: 0,
            title: Vec::new(),
            address: None,
        }
    }

    fn add(&mut self, record: &Record<'_>) {
        let fields = &record.fields;
        match record.kind {
            "SYSCALL" => self.call = Some(call(fields)),
            "EXECVE" => self.add_arguments(fields),
            "PROCTITLE" => self.title = fields.bytes("proctitle"),
            "SOCKADDR" => self.address = address(&fields.bytes("saddr")),
            _ => {}
        }
    }

    fn add_arguments(&mut self, fields: &Fields<'_>) {
        for (key, value) in &fields.0 {
            let Some(number) = argument_number(key) else {
                continue;
            };
            let bytes = value.bytes();
            // An empty argument takes something as well.
            self.arguments_bytes += bytes.len() + 1;
            if self.arguments_bytes > ARGUMENTS_BYTES_MAX {
                return;
            }
            self.arguments.entry(number).or_default().extend(bytes);
        }
    }

    /// The arguments, or what comes closest if the log does not have them.
    fn command(&self, exe: Option<&str>) -> Vec<String> {
        if !self.arguments.is_empty() {
            return self.arguments.values().map(|bytes| text(bytes)).collect();
        }
        if !self.title.is_empty() {
            return self.title.split(|byte| *byte == 0).map(text).collect();
        }
        exe.into_iter().map(str::to_owned).collect()
    }
}

/// A system call.
#[derive(Debug)]
struct Call {
    kind: Kind,
    actor: Actor,
    euid: Option<u32>,
}

/// What a system call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Execute,
    Connect,
    /// Something else, or nothing because it failed.
    Other,
}

fn call(fields: &Fields<'_>) -> Call {
    let has_succeeded = fields.get("success") == Some("yes");
    let kind = match kind(fields) {
        Kind::Execute if has_succeeded => Kind::Execute,
        Kind::Connect if has_succeeded || fields.get("exit") == Some(IN_PROGRESS) => Kind::Connect,
        _ => Kind::Other,
    };
    Call {
        kind,
        actor: actor(fields),
        euid: fields.number("euid"),
    }
}

/// By the name of the system call if the log has it, otherwise by its number, which depends on the
/// architecture.
fn kind(fields: &Fields<'_>) -> Kind {
    match fields.get("SYSCALL") {
        Some("execve" | "execveat") => return Kind::Execute,
        Some("connect") => return Kind::Connect,
        Some(_) => return Kind::Other,
        None => {}
    }
    match (fields.get("arch"), fields.get("syscall")) {
        // x86-64; AArch64 and RISC-V; programs of 32 bits on x86-64
        (Some("c000003e"), Some("59" | "322"))
        | (Some("c00000b7" | "c00000f3"), Some("221" | "281"))
        | (Some("40000003"), Some("11" | "358")) => Kind::Execute,
        (Some("c000003e"), Some("42"))
        | (Some("c00000b7" | "c00000f3"), Some("203"))
        | (Some("40000003"), Some("362")) => Kind::Connect,
        _ => Kind::Other,
    }
}

fn actor(fields: &Fields<'_>) -> Actor {
    let parent = |pid| Parent {
        pid: Some(pid),
        ..Parent::default()
    };
    Actor {
        pid: fields.number("pid"),
        exe: fields.known("exe"),
        parent: fields.number("ppid").map(parent),
        user: fields.known("UID"),
        uid: fields.id("uid"),
        auid: fields.id("auid"),
        session: fields.id("ses").map(|session| session.to_string()),
        tty: fields.known("tty").or_else(|| fields.known("terminal")),
        ..Actor::default()
    }
}

/// An event has all its records: appends what was done.
fn complete(mut event: Event, processes: &mut Processes, acts: &mut Vec<Act>) {
    let Some(mut call) = event.call.take() else {
        return;
    };
    if let Some(parent) = &mut call.actor.parent {
        processes.describe(&event.id.node, parent);
    }
    let act = |what, actor: &Actor| act(what, actor.clone(), &event.id, &event.origin);
    match call.kind {
        Kind::Execute => {
            let command = event.command(call.actor.exe.as_deref());
            processes.started(&event.id.node, &call.actor, &command);
            acts.push(act(What::Command(command), &call.actor));
            if is_elevated(&call) {
                acts.push(act(What::Beside(Beside::Privilege), &call.actor));
            }
        }
        Kind::Connect if event.address.is_some_and(is_elsewhere) => {
            acts.push(act(What::Beside(Beside::Connection), &call.actor));
        }
        Kind::Connect | Kind::Other => {}
    }
}

/// Whether a process has more privileges than the one that started it: it runs as root for a user who is
/// not, or it is there to do so.
fn is_elevated(call: &Call) -> bool {
    let is_user = |id: Option<u32>| id.is_some_and(|id| id != 0);
    let is_set_user_id =
        call.euid == Some(0) && is_user(call.actor.uid) && is_user(call.actor.auid);
    is_set_user_id || is_elevating(&call.actor)
}

fn is_elevating(actor: &Actor) -> bool {
    let exe = actor.exe.as_deref().unwrap_or_default();
    ELEVATING.contains(&exe.rsplit('/').next().unwrap_or(exe))
}

/// Whether it is an address of another host, as far as can be seen.
fn is_elsewhere(address: IpAddr) -> bool {
    !address.is_loopback() && !address.is_unspecified()
}

/// `sudo` says what it was asked to start.
fn sudo(record: &Record<'_>, origin: &Origin, acts: &mut Vec<Act>) {
    let fields = &record.fields;
    let command = words(&text(&fields.bytes("cmd")));
    if command.is_empty() || fields.get("res") == Some("failed") {
        return;
    }
    let actor = actor(fields);
    let is_elevating = is_elevating(&actor);
    let act = |what, actor| act(what, actor, &record.id, origin);
    acts.push(act(What::Command(command), actor.clone()));
    if is_elevating {
        acts.push(act(What::Beside(Beside::Privilege), actor));
    }
}

/// Something was typed at a terminal.
fn typed(record: &Record<'_>, origin: &Origin, acts: &mut Vec<Act>) {
    let fields = &record.fields;
    let mut actor = actor(fields);
    actor.tty = actor.tty.or_else(|| terminal(fields));
    let lines = lines(&fields.bytes("data"));
    let commands = lines.iter().map(|line| words(line));
    acts.extend(
        commands
            .filter(|command| !command.is_empty())
            .map(|command| act(What::Command(command), actor.clone(), &record.id, origin)),
    );
}

/// The name that `SYSCALL` records have for a terminal.
fn terminal(fields: &Fields<'_>) -> Option<String> {
    let minor = fields.number("minor")?;
    match fields.number("major")? {
        136 => Some(format!("pts{minor}")),
        4 if minor < 64 => Some(format!("tty{minor}")),
        4 => Some(format!("ttyS{}", minor - 64)),
        _ => None,
    }
}

/// The lines of a typed text, with the corrections that were made in them. The last one may have no end:
/// shells record lines without.
fn lines(typed: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = Vec::new();
    let mut bytes = typed.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\n' | b'\r' => lines.push(text(&std::mem::take(&mut line))),
            // Backspace takes a byte away, ^C and ^U the line.
            0x08 | 0x7f => {
                line.pop();
            }
            0x03 | 0x15 => line.clear(),
            // A key like an arrow sends a sequence that ends with a letter or `~`.
            0x1b if bytes.next_if(|next| matches!(next, b'[' | b'O')).is_some() => {
                while bytes.next_if(|next| (0x20..0x40).contains(next)).is_some() {}
                bytes.next_if(|next| (0x40..0x7f).contains(next));
            }
            b'\t' | 0x20.. => line.push(byte),
            _ => {}
        }
    }
    lines.push(text(&line));
    lines
}

fn act(what: What, actor: Actor, id: &Id, origin: &Origin) -> Act {
    Act {
        analytic: Analytic::Linux,
        time: id.time,
        host: id.node.clone(),
        what,
        actor,
        origin: origin.clone(),
    }
}

/// A line.
#[derive(Debug)]
struct Record<'a> {
    kind: &'a str,
    id: Id,
    fields: Fields<'a>,
}

fn record(line: &str) -> Result<Record<'_>, Unreadable> {
    if line.len() > LINE_BYTES_MAX {
        return Err(Unreadable::new("longer than a record of the audit log"));
    }
    let (kind, id, fields) =
        head(line).ok_or_else(|| Unreadable::new("not a record of the audit log"))?;
    Ok(Record {
        kind,
        id,
        fields: Fields::of(fields),
    })
}

/// Takes `node=NODE type=TYPE msg=audit(SECONDS.MILLISECONDS:SERIAL):` apart, and what follows.
fn head(line: &str) -> Option<(&str, Id, &str)> {
    let (node, record) = match line.strip_prefix("node=") {
        Some(named) => named.split_once(' ')?,
        None => ("", line),
    };
    let (kind, rest) = record.strip_prefix("type=")?.split_once(" msg=audit(")?;
    let (stamp, fields) = rest.split_once("):")?;
    let (time, serial) = stamp.split_once(':')?;
    let (seconds, milliseconds) = time.split_once('.')?;
    let milliseconds = milliseconds.parse::<u16>().ok()?;
    let nanoseconds = i32::from(milliseconds).checked_mul(1_000_000)?;
    let id = Id {
        node: node.to_owned(),
        time: Timestamp::new(seconds.parse().ok()?, nanoseconds).ok()?,
        serial: serial.parse().ok()?,
    };
    Some((kind, id, fields))
}

/// The fields of a record, in its order. Those that were added for people have names in upper case.
#[derive(Debug)]
struct Fields<'a>(Vec<(&'a str, Value<'a>)>);

/// The value of a field.
#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Quoted(&'a str),
    /// A number or a word; or a text in hexadecimal, if it has a byte that might confuse a reader.
    Bare(&'a str),
}

impl<'a> Fields<'a> {
    fn of(text: &'a str) -> Self {
        let ends = [' ', '\x1d'];
        let mut all = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('=') {
            // Some records begin with words that have no value.
            let key = before.rsplit(ends).next().unwrap_or(before);
            if key == "msg"
                && let Some(inner) = after.strip_prefix('\'')
            {
                // What a program says has fields of its own, all of them between quotes.
                rest = inner;
            } else if let Some(quoted) = after.strip_prefix('"') {
                let (value, behind) = quoted.split_once('"').unwrap_or((quoted, ""));
                all.push((key, Value::Quoted(value)));
                rest = behind;
            } else {
                let end = after.find(ends).unwrap_or(after.len());
                let (value, behind) = after.split_at(end);
                all.push((key, Value::Bare(value.trim_end_matches('\''))));
                rest = behind;
            }
        }
        Self(all)
    }

    fn value(&self, key: &str) -> Option<Value<'a>> {
        self.0
            .iter()
            .find(|(name, _)| *name == key)
            .map(|field| field.1)
    }

    /// A value as it stands there.
    fn get(&self, key: &str) -> Option<&'a str> {
        self.value(key).map(|value| match value {
            Value::Quoted(text) | Value::Bare(text) => text,
        })
    }

    fn number(&self, key: &str) -> Option<u32> {
        self.get(key)?.parse().ok()
    }

    /// A number that may be unset.
    fn id(&self, key: &str) -> Option<u32> {
        self.number(key).filter(|id| *id != UNSET)
    }

    fn bytes(&self, key: &str) -> Vec<u8> {
        self.value(key).map(Value::bytes).unwrap_or_default()
    }

    /// A text, unless it says that there is none.
    fn known(&self, key: &str) -> Option<String> {
        let text = self.value(key).map(|value| match value {
            // Numbers of terminals and users are not mistaken for hexadecimal.
            Value::Bare(bare) if key != "exe" => bare.to_owned(),
            value => text(&value.bytes()),
        })?;
        let is_unknown = matches!(text.as_str(), "" | "?" | "unset")
            || text.starts_with('(')
            || text.starts_with("unknown(");
        (!is_unknown).then_some(text)
    }
}

impl Value<'_> {
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Quoted(text) => text.as_bytes().to_vec(),
            Self::Bare(text) => hexadecimal(text).unwrap_or_else(|| text.as_bytes().to_vec()),
        }
    }
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    pairs.iter().map(byte).collect()
}

/// The number of the argument that a field of an `EXECVE` record is, or is a part of: `a2`, `a2[0]`.
fn argument_number(key: &str) -> Option<u32> {
    let number = key.strip_prefix('a')?;
    let number = number.split_once('[').map_or(number, |(number, _)| number);
    number.parse().ok()
}

/// The address in a `struct sockaddr` of a machine that has the low byte first.
fn address(sockaddr: &[u8]) -> Option<IpAddr> {
    let ([family @ .., _, _], rest) = sockaddr.split_first_chunk::<4>()?;
    match u16::from_le_bytes(*family) {
        2 => {
            let address: &[u8; 4] = rest.first_chunk()?;
            Some(Ipv4Addr::from(*address).into())
        }
        10 => {
            let (_flow, rest) = rest.split_first_chunk::<4>()?;
            let address: &[u8; 16] = rest.first_chunk()?;
            Some(Ipv6Addr::from(*address).to_canonical())
        }
        _ => None,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is known of the latest processes that started a program.
#[derive(Debug, Default)]
struct Processes(Recent<(String, u32), Process>);

#[derive(Debug)]
struct Process {
    exe: Option<String>,
    command: String,
}

impl Processes {
    fn started(&mut self, node: &str, actor: &Actor, command: &[String]) {
        let Some(pid) = actor.pid else {
            return;
        };
        let mut command = command.join(" ");
        command.truncate(command.floor_char_boundary(COMMAND_BYTES_MAX));
        let process = Process {
            exe: actor.exe.clone(),
            command,
        };
        self.0.insert((node.to_owned(), pid), process);
    }

    /// Adds what is known of a parent by its process id.
    fn describe(&self, node: &str, parent: &mut Parent) {
        let Some(pid) = parent.pid else {
            return;
        };
        if let Some(process) = self.0.get(&(node.to_owned(), pid)) {
            parent.exe.clone_from(&process.exe);
            parent.command = Some(process.command.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = include_str!("../../../../tests/fixtures/discovery/audit.log");

    fn origin(line: u64) -> Origin {
        Origin {
            file: "audit.log".into(),
            line,
        }
    }

    fn read(text: &str) -> (Vec<Act>, Vec<u64>) {
        let mut reader = Auditd::default();
        let (mut acts, mut unreadable) = (Vec::new(), Vec::new());
        for (line, number) in text.lines().zip(1..) {
            if reader.line(line, &origin(number), &mut acts).is_err() {
                unreadable.push(number);
            }
        }
        reader.end(&mut acts).unwrap();
        (acts, unreadable)
    }

    fn command(line: &str) -> What {
        What::Command(words(line))
    }

    fn parent(pid: u32, exe: Option<&str>, command: Option<&str>) -> Parent {
        Parent {
            pid: Some(pid),
            exe: exe.map(str::to_owned),
            command: command.map(str::to_owned),
        }
    }

    /// Somebody who is logged in as user 1000 and runs something as a user.
    fn alice(pid: u32, exe: &str, uid: u32, parent: Option<Parent>) -> Actor {
        Actor {
            pid: Some(pid),
            exe: Some(exe.into()),
            parent,
            uid: Some(uid),
            auid: Some(1000),
            session: Some("3".into()),
            tty: Some("pts0".into()),
            ..Actor::default()
        }
    }

    #[test]
    fn events_become_acts() {
        let named = |actor, name: &str| Actor {
            user: Some(name.into()),
            ..actor
        };
        let bash = || Some(parent(4100, Some("/usr/bin/bash"), Some("-bash")));
        let connecting = Actor {
            pid: Some(4105),
            exe: Some("/usr/bin/curl".into()),
            parent: Some(parent(1, None, None)),
            uid: Some(33),
            ..Actor::default()
        };
        let asking = Actor {
            tty: Some("pts/0".into()),
            ..named(alice(4106, "/usr/bin/sudo", 1000, None), "alice")
        };
        let typing = Actor {
            exe: None,
            parent: None,
            ..alice(4100, "", 0, None)
        };
        let script = vec!["sh".into(), "-c".into(), "cat /proc/net/tcp".into()];
        let sudo = alice(4104, "/usr/bin/sudo", 1000, bash());
        let expected = [
            (
                "web1",
                1,
                100,
                command("-bash"),
                alice(4100, "/usr/bin/bash", 1000, Some(parent(4099, None, None))),
            ),
            // These two come mixed.
            (
                "web1",
                4,
                200,
                command("netstat -tan"),
                alice(4101, "/usr/bin/netstat", 1000, bash()),
            ),
            (
                "web1",
                5,
                200,
                What::Command(script),
                named(alice(4102, "/usr/bin/dash", 1000, bash()), "alice"),
            ),
            ("web1", 15, 500, command("sudo ss -tanp"), sudo.clone()),
            ("web1", 15, 500, What::Beside(Beside::Privilege), sudo),
            ("", 18, 600, What::Beside(Beside::Connection), connecting),
            ("", 22, 700, command("/usr/bin/ss -tanp"), asking.clone()),
            ("", 22, 700, What::Beside(Beside::Privilege), asking),
            ("", 23, 800, command("lsof -i"), typing.clone()),
            ("", 23, 800, command("exit"), typing),
        ];
        let expected = expected.map(|(host, line, milliseconds, what, actor)| Act {
            analytic: Analytic::Linux,
            time: Timestamp::from_millisecond(1_763_798_400_000 + milliseconds).unwrap(),
            host: host.into(),
            what,
            actor,
            origin: origin(line),
        });
        let (acts, unreadable) = read(LOG);
        assert_eq!(acts, expected);
        assert_eq!(unreadable, [24]);
    }

    #[test]
    fn long_arguments_come_in_parts() {
        let id = "msg=audit(1763798400.100:7):";
        let log = format!(
            "type=SYSCALL {id} arch=c00000b7 syscall=221 success=yes pid=7 exe=2F746D702F6120\n\
             type=EXECVE {id} argc=3 a0=\"x\" a1_len=4 a1[0]=6162\n\
             type=EXECVE {id} a1[1]=6364 a2=\"\"\n"
        );
        let (acts, _) = read(&log);
        assert_eq!(acts.len(), 1);
        assert_eq!(
            acts[0].what,
            What::Command(vec!["x".into(), "abcd".into(), String::new()])
        );
        assert_eq!(acts[0].actor.exe.as_deref(), Some("/tmp/a "));
    }

    #[test]
    fn an_event_waits_for_no_more_than_a_number_of_newer_ones() {
        let mut reader = Auditd::default();
        let mut acts = Vec::new();
        let mut add = |reader: &mut Auditd, serial: u64, more: &str| {
            let line = format!("type=SYSCALL msg=audit(1.000:{serial}): {more}");
            reader.line(&line, &origin(serial), &mut acts).unwrap();
            acts.len()
        };
        let execution = "SYSCALL=execve success=yes pid=1 exe=\"/bin/ss\"";
        for serial in 0..WAITING_MAX {
            assert_eq!(add(&mut reader, serial, execution), 0);
        }
        assert_eq!(add(&mut reader, WAITING_MAX, execution), 1);
        assert!(reader.waiting.len() as u64 <= WAITING_MAX);
    }

    #[test]
    fn typed_lines_are_what_remains_after_corrections() {
        let typed = b"nett\x7fstat -a\rls\x15ss\x1b[A\x1b[1;5C -t\nw";
        assert_eq!(lines(typed), ["netstat -a", "ss -t", "w"]);
        assert_eq!(lines(b"\x1b"), [""]);
    }

    #[test]
    fn addresses_of_sockets() {
        for (sockaddr, expected) in [
            ("020001BBC0000207", Some("192.0.2.7")),
            (
                "0A0001BB0000000020010DB8000000000000000000000007",
                Some("2001:db8::7"),
            ),
            (
                "0A0001BB0000000000000000000000000000FFFF7F000001",
                Some("127.0.0.1"),
            ),
            ("01002F746D702F73", None),
            ("0200", None),
        ] {
            let address = address(&hexadecimal(sockaddr).unwrap());
            assert_eq!(
                address.map(|address| address.to_string()).as_deref(),
                expected
            );
        }
    }

    #[test]
    fn recognises_its_records_only() {
        assert!(recognises(
            "node=web1 type=DAEMON_START msg=audit(1763798400.100:1): op=start"
        ));
        for line in [
            "",
            "type=SYSCALL msg=audit(x:1): a=1",
            "type=SYSCALL",
            "msg=audit(1.000:1): a",
        ] {
            assert!(!recognises(line), "{line}");
        }
        assert!(
            record(&format!(
                "type=X msg=audit(1.000:1): {}",
                "a=".repeat(LINE_BYTES_MAX)
            ))
            .is_err()
        );
    }
}
