//! What a report is of, and what it is not: who looked, when, by which hooks, for what, what was lost, and what
//! nobody who looks so can see.

use std::fmt::Write as _;

use super::{
    Cover, Report,
    html::{counted, number, text},
    notes::Loss,
    summary::{Gathered, length, moment},
};
use crate::{
    hosts::{Rule, Run},
    redact::Arguments,
};

/// Hooks that tell of discovery, by the names that the first record has of them.
const OF_DISCOVERY: [&str; 3] = ["proc_net", "dump", "fd_sweep"];

/// Times of loss that are listed at most.
const LOSSES_SHOWN: usize = 100;

/// The runs, a row each, with what was lost of them.
pub fn runs(report: &Report, out: &mut String) {
    out.push_str(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Runs\"><table><thead><tr><th scope=\"col\">Host</th>\
         <th scope=\"col\">From</th><th scope=\"col\">Until</th><th scope=\"col\">Lost</th><th scope=\"col\">Kernel</th>\
         <th scope=\"col\">conntracer</th><th scope=\"col\">Boot</th></tr></thead><tbody>",
    );
    for run in report.hosts.runs() {
        let (since, until) = match report.window_of(run) {
            Some((since, until)) => (moment(since), moment(until)),
            None => ("nothing of this window".to_owned(), String::new()),
        };
        let (lost, class) = lost(run);
        let _ = write!(
            out,
            "<tr><td>{}</td><td class=\"time\">{since}</td><td class=\"time\">{until}</td><td class=\"{class}\">{}</td>\
             <td>{}</td><td>{}</td><td class=\"id\">{}</td></tr>",
            text(run.text("host")),
            text(&lost),
            text(run.text("kernel")),
            text(run.text("version")),
            text(run.text("boot_id"))
        );
    }
    out.push_str("</tbody></table></div>");
}

/// What was lost of a run, and how that is shown.
fn lost(run: &Run) -> (String, &'static str) {
    let mut parts = match run.lost() {
        None => vec!["cut off: what was lost is not known".to_owned()],
        Some(lost) => lost
            .into_iter()
            .map(|(category, count)| format!("{} {category}", number(count)))
            .collect(),
    };
    if run.left_out() > 0 {
        parts.push(format!(
            "no room here for {}",
            counted(run.left_out(), "record")
        ));
    }
    if parts.is_empty() {
        ("nothing".to_owned(), "good")
    } else {
        (parts.join("; "), "alarm")
    }
}

/// When records were lost, as far as that was told.
pub fn losses(losses: &[Loss], out: &mut String) {
    if losses.is_empty() {
        return;
    }
    out.push_str("<h3>When records were lost</h3><ul>");
    for loss in losses.iter().take(LOSSES_SHOWN) {
        let counts: Vec<String> = loss
            .lost
            .iter()
            .map(|(category, count)| format!("{} {category}", number(*count)))
            .collect();
        let detached = match loss.detached.as_slice() {
            [] => String::new(),
            all => format!("; taken away: {}", all.join(", ")),
        };
        let said = format!(
            "{}: {} between {} and {}{detached}",
            loss.host,
            counts.join(", "),
            loss.since,
            loss.until
        );
        let _ = write!(out, "<li class=\"alarm\">{}</li>", text(&said));
    }
    if losses.len() > LOSSES_SHOWN {
        let more = counted((losses.len() - LOSSES_SHOWN) as u64, "more time");
        let _ = write!(out, "<li class=\"alarm\">{more}</li>");
    }
    out.push_str("</ul>");
}

