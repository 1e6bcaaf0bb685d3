//! Events of Windows' event log and of Sysmon for Linux, as XML and as JSON.
//!
//! Format: of XML <https://learn.microsoft.com/en-us/windows/win32/wes/eventschema-elements>, an event a
//! line or many lines an event, with or without `<Events>` around them, and with a head of syslog before
//! them; of JSON what winlogbeat writes
//! <https://www.elastic.co/docs/reference/beats/winlogbeat/exported-fields-winlog>, also where its
//! modules moved data to fields of ECS, and what `evtx_dump` writes
//! <https://github.com/omerbenamram/evtx>.
//!
//! Which provider wrote an event says who makes acts of it.

use std::collections::HashMap;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use quick_xml::{
    XmlVersion,
    escape::resolve_xml_entity,
    events::{BytesRef, BytesStart, Event},
};
use serde_json::Value;

use super::{
    MONTHS, Reader, Unreadable,
    json::{self, Values},
    powershell::Scripts,
    sysmon::Sysmon,
};
use crate::discovery::{Act, Origin};

/// How much an event may take. Windows itself writes none of more than 64 KiB.
const MOST_BYTES: usize = 1 << 20;
/// How deep elements may be in each other. Those that are read are three deep.
const MOST_DEPTH: usize = 32;
/// What an event begins with.
const BEGIN: &str = "<Event";
/// What it ends with.
const END: &str = "</Event>";
/// The namespace of events.
const NAMESPACE: &str = "win/2004/08/events/event";
/// The providers whose events are Sysmon's.
const SYSMON: [&str; 2] = ["Microsoft-Windows-Sysmon", super::sysmon::LINUX];
/// The providers whose events are PowerShell's: of Windows and of PowerShell 7.
const POWERSHELL: [&str; 2] = ["Microsoft-Windows-PowerShell", "PowerShellCore"];
/// What winlogbeat's modules call the data that they move.
const MOVED: [(&str, &str); 13] = [
    ("CommandLine", "process.command_line"),
    ("Image", "process.executable"),
    ("ProcessId", "process.pid"),
    ("ProcessGuid", "process.entity_id"),
    ("ParentCommandLine", "process.parent.command_line"),
    ("ParentImage", "process.parent.executable"),
    ("ParentProcessId", "process.parent.pid"),
    ("DestinationIp", "destination.ip"),
    ("MessageNumber", "powershell.sequence"),
    ("MessageTotal", "powershell.total"),
    ("ScriptBlockId", "powershell.file.script_block_id"),
    ("ScriptBlockText", "powershell.file.script_block_text"),
    ("Path", "file.path"),
];

/// What comes of a line: events, and what cannot be read.
type Found = Result<(Origin, Record), Unreadable>;

/// Whether a line is of such a log.
pub fn recognises(line: &str) -> bool {
    let line = without_mark(line).trim();
    if line.starts_with('{') {
        return serde_json::from_str(line).is_ok_and(|value| record_of_json(&value).is_ok());
    }
    let is_event =
        opening(line).is_some() && (line.contains(NAMESPACE) || line.contains("<System>"));
    is_event || is_around(line) || is_number(line)
}

/// Reads events of Sysmon and of PowerShell.
#[derive(Debug, Default)]
pub struct WindowsEvents {
    xml: Xml,
    json: Values,
    sysmon: Sysmon,
    scripts: Scripts,
}

impl Reader<Act> for WindowsEvents {
    fn line(&mut self, line: &str, origin: &Origin, acts: &mut Vec<Act>) -> Result<(), Unreadable> {
        let mut read = Ok(());
        for found in self.records(without_mark(line), origin) {
            let taken = found.and_then(|(origin, record)| self.take(&record, origin, acts));
            read = read.and(taken);
        }
        read
    }

    fn end(&mut self, acts: &mut Vec<Act>) -> Result<(), Unreadable> {
        let broken = self.json.end().broken;
        self.scripts.end(acts);
        let open = self.xml.open.take();
        let broken = broken.or_else(|| open.map(|(begin, _)| no_end(&begin)));
        broken.map_or(Ok(()), Err)
    }
}

