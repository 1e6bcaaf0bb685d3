//! Flows for people: a line each.

use unicode_width::UnicodeWidthStr as _;

use crate::{
    flows::{Action, Amount, End, Flow, Stage},
    format::{
        Layout,
        cut::Cut,
        quantity::{size, time},
        table::{ALARM, BOLD, DIM, RESET},
    },
    scope::Scope,
    text::printable,
    threat::Hit,
};

/// How wide a table is that is not on a terminal.
const PIPED_WIDTH: usize = 200;

/// A column: its heading, how wide it is at least, from which width of the table on it is there, and what stands in
/// it.
pub struct Column {
    title: &'static str,
    width: usize,
    from: usize,
    cell: fn(&Flow) -> String,
}

const TIME: Column = column("TIME (UTC)", 19, 0, |flow| {
    let text = format!("{:.0}", flow.time);
    text.replacen('T', " ", 1).trim_end_matches('Z').to_owned()
});
const FOR: Column = column("FOR", 8, 120, lasted);
const SOURCE: Column = column("SOURCE", 27, 0, |flow| end(&flow.source));
const ARROW: Column = column("", 1, 0, |flow| arrow(flow).to_owned());
const DESTINATION: Column = column("DESTINATION", 27, 0, |flow| end(&flow.destination));
const PROTOCOL: Column = column("PROTO", 9, 0, |flow| {
    let protocol = flow.protocol.map(|protocol| protocol.to_string());
    protocol.unwrap_or_default()
});
const ACTION: Column = column("ACTION", 8, 90, |flow| {
    let action = flow.action.map(Action::word);
    action.unwrap_or_default().to_owned()
});
const BYTES: Column = column("BYTES", 20, 100, |flow| moved(flow.bytes));

/// The columns. The last has what room is left.
pub const COLUMNS: &[Column] = &[
    TIME,
    FOR,
    SOURCE,
    ARROW,
    DESTINATION,
    PROTOCOL,
    ACTION,
    BYTES,
    column("USER", 16, 150, |flow| {
        let user = flow.source.user.as_ref();
        let user = user.or(flow.destination.user.as_ref());
        user.cloned().unwrap_or_default()
    }),
    column("TOLD BY", 12, 130, about),
];

/// Those of flows that were held against what their host recorded.
pub const ATTRIBUTED: &[Column] = &[
    column("TIME (UTC)", 19, 100, TIME.cell),
    column("SOURCE", 21, 0, SOURCE.cell),
    ARROW,
    column("DESTINATION", 21, 0, DESTINATION.cell),
    column("PROTO", 5, 90, PROTOCOL.cell),
    column("ACTION", 8, 140, ACTION.cell),
    column("BYTES", 20, 160, BYTES.cell),
    column("MATCH", 11, 0, |flow| {
        let verdict = flow.attributed.as_ref().map(|found| found.verdict.word());
        verdict.unwrap_or_default().to_owned()
    }),
    column("PROCESS", 16, 0, whose),
];

const fn column(
    title: &'static str,
    width: usize,
    from: usize,
    cell: fn(&Flow) -> String,
) -> Column {
    Column {
        title,
        width,
        from,
        cell,
    }
}

/// Appends the headings.
pub fn headings(columns: &[Column], layout: Layout, out: &mut Vec<u8>) {
    let style = if layout.is_coloured { BOLD } else { "" };
    line(
        columns,
        layout,
        style,
        |column| column.title.to_owned(),
        out,
    );
}

/// Appends a flow.
pub fn row(columns: &[Column], flow: &Flow, layout: Layout, out: &mut Vec<u8>) {
    let is_denied = flow.action == Some(Action::Denied);
    let ends = [&flow.source, &flow.destination];
    let is_threat = ends.iter().any(|end| !end.threat.is_empty());
    let style = match layout.is_coloured {
        true if is_threat => ALARM,
        true if is_denied => DIM,
        true if is_external(flow) => BOLD,
        _ => "",
    };
    line(columns, layout, style, |column| (column.cell)(flow), out);
}

fn line(
    columns: &[Column],
    layout: Layout,
    style: &str,
    cell: impl Fn(&Column) -> String,
    out: &mut Vec<u8>,
) {
    let limit = layout.width.filter(|_| !layout.is_wide);
    let width = limit.unwrap_or(PIPED_WIDTH);
    let mut text = String::new();
    for shown in columns.iter().filter(|column| column.from <= width) {
        let cell = printable(&cell(shown));
        let cell = match limit {
            Some(_) => Cut::End.apply(&cell, shown.width),
            None => cell,
        };
        let pad = (shown.width + 1).saturating_sub(cell.width()).max(1);
        text.push_str(&cell);
        text.extend(std::iter::repeat_n(' ', pad));
    }
    let text = text.trim_end();
    let text = limit.map_or_else(|| text.to_owned(), |limit| Cut::End.apply(text, limit));
    let reset = if style.is_empty() { "" } else { RESET };
    out.extend_from_slice([style, &text, reset, "\n"].concat().as_bytes());
}

