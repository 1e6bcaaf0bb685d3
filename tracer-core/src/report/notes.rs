//! What records tell beside connections: findings of discovery, loss, sockets that are hidden, and sockets of
//! kinds that are not followed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::commands;
use crate::{discovery::Severity, record::Record, redact::Arguments};

/// Of each kind of note, so many are kept at most.
const NOTES_MAX: usize = 10_000;

/// What records tell beside connections.
#[derive(Debug, Default)]
pub struct Notes {
    /// Who looked at connections.
    pub findings: Vec<Finding>,
    /// When records were lost.
    pub losses: Vec<Loss>,
    /// Sockets that somebody does not list.
    pub hidden: Vec<Hidden>,
    /// Sockets of kinds that are not followed, and how often they were opened.
    pub sockets: BTreeMap<Socket, u64>,
    /// What else is to be said of what was read.
    pub said: Vec<String>,
    left_out: u64,
}

/// Who looked at connections, and how.
#[derive(Clone, Debug, Default)]
pub struct Finding {
    pub time: String,
    pub host: String,
    pub severity: String,
    pub behaviours: Vec<String>,
    pub reasons: Vec<String>,
    pub analytic: String,
    pub process: String,
    pub pid: Option<u64>,
    pub command: String,
    pub parent: String,
    pub user: String,
    pub home: String,
    pub repeat: u64,
}

/// What was lost between two times.
#[derive(Clone, Debug, Default)]
pub struct Loss {
    pub since: String,
    pub until: String,
    pub host: String,
    pub lost: Vec<(String, u64)>,
    /// Programs that somebody has taken away.
    pub detached: Vec<String>,
}

/// A socket that somebody does not list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    pub host: String,
    pub from: Vec<String>,
    pub local: String,
    pub remote: String,
    pub process: String,
}

/// A socket of a kind that is not followed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Socket {
    pub host: String,
    pub kind: String,
    pub process: String,
}

impl Notes {
    /// Takes a record.
    pub fn take(&mut self, record: &Record, arguments: &Arguments) {
        // A record can always be said in JSON.
        if let Ok(fields) = serde_json::to_value(record) {
            self.take_fields(&fields, arguments);
        }
    }

    /// Takes the fields of a record.
    pub fn take_fields(&mut self, fields: &Value, arguments: &Arguments) {
        let is_kept = match text(fields, "/event") {
            "discovery" => keep(&mut self.findings, || Finding::of(fields, arguments)),
            "loss" => keep(&mut self.losses, || Loss::of(fields)),
            "socket" => self.count(Socket::of(fields)),
            _ => {
                let hidden = Hidden::of(fields);
                self.hidden.contains(&hidden) || keep(&mut self.hidden, || hidden)
            }
        };
        self.left_out += u64::from(!is_kept);
    }

    fn count(&mut self, socket: Socket) -> bool {
        let has_room = self.sockets.len() < NOTES_MAX || self.sockets.contains_key(&socket);
        if has_room {
            *self.sockets.entry(socket).or_default() += 1;
        }
        has_room
    }

    /// Takes a sentence, once.
    pub fn say(&mut self, sentence: &str) {
        if self.said.len() < NOTES_MAX && !self.said.iter().any(|said| said == sentence) {
            self.said.push(sentence.to_owned());
        }
    }

    /// How many there was no room for.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

/// Keeps one more, if there is room.
fn keep<T>(all: &mut Vec<T>, one: impl FnOnce() -> T) -> bool {
    let has_room = all.len() < NOTES_MAX;
    if has_room {
        all.push(one());
    }
    has_room
}

impl Finding {
    /// How much it matters, in numbers.
    pub fn rank(&self) -> usize {
        let mut all = Severity::ALL.into_iter();
        all.position(|one| one.word() == self.severity)
            .unwrap_or_default()
    }