impl WindowsEvents {
    /// The events that are complete with a line.
    fn records(&mut self, line: &str, origin: &Origin) -> Vec<Found> {
        if self.xml.is_open() {
            self.xml.line(line, origin)
        } else if self.json.is_open() || line.starts_with(['{', '[']) {
            json_line(&mut self.json, line, origin)
        } else if opening(line).is_some() {
            self.xml.line(line, origin)
        } else if is_passed_over(line.trim()) {
            Vec::new()
        } else {
            vec![Err(Unreadable::new("no event of Windows"))]
        }
    }

    fn take(
        &mut self,
        record: &Record,
        origin: Origin,
        acts: &mut Vec<Act>,
    ) -> Result<(), Unreadable> {
        let is_of = |providers: &[&str]| {
            let mut providers = providers.iter();
            providers.any(|provider| provider.eq_ignore_ascii_case(&record.provider))
        };
        if is_of(&SYSMON) {
            self.sysmon.take(record, &origin, acts)
        } else if is_of(&POWERSHELL) {
            self.scripts.take(record, origin, acts)
        } else {
            Ok(())
        }
    }
}

/// An event.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Who wrote it.
    pub provider: String,
    /// Which of his events it is.
    pub id: u32,
    /// When it was written.
    pub time: Option<Timestamp>,
    /// On which computer.
    pub host: String,
    /// The account of the process that wrote it: its name or its security identifier.
    pub user: Option<String>,
    /// The process that wrote it.
    pub pid: Option<u32>,
    /// What it says.
    data: HashMap<String, String>,
}

impl Record {
    /// A part of what it says. Sysmon writes a dash where there is nothing.
    pub fn data(&self, name: &str) -> Option<&str> {
        let text = self.data.get(name)?.as_str();
        (!matches!(text, "" | "-")).then_some(text)
    }

    /// Such a part, to keep.
    pub fn owned(&self, name: &str) -> Option<String> {
        self.data(name).map(str::to_owned)
    }

    /// Such a part that is a number.
    pub fn number(&self, name: &str) -> Option<u32> {
        self.data(name)?.parse().ok()
    }

    /// With some data.
    #[cfg(test)]
    pub fn new(provider: &str, id: u32, data: &[(&str, &str)]) -> Self {
        let data = data
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Self {
            provider: provider.to_owned(),
            id,
            data: data.collect(),
            ..Self::default()
        }
    }

    fn is_complete(&self) -> bool {
        !self.provider.is_empty() && self.id > 0
    }
}

