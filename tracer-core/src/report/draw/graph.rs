//! The graph as a picture: who connects to a process left of it, whom it connects to right of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::{length, unit};
use crate::{
    format::quantity::size,
    report::{
        graph::{Edge, Graph},
        html::{counted, text},
    },
};

const WIDTH: f64 = 960.0;
/// How high a row of the picture is.
const ROW: f64 = 34.0;
const TOP: f64 = 30.0;
/// Where hosts that connect to here end, where processes are, and where hosts that are connected to begin.
const FROM: f64 = 250.0;
const PROCESS: (f64, f64) = (400.0, 560.0);
const TO: f64 = 710.0;

/// Characters of a label that there is room for.
const HOST_CHARS: usize = 34;
const PROCESS_CHARS: usize = 22;

/// Ports that are named at a host.
const PORTS_MAX: usize = 4;

/// The widest an edge is drawn.
const WIDEST: f64 = 9.0;

/// Where things are in a column.
struct Places<K> {
    at: BTreeMap<K, f64>,
    height: f64,
}

/// The picture; `None`: there is nothing to draw.
pub fn draw(graph: &Graph) -> Option<String> {
    if graph.edges.is_empty() {
        return None;
    }
    let processes = Places::of(graph.edges.iter().map(|edge| &edge.ends.process));
    let hosts = |is_inbound: bool| {
        let edges = graph
            .edges
            .iter()
            .filter(|edge| edge.ends.is_inbound == is_inbound);
        let mut edges: Vec<&Edge> = edges.collect();
        // What one process speaks with stands together, so that fewer lines cross.
        edges.sort_by(|one, other| {
            let place = |edge: &Edge| processes.of_one(&edge.ends.process);
            place(one).total_cmp(&place(other))
        });
        Places::of(edges.into_iter().map(|edge| edge.ends.host))
    };
    let (from, to) = (hosts(true), hosts(false));
    let height = processes.height.max(from.height).max(to.height);
    let middle = |places: f64| (height - places) / 2.0 + TOP;
    let mut svg = String::new();
    let _ = write!(
        svg,
        "<svg class=\"graph\" viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"Which processes speak with which hosts\">",
        unit(height + TOP)
    );
    titles(&mut svg, !from.at.is_empty(), !to.at.is_empty());
    let most = graph.edges.iter().map(|edge| edge.bytes).max().unwrap_or(0);
    for edge in &graph.edges {
        let places = if edge.ends.is_inbound { &from } else { &to };
        let host = places.of_one(&edge.ends.host) + middle(places.height);
        let process = processes.of_one(&edge.ends.process) + middle(processes.height);
        line(&mut svg, edge, host, process, most);
    }
    for (process, y) in &processes.at {
        node_of_process(&mut svg, process, y + middle(processes.height));
    }
    for (places, is_inbound) in [(&from, true), (&to, false)] {
        for (host, y) in &places.at {
            let is_its =
                |edge: &&Edge| edge.ends.host == *host && edge.ends.is_inbound == is_inbound;
            let edges: Vec<&Edge> = graph.edges.iter().filter(is_its).collect();
            node_of_host(&mut svg, &edges, y + middle(places.height));
        }
    }
    svg.push_str("</svg>");
    Some(svg)
}

impl<K: Ord> Places<K> {
    /// One below the other, in their order, each once.
    fn of(keys: impl Iterator<Item = K>) -> Self {
        let mut at = BTreeMap::new();
        let mut y = ROW / 2.0;
        for key in keys {
            at.entry(key).or_insert_with(|| {
                let place = y;
                y += ROW;
                place
            });
        }
        Self {
            at,
            height: y - ROW / 2.0,
        }
    }

    fn of_one<Q: Ord + ?Sized>(&self, key: &Q) -> f64
    where
        K: std::borrow::Borrow<Q>,
    {
        self.at.get(key).copied().unwrap_or_default()
    }
}

fn titles(svg: &mut String, has_from: bool, has_to: bool) {
    let middle = f64::midpoint(PROCESS.0, PROCESS.1);
    let titles = [
        (has_from, "end", FROM, "connect to here"),
        (true, "middle", middle, "processes"),
        (has_to, "", TO, "are connected to"),
    ];
    for (_, class, x, words) in titles.into_iter().filter(|(is_there, ..)| *is_there) {
        let _ = write!(
            svg,
            "<text class=\"title {class}\" x=\"{x}\" y=\"14\">{words}</text>"
        );
    }
}

