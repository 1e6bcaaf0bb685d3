//! What is known of one row, line by line.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::{
    column::age_of,
    keys::{HELP, NOTES},
    seen::Seen,
    status::Status,
};
use crate::{
    clock::Clock,
    container::{Pod, label},
    format::{
        place,
        quantity::{size, time},
        table,
    },
    geo::{As, Geo},
    hosts::{Moved, Process as RowProcess, Row, User as RowUser},
    record::{Connection, Direction, Endpoint, Owner, Process},
    text::printable,
};

/// Where values begin.
const INDENT: usize = 14;

/// A line to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// It stands above others.
    pub is_title: bool,
    /// What it says.
    pub text: String,
}

/// Lines that are made for a width.
struct Lines {
    width: usize,
    lines: Vec<Line>,
}

impl Lines {
    fn new(width: usize) -> Self {
        let lines = Vec::new();
        Self { width, lines }
    }

    /// A value with its name, in as many lines as it takes. It is said only if there is one.
    fn say(&mut self, name: &str, value: impl AsRef<str>) {
        let value = value.as_ref();
        if !value.is_empty() {
            self.wrap(name, INDENT, value);
        }
    }

    /// A sentence, one of several.
    fn sentence(&mut self, sentence: &str) {
        self.wrap("-", 2, sentence);
    }

    /// Text behind something that stands before its first line.
    fn wrap(&mut self, before: &str, indent: usize, text: &str) {
        let room = self.width.saturating_sub(indent).max(1);
        for (nth, part) in wrap(&printable(text), room).into_iter().enumerate() {
            let before = if nth == 0 { before } else { "" };
            self.line(format!("{before:<indent$}{part}"));
        }
    }

    fn line(&mut self, text: String) {
        let is_title = false;
        self.lines.push(Line { is_title, text });
    }

    fn title(&mut self, title: &str) {
        if !self.lines.is_empty() {
            self.lines.push(Line::default());
        }
        self.lines.push(Line {
            is_title: true,
            text: title.to_owned(),
        });
    }
}

/// Breaks text into lines of a width, at blanks where there are any.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        if used > 0 && used + word.trim_end().width() > width {
            lines.push(String::new());
            used = 0;
        }
        for c in word.chars() {
            let next = c.width().unwrap_or(0);
            if used + next > width && used > 0 {
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
            used += next;
        }
    }
    lines
}

/// What is known of a connection.
pub fn of_connection(seen: &Seen, clock: &Clock, now_ns: u64, width: usize) -> Vec<Line> {
    let mut lines = Lines::new(width);
    let newest = &seen.newest;
    ends(&mut lines, newest);
    let mut state = format!("{}, {}", seen.state(), age_of(seen, now_ns));
    if newest.open_before {
        state.push_str(", older than the tracing");
    }
    if newest.accepted == Some(false) {
        state.push_str(", never accepted");
    }
    lines.say("state", state);
    lines.say("error", newest.error.as_deref().unwrap_or_default());
    moved(&mut lines, newest);
    holders(&mut lines, newest);
    if let Some(owner) = &newest.owner {
        of_owner(&mut lines, owner, clock);
    }
    if let Some(profile) = &newest.profile {
        lines.say("account", profile.to_string());
    }
    if newest.unexpected {
        lines.say(
            "unexpected",
            "this account is not expected to speak with that address",
        );
    }
    ancestry(&mut lines, newest);
    timeline(&mut lines, seen, clock);
    lines.title("NAMES OF IT");
    lines.say("id", newest.id.to_string());
    lines.say(
        "community id",
        newest.community_id.as_deref().unwrap_or_default(),
    );
    lines.say("netns", newest.netns.to_string());
    lines.lines
}

fn ends(lines: &mut Lines, newest: &Connection) {
    let words = [
        newest.protocol.word(),
        &newest.family,
        newest.direction.map_or("", Direction::word),
    ];
    lines.title(&format!("CONNECTION  {}", words.join(" ")));
    lines.say("local", of_end(newest.local.as_ref()));
    lines.say("remote", of_end(newest.remote.as_ref()));
    if let Some(remote) = &newest.remote {
        let others: Vec<&str> = remote.names.iter().map(|name| &**name).collect();
        lines.say("also called", others.join(", "));
        lines.say(
            "where",
            of_place(remote.geo.as_deref(), remote.network.as_deref()),
        );
        for hit in &remote.threat {
            lines.say("threat", hit.text());
        }
    }
    lines.say("service", newest.service.as_deref().unwrap_or_default());
    let to = |to: Option<crate::record::Destination>| to.map(|to| to.to_string());
    lines.say("asked for", to(newest.requested).unwrap_or_default());
    lines.say("went to", to(newest.translated).unwrap_or_default());
}

/// An end with its name, who says that, and what kind of address it is.
fn of_end(end: Option<&Endpoint>) -> String {
    let mut text = table::endpoint(end);
    let Some(end) = end else {
        return text;
    };
    if let Some(name) = &end.name {
        let _ = write!(text, "  {name}");
    }
    if let Some(source) = end.name_source {
        let _ = write!(text, " ({})", source.word());
    }
    if let Some(scope) = end.scope {
        let _ = write!(text, "  {}", scope.word());
    }
    text
}

