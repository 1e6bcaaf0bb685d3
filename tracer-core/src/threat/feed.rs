//! A feed, and how it is put together.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
    fmt,
    sync::Arc,
};

use ipnet::{IpNet, Ipv6Net};
use jiff::Timestamp;
use tracer_abi::net_bit;

use super::{
    indicator::{Indicator, What},
    value::{self, Value},
};
use crate::{
    fact::Networks,
    logs::Unreadable,
    scope::{Scope, Scopes, mapped},
    text::printable,
};

/// How many indicators a feed may have: more than any that is published, and it fits in memory.
const MOST_INDICATORS: usize = 4 << 20;
/// How many of what is counted are kept to be shown.
const MOST_SHOWN: usize = 8;
/// How many reasons are told apart; some of them have words of the file in them.
const MOST_REASONS: usize = 32;
/// What further ones are counted as.
const OTHER_REASONS: &str = "other reasons";
/// How many characters of a file are quoted.
const MOST_QUOTED: usize = 100;

/// The first few of something, and how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct First<T> {
    /// The first few.
    pub first: Vec<T>,
    /// How many there are in all.
    pub count: u64,
}

impl<T> Default for First<T> {
    fn default() -> Self {
        Self {
            first: Vec::new(),
            count: 0,
        }
    }
}

impl<T> First<T> {
    fn add(&mut self, one: impl FnOnce() -> T) {
        self.count += 1;
        if self.first.len() < MOST_SHOWN {
            self.first.push(one());
        }
    }
}

/// Where in a file something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line, from 1.
    Line(u64),
    /// An entry of what has no lines, from 1, and what it is called.
    Entry(&'static str, u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Entry(what, number) => write!(f, "{what} {number}"),
        }
    }
}

/// What of a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it is: `line 3`, `object 7`.
    pub at: String,
    /// Why, with what is written there.
    pub why: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.why)
    }
}

/// What one file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Its name, as hits tell it.
    pub name: Arc<str>,
    /// What was recognised: `list`, `csv`, `spamhaus`, `threatfox`, `misp`, `warninglist`, `stix`, `json`.
    pub format: &'static str,
    /// In order of what they mean, each once. Of those that differ only in what is said about them the one
    /// that holds longest is kept.
    pub indicators: Vec<Indicator>,
    /// What cannot be read.
    pub problems: First<Problem>,
    /// How much is read and not used, by reason.
    pub not_used: BTreeMap<String, u64>,
    /// Networks in it that have addresses in common with private and other special-purpose ranges. A list
    /// of such meets each internal connection as soon as all scopes are asked for.
    pub special: First<String>,
}

/// What a file is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A list of what is bad.
    Bad,
    /// A list of what is known and harmless.
    Allowed,
}

/// What a value must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Anything that is understood.
    #[default]
    Any,
    /// An address, a network or a range.
    Address,
    /// A name.
    Domain,
}

/// What is said about a value.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    pub kind: Kind,
    pub port: Option<u16>,
    pub label: Option<&'a str>,
    pub confidence: Option<u8>,
    pub valid_from: Option<Timestamp>,
    pub valid_until: Option<Timestamp>,
}

/// A feed in the making.
#[derive(Debug)]
pub struct Gathering {
    pub role: Role,
    indicators: Vec<Indicator>,
    is_full: bool,
    labels: HashSet<Arc<str>>,
    problems: First<Problem>,
    not_used: BTreeMap<String, u64>,
}

impl Gathering {
    pub fn new(role: Role) -> Self {
        Self {
            role,
            indicators: Vec::new(),
            is_full: false,
            labels: HashSet::new(),
            problems: First::default(),
            not_used: BTreeMap::new(),
        }
    }

    /// Takes a value as it is written; what cannot be read becomes a problem of its place.
    pub fn take(&mut self, place: Place, text: &str, about: &About<'_>) {
        let read = value::read(text).and_then(|value| self.checked(value, about));
        match read {
            Ok(value) => self.add(value, about),
            Err(why) => self.problem(place, || format!("`{}`: {why}", cut(text))),
        }
    }

    fn checked(&self, value: Value, about: &About<'_>) -> Result<Value, String> {
        let is_domain = matches!(value.whats.first(), Some(What::Domain { .. }));
        match about.kind {
            Kind::Address if is_domain => return Err("not an address".into()),
            Kind::Domain if !is_domain => return Err("not a name".into()),
            _ => {}
        }
        if value.is_url && about.kind != Kind::Any {
            return Err("a URL".into());
        }
        if value.is_url && self.role == Role::Allowed {
            // One harmless page does not make its host harmless.
            return Err("a URL cannot be allowed, only its host can".into());
        }
        match (value.port, about.port) {
            (Some(one), Some(other)) if one != other => Err("two ports that differ".into()),
            _ => Ok(value),
        }
    }