fn is_external(flow: &Flow) -> bool {
    let ends = [&flow.source, &flow.destination];
    ends.iter().any(|end| end.scope == Some(Scope::External))
}

/// Address or name, and port.
fn end(end: &End) -> String {
    let host = match (end.ip, &end.name) {
        (Some(ip), _) => ip.to_string(),
        (None, Some(name)) => name.clone(),
        (None, None) => "?".to_owned(),
    };
    match end.port {
        Some(port) if host.contains(':') => format!("[{host}]:{port}"),
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}

/// It points at the destination if it is known who has begun it.
fn arrow(flow: &Flow) -> &'static str {
    if flow.initiator_known { "→" } else { "—" }
}

/// Each way, or both together.
fn moved(amount: Amount) -> String {
    let about = if amount.estimated { "~" } else { "" };
    match (amount.total, amount.forward, amount.reverse) {
        (Some(total), ..) => format!("{about}{} both", size(total)),
        (_, Some(forward), Some(reverse)) => {
            format!("{about}{} / {}", size(forward), size(reverse))
        }
        (_, Some(forward), None) => format!("{about}{} →", size(forward)),
        (_, None, Some(reverse)) => format!("{about}{} ←", size(reverse)),
        (_, None, None) => String::new(),
    }
}

fn lasted(flow: &Flow) -> String {
    let Some(end) = flow.end else {
        return match flow.stage {
            Some(Stage::Start) => "begins".to_owned(),
            _ => String::new(),
        };
    };
    let us = end.duration_since(flow.time).as_micros();
    match u64::try_from(us) {
        Ok(us) if us > 0 => time(us),
        _ => String::new(),
    }
}

/// The process and whose it is, or why there is none.
fn whose(flow: &Flow) -> String {
    let Some(found) = &flow.attributed else {
        return String::new();
    };
    let Some(owner) = &found.owner else {
        return found.why.clone().unwrap_or_default();
    };
    let process = format!("{}[{}]", owner.process.name, owner.process.pid);
    let uid = owner.user.uid.to_string();
    let user = owner.user.name.as_ref().unwrap_or(&uid);
    let pod = owner.pod.as_ref().and_then(|pod| pod.name.clone());
    let container = owner
        .container
        .as_ref()
        .map(|one| one.name.as_ref().unwrap_or(&one.id).clone());
    let inside = pod.or(container).map(|name| format!(" in {name}"));
    format!("{process} of {user}{}", inside.unwrap_or_default())
}

/// The device, what it is, and what it says beside: rule and reason.
fn about(flow: &Flow) -> String {
    let format = flow.format.word();
    let device = flow.device.as_deref();
    let who = device.map_or_else(
        || format.to_owned(),
        |device| format!("{device} ({format})"),
    );
    let icmp = flow
        .icmp
        .map(|icmp| format!("type {}, code {}", icmp.kind, icmp.code));
    let threats: Vec<String> = [&flow.source, &flow.destination]
        .into_iter()
        .filter(|end| !end.threat.is_empty())
        .map(|end| format!("THREAT {}", Hit::texts(&end.threat)))
        .collect();
    let threats = (!threats.is_empty()).then(|| threats.join(" "));
    let parts = [
        threats,
        Some(who),
        flow.application.clone(),
        icmp,
        flow.rule.as_ref().map(|rule| format!("by {rule}")),
        flow.reason.clone(),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            As,
            tests::{flow, written},
        },
        *,
    };

    fn shown(width: Option<usize>, flow: &Flow) -> String {
        let layout = Layout {
            width,
            is_coloured: false,
            is_wide: false,
        };
        written(As::Table(layout), std::slice::from_ref(flow))
    }

    #[test]
    fn all_that_there_is_room_for() {
        let text = shown(None, &flow());
        let row = text.lines().nth(1).unwrap();
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(
            words[..8],
            [
                "2023-11-14",
                "22:13:20",
                "12.0",
                "s",
                "10.0.0.5:52344",
                "→",
                "9.9.9.9:443",
                "tcp"
            ]
        );
        assert!(row.contains("1.50 KB / 20.0 KB"), "{row}");
        assert!(row.contains("fw-1 (panos-traffic), ssl, by out"), "{row}");
        for width in [60, 80, 100, 130] {
            let narrow = shown(Some(width), &flow());
            assert!(narrow.lines().all(|line| line.width() <= width), "{narrow}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_invented() {
        let mut flow = flow();
        flow.initiator_known = false;
        flow.source.ip = None;
        flow.source.name = Some("OCSP_Server".to_owned());
        flow.bytes = Amount {
            estimated: true,
            ..Amount::forward(512_000)
        };
        flow.end = None;
        flow.stage = Some(Stage::Start);
        let text = shown(None, &flow);
        assert!(text.contains("OCSP_Server:52344"), "{text}");
        assert!(text.contains(" — 9.9.9.9:443"), "{text}");
        assert!(text.contains("~512 KB →"), "{text}");
        assert!(text.contains("begins"), "{text}");
        flow.destination = End::at("2001:db8::1".parse().unwrap(), 53);
        assert!(shown(None, &flow).contains("[2001:db8::1]:53"));
    }
}