/// As wide as what moved along it, by its logarithm; dashed where nothing but attempts failed.
fn line(svg: &mut String, edge: &Edge, host: f64, process: f64, most: u128) {
    let class = match (edge.connections, edge.is_external) {
        (0, _) => "failed",
        (_, true) => "external",
        (_, false) => "other",
    };
    let (begin, end) = if edge.ends.is_inbound {
        ((FROM + 6.0, host), (PROCESS.0, process))
    } else {
        ((PROCESS.1, process), (TO - 6.0, host))
    };
    let middle = f64::midpoint(begin.0, end.0);
    let log = |bytes: u128| (length(u64::try_from(bytes).unwrap_or(u64::MAX)) + 1.0).ln();
    let share = log(edge.bytes) / log(most).max(1.0);
    let width = 1.0 + share * share * (WIDEST - 1.0);
    let _ = write!(
        svg,
        "<path class=\"edge {class}\" stroke-width=\"{}\" d=\"M{} {}C{middle} {} {middle} {} {} {}\"><title>{}</title></path>",
        unit(width),
        unit(begin.0),
        unit(begin.1),
        unit(begin.1),
        unit(end.1),
        unit(end.0),
        unit(end.1),
        text(&words(edge))
    );
}

/// What a line stands for.
fn words(edge: &Edge) -> String {
    let (process, host) = (&edge.ends.process, edge.ends.host);
    let ends = if edge.ends.is_inbound {
        format!("{host} to {process}")
    } else {
        format!("{process} to {host}")
    };
    let bytes = u64::try_from(edge.bytes).unwrap_or(u64::MAX);
    format!(
        "{ends}: {}, {}, {}",
        counted(edge.connections, "connection"),
        counted(edge.failed, "failed attempt"),
        size(bytes)
    )
}

fn node_of_process(svg: &mut String, process: &str, y: f64) {
    let (left, right) = PROCESS;
    let _ = write!(
        svg,
        "<g><title>{0}</title><rect class=\"node\" x=\"{left}\" y=\"{1}\" width=\"{2}\" height=\"24\" rx=\"4\"/>\
         <text class=\"middle\" x=\"{3}\" y=\"{4}\">{5}</text></g>",
        text(process),
        unit(y - 12.0),
        unit(right - left),
        unit(f64::midpoint(left, right)),
        unit(y + 4.0),
        text(&cut(process, PROCESS_CHARS))
    );
}

/// Its name, or its address; below it the address, and the ports of all its lines.
fn node_of_host(svg: &mut String, edges: &[&Edge], y: f64) {
    let Some(Edge { ends, .. }) = edges.first() else {
        return;
    };
    let (x, class, dot) = if ends.is_inbound {
        (FROM - 6.0, "end", FROM)
    } else {
        (TO + 8.0, "", TO)
    };
    let is_external = edges.iter().any(|edge| edge.is_external);
    let kind = if is_external { "external" } else { "other" };
    let name = edges.iter().find_map(|edge| edge.name.as_deref());
    let ports = ports(edges);
    let (first, second) = match name {
        Some(name) => (cut(name, HOST_CHARS), format!("{} {ports}", ends.host)),
        None => (ends.host.to_string(), ports),
    };
    let _ = write!(
        svg,
        "<circle class=\"{kind}\" cx=\"{dot}\" cy=\"{0}\" r=\"4\"/><text class=\"{class}\" x=\"{x}\" y=\"{1}\">{2}</text>\
         <text class=\"small {class}\" x=\"{x}\" y=\"{3}\">{4}</text>",
        unit(y),
        unit(y - 1.0),
        text(&first),
        unit(y + 11.0),
        text(&cut(&second, HOST_CHARS + 8))
    );
}

/// The first of the ports, and how many others there are.
fn ports(edges: &[&Edge]) -> String {
    let all: BTreeSet<u16> = edges
        .iter()
        .flat_map(|edge| edge.ports.iter().copied())
        .collect();
    let is_inbound = edges.iter().any(|edge| edge.ends.is_inbound);
    let more = match all.len().saturating_sub(PORTS_MAX) {
        0 => String::new(),
        more => format!(" +{more}"),
    };
    let named: Vec<String> = all
        .iter()
        .take(PORTS_MAX)
        .map(ToString::to_string)
        .collect();
    if named.is_empty() {
        return String::new();
    }
    let to = if is_inbound { "to port" } else { "port" };
    format!("{to} {}{more}", named.join(", "))
}

fn cut(label: &str, most: usize) -> String {
    if label.chars().count() <= most {
        return label.to_owned();
    }
    let kept: String = label.chars().take(most.saturating_sub(1)).collect();
    kept + "…"
}
