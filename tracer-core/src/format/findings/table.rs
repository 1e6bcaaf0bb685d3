//! For people: a line for what was done, and under it why it is told and where it stands.

use unicode_width::UnicodeWidthStr as _;

use super::command_of;
use crate::{
    discovery::{Finding, Severity},
    format::{
        Layout,
        cut::Cut,
        table::{ALARM, BOLD, DIM, RESET},
    },
    text::printable,
};

/// What stands before the lines under the first.
const INDENT: &str = "    ";
/// The widest word of a severity, and two blanks.
const SEVERITY_WIDTH: usize = 8;

/// Appends a finding, with the time as it is to be shown.
pub fn table(finding: &Finding, time: &str, layout: Layout, out: &mut Vec<u8>) {
    let mut lines = Lines { layout, out };
    let first = first(finding, time, layout);
    lines.push(style_of(finding.severity), &first);
    for line in wrapped(&finding.reasons.join("; "), layout.width) {
        lines.push("", &line);
    }
    for line in wrapped(&whereabouts(finding), layout.width) {
        lines.push(DIM, &line);
    }
}

struct Lines<'a> {
    layout: Layout,
    out: &'a mut Vec<u8>,
}

impl Lines<'_> {
    fn push(&mut self, style: &str, text: &str) {
        let (begin, end) = if self.layout.is_coloured && !style.is_empty() {
            (style, RESET)
        } else {
            ("", "")
        };
        let line = [begin, text, end, "\n"].concat();
        self.out.extend_from_slice(line.as_bytes());
    }
}

fn style_of(severity: Severity) -> &'static str {
    match severity {
        Severity::High => ALARM,
        Severity::Medium => BOLD,
        Severity::Low | Severity::Info => "",
    }
}

/// When, how much it matters, who and where, and what.
fn first(finding: &Finding, time: &str, layout: Layout) -> String {
    let who = finding.user().unwrap_or_else(|| "?".to_owned());
    let place = if finding.head.host.is_empty() {
        who
    } else {
        format!("{who}@{}", finding.head.host)
    };
    let (severity, place) = (finding.severity.word(), printable(&place));
    let head = format!("{time}  {severity:<SEVERITY_WIDTH$}{place}  ");
    let command = printable(&command_of(finding));
    let again = match finding.repeat {
        0 => String::new(),
        count => format!(" (and {count} more)"),
    };
    let room = layout
        .width
        .map(|width| width.saturating_sub(head.width() + again.width()));
    let command = match room {
        Some(room) => Cut::End.apply(&command, room),
        None => command,
    };
    [head, command, again].concat()
}

/// The analytic, the process or the line of the log, and through what it came.
fn whereabouts(finding: &Finding) -> String {
    let details = &finding.details;
    let origin = finding.origin.as_ref();
    let owner = finding.owner();
    let process = owner.map(|owner| &owner.process);
    let container = owner.and_then(|owner| owner.container.as_ref());
    let by = Some(finding.parent()).filter(|by| !by.is_empty());
    let parts = [
        Some(finding.analytic.id().to_owned()),
        origin.map(|origin| format!("{}:{}", origin.file, origin.line)),
        process.map(|process| match &process.exe {
            Some(exe) => format!("{exe}[{}]", process.pid),
            None => format!("{}[{}]", process.name, process.pid),
        }),
        by.map(|by| format!("by {by}")),
        container.map(|one| format!("in {}", one.name.as_ref().unwrap_or(&one.id))),
        process.and_then(|process| Some(format!("at {}", process.tty.as_ref()?))),
        details.via.as_ref().map(|via| format!("through {via}")),
        details.from.as_ref().map(|from| format!("from {from}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A text in lines that are no wider than the terminal, if there is one.
fn wrapped(text: &str, width: Option<usize>) -> Vec<String> {
    let room = width.unwrap_or(usize::MAX);
    let mut lines = vec![INDENT.to_owned()];
    for word in printable(text).split(' ') {
        let is_new = |line: &String| line.len() == INDENT.len();
        match lines.last_mut() {
            Some(line) if is_new(line) => line.push_str(word),
            Some(line) if line.width() + 1 + word.width() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push([INDENT, word].concat()),
        }
    }
    lines
}
