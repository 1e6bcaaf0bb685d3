//! The page: everything in one file that asks nobody for anything.
//!
//! What traced processes chose stands in it as text and as data, never as markup; and a policy in the page lets
//! nothing run but the one script, and nothing be fetched at all, so that a mistake here would show a name oddly
//! and do no more.

use std::fmt::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{
    Cover, Report, coverage, draw,
    external::{peers, sum},
    graph::Graph,
    html::{self, counted, number, text},
    summary::{self, Gathered, moment},
    table::{Table, Texts},
    tables::Tables,
    timeline::Timeline,
};
use crate::format::quantity::size;

/// The page without what is in it.
const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What surrounds the name of a part.
const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// What the script reads.
#[derive(Serialize)]
struct Data<'a> {
    texts: &'a [String],
    tables: &'a [Table],
}

/// Writes the page.
pub fn write(report: &Report, cover: &Cover) -> String {
    let gathered = Gathered::of(report);
    let mut tables = Tables::new(report, &gathered);
    let all = [
        tables.new_destinations(),
        tables.external(),
        tables.findings(),
        tables.ports(),
        tables.hosts(),
    ];
    let texts = std::mem::take(&mut tables.texts);
    let [new, external, findings, ports, hosts] = &all;
    let part = |name: &str| match name {
        "title" => title(&gathered),
        "policy" => policy(),
        "style" => STYLE.to_owned(),
        "script" => SCRIPT.to_owned(),
        "head" => head(&gathered, cover),
        "figures" => figures(report, &gathered),
        "summary" => sentences(report, &gathered),
        "timeline" => timeline(report, &gathered),
        "new" => shown(new, &texts, "No destination is new in this window."),
        "external" => shown(external, &texts, "There was nothing with external hosts."),
        "findings" => shown(findings, &texts, &no_findings(report)),
        "ports" => shown(ports, &texts, "There were no connections."),
        "hosts" => shown(hosts, &texts, "There were no connections."),
        "graph" => graph(&gathered),
        "coverage" => of_coverage(report, &gathered, cover),
        "filter" => of_filter(report, cover),
        "foot" => foot(cover),
        "data" => html::data(&Data {
            texts: texts.all(),
            tables: &all,
        }),
        _ => String::new(),
    };
    fill(PAGE, part)
}