/// A time as events have it; one without an offset is UTC.
pub fn time(text: &str) -> Option<Timestamp> {
    let utc = || {
        let time: DateTime = text.parse().ok()?;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    text.parse().ok().or_else(utc)
}

/// Puts lines of XML together.
#[derive(Debug, Default)]
struct Xml {
    /// Where the event began that has not ended, and what there is of it.
    open: Option<(Origin, String)>,
}

impl Xml {
    fn is_open(&self) -> bool {
        self.open.is_some()
    }

    fn line(&mut self, line: &str, origin: &Origin) -> Vec<Found> {
        let mut found = Vec::new();
        let mut rest = line;
        loop {
            let at = opening(rest);
            let Some((begin, mut text)) = self.open.take() else {
                let Some(at) = at else { return found };
                self.open = Some((origin.clone(), BEGIN.to_owned()));
                rest = rest.split_at(at + BEGIN.len()).1;
                continue;
            };
            // There are no events in events: where one begins the one before it is over.
            let (part, behind) = rest.split_at(at.unwrap_or(rest.len()));
            if let Some(end) = part.find(END) {
                let (inside, behind) = rest.split_at(end + END.len());
                text.push_str(inside);
                found.push(record_of_xml(&text).map(|record| (begin, record)));
                rest = behind;
            } else if at.is_some() || text.len() + part.len() > MOST_BYTES {
                found.push(Err(no_end(&begin)));
                rest = behind;
            } else {
                text.push_str(part);
                text.push('\n');
                self.open = Some((begin, text));
                return found;
            }
        }
    }
}

/// What a line of JSON completes.
fn json_line(values: &mut Values, line: &str, origin: &Origin) -> Vec<Found> {
    let told = values.line(line, origin);
    let events = told.events.into_iter();
    let records =
        events.map(|(origin, event)| record_of_json(&event).map(|record| (origin, record)));
    records.chain(told.broken.map(Err)).collect()
}

fn no_end(begin: &Origin) -> Unreadable {
    Unreadable(format!(
        "an event that begins in line {} has no end",
        begin.line
    ))
}

/// Where an event begins in a text.
fn opening(text: &str) -> Option<usize> {
    text.match_indices(BEGIN).map(|(at, _)| at).find(|at| {
        let behind = text.get(at + BEGIN.len()..).unwrap_or_default();
        behind.is_empty() || behind.starts_with(|next: char| next == '>' || next.is_whitespace())
    })
}

/// Whether a line without an event is fine where events are.
fn is_passed_over(line: &str) -> bool {
    line.is_empty() || is_around(line) || is_number(line) || is_of_syslog(line)
}

/// Whether a line is what is around events.
fn is_around(line: &str) -> bool {
    let around = ["<?xml", "<Events>", "<Events ", "</Events>"];
    around.iter().any(|around| line.starts_with(around))
}

/// Whether a line numbers the next event, as those of `evtx_dump` do.
fn is_number(line: &str) -> bool {
    line.strip_prefix("Record ")
        .is_some_and(|number| number.parse::<u64>().is_ok())
}

/// Whether a line has a head of syslog.
fn is_of_syslog(line: &str) -> bool {
    let line = match line.strip_prefix('<').and_then(|line| line.split_once('>')) {
        Some((priority, line)) if priority.parse::<u8>().is_ok() => line,
        _ => line,
    };
    let mut words = line.split_whitespace();
    let first = words.next().unwrap_or_default();
    if MONTHS.contains(&first) {
        return words.next().is_some_and(|day| day.parse::<u8>().is_ok());
    }
    first.parse::<Timestamp>().is_ok()
}

fn without_mark(line: &str) -> &str {
    line.strip_prefix('\u{feff}').unwrap_or(line)
}

/// An event of XML. Entities are those that XML itself has, and what defines others is refused.
fn record_of_xml(text: &str) -> Result<Record, Unreadable> {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut place = Place::default();
    loop {
        match reader.read_event()? {
            Event::Start(start) => place.enter(&start)?,
            Event::End(_) => place.leave(),
            Event::Empty(start) => {
                place.enter(&start)?;
                place.leave();
            }
            Event::Text(text) => place.text.push_str(&text.xml10_content()),
            Event::CData(text) => place.text.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => place.refer(&reference),
            Event::DocType(_) => return Err(Unreadable::new("a document type in an event")),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    let complete = place.record.is_complete().then_some(place.record);
    complete.ok_or_else(|| Unreadable::new("an event without a provider or a number"))
}

impl From<quick_xml::Error> for Unreadable {
    fn from(error: quick_xml::Error) -> Self {
        Self(format!("not the XML that is expected: {error}"))
    }
}

/// Where in an event its reader is.
#[derive(Debug, Default)]
struct Place {
    /// The elements that are open, the outermost first.
    names: Vec<String>,
    /// The name of the data that is open.
    data: String,
    /// What is in the innermost element.
    text: String,
    record: Record,
}

impl Place {
    fn enter(&mut self, start: &BytesStart<'_>) -> Result<(), Unreadable> {
        if self.names.len() >= MOST_DEPTH {
            return Err(Unreadable::new("too many elements in each other"));
        }
        self.text.clear();
        self.names.push(start.local_name().as_ref().to_owned());
        let record = &mut self.record;
        match inner(&self.names) {
            Some(("System", "Provider")) => {
                record.provider = attribute(start, "Name").unwrap_or_default();
            }
            Some(("System", "TimeCreated")) => {
                record.time = attribute(start, "SystemTime").and_then(|text| time(&text));
            }
            Some(("System", "Execution")) => {
                record.pid = attribute(start, "ProcessID").and_then(|text| text.parse().ok());
            }
            Some(("System", "Security")) => record.user = attribute(start, "UserID"),
            Some(("EventData", "Data")) => {
                self.data = attribute(start, "Name").unwrap_or_default();
            }
            _ => {}
        }
        Ok(())
    }

    fn leave(&mut self) {
        let text = std::mem::take(&mut self.text);
        match inner(&self.names) {
            Some(("System", "EventID")) => self.record.id = text.trim().parse().unwrap_or_default(),
            Some(("System", "Computer")) => self.record.host = text,
            Some(("EventData", "Data")) if !self.data.is_empty() => {
                let name = std::mem::take(&mut self.data);
                self.record.data.insert(name, text);
            }
            _ => {}
        }
        self.names.pop();
    }

    /// A character, or an entity. One that is not known stays what it is.
    fn refer(&mut self, reference: &BytesRef<'_>) {
        let name: &str = reference;
        if let Ok(Some(character)) = reference.resolve_char_ref() {
            self.text.push(character);
        } else if let Some(text) = resolve_xml_entity(name) {
            self.text.push_str(text);
        } else {
            self.text.push('&');
            self.text.push_str(name);
            self.text.push(';');
        }
    }
}

/// The element in an element of the event.
fn inner(names: &[String]) -> Option<(&str, &str)> {
    match names {
        [_, outer, inner] => Some((outer, inner)),
        _ => None,
    }
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = start.try_get_attribute(name).ok()??;
    let text = found.normalized_value(XmlVersion::Implicit1_0).ok()?;
    (!text.is_empty()).then(|| text.into_owned())
}

/// An event of JSON.
fn record_of_json(value: &Value) -> Result<Record, Unreadable> {
    let record = if json::at(value, "winlog.event_id").is_some() {
        record_of_winlogbeat(value)
    } else if let Some(event) = value
        .get("Event")
        .filter(|event| event.get("System").is_some())
    {
        record_of_evtx_dump(event)
    } else {
        return Err(Unreadable::new(
            "neither `winlog.event_id` nor `Event.System`",
        ));
    };
    let complete = record.is_complete().then_some(record);
    complete.ok_or_else(|| Unreadable::new("an event without a provider or a number"))
}

fn record_of_winlogbeat(value: &Value) -> Record {
    let provider = json::text(value, "winlog.provider_name");
    let identifier = || json::text(value, "winlog.user.identifier").map(str::to_owned);
    Record {
        provider: provider.unwrap_or_default().to_owned(),
        id: number(json::at(value, "winlog.event_id")).unwrap_or_default(),
        time: json::text(value, "@timestamp").and_then(time),
        host: json::text(value, "winlog.computer_name")
            .unwrap_or_default()
            .to_owned(),
        user: account(value, "winlog.user").or_else(identifier),
        pid: number(json::at(value, "winlog.process.pid")),
        data: data_of_winlogbeat(value),
    }
}

/// What an event says, also what was moved.
fn data_of_winlogbeat(value: &Value) -> HashMap<String, String> {
    let mut data = texts(json::at(value, "winlog.event_data"));
    let direction = json::text(value, "network.direction");
    let is_out = direction.map(|direction| matches!(direction, "egress" | "outbound").to_string());
    let moved = MOVED
        .into_iter()
        .map(|(name, path)| (name, json::at(value, path).and_then(as_text)))
        .chain([("User", account(value, "user")), ("Initiated", is_out)]);
    for (name, text) in moved {
        if let Some(text) = text {
            data.entry(name.to_owned()).or_insert(text);
        }
    }
    data
}

/// The account at a path, its domain before it.
fn account(value: &Value, path: &str) -> Option<String> {
    let account = json::at(value, path)?;
    let name = json::text(account, "name")?;
    Some(match json::text(account, "domain") {
        Some(domain) => format!("{domain}\\{name}"),
        None => name.to_owned(),
    })
}

fn record_of_evtx_dump(event: &Value) -> Record {
    let system = event.get("System").unwrap_or(&Value::Null);
    // With attributes of its own it is an object.
    let id = system
        .get("EventID")
        .map(|id| id.get("#text").unwrap_or(id));
    let text = |element, name| attribute_of_json(system, element, name).and_then(as_text);
    Record {
        provider: text("Provider", "Name").unwrap_or_default(),
        id: number(id).unwrap_or_default(),
        time: text("TimeCreated", "SystemTime").and_then(|text| time(&text)),
        host: json::text(system, "Computer")
            .unwrap_or_default()
            .to_owned(),
        user: text("Security", "UserID"),
        pid: number(attribute_of_json(system, "Execution", "ProcessID")),
        data: texts(event.get("EventData")),
    }
}

/// An attribute of an element, which `evtx_dump` writes into the element or beside it.
fn attribute_of_json<'a>(system: &'a Value, element: &str, name: &str) -> Option<&'a Value> {
    let within = system
        .get(element)
        .and_then(|element| element.get("#attributes"));
    let attributes = within.or_else(|| system.get(format!("{element}_attributes")));
    attributes?.get(name)
}

fn texts(object: Option<&Value>) -> HashMap<String, String> {
    let entries = object.and_then(Value::as_object).into_iter().flatten();
    let texts = entries.filter_map(|(name, value)| Some((name.clone(), as_text(value)?)));
    texts.collect()
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is_so) => Some(is_so.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn number(value: Option<&Value>) -> Option<u32> {
    value.and_then(as_text)?.parse().ok()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::discovery::{Parent, What};

    const XML: &str = include_str!("../../../../tests/fixtures/discovery/windows.xml");
    const SYSLOG: &str = include_str!("../../../../tests/fixtures/discovery/sysmon.syslog");
    const JSON: &str = include_str!("../../../../tests/fixtures/discovery/windows.json");

    /// An act, without what is absent or empty of it.
    fn told(act: &Act) -> String {
        let what = match &act.what {
            What::Command(args) => args.join("|"),
            What::Script(text) => format!("script {text:?}"),
            other => format!("{other:?}"),
        };
        let actor = &act.actor;
        let parent = actor.parent.clone().unwrap_or_default();
        let number = |number: Option<u32>| number.map(|number| number.to_string());
        let Parent { pid, exe, command } = parent;
        let fields = [
            ("pid", number(actor.pid)),
            ("exe", actor.exe.clone()),
            ("ppid", number(pid)),
            ("pexe", exe),
            ("pcommand", command),
            ("user", actor.user.clone()),
            ("uid", number(actor.uid)),
            ("auid", number(actor.auid)),
            ("session", actor.session.clone()),
            ("tty", actor.tty.clone()),
            ("from", actor.from.clone()),
            ("via", actor.via.clone()),
        ];
        let fields = fields
            .into_iter()
            .filter_map(|(name, text)| Some(format!(" {name}={}", text?)));
        let Act {
            analytic,
            time,
            host,
            origin,
            ..
        } = act;
        let head = format!("{} {} {time} {host}: {what};", origin.line, analytic.id());
        head + &fields.collect::<String>()
    }

    /// What a reader makes of a text: the acts, and the lines that it cannot read.
    pub fn read(reader: &mut impl Reader<Act>, text: &str) -> (Vec<String>, Vec<u64>) {
        let mut acts = Vec::new();
        let mut unreadable = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            let origin = Origin {
                file: "x".into(),
                line: number,
            };
            if reader.line(line, &origin, &mut acts).is_err() {
                unreadable.push(number);
            }
        }
        if reader.end(&mut acts).is_err() {
            unreadable.push(0);
        }
        (acts.iter().map(told).collect(), unreadable)
    }

    #[test]
    fn events_of_xml() {
        let (acts, unreadable) = read(&mut WindowsEvents::default(), XML);
        let expected = [
            r#"2 AN0903 2026-03-02T08:15:01.23Z ws1.corp.example: netstat|-ano; pid=4120 exe=C:\Windows\System32\NETSTAT.EXE ppid=3900 pexe=C:\Windows\System32\cmd.exe pcommand="C:\Windows\system32\cmd.exe" /k user=CORP\alice session=0x5a3f1 tty=1"#,
            r"3 AN0903 2026-03-02T08:15:07Z ws1.corp.example: C:\Program Files\Editor\edit.exe|a & b.txt; pid=4180 exe=C:\Program Files\Editor\edit.exe ppid=3900 pexe=C:\Windows\explorer.exe pcommand=C:\Windows\Explorer.EXE user=CORP\alice session=0x5a3f1 tty=1",
            r"5 AN0903 2026-03-02T08:15:09.4Z ws1.corp.example: Beside(Connection); pid=4180 exe=C:\Program Files\Editor\edit.exe user=CORP\alice session=0x5a3f1",
            r"8 AN0903 2026-03-02T08:16:00Z ws1.corp.example: powershell|-Command|Get-NetTCPConnection -State Established; pid=5000 exe=C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe ppid=3900 pexe=C:\Windows\System32\cmd.exe pcommand=cmd user=CORP\admin session=0x7c001 tty=1",
            r"8 AN0903 2026-03-02T08:16:00Z ws1.corp.example: Beside(Privilege); pid=5000 exe=C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe ppid=3900 pexe=C:\Windows\System32\cmd.exe pcommand=cmd user=CORP\admin session=0x7c001 tty=1",
            r"9 AN0903 2026-03-02T08:16:02Z ws1.corp.example: Beside(Credentials); pid=5000 exe=C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe user=CORP\admin session=0x7c001",
            r#"11 AN0903 2026-03-02T08:17:00.1234567Z ws1.corp.example: script "foreach ($c in Get-NetTCPConnection) {\n\n    \"$($c.RemoteAddress) <$($c.State)>\"\n}"; pid=6120 exe=C:\Users\alice\look.ps1 user=S-1-5-21-1111111111-2222222222-3333333333-1001"#,
            r#"15 AN0903 2026-03-02T08:18:00Z ws1.corp.example: script "Get-NetTCPConnection -State Listen"; pid=6120 user=S-1-5-21-1111111111-2222222222-3333333333-1001"#,
            r"21 AN0903 2026-03-02T08:21:01Z ws1.corp.example: whoami|/all; pid=5108 exe=C:\Windows\System32\whoami.exe ppid=3900 pexe=C:\Windows\System32\cmd.exe pcommand=cmd user=CORP\alice session=0x5a3f1 tty=1",
            r#"18 AN0903 2026-03-02T08:19:00Z ws1.corp.example: script "$half = "; pid=6120 user=S-1-5-21-1111111111-2222222222-3333333333-1001"#,
        ];
        assert_eq!(acts, expected);
        assert_eq!(unreadable, [21]);
    }

    #[test]
    fn events_in_syslog() {
        let (acts, unreadable) = read(&mut WindowsEvents::default(), SYSLOG);
        let expected = [
            "2 AN0904 2026-03-02T08:30:11.135708Z web1: ss|-tnp; pid=2410 exe=/usr/bin/ss ppid=2200 pexe=/usr/bin/bash pcommand=-bash user=alice session=7",
            "3 AN0904 2026-03-02T08:30:13.152Z web1: curl|https://www.example/; pid=2411 exe=/usr/bin/curl ppid=2200 pexe=/usr/bin/bash pcommand=-bash user=alice session=7",
            "4 AN0904 2026-03-02T08:30:14Z web1: Beside(Connection); pid=2411 exe=/usr/bin/curl user=alice session=7",
        ];
        assert_eq!(acts, expected);
        assert_eq!(unreadable, [5, 6]);
    }

    #[test]
    fn events_of_json() {
        let (acts, unreadable) = read(&mut WindowsEvents::default(), JSON);
        let expected = [
            r"1 AN0903 2026-03-02T08:15:01.23Z ws1.corp.example: C:\Windows\System32\NETSTAT.EXE|-ano; pid=4120 exe=C:\Windows\System32\NETSTAT.EXE ppid=3900 pexe=C:\Windows\System32\cmd.exe pcommand=cmd user=CORP\alice session=0x5a3f1 tty=1",
            r"2 AN0903 2026-03-02T08:15:30.1Z ws1.corp.example: net|session; pid=4300 exe=C:\Windows\System32\net.exe ppid=3900 pexe=C:\Windows\System32\cmd.exe pcommand=cmd /c net session user=CORP\alice session=0x5a3f1 tty=1",
            r"3 AN0903 2026-03-02T08:15:31Z ws1.corp.example: Beside(Connection); pid=4300 exe=C:\Windows\System32\net.exe user=CORP\alice session=0x5a3f1",
            r#"4 AN0903 2026-03-02T08:17:00.1234567Z ws1.corp.example: script "Get-NetTCPConnection"; pid=6120 user=S-1-5-21-1111111111-2222222222-3333333333-1001"#,
            r#"5 AN0903 2026-03-02T08:17:01Z ws1.corp.example: script "Get-Date"; pid=6120 exe=C:\Users\alice\now.ps1 user=CORP\alice"#,
            r"8 AN0903 2026-03-02T08:18:00Z ws2.corp.example: quser; pid=4400 exe=C:\Windows\System32\quser.exe ppid=3900 pexe=C:\Windows\System32\cmd.exe pcommand=cmd user=CORP\alice session=0x5a3f1 tty=1",
            r"8 AN0903 2026-03-02T08:18:00Z ws2.corp.example: Beside(Privilege); pid=4400 exe=C:\Windows\System32\quser.exe ppid=3900 pexe=C:\Windows\System32\cmd.exe pcommand=cmd user=CORP\alice session=0x5a3f1 tty=1",
            r"9 AN0903 2026-03-02T08:18:01Z ws2.corp.example: Beside(Credentials); pid=4400 exe=C:\Windows\System32\quser.exe user=CORP\alice session=0x5a3f1",
            r#"12 AN0903 2026-03-02T08:19:00Z ws2.corp.example: script "netstat -an"; pid=6200 user=S-1-5-21-1111111111-2222222222-3333333333-1001"#,
        ];
        assert_eq!(acts, expected);
        assert_eq!(unreadable, [8, 10]);
    }

    #[test]
    fn hostile_xml() {
        let head = "<Event><System><Provider Name='Linux-Sysmon'/><EventID>1</EventID>\
                    <TimeCreated SystemTime='2026-03-02T08:00:00Z'/></System><EventData>";
        let deep = "<a>".repeat(5000) + &"</a>".repeat(5000);
        for (event, expected) in [
            (
                "<Data Name='CommandLine'>&lol; &#x41;&#0;</Data>".to_owned(),
                Some("&lol;|A&#0;"),
            ),
            (
                "<Data Name='CommandLine'><![CDATA[a <b>]]></Data>".to_owned(),
                Some("a|<b>"),
            ),
            (deep, None),
            ("<!DOCTYPE x [<!ENTITY lol 'lol'>]>".to_owned(), None),
            ("<Data Name='CommandLine'>x</Datum>".to_owned(), None),
        ] {
            let text = format!("{head}{event}</EventData></Event>");
            let (acts, unreadable) = read(&mut WindowsEvents::default(), &text);
            let act = acts
                .first()
                .and_then(|act| act.strip_suffix(';')?.split_once(": "));
            assert_eq!(act.map(|(_, what)| what), expected);
            assert_eq!(unreadable.is_empty(), expected.is_some());
        }
    }

    #[test]
    fn events_without_an_end() {
        let much = "x".repeat(MOST_BYTES / 2);
        let text = format!("<Event>\n<Event>\n{much}\n{much}\n{much}\nRecord 1\n<Event");
        let (acts, unreadable) = read(&mut WindowsEvents::default(), &text);
        assert_eq!(acts, Vec::<String>::new());
        assert_eq!(
            unreadable,
            [2, 4, 5, 0],
            "the next one begins, it is too much, it is none, it is the end"
        );
        let many = "<Event ".repeat(20_000);
        assert_eq!(read(&mut WindowsEvents::default(), &many).1, [1, 0]);
    }

    #[test]
    fn first_lines() {
        for text in [XML, JSON] {
            assert!(recognises(text.lines().next().unwrap()));
        }
        let syslog: Vec<bool> = SYSLOG.lines().map(recognises).collect();
        assert_eq!(syslog, [false, true, true, true, true, false]);
        for (line, expected) in [
            ("\u{feff}<?xml version=\"1.0\"?>", true),
            ("Record 1", true),
            (
                "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>",
                true,
            ),
            ("<Event>", false),
            ("<EventList>", false),
            ("{\"Event\": {}}", false),
            ("{", false),
            ("", false),
        ] {
            assert_eq!(recognises(line), expected, "{line}");
        }
    }
}
