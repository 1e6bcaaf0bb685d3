//! Logs about network devices: accounting by TACACS+, syslog and the accounting log of Cisco's systems, and
//! traps of SNMP. One file may have lines of all of them.

mod syslog;
mod tacacs;
mod time;
mod traps;
mod words;

use jiff::Timestamp;

use self::{
    syslog::Typed,
    tacacs::{Moment, Record},
    traps::Trap,
};
use super::{Reader, Unreadable, recent::Seen};
use crate::discovery::{Act, Actor, Analytic, Origin, What};

/// What `snmptrapd` writes when it begins and ends.
const SNMPTRAPD: &str = "NET-SNMP version ";

/// Reads logs about network devices.
#[derive(Debug, Default)]
pub struct Device {
    /// Before when the lines were written, for those that leave out the year.
    now: Option<Timestamp>,
    /// The commands whose record of the beginning was seen, and not that of the end.
    begun: Seen,
    trap: Option<Trap>,
}

/// Whether a line is of such a log.
pub fn recognises(line: &str) -> bool {
    tacacs::record(line).is_some()
        || syslog::accounted(line).is_some()
        || line.starts_with(SNMPTRAPD)
        || is_trap(line)
        || syslog::message(line).is_some_and(|message| message.header().has_time())
}

/// Whether a trap begins with a line, in a file of `snmptrapd` or in syslog.
fn is_trap(line: &str) -> bool {
    let nowhere = Origin {
        file: "".into(),
        line: 0,
    };
    traps::begin(line, &nowhere).is_some() || from_syslog(line).is_some()
}

/// A trap that `snmptrapd` gave to syslog, in lines of its own: syslog writes them as one, with numbers
/// for the ends of lines and the tabs.
fn from_syslog(line: &str) -> Option<String> {
    let (_, rest) = line.split_once(" snmptrapd[")?;
    let (_, trap) = rest.split_once("]: ")?;
    (trap.contains("#012")).then(|| trap.replace("#012", "\n").replace("#011", "\t"))
}

impl Device {
    /// For lines that were written before `now`: some of these logs leave out the year.
    pub fn before(now: Timestamp) -> Self {
        Self {
            now: Some(now),
            ..Self::default()
        }
    }

    /// The trap is complete.
    fn end_trap(&mut self, acts: &mut Vec<Act>) -> Result<(), Unreadable> {
        if let Some(trap) = self.trap.take() {
            acts.push(trap.act(self.now)?);
        }
        Ok(())
    }

    /// A line that is not of a trap.
    fn other(
        &mut self,
        line: &str,
        origin: &Origin,
        acts: &mut Vec<Act>,
    ) -> Result<(), Unreadable> {
        if let Some(record) = tacacs::record(line) {
            return self.record(&record, origin, acts);
        }
        if let Some(accounted) = syslog::accounted(line) {
            let time = accounted.when.resolve(self.now).ok_or_else(no_time)?;
            let typed = accounted.typed.unwrap_or_default();
            acts.extend(typed_acts(typed, time, "", origin));
            return Ok(());
        }
        if let Some(message) = syslog::message(line) {
            let Some(typed) = message.typed() else {
                if message.is_of_commands() {
                    let why = "a logged command without its user or words";
                    return Err(Unreadable::new(why));
                }
                return Ok(());
            };
            let header = message.header();
            let time = header.time(self.now).ok_or_else(no_time)?;
            acts.extend(typed_acts(typed, time, header.host, origin));
            return Ok(());
        }
        if let Some(lines) = from_syslog(line) {
            return self.whole_trap(&lines, origin, acts);
        }
        if line.contains('\t') && !line.contains(": ") {
            return Err(Unreadable::new("not a whole record of TACACS+ accounting"));
        }
        let is_about_else = line.starts_with(SNMPTRAPD) || syslog::header(line).has_time();
        is_about_else.then_some(()).ok_or_else(|| {
            Unreadable::new("neither TACACS+ accounting nor syslog of a device nor a trap of SNMP")
        })
    }

    /// A trap that is in one line.
    fn whole_trap(
        &mut self,
        lines: &str,
        origin: &Origin,
        acts: &mut Vec<Act>,
    ) -> Result<(), Unreadable> {
        let mut lines = lines.lines();
        self.trap = lines.next().and_then(|line| traps::begin(line, origin));
        if let Some(trap) = &mut self.trap {
            lines.for_each(|line| trap.take(line));
        }
        self.end_trap(acts)
    }