/// What is true of the whole report.
pub fn statements(report: &Report, gathered: &Gathered, cover: &Cover, out: &mut String) {
    let mut all = vec![
        format!("Read: {}.", listed(&cover.sources)),
        arguments(report.commands.arguments()).to_owned(),
        baseline(report),
        "Bytes are payload that moved in the window. Of connections that are older than it two counts are needed to \
         know that; where there is one, only what moved since they opened is shown."
            .to_owned(),
        "A connection that was seen at both its ends counts once, by the socket of who initiated it.".to_owned(),
        discovery(report),
    ];
    if report.window.since.is_some() || report.window.until.is_some() {
        all.push(
            "The window is cut out of what was read: what was lost is told of whole runs, and of the window only \
             where a time is told with it."
                .to_owned(),
        );
    }
    if gathered.hosts.len() > 1 {
        all.push("Times are those of each host's own clock.".to_owned());
    }
    all.extend(report.notes.said.iter().cloned());
    out.push_str("<ul>");
    for sentence in all {
        let _ = write!(out, "<li>{}</li>", text(&sentence));
    }
    out.push_str("</ul>");
}

fn arguments(arguments: &Arguments) -> &'static str {
    match arguments {
        Arguments::Full => "Arguments of processes are shown in full: secrets may be among them.",
        Arguments::Redacted(_) => {
            "What looks like a password, a token or a key in arguments of processes is left out; nobody can tell a \
             secret that does not look like one."
        }
        Arguments::None => "Arguments of processes are left out.",
    }
}

/// By what a destination is called new.
fn baseline(report: &Report) -> String {
    match (report.window.since, report.baseline.extent()) {
        (Some(_), Some((since, until))) => format!(
            "New is a destination (address, port and protocol) that its host did not connect to between {} and {} \
             ({}), and had no connection with when the window began.",
            moment(since),
            moment(until),
            length(until.duration_since(since))
        ),
        (Some(_), None) => "Nothing is known of before the window: new is a destination (address, port and protocol) \
             that its host had no connection with when the window began."
            .to_owned(),
        (None, _) => "New is a destination (address, port and protocol) that its host had no connection with when the \
             tracing began; what was there earlier nobody knows."
            .to_owned(),
    }
}

/// Of which hosts it was not looked for who looks at connections.
fn discovery(report: &Report) -> String {
    let runs = report.hosts.runs().iter();
    let without: Vec<String> = runs
        .filter(|run| !looked_for_discovery(run))
        .map(|run| run.text("host").to_owned())
        .collect();
    if without.is_empty() {
        return "Who looks at connections was looked for in every run.".to_owned();
    }
    format!(
        "Who looks at connections was not looked for by hooks (--discovery) on: {}. Executed utilities may be found \
         nevertheless.",
        listed(&without)
    )
}

/// Whether the hooks for it were attached.
pub fn looked_for_discovery(run: &Run) -> bool {
    let hooks = run.hooks();
    OF_DISCOVERY
        .iter()
        .any(|name| hooks.iter().any(|(hook, _)| hook == name))
}

/// The first of many, and how many there are.
fn listed(all: &[String]) -> String {
    const SHOWN_MAX: usize = 20;
    let mut shown: Vec<&str> = Vec::new();
    for one in all {
        if !shown.contains(&one.as_str()) {
            shown.push(one);
        }
    }
    let more = shown.len().saturating_sub(SHOWN_MAX);
    shown.truncate(SHOWN_MAX);
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// What the kernels kept conntracer from doing, what it does not see, and its hooks, said once for all hosts of
/// which it is the same.
pub fn limits(report: &Report, out: &mut String) {
    let of_field = |name: &'static str| {
        move |run: &Run| -> Vec<String> { run.sentences(name).map(str::to_owned).collect() }
    };
    let parts: [(&str, Vec<Shared>); 3] = [
        (
            "What these kernels kept from being seen",
            shared(report, of_field("degraded")),
        ),
        (
            "What is never seen so",
            shared(report, of_field("not_covered")),
        ),
        (
            "Hooks",
            shared(report, |run| {
                let hooks = run.hooks();
                let words: Vec<String> = hooks
                    .iter()
                    .map(|(name, via)| format!("{name} through {via}"))
                    .collect();
                if words.is_empty() {
                    Vec::new()
                } else {
                    vec![words.join(", ")]
                }
            }),
        ),
    ];
    for (title, all) in parts {
        let all: Vec<&Shared> = all.iter().filter(|one| !one.sentences.is_empty()).collect();
        if all.is_empty() {
            continue;
        }
        let _ = write!(out, "<h3>{title}</h3>");
        for one in &all {
            one.begin(all.len() > 1, out);
            out.push_str("<ul>");
            for sentence in &one.sentences {
                let _ = write!(out, "<li>{}</li>", text(sentence));
            }
            out.push_str("</ul>");
        }
    }
}