/// Where an end is, and whose.
fn of_place(geo: Option<&Geo>, network: Option<&As>) -> String {
    let city = geo.and_then(|geo| geo.city.as_deref());
    let hides = geo.into_iter().flat_map(|geo| &geo.anonymous);
    let words = place::words(geo, network);
    let parts = city.into_iter().chain(hides.map(|word| &**word));
    let parts = [words.as_str()].into_iter().chain(parts);
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}

fn moved(lines: &mut Lines, newest: &Connection) {
    if let Some(bytes) = newest.bytes {
        let (sent, received) = (size(bytes.sent), size(bytes.received));
        lines.say("bytes", format!("{sent} sent, {received} received"));
    }
    if let Some(packets) = newest.packets {
        let (sent, received) = (packets.sent, packets.received);
        lines.say("datagrams", format!("{sent} sent, {received} received"));
    }
    let mut times = Vec::new();
    times.extend(
        newest
            .latency_us
            .map(|us| format!("handshake {}", time(us))),
    );
    times.extend(
        newest
            .rtt_us
            .map(|us| format!("round trip {}", time(us.into()))),
    );
    times.extend(
        newest
            .retransmits
            .map(|count| format!("{count} retransmits")),
    );
    times.extend(newest.duration_us.map(|us| format!("lasted {}", time(us))));
    lines.say("times", times.join(", "));
}

fn holders(lines: &mut Lines, newest: &Connection) {
    let all = newest.holders.iter();
    let all: Vec<String> = all
        .map(|holder| format!("{}({})", holder.name, holder.pid))
        .collect();
    if !all.is_empty() {
        lines.title("OWNER");
        lines.say("one of", all.join(", "));
    } else if newest.owner.is_none() {
        lines.title("OWNER");
        lines.say("process", "not known");
    }
}

fn of_owner(lines: &mut Lines, owner: &Owner, clock: &Clock) {
    lines.title("OWNER");
    of_process(lines, &owner.process, clock);
    let user = &owner.user;
    let name = table::user(owner);
    let mut text = format!("{name}, uid {}, gid {}", user.uid, user.gid);
    if let Some(euid) = user.euid {
        let _ = write!(text, ", acts as uid {euid}");
    }
    lines.say("user", text);
    let auid = user.auid.map(|auid| auid.to_string());
    lines.say("login", user.login.clone().or(auid).unwrap_or_default());
    lines.say("unit", owner.unit.as_deref().unwrap_or_default());
    if let Some(container) = &owner.container {
        let name = label(container, owner.pod.as_ref()).filter(|name| *name != container.id);
        lines.say("container", named(&container.id, name.as_deref()));
        lines.say("image", container.image.as_deref().unwrap_or_default());
    }
    if let Some(pod) = &owner.pod {
        lines.say("pod", of_pod(pod));
    }
    lines.say("cgroup", owner.cgroup.path.as_deref().unwrap_or_default());
}

fn of_process(lines: &mut Lines, process: &Process, clock: &Clock) {
    lines.say("process", format!("{}({})", process.name, process.pid));
    let mut exe = process.exe.clone().unwrap_or_default();
    exe.push_str(&process.flags.label(usize::MAX));
    lines.say("exe", exe);
    lines.say("sha256", process.sha256.as_deref().unwrap_or_default());
    let mut args = process
        .args
        .as_ref()
        .map_or_else(String::new, |args| args.join(" "));
    if process.args_truncated {
        args.push_str(" ...");
    }
    lines.say("args", args);
    lines.say("started", clock.local_day(&process.start_time));
    lines.say("terminal", process.tty.as_deref().unwrap_or_default());
}

fn ancestry(lines: &mut Lines, newest: &Connection) {
    if let Some(opener) = &newest.opened_by {
        lines.say("opened by", format!("{}({})", opener.name, opener.pid));
    }
    let parent = newest
        .owner
        .as_ref()
        .and_then(|owner| owner.process.parent.as_ref());
    if newest.ancestry.is_empty()
        && let Some(parent) = parent
    {
        lines.title("ANCESTRY");
        lines.say("parent", format!("{}({})", parent.name, parent.pid));
    }
    for (nth, ancestor) in newest.ancestry.iter().enumerate() {
        if nth == 0 {
            lines.title("ANCESTRY");
        }
        let name = if nth == 0 { "parent" } else { "its parent" };
        let exe = ancestor.exe.as_deref().unwrap_or_default();
        lines.say(name, format!("{}({})  {exe}", ancestor.name, ancestor.pid));
    }
}

fn timeline(lines: &mut Lines, seen: &Seen, clock: &Clock) {
    lines.title("TIMELINE");
    for step in &seen.steps {
        let result = step.result.as_deref().unwrap_or_default();
        let text = format!("{:<12} {result}", step.event.word());
        lines.say(&clock.local_time(&step.time), text.trim_end());
    }
    if seen.steps_left_out > 0 {
        let left_out = format!("{} more in between", seen.steps_left_out);
        lines.say("...", left_out);
    }
}