    /// A record of TACACS+. Of a command that has one of its beginning and one of its end, the first.
    fn record(
        &mut self,
        record: &Record<'_>,
        origin: &Origin,
        acts: &mut Vec<Act>,
    ) -> Result<(), Unreadable> {
        let commands = record.commands();
        if commands.is_empty() {
            return Ok(());
        }
        let time = record.when.resolve(self.now).ok_or_else(no_time)?;
        let is_new = match record.moment {
            Moment::Start => {
                self.begun.insert(record.key());
                true
            }
            // All commands of a session may be updates of one task.
            Moment::Update => !self.begun.contains(record.key()),
            Moment::Stop => !self.begun.remove(record.key()),
        };
        if is_new {
            let (tty, via) = words::line(record.port);
            let typed = Typed {
                commands,
                user: words::said(record.user),
                tty,
                via,
                from: words::said(record.from),
            };
            let typed = typed_acts(typed, time, record.device, origin);
            acts.extend(typed.map(|mut act| {
                act.actor.privilege = record.privilege;
                act
            }));
        }
        Ok(())
    }
}

impl Reader<Act> for Device {
    fn line(&mut self, line: &str, origin: &Origin, acts: &mut Vec<Act>) -> Result<(), Unreadable> {
        if let Some(trap) = traps::begin(line, origin) {
            let ended = self.end_trap(acts);
            self.trap = Some(trap);
            return ended;
        }
        if line.trim().is_empty() {
            return self.end_trap(acts);
        }
        if let Some(trap) = &mut self.trap
            && !recognises(line)
        {
            // A text in an object may have several lines.
            trap.take(line);
            return Ok(());
        }
        let ended = self.end_trap(acts);
        self.other(line, origin, acts).and(ended)
    }

    fn end(&mut self, acts: &mut Vec<Act>) -> Result<(), Unreadable> {
        self.end_trap(acts)
    }
}

fn no_time() -> Unreadable {
    Unreadable::new("no time, or one without a year")
}