    fn of(fields: &Value, arguments: &Arguments) -> Self {
        let args = texts(fields, "/process/args");
        let args = (!args.is_empty()).then(|| arguments.of(&args)).flatten();
        let parent = named(fields, "/process/parent");
        Self {
            time: text(fields, "/time").to_owned(),
            host: text(fields, "/host").to_owned(),
            severity: text(fields, "/severity").to_owned(),
            behaviours: texts(fields, "/behaviours"),
            reasons: texts(fields, "/reasons"),
            analytic: text(fields, "/analytic").to_owned(),
            process: text(fields, "/process/name").to_owned(),
            pid: fields.pointer("/process/pid").and_then(Value::as_u64),
            command: args.map(|args| commands::line(&args)).unwrap_or_default(),
            parent,
            user: user(fields),
            home: home(fields),
            repeat: fields.get("repeat").and_then(Value::as_u64).unwrap_or(0),
        }
    }
}

impl Loss {
    fn of(fields: &Value) -> Self {
        let lost = fields.get("lost").and_then(Value::as_object);
        let count =
            |(category, count): (&String, &Value)| Some((category.clone(), count.as_u64()?));
        let detached = fields.get("detached").and_then(Value::as_array);
        let program = |one: &Value| text(one, "/program").to_owned();
        Self {
            since: text(fields, "/since").to_owned(),
            until: text(fields, "/time").to_owned(),
            host: text(fields, "/host").to_owned(),
            lost: lost.into_iter().flatten().filter_map(count).collect(),
            detached: detached.into_iter().flatten().map(program).collect(),
        }
    }
}

impl Hidden {
    fn of(fields: &Value) -> Self {
        Self {
            host: text(fields, "/host").to_owned(),
            from: texts(fields, "/hidden_from"),
            local: end(fields, "/local"),
            remote: end(fields, "/remote"),
            process: named(fields, "/process"),
        }
    }
}

impl Socket {
    fn of(fields: &Value) -> Self {
        Self {
            host: text(fields, "/host").to_owned(),
            kind: text(fields, "/kind").to_owned(),
            process: text(fields, "/process/name").to_owned(),
        }
    }
}

fn text<'a>(fields: &'a Value, path: &str) -> &'a str {
    let text = fields.pointer(path).and_then(Value::as_str);
    text.unwrap_or_default()
}

fn texts(fields: &Value, path: &str) -> Vec<String> {
    let all = fields.pointer(path).and_then(Value::as_array);
    let all = all.into_iter().flatten().filter_map(Value::as_str);
    all.map(str::to_owned).collect()
}

/// A process by its name and id.
fn named(fields: &Value, path: &str) -> String {
    let name = text(fields, &format!("{path}/name"));
    match fields
        .pointer(&format!("{path}/pid"))
        .and_then(Value::as_u64)
    {
        Some(pid) => format!("{name}({pid})"),
        None => name.to_owned(),
    }
}

/// Address and port of an end.
fn end(fields: &Value, path: &str) -> String {
    let ip = text(fields, &format!("{path}/ip"));
    let is_ipv6 = ip.contains(':');
    match fields
        .pointer(&format!("{path}/port"))
        .and_then(Value::as_u64)
    {
        Some(port) if is_ipv6 => format!("[{ip}]:{port}"),
        Some(port) => format!("{ip}:{port}"),
        None => ip.to_owned(),
    }
}

/// The user, and the account that logged in where it is another one.
fn user(fields: &Value) -> String {
    let number = |path: &str| fields.pointer(path).and_then(Value::as_u64);
    let named = |name: &str, id: &str| match (text(fields, name), number(id)) {
        ("", id) => id.map(|id| id.to_string()).unwrap_or_default(),
        (name, _) => name.to_owned(),
    };
    let user = named("/user/name", "/user/uid");
    let login = named("/user/login", "/user/auid");
    if login.is_empty() || login == user {
        user
    } else {
        format!("{user} ({login})")
    }
}

/// The container, or else the systemd unit.
fn home(fields: &Value) -> String {
    let places = [
        "/container/name",
        "/container/id",
        "/details/container",
        "/unit",
    ];
    let mut places = places.into_iter().map(|path| text(fields, path));
    places
        .find(|place| !place.is_empty())
        .unwrap_or_default()
        .to_owned()
}
