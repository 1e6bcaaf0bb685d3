//! Where a message is in a line, and what syslog writes before it.
//!
//! Formats: RFC 3164, RFC 5424, "Logging" in Cisco's "ASA Series General Operations CLI Configuration Guide"
//! (also for the EMBLEM format, which names the class of a message: `%ASA-session-6-302013`).

use super::stamp::Stamp;

/// What messages begin with. The PIX is what the ASA was before, with the same messages.
const SYSTEMS: [&str; 4] = ["%ASA-", "%FTD-", "%PIX|ASA-", "%PIX-"];
/// How many words before a message are looked at: of a relay, of a device, and what RFC 5424 has.
const WORDS_MAX: usize = 24;

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What stands before it.
    before: &'a str,
    /// Which it is.
    pub number: u32,
    /// Its text.
    pub text: &'a str,
}

/// What stands before a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header<'a> {
    /// When it was written: by the device's own clock, if that wrote a time.
    pub stamp: Option<Stamp>,
    /// The device, as it calls itself, else as a relay calls it.
    pub host: Option<&'a str>,
}

impl<'a> Message<'a> {
    /// The message of a line. What another message only mentions does not begin a word, or is far behind.
    pub fn of(line: &'a str) -> Option<Self> {
        let found = line.match_indices('%').find_map(|(at, _)| {
            let (before, rest) = line.split_at_checked(at)?;
            let (number, text) = numbered(rest)?;
            Some(Self {
                before,
                number,
                text: text.trim(),
            })
        });
        found.filter(|message| is_header(message.before))
    }

    /// What stands before it.
    pub fn header(&self) -> Header<'a> {
        header(self.before)
    }
}

/// The number and the text of `%ASA-6-302013: Built …`. Some relays leave out the colon.
fn numbered(text: &str) -> Option<(u32, &str)> {
    let mut systems = SYSTEMS.iter();
    let rest = systems.find_map(|system| text.strip_prefix(system))?;
    let rest = without_class(rest);
    let rest = rest.strip_prefix(|digit: char| matches!(digit, '0'..='7'))?;
    let (number, rest) = rest.strip_prefix('-')?.split_at_checked(6)?;
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = !rest.starts_with(|next: char| next.is_ascii_alphanumeric());
    let text = rest.strip_prefix(':').unwrap_or(rest);
    (is_number && is_whole).then(|| number.parse().ok().zip(Some(text)))?
}

fn without_class(text: &str) -> &str {
    let is_class = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase());
    match text.split_once('-') {
        Some((class, rest)) if !class.is_empty() && is_class(class) => rest,
        _ => text,
    }
}

/// Whether a text may stand before a message.
fn is_header(before: &str) -> bool {
    let is_apart = |last: char| last.is_whitespace() || matches!(last, ':' | '>');
    let words = before.split_whitespace().take(WORDS_MAX + 1);
    (before.is_empty() || before.ends_with(is_apart)) && words.count() <= WORDS_MAX
}

/// Takes apart what stands before a message: a priority, then times and hosts, of a relay and of the
/// device. None of them need be there. The nearest to the message is the device's own.
fn header(before: &str) -> Header<'_> {
    let words: Vec<&str> = without_priority(before).split_whitespace().collect();
    let mut found = Header::default();
    // The host that belongs to the last time: usually the first word behind it.
    let mut host = None;
    let mut rest = words.as_slice();
    while let Some((word, others)) = rest.split_first() {
        if let Some((stamp, taken)) = Stamp::leading(rest) {
            found.stamp = Some(stamp);
            found.host = host.take().or(found.host);
            rest = rest.get(taken.max(1)..).unwrap_or_default();
            continue;
        }
        host = host.or_else(|| host_of(word));
        rest = others;
    }
    found.host = host.or(found.host);
    found
}

fn without_priority(text: &str) -> &str {
    let text = text.trim_start();
    let priority = text.strip_prefix('<').and_then(|text| text.split_once('>'));
    match priority {
        Some((priority, rest)) if priority.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => text,
    }
}

