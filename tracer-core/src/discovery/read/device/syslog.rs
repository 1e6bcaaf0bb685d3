//! Messages of Cisco's systems, `%FACILITY-SEVERITY-MNEMONIC: text`, as a device keeps them and as a server
//! of syslog writes them; and the accounting log of NX-OS.
//!
//! Format: <https://www.cisco.com/en/US/docs/ios/12_3t/12_3t4/feature/guide/gtconlog.html>,
//! <https://github.com/syedur-rahman/networkcoder>

use jiff::Timestamp;

use super::{
    time::{self, When},
    words,
};

/// The longest name of a message.
const TAG_MAX: usize = 80;
/// How many words before a message are looked at.
const WORDS_MAX: usize = 32;

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What stands before it.
    before: &'a str,
    /// Its name: facility, severity and mnemonic.
    tag: &'a str,
    /// Its text.
    text: &'a str,
}

/// A line of commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// The commands, each as its words.
    pub commands: Vec<Vec<String>>,
    /// Who typed them.
    pub user: Option<String>,
    /// At which terminal.
    pub tty: Option<String>,
    /// Through what they came.
    pub via: Option<String>,
    /// From where.
    pub from: Option<String>,
}

/// What stands before a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header<'a> {
    /// When it was written, by the device and by the server, the likeliest first.
    times: Vec<When>,
    /// The device, as the server or it itself names it; empty: neither does.
    pub host: &'a str,
}

impl Header<'_> {
    /// When the message was written.
    pub fn time(&self, now: Option<Timestamp>) -> Option<Timestamp> {
        let whole = self.times.iter().find_map(|when| when.resolve(None));
        whole.or_else(|| self.times.iter().find_map(|when| when.resolve(now)))
    }

    /// Whether there is a time at all.
    pub fn has_time(&self) -> bool {
        !self.times.is_empty()
    }
}

/// The message in a line.
pub fn message(line: &str) -> Option<Message<'_>> {
    line.match_indices('%').find_map(|(at, _)| {
        let (before, rest) = line.split_at_checked(at)?;
        let rest = rest.get(1..)?;
        let is_of_tag = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-');
        let end = rest
            .bytes()
            .take(TAG_MAX)
            .position(|byte| !is_of_tag(byte))?;
        let (tag, text) = rest.split_at_checked(end)?;
        let mut parts = tag.rsplitn(3, '-');
        let (mnemonic, severity, facility) = (parts.next()?, parts.next()?, parts.next()?);
        let is_severity = matches!(severity.as_bytes(), [b'0'..=b'7']);
        let text = text.strip_prefix(':')?;
        (is_severity && !mnemonic.is_empty() && !facility.is_empty()).then_some(Message {
            before,
            tag,
            text,
        })
    })
}

impl<'a> Message<'a> {
    /// When and where it was written.
    pub fn header(&self) -> Header<'a> {
        header(self.before)
    }

    /// The commands that it is about. Nothing: it is about something else, or broken.
    pub fn typed(&self) -> Option<Typed> {
        match self.tag.rsplit_once('-')?.1 {
            "CFGLOG_LOGGEDCMD" => logged_command(self.text),
            "AAA_ACCOUNTING_MESSAGE" => accounting_message(self.text),
            _ => None,
        }
    }

    /// Whether it should be about commands.
    pub fn is_of_commands(&self) -> bool {
        self.tag.ends_with("-CFGLOG_LOGGEDCMD")
    }
}

/// Takes apart what stands before a message: a priority, a time and a host of the server; a number, a name
/// and a time of the device. None of them need be there.
pub fn header(text: &str) -> Header<'_> {
    let mut text = text.trim_start();
    if let Some((priority, rest)) = text.strip_prefix('<').and_then(|text| text.split_once('>'))
        && !priority.is_empty()
        && priority.bytes().all(|byte| byte.is_ascii_digit())
    {
        text = rest;
    }
    let words: Vec<&str> = text.split_whitespace().take(WORDS_MAX).collect();
    let mut found = Header::default();
    let mut doubted = Vec::new();
    let mut rest = words.as_slice();
    while let Some((word, others)) = rest.split_first() {
        if let Some((when, taken)) = time::leading(rest) {
            if word.starts_with('*') {
                doubted.push(when);
            } else {
                // The device's own comes behind the server's.
                found.times.insert(0, when);
            }
            rest = rest.get(taken.max(1)..).unwrap_or_default();
            continue;
        }
        if found.host.is_empty() && is_host(word) {
            found.host = word.trim_end_matches(':');
        }
        rest = others;
    }
    found.times.append(&mut doubted);
    found
}

/// Whether a word is neither a number of a line nor how long a device has been up.
fn is_host(word: &str) -> bool {
    let is_counted = word.starts_with(|first: char| first.is_ascii_digit()) && word.ends_with(':');
    let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
    let is_address = word.contains('.') || word.contains("::");
    let is_empty = word.trim_matches(['-', ':', '*', '.']).is_empty();
    !(is_empty || is_number || is_counted && !is_address)
}