/// An act for each of the commands.
fn typed_acts(
    typed: Typed,
    time: Timestamp,
    host: &str,
    origin: &Origin,
) -> impl Iterator<Item = Act> {
    let Typed {
        commands,
        user,
        tty,
        via,
        from,
    } = typed;
    let actor = Actor {
        user,
        tty,
        via,
        from,
        ..Actor::default()
    };
    commands.into_iter().map(move |command| Act {
        analytic: Analytic::NetworkDevice,
        time,
        host: host.to_owned(),
        what: What::Command(command),
        actor: actor.clone(),
        origin: origin.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = include_str!("../../../../tests/fixtures/discovery/device.log");

    fn origin(line: usize) -> Origin {
        Origin {
            file: "device.log".into(),
            line: line as u64,
        }
    }

    /// An act in one line: line of the log, time, host, what, user, terminal, via, from, privilege.
    fn told(act: &Act) -> String {
        assert_eq!(act.analytic, Analytic::NetworkDevice);
        let what = match &act.what {
            What::Command(words) => words.join(" "),
            What::Call(name) => format!("{name}()"),
            other => format!("{other:?}"),
        };
        let said = |field: &Option<String>| field.clone().unwrap_or_else(|| "-".to_owned());
        let actor = &act.actor;
        format!(
            "{} {} {} [{what}] {} {} {} {} {:?}",
            act.origin.line,
            act.time,
            if act.host.is_empty() { "-" } else { &act.host },
            said(&actor.user),
            said(&actor.tty),
            said(&actor.via),
            said(&actor.from),
            actor.privilege,
        )
    }

    fn read(reader: &mut Device, log: &str) -> (Vec<String>, Vec<(usize, String)>) {
        let (mut acts, mut unreadable) = (Vec::new(), Vec::new());
        for (line, text) in (1..).zip(log.lines()) {
            if let Err(error) = reader.line(text, &origin(line), &mut acts) {
                unreadable.push((line, error.to_string()));
            }
        }
        if let Err(error) = reader.end(&mut acts) {
            unreadable.push((0, error.to_string()));
        }
        (acts.iter().map(told).collect(), unreadable)
    }

    #[test]
    fn acts_of_all_these_logs() {
        let mut reader = Device::before("2025-12-01T00:00:00Z".parse().unwrap());
        let (acts, unreadable) = read(&mut reader, LOG);
        assert_eq!(
            acts,
            [
                "2 2025-11-22T08:00:05Z 192.0.2.1 [show tcp brief] alice tty2 tty2 198.51.100.7 Some(15)",
                "4 2025-11-22T08:00:09Z 192.0.2.1 [show version] bob tty0 tty0 async Some(1)",
                "5 2025-11-22T08:00:12Z 192.0.2.3 [info from state] carol - ssh 198.51.100.8 Some(15)",
                "7 2025-11-22T08:01:00Z router1 [show tcp brief] alice - - - None",
                "8 2025-11-22T08:01:02Z router1 [interface GigabitEthernet0/1] - console console - None",
                "10 2025-11-22T08:01:06Z switch1 [show sockets connection] admin pts/0 pts/0 198.51.100.7 None",
                "11 2025-11-22T08:02:00Z - [show tcp] admin pts/0 pts/0 198.51.100.7 None",
                "12 2025-11-22T08:02:05Z - [configure terminal] admin console0 console - None",
                "12 2025-11-22T08:02:05Z - [feature scp-server] admin console0 console - None",
                "14 2025-11-22T08:03:00Z router1 [authenticationFailure()] - - snmp 198.51.100.9 None",
                "16 2025-11-22T08:03:05Z 192.0.2.1 [ciscoConfigManEvent()] alice - snmp - None",
                "18 2025-11-22T08:03:10Z 192.0.2.1 [tcpConnectionClose()] alice - snmp 198.51.100.7 None",
                "21 2025-11-22T08:03:20Z 192.0.2.4 [coldStart()] - - snmp 192.0.2.1 None",
            ]
        );
        assert_eq!(
            unreadable.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
            [6, 13, 24]
        );
        assert!(unreadable[2].1.contains("line 22"), "{unreadable:?}");
    }

    #[test]
    fn a_year_that_nobody_says_is_not_guessed() {
        let line = "Nov 22 08:00:00\t192.0.2.1\tbob\ttty1\t\tstop\ttask_id=1\tcmd=show tcp <cr>";
        let (acts, unreadable) = read(&mut Device::default(), line);
        assert_eq!((acts.len(), unreadable.len()), (0, 1));
    }

    #[test]
    fn both_records_of_a_command_or_only_one() {
        let record = |moment: &str, task: u32| {
            format!(
                "Sat Nov 22 08:00:00 2025\t192.0.2.1\tbob\ttty1\tasync\t{moment}\ttask_id={task}\t\
                 service=shell\tcmd=show tcp <cr>\n"
            )
        };
        for (moments, expected) in [
            (&[("start", 1), ("stop", 1)][..], 1),
            (&[("stop", 1), ("stop", 1)], 2),
            (&[("start", 1), ("stop", 2)], 2),
            (&[("update", 1), ("update", 1)], 2),
            (&[("start", 1), ("update", 1), ("stop", 1)], 1),
        ] {
            let log: String = moments
                .iter()
                .map(|(moment, task)| record(moment, *task))
                .collect();
            let (acts, unreadable) = read(&mut Device::default(), &log);
            assert_eq!((acts.len(), unreadable.len()), (expected, 0), "{moments:?}");
        }
    }

    #[test]
    fn a_first_line_tells() {
        let of_others = [
            "",
            "[",
            "{\"eventVersion\": \"1.08\"}",
            "Nov 22 08:00:00 web1 sshd[1]: Accepted publickey for alice",
            "2025-11-22T08:00:00Z esxi1 shell[2099]: [root]: esxcli network ip connection list",
            "type=SYSCALL msg=audit(1763798400.000:1): arch=c000003e",
            "date\tuser\tcommand",
            "ss -tn 100%",
        ];
        assert!(!of_others.into_iter().any(recognises));
        for line in [1, 2, 7, 10, 11, 14, 18] {
            let text = LOG.lines().nth(line - 1).unwrap();
            assert!(recognises(text), "{text}");
        }
        assert!(
            !recognises(LOG.lines().nth(14).unwrap()),
            "objects of a trap are not a beginning"
        );
    }

    #[test]
    fn hostile_lines() {
        let tabs = "\t".repeat(100_000);
        let braces = format!("2025-11-22 08:00:00 x (via {}", "[(via ".repeat(10_000));
        let mut reader = Device::default();
        for line in [
            tabs.as_str(),
            braces.as_str(),
            "2025-11-22 08:00:00\u{e9}[UDP: []]:",
            "2025-11-22 08:00:0\u{e9} [UDP: [192.0.2.1]]:",
            "Nov",
            "<",
            "%--:",
            "x:type=:id=:user=:cmd=",
            "Sat Nov 22 08:00:00 2025:type=update:id=@:user=:cmd=",
        ] {
            let _ = reader.line(line, &origin(1), &mut Vec::new());
        }
    }
}