/// What is known of a row of hosts.
pub fn of_row(row: &Row, clock: &Clock, width: usize) -> Vec<Line> {
    let mut lines = Lines::new(width);
    lines.title(&format!("HOSTS  {}", row.protocol.word()));
    let address = |ip: Option<std::net::IpAddr>| ip.map(|ip| ip.to_string());
    if let Some(source) = &row.source {
        let ip = address(source.ip).unwrap_or_else(|| "this host".to_owned());
        lines.say("source", named(&ip, source.name.as_deref()));
    }
    let to = &row.destination;
    let ip = address(to.ip).unwrap_or_else(|| "?".to_owned());
    lines.say("destination", named(&ip, to.name.as_deref()));
    let port = to.port.map(|port| port.to_string()).unwrap_or_default();
    lines.say("port", named(&port, row.service.as_deref()));
    lines.say("scope", row.scope.map_or("", |scope| scope.word()));
    lines.say(
        "where",
        of_place(row.geo.as_deref(), row.network.as_deref()),
    );
    for hit in &row.threat {
        lines.say("threat", hit.text());
    }
    if row.unexpected {
        lines.say(
            "unexpected",
            "an account of it is not expected to speak with that address",
        );
    }
    if row.source.is_some() && !row.initiator_known {
        lines.say("initiator", "not known: it may be the other way");
    }
    lines.title("CONNECTIONS");
    lines.say("open", format!("{} of {}", row.open, row.connections));
    lines.say("newest", row.state.as_deref().unwrap_or_default());
    let failed = row.failed.iter();
    let failed: Vec<String> = failed
        .map(|(how, count)| format!("{count} {how}"))
        .collect();
    lines.say("failed", failed.join(", "));
    lines.say("bytes", both_ways(row.bytes));
    lines.say("since opened", both_ways(row.bytes_total));
    lines.say("first seen", clock.local_day(&row.first_seen));
    lines.say("last seen", clock.local_day(&row.last_seen));
    lines.title("WHO");
    for process in &row.processes {
        lines.say("process", of_processes(process));
    }
    for process in &row.served_by {
        lines.say("served by", of_processes(process));
    }
    let users: Vec<String> = row.users.iter().map(RowUser::label).collect();
    lines.say("users", users.join(", "));
    for profile in row.users.iter().filter_map(|user| user.profile.as_ref()) {
        lines.say("account", profile.to_string());
    }
    lines.say("logins", row.logins.join(", "));
    lines.say("unit", row.unit.as_deref().unwrap_or_default());
    for container in &row.containers {
        let name = container
            .name
            .as_deref()
            .filter(|name| *name != container.id);
        lines.say("container", named(&container.id, name));
    }
    for pod in &row.pods {
        lines.say("pod", of_pod(pod));
    }
    lines.say(
        "netns",
        row.netns.map(|netns| netns.to_string()).unwrap_or_default(),
    );
    lines.lines
}

fn of_pod(pod: &Pod) -> String {
    let name = pod.name.as_ref().map(|_| pod.label());
    named(&pod.uid, name.as_deref())
}

fn named(what: &str, name: Option<&str>) -> String {
    name.map_or_else(|| what.to_owned(), |name| format!("{what}  {name}"))
}

fn both_ways(bytes: Option<Moved>) -> String {
    bytes.map_or_else(String::new, |bytes| {
        let (to, back) = (size(bytes.to_destination), size(bytes.to_source));
        format!("{to} to the destination, {back} back")
    })
}

fn of_processes(process: &RowProcess) -> String {
    let pids: Vec<String> = process.pids.iter().map(u32::to_string).collect();
    let exe = process.exe.as_deref().unwrap_or_default();
    format!("{}({})  {exe}", process.name, pids.join(","))
}

/// What keys do.
pub fn of_keys(width: usize) -> Vec<Line> {
    let mut lines = Lines::new(width);
    lines.title("KEYS");
    for (key, what) in HELP {
        lines.say(key, what);
    }
    lines.title("WHAT IS SHOWN");
    for note in NOTES {
        lines.sentence(note);
    }
    lines.lines
}

/// What is degraded, lost or not covered.
pub fn of_limits(status: &Status, width: usize) -> Vec<Line> {
    let mut lines = Lines::new(width);
    lines.title("LOST");
    lines.sentence(status.loss().as_deref().unwrap_or("nothing"));
    for one in status.detached() {
        lines.sentence(&format!("taken away: {one}"));
    }
    if !status.messages.is_empty() {
        lines.title("SAID ON THE WAY");
    }
    for message in &status.messages {
        lines.sentence(message);
    }
    lines.title("DEGRADED: what this kernel keeps conntracer from");
    if status.degraded.is_empty() {
        lines.sentence("nothing");
    }
    for sentence in &status.degraded {
        lines.sentence(sentence);
    }
    lines.title("NOT COVERED: what no run of it sees");
    for sentence in &status.not_covered {
        lines.sentence(sentence);
    }
    lines.lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_at_blanks_and_long_words_anywhere() {
        assert_eq!(wrap("one two three", 8), ["one two ", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