/// `User:alice  logged command:show tcp brief`. Commands of other modes that were typed while configuring
/// begin with `do`, or are behind `!exec:`.
fn logged_command(text: &str) -> Option<Typed> {
    let (user, command) = text
        .trim_start()
        .strip_prefix("User:")?
        .split_once("logged command:")?;
    let command = command.trim();
    let command = command.strip_prefix("!exec:").map_or(command, str::trim);
    let command = command.strip_prefix("do ").unwrap_or(command);
    let user = user.trim();
    let is_terminal = user == "console"
        || user
            .strip_prefix("vty")
            .is_some_and(|number| number.parse::<u16>().is_ok());
    let (tty, via) = if is_terminal {
        words::line(user)
    } else {
        (None, None)
    };
    let commands = vec![words::words(command)];
    (commands != [Vec::<String>::new()]).then(|| Typed {
        commands,
        user: words::said(user).filter(|_| !is_terminal),
        tty,
        via,
        from: None,
    })
}

/// `update:198.51.100.7@pts/0:admin:show tcp (SUCCESS)`.
fn accounting_message(text: &str) -> Option<Typed> {
    let text = text.trim_start().strip_prefix("update:")?;
    // An address of IPv6 has colons itself.
    let end = text.find('@').unwrap_or_default();
    let colon = end + text.get(end..)?.find(':')?;
    let (id, rest) = text.split_at_checked(colon)?;
    let (user, command) = rest.strip_prefix(':')?.split_once(':')?;
    Some(typed(id, user, command))
}

/// A line of the accounting log of NX-OS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounted {
    /// When.
    pub when: When,
    /// Commands; nothing: the line is about something else.
    pub typed: Option<Typed>,
}

/// `Wed Nov 22 08:00:00 2025:type=update:id=198.51.100.7@pts/0:user=admin:cmd=show tcp (SUCCESS)`.
pub fn accounted(line: &str) -> Option<Accounted> {
    let (when, rest) = line.split_once(":type=")?;
    let (kind, rest) = rest.split_once(":id=")?;
    let when = time::all_of(when)?;
    let (id, rest) = rest.split_once(":user=")?;
    let (user, command) = rest.split_once(":cmd=")?;
    let typed = (kind == "update").then(|| typed(id, user, command));
    Some(Accounted { when, typed })
}

fn typed(id: &str, user: &str, command: &str) -> Typed {
    let (from, port) = words::session(id);
    let (tty, via) = words::line(port);
    Typed {
        commands: words::commands(command),
        user: words::said(user),
        tty,
        via,
        from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_a_message() {
        let now = "2025-12-01T00:00:00Z".parse().ok();
        for (before, host, time) in [
            (
                "<189>1007: Nov 22 2025 08:00:00.000 UTC: ",
                "",
                Some("2025-11-22T08:00:00Z"),
            ),
            (
                "Nov 22 08:00:01 r1 54: 000051: Nov 22 08:00:00: ",
                "r1",
                Some("2025-11-22T08:00:00Z"),
            ),
            // The clock of the device is not set.
            (
                "2025-11-22T08:00:01Z 192.0.2.1 54: *Mar  1 00:00:46: ",
                "192.0.2.1",
                Some("2025-11-22T08:00:01Z"),
            ),
            (
                "<189>1 2025-11-22T08:00:01Z r1 - - - - 54: 1w2d: ",
                "r1",
                Some("2025-11-22T08:00:01Z"),
            ),
            (
                "<189>: 2025 Nov 22 08:00:00 UTC: ",
                "",
                Some("2025-11-22T08:00:00Z"),
            ),
            (
                "000051: r1: Nov 22 08:00:00: ",
                "r1",
                Some("2025-11-22T08:00:00Z"),
            ),
            ("00:00:46: ", "", None),
            ("", "", None),
        ] {
            let header = header(before);
            let found = header.time(now).map(|time| time.to_string());
            assert_eq!((header.host, found.as_deref()), (host, time), "{before}");
        }
    }

    #[test]
    fn messages_have_a_facility_a_severity_and_a_mnemonic() {
        let found = message("100% sure: %SYS-5-CONFIG_I: Configured").unwrap();
        assert_eq!((found.tag, found.text), ("SYS-5-CONFIG_I", " Configured"));
        for line in [
            "%SYS-9-X: y",
            "%SYS-5-X y",
            "%5-X: y",
            "%é-5-X: y",
            &"%".repeat(100_000),
        ] {
            assert_eq!(message(line), None);
        }
    }

    #[test]
    fn commands_of_other_modes() {
        for (text, user, tty, command) in [
            (
                "User:alice  logged command:do show tcp brief",
                Some("alice"),
                None,
                "show tcp brief",
            ),
            (
                "User:vty0  logged command:!exec: enable",
                None,
                Some("vty0"),
                "enable",
            ),
            (
                "User:unknown  logged command:domain lookup",
                None,
                None,
                "domain lookup",
            ),
        ] {
            let typed = logged_command(text).unwrap();
            assert_eq!(typed.user.as_deref(), user);
            assert_eq!(typed.tty.as_deref(), tty);
            assert_eq!(typed.commands[0].join(" "), command);
        }
        let typed = accounting_message("update:2001:db8::7@pts/0:bob:show tcp (SUCCESS)").unwrap();
        assert_eq!(typed.from.as_deref(), Some("2001:db8::7"));
        assert_eq!(
            (typed.user.as_deref(), typed.tty.as_deref()),
            (Some("bob"), Some("pts/0"))
        );
        let typed = accounting_message("update:console0:bob:show tcp (SUCCESS)").unwrap();
        assert_eq!(typed.via.as_deref(), Some("console"));
    }
}