    fn add(&mut self, value: Value, about: &About<'_>) {
        if self.indicators.len().saturating_add(value.whats.len()) > MOST_INDICATORS {
            self.is_full = true;
            return;
        }
        let label = about.label.and_then(|label| self.label(label));
        let written: Option<Arc<str>> = value.written.map(Arc::from);
        for what in value.whats {
            self.indicators.push(Indicator {
                what,
                port: value.port.or(about.port),
                label: label.clone(),
                confidence: about.confidence.filter(|of_100| *of_100 <= 100),
                valid_from: about.valid_from,
                valid_until: about.valid_until,
                written: written.clone(),
            });
        }
    }

    /// A label, each kept once: a feed has few families and many addresses.
    fn label(&mut self, text: &str) -> Option<Arc<str>> {
        let text = cut(text.trim());
        if text.is_empty() {
            return None;
        }
        if let Some(known) = self.labels.get(text.as_str()) {
            return Some(known.clone());
        }
        let label: Arc<str> = text.into();
        self.labels.insert(label.clone());
        Some(label)
    }

    /// Something cannot be read.
    pub fn problem(&mut self, place: Place, why: impl FnOnce() -> String) {
        self.problems.add(|| Problem {
            at: place.to_string(),
            why: why(),
        });
    }

    /// Something is read and not used.
    pub fn skip(&mut self, reason: &str) {
        self.skip_many(reason, 1);
    }

    fn skip_many(&mut self, reason: &str, count: u64) {
        if count == 0 {
            return;
        }
        let reason = cut(reason);
        let is_new = !self.not_used.contains_key(&reason);
        let reason = if is_new && self.not_used.len() >= MOST_REASONS {
            OTHER_REASONS.to_owned()
        } else {
            reason
        };
        *self.not_used.entry(reason).or_default() += count;
    }

    /// All of it is read.
    pub fn finish(mut self, name: &str, format: &'static str) -> Result<Feed, Unreadable> {
        if self.is_full {
            let why = format!("more than {MOST_INDICATORS} indicators");
            return Err(Unreadable(why));
        }
        self.unite();
        if self.indicators.is_empty() {
            return Err(self.nothing(format));
        }
        let special = special(&self.indicators);
        Ok(Feed {
            name: name.into(),
            format,
            indicators: self.indicators,
            problems: self.problems,
            not_used: self.not_used,
            special,
        })
    }

    /// Each indicator once.
    fn unite(&mut self) {
        let before = self.indicators.len();
        self.indicators
            .sort_by(|one, other| rank(one).cmp(&rank(other)));
        self.indicators
            .dedup_by(|one, kept| (&one.what, one.port) == (&kept.what, kept.port));
        let less = before.saturating_sub(self.indicators.len());
        self.skip_many("listed more than once", less as u64);
        self.indicators.shrink_to_fit();
    }

    /// Why there is no indicator in it.
    fn nothing(&self, format: &str) -> Unreadable {
        let mut why = format!("no indicator in it, read as {format}");
        if let Some(problem) = self.problems.first.first() {
            why = format!("{why}; {problem}");
        } else if let Some((reason, count)) = self.not_used.first_key_value() {
            why = format!("{why}; {count} not used: {reason}");
        }
        Unreadable(why)
    }
}

/// In order of what is meant; of the same, what holds longest and is surest comes first.
fn rank(one: &Indicator) -> impl Ord + '_ {
    let until = one.valid_until.unwrap_or(Timestamp::MAX);
    (&one.what, one.port, Reverse((until, one.confidence)))
}

/// A bounded part of what somebody else wrote, fit to be shown.
pub fn cut(text: &str) -> String {
    let part: String = text.chars().take(MOST_QUOTED).collect();
    let end = if part.len() < text.len() { "…" } else { "" };
    format!("{}{end}", printable(&part))
}

/// Those of networks that are not wholly on the internet.
fn special(indicators: &[Indicator]) -> First<String> {
    let scopes = Scopes::new(&[], &Networks::default());
    let table: Vec<Ipv6Net> = scopes
        .for_kernel()
        .into_iter()
        .filter(|(_, bits)| bits & net_bit::EXTERNAL == 0)
        .map(|(network, _)| network)
        .collect();
    let is_special = |network: IpNet| {
        let whole = mapped(network);
        scopes.of(network.addr()) != Scope::External
            || table.iter().any(|special| whole.contains(special))
    };
    let mut found = First::default();
    for indicator in indicators {
        if let What::Network(network) = indicator.what
            && is_special(network)
        {
            found.add(|| indicator.text().as_ref().to_owned());
        }
    }
    found
}