/// What is the same for some hosts.
struct Shared {
    hosts: Vec<String>,
    sentences: Vec<String>,
}

impl Shared {
    /// Says of whom it is, where it is not of all.
    fn begin(&self, is_needed: bool, out: &mut String) {
        if is_needed {
            let _ = write!(out, "<p class=\"of\">{}</p>", text(&listed(&self.hosts)));
        }
    }
}

fn shared(report: &Report, of: impl Fn(&Run) -> Vec<String>) -> Vec<Shared> {
    let mut all: Vec<Shared> = Vec::new();
    for run in report.hosts.runs() {
        let (host, sentences) = (run.text("host").to_owned(), of(run));
        match all.iter_mut().find(|one| one.sentences == sentences) {
            Some(one) => one.hosts.push(host),
            None => all.push(Shared {
                hosts: vec![host],
                sentences,
            }),
        }
    }
    all
}

/// What was asked for: here, and when each run was told what to write.
pub fn filter(report: &Report, cover: &Cover, out: &mut String) {
    let words = |flags: &[String]| match flags {
        [] => "everything".to_owned(),
        flags => flags.join(" "),
    };
    let mut lines = vec![format!("Asked for here: {}", words(&cover.selection))];
    let (since, until) = (report.window.since, report.window.until);
    if since.is_some() || until.is_some() {
        let since = since.map_or_else(|| "the first record".to_owned(), moment);
        let until = until.map_or_else(
            || "the last record".to_owned(),
            |at| format!("before {}", moment(at)),
        );
        lines.push(format!("Window: from {since} until {until}"));
    }
    for one in shared(report, Run::filter) {
        lines.push(format!(
            "In what was read of {}: {}",
            listed(&one.hosts),
            words(&one.sentences)
        ));
    }
    out.push_str("<ul class=\"filter\">");
    for line in lines {
        let _ = write!(out, "<li>{}</li>", text(&line));
    }
    out.push_str("</ul>");
}

/// The ordered rules by which an address is external, said once for all hosts of which they are the same.
pub fn rules(report: &Report, out: &mut String) {
    let mut all: Vec<(Vec<String>, Vec<Rule>)> = Vec::new();
    for run in report.hosts.runs() {
        let (host, rules) = (run.text("host").to_owned(), run.rules());
        match all.iter_mut().find(|(_, known)| *known == rules) {
            Some((hosts, _)) => hosts.push(host),
            None => all.push((vec![host], rules)),
        }
    }
    let has_several = all.len() > 1;
    for (hosts, rules) in all.iter().filter(|(_, rules)| !rules.is_empty()) {
        if has_several {
            let _ = write!(out, "<p class=\"of\">{}</p>", text(&listed(hosts)));
        }
        out.push_str(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Rules\"><table class=\"rules\"><thead><tr><th scope=\"col\">Scope</th>\
             <th scope=\"col\">Networks</th><th scope=\"col\">From</th></tr></thead><tbody>",
        );
        for rule in rules {
            let networks = match rule.networks.as_slice() {
                [] => "what is left".to_owned(),
                networks => networks.join(", "),
            };
            let _ = write!(
                out,
                "<tr><td>{}</td><td class=\"networks\">{}</td><td>{}</td></tr>",
                text(&rule.scope),
                text(&networks),
                text(&rule.from)
            );
        }
        out.push_str("</tbody></table></div>");
    }
}