/// The page with its parts, which are not looked at for parts themselves: names may look like one.
fn fill(page: &str, part: impl Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(1 << 20);
    let mut rest = page;
    while let Some((before, after)) = rest.split_once(OPEN) {
        filled.push_str(before);
        let (name, after) = after.split_once(CLOSE).unwrap_or((after, ""));
        filled.push_str(&part(name));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// Nothing is fetched, and nothing runs or styles but what has these hashes.
fn policy() -> String {
    let hash = |code: &str| BASE64_STANDARD.encode(Sha256::digest(code.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}

fn title(gathered: &Gathered) -> String {
    let hosts: Vec<&str> = gathered.hosts.iter().map(AsRef::as_ref).collect();
    let of = match hosts.as_slice() {
        [] => "nobody".to_owned(),
        [one] => (*one).to_owned(),
        [one, other] => format!("{one} and {other}"),
        many => counted(many.len() as u64, "host"),
    };
    text(&format!("Connections of {of}"))
}

fn head(gathered: &Gathered, cover: &Cover) -> String {
    let window = match gathered.extent {
        Some((since, until)) => format!("<span>{} to {}</span>", moment(since), moment(until)),
        None => "<span>no records</span>".to_owned(),
    };
    format!(
        "{window}<span>all times are UTC</span><span>made {} by conntracer {}</span>",
        moment(cover.made),
        text(&cover.version)
    )
}

/// What it comes to, in numbers.
fn figures(report: &Report, gathered: &Gathered) -> String {
    let peers = peers(&gathered.rows);
    let (out, back) = sum(peers.values().flat_map(super::external::Peer::rows));
    let notes = &report.notes;
    let figures = [
        ("connections", number(gathered.connections()), false),
        ("failed attempts", number(gathered.failed()), false),
        ("external hosts", number(peers.len() as u64), false),
        ("to external hosts", size(out), false),
        ("from external hosts", size(back), false),
        (
            "new destinations",
            number(gathered.new_rows().count() as u64),
            false,
        ),
        (
            "discovery findings",
            of_findings(report),
            notes.findings.iter().any(|one| one.rank() > 1),
        ),
        (
            "hidden sockets",
            number(notes.hidden.len() as u64),
            !notes.hidden.is_empty(),
        ),
    ];
    let mut html = String::from("<dl class=\"figures\">");
    for (what, count, is_alarm) in figures {
        if what == "hidden sockets" && !is_alarm {
            continue;
        }
        let class = if is_alarm { " class=\"alarm\"" } else { "" };
        let _ = write!(html, "<div{class}><dt>{what}</dt><dd>{count}</dd></div>");
    }
    html.push_str("</dl>");
    html
}

/// How many findings there are; none where nobody looked for them says nothing.
fn of_findings(report: &Report) -> String {
    match report.notes.findings.len() as u64 {
        0 if !report
            .hosts
            .runs()
            .iter()
            .any(coverage::looked_for_discovery) =>
        {
            "not sought".to_owned()
        }
        count => number(count),
    }
}

fn sentences(report: &Report, gathered: &Gathered) -> String {
    let mut html = String::from("<ul class=\"summary\">");
    let (alarms, plain): (Vec<_>, Vec<_>) = summary::sentences(report, gathered)
        .into_iter()
        .partition(|one| one.is_alarm);
    for sentence in alarms.iter().chain(&plain) {
        let class = if sentence.is_alarm {
            " class=\"alarm\""
        } else {
            ""
        };
        let _ = write!(html, "<li{class}>{}</li>", text(&sentence.text));
    }
    html.push_str("</ul>");
    html
}

fn timeline(report: &Report, gathered: &Gathered) -> String {
    let Some((since, until)) = gathered.extent else {
        return "<p>There is nothing to show.</p>".to_owned();
    };
    let mut timeline = Timeline::new(since, until);
    report.hosts.connections(|connections| {
        for connection in connections {
            timeline.add(&connection);
        }
    });
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Timeline\">{}</div>\
         <p class=\"legend\"><span class=\"key external\">external</span><span class=\"key other\">other hosts</span>\
         <span class=\"key failed\">failed attempts</span> In steps of {}. What was open before is not counted as opened; \
         bytes between two counts are spread evenly.</p>",
        draw::timeline::draw(&timeline),
        timeline.step()
    )
}

fn graph(gathered: &Gathered) -> String {
    let graph = Graph::of(&gathered.rows);
    let Some(svg) = draw::graph::draw(&graph) else {
        return "<p>There is nothing to show.</p>".to_owned();
    };
    let left_out = if graph.left_out > 0 {
        let bytes = u64::try_from(graph.left_out_bytes).unwrap_or(u64::MAX);
        format!(
            " Drawn are those along which most moved; {} with {} are not.",
            counted(graph.left_out as u64, "more line"),
            size(bytes)
        )
    } else {
        String::new()
    };
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Graph\">{svg}</div><p class=\"legend\">\
         <span class=\"key external\">external</span><span class=\"key other\">other hosts</span>\
         <span class=\"key failed line\">nothing but failed attempts</span> The more bytes, the wider the line.{left_out}</p>"
    )
}

fn no_findings(report: &Report) -> String {
    let runs = report.hosts.runs();
    if runs.iter().any(coverage::looked_for_discovery) {
        "Nobody was found who looked at connections.".to_owned()
    } else {
        "Nobody was found who looked at connections, but it was recorded without --discovery: only executed utilities \
         would be found."
            .to_owned()
    }
}

/// A table, or what is said where it has no rows.
fn shown(table: &Table, texts: &Texts, otherwise: &str) -> String {
    if table.rows.is_empty() {
        return format!("<p>{otherwise}</p>");
    }
    let mut html = String::new();
    table.html(texts, &mut html);
    html
}

fn of_coverage(report: &Report, gathered: &Gathered, cover: &Cover) -> String {
    let mut html = String::new();
    coverage::runs(report, &mut html);
    coverage::losses(&report.notes.losses, &mut html);
    coverage::statements(report, gathered, cover, &mut html);
    coverage::limits(report, &mut html);
    html
}

fn of_filter(report: &Report, cover: &Cover) -> String {
    let mut html = String::new();
    coverage::filter(report, cover, &mut html);
    coverage::rules(report, &mut html);
    html
}

fn foot(cover: &Cover) -> String {
    format!(
        "conntracer {}, {} UTC. This file is whole: it asks nobody for anything.",
        text(&cover.version),
        moment(cover.made)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_page_is_filled_once() {
        let filled = fill("a{{title}}b{{x}}c", |name| {
            format!("[{name} {{{{title}}}}]")
        });
        assert_eq!(filled, "a[title {{title}}]b[x {{title}}]c");
    }
}