/// The host that a word names: not what stands for nothing, a number of a message or a version, a program
/// (`CiscoASA[999]:`) or data of RFC 5424, or a facility with a severity (`Local4.Info`).
fn host_of(word: &str) -> Option<&str> {
    let word = word.trim_matches([':', ',']);
    let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
    let has_other = word.contains(['[', ']', '=', '"', '<', '>', '%']);
    let is_facility = word
        .get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("local"))
        && word.get(6..).is_some_and(|end| end.starts_with('.'));
    let is_nothing = is_number || word.bytes().all(|byte| matches!(byte, b'-' | b':' | b'.'));
    (!is_nothing && !has_other && !is_facility).then_some(word)
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};

    use super::*;
    use crate::flows::read::Around;

    /// Host and time.
    fn told(before: &str) -> (Option<String>, Option<String>) {
        let line = format!("{before}%ASA-6-302013: Built");
        let message = Message::of(&line).unwrap();
        assert_eq!((message.number, message.text), (302_013, "Built"), "{line}");
        let around = Around {
            zone: TimeZone::UTC,
            year: Some(2018),
            fields: None,
            now: Timestamp::UNIX_EPOCH.into(),
        };
        let header = message.header();
        let time = header.stamp.map(|stamp| stamp.moment(&around).unwrap());
        (
            header.host.map(str::to_owned),
            time.map(|time| time.to_string()),
        )
    }

    #[test]
    fn headers_of_every_form() {
        let device = "2018-10-10T12:34:56Z";
        for (before, host, time) in [
            // `logging timestamp`, with and without `logging device-id hostname`.
            ("Oct 10 2018 12:34:56: ", None, Some(device)),
            ("<166>Oct 10 2018 12:34:56: ", None, Some(device)),
            ("Oct 10 2018 12:34:56 fw1 : ", Some("fw1"), Some(device)),
            ("<166>Oct 10 2018 12:34:56 fw1: ", Some("fw1"), Some(device)),
            // A host whose name looks like that of a zone, and one behind a zone.
            ("Oct 10 2018 12:34:56 EAST : ", Some("EAST"), Some(device)),
            ("Oct 10 2018 08:34:56 EDT fw1 : ", Some("fw1"), Some(device)),
            // EMBLEM.
            ("<166>:Oct 10 12:34:56 UTC: ", None, Some(device)),
            ("fw1: Oct 10 08:34:56 EDT: ", Some("fw1"), Some(device)),
            // A server of RFC 3164, with a program and without.
            (
                "Oct 10 2018 12:34:56 fw1 CiscoASA[999]: ",
                Some("fw1"),
                Some(device),
            ),
            (
                "Oct 10 12:34:56 192.0.2.1 ",
                Some("192.0.2.1"),
                Some(device),
            ),
            (
                "Oct 10 12:34:56 2001:db8::1 : ",
                Some("2001:db8::1"),
                Some(device),
            ),
            // A relay's time and the device's.
            (
                "Oct 10 12:35:01 192.0.2.1 Oct 10 2018 12:34:56: ",
                Some("192.0.2.1"),
                Some(device),
            ),
            (
                "Oct 10 12:35:01 relay Oct 10 2018 12:34:56 fw1 : ",
                Some("fw1"),
                Some(device),
            ),
            (
                "2018-10-10T12:35:01+00:00 192.0.2.1 77: Oct 10 12:34:56: ",
                Some("192.0.2.1"),
                Some(device),
            ),
            (
                "2018-10-10 12:35:01 Local4.Info 192.0.2.1 Oct 10 2018 12:34:56: ",
                Some("192.0.2.1"),
                Some(device),
            ),
            // `logging timestamp rfc5424`, and a server of RFC 5424.
            ("<166>2018-10-10T12:34:56Z: ", None, Some(device)),
            (
                "<166>2018-10-10T12:34:56Z fw1 : ",
                Some("fw1"),
                Some(device),
            ),
            (
                "<166>1 2018-10-10T14:34:56+02:00 fw1 CiscoASA 1 - [a b=\"c\"] ",
                Some("fw1"),
                Some(device),
            ),
            (
                "<166>1 2018-10-10T12:34:56Z - - - - - : ",
                None,
                Some(device),
            ),
            ("<166>", None, None),
            ("fw1 ", Some("fw1"), None),
            ("", None, None),
        ] {
            let expected = (host.map(str::to_owned), time.map(str::to_owned));
            assert_eq!(told(before), expected, "{before}");
        }
    }

    #[test]
    fn messages_of_every_form() {
        for line in [
            "%FTD-6-302013: Built",
            "%PIX|ASA-6-302013: Built",
            "%PIX-6-302013: Built",
            "%ASA-session-6-302013: Built",
            "%ASA-6-302013 Built",
            "Oct 10 12:34:56 at 100% %ASA-6-302013:Built ",
        ] {
            let message = Message::of(line).unwrap();
            assert_eq!((message.number, message.text), (302_013, "Built"), "{line}");
        }
        for line in [
            "",
            "%ASA",
            "%ASA-9-302013: Built",
            "%ASA-6-30201: Built",
            "%ASA-6-3020133: Built",
            "%ASA-6-30201\u{e9}: Built",
            "%SYS-5-CONFIG_I: Configured",
            "Oct 10 12:34:56 fw1 x%ASA-6-302013: Built",
            "{\"message\": \"%ASA-6-302013: Built\"}",
            &"%".repeat(100_000),
            &format!("{} %ASA-6-302013: Built", "word ".repeat(100)),
        ] {
            assert_eq!(Message::of(line), None, "{line}");
        }
    }
}
