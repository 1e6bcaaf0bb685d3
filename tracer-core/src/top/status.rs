//! What is said at all times: whose it is, how much there is, what was lost, and what is not seen.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use crate::{
    discovery::{Finding, Severity},
    format::{quantity::counted, table},
    record::{Connection, Loss, Start, Word},
    text::printable,
    threat::Hit,
};

/// Over how many seconds the rate of new connections is told.
const RATE_SECONDS: u64 = 10;
const NS_PER_SECOND: u64 = 1_000_000_000;

/// What is said at all times.
#[derive(Debug, Default)]
pub struct Status {
    /// Name of the host.
    pub host: Arc<str>,
    /// What this kernel keeps conntracer from doing, in sentences.
    pub degraded: Vec<String>,
    /// What no run of it sees.
    pub not_covered: Vec<String>,
    /// What was said on the way, e.g. of frames that make no sense.
    pub messages: Vec<String>,
    /// What was lost: category → count.
    lost: BTreeMap<Word, u64>,
    /// Programs that somebody took away.
    detached: Vec<String>,
    /// Everything that was there before has been told.
    pub is_surveyed: bool,
    started_ns: Option<u64>,
    /// Who looked at connections.
    discovery: Discovery,
    /// Connections that met indicators, and what is to be said of the newest.
    met: (u64, String),
    /// How many new connections there were in each of the last seconds.
    new: VecDeque<(u64, u64)>,
}

/// The findings of discovery that matter.
#[derive(Debug, Default)]
struct Discovery {
    count: u64,
    worst: Severity,
    /// The newest of the worst: what was done, and by whom.
    who: String,
}

impl Discovery {
    fn add(&mut self, finding: &Finding) {
        if finding.severity < Severity::Low {
            return;
        }
        self.count += 1;
        if finding.severity >= self.worst {
            self.worst = finding.severity;
            self.who = who(finding);
        }
    }

    fn describe(&self) -> Option<(Severity, String)> {
        let findings = match self.count {
            0 => return None,
            1 => "1 finding".to_owned(),
            count => format!("{count} findings"),
        };
        let worst = self.worst.word();
        let text = format!("discovery: {findings}, worst {worst}: {}", self.who);
        Some((self.worst, text))
    }
}

/// What did it, and by whom.
fn who(finding: &Finding) -> String {
    let process = finding.owner().map(|owner| owner.process.name.as_str());
    let program = process.unwrap_or(&finding.details.matched);
    let user = finding.user().unwrap_or_else(|| "?".to_owned());
    printable(&format!("{program} by {user}"))
}

impl Status {
    /// Takes the first record.
    pub fn start(&mut self, start: &Start, now_ns: u64) {
        self.host = start.head.host.clone();
        self.degraded.clone_from(&start.degraded);
        self.not_covered.clone_from(&start.not_covered);
        self.started_ns = Some(now_ns);
    }

    /// Takes a finding of discovery.
    pub fn find(&mut self, finding: &Finding) {
        self.discovery.add(finding);
    }

    /// How much the worst finding of discovery matters, and the findings in words; `None`: none matters.
    pub fn discovery(&self) -> Option<(Severity, String)> {
        self.discovery.describe()
    }

    /// Takes a connection that meets an indicator and met none before.
    pub fn meet(&mut self, connection: &Connection) {
        let remote = connection.remote.as_ref();
        let hits = remote.map_or_else(String::new, |remote| Hit::texts(&remote.threat));
        let who = table::holder(connection, None);
        self.met.0 += 1;
        self.met.1 = format!("{who} {} {hits}", table::endpoint(remote));
    }

    /// The connections that met indicators, in words; `None`: none did.
    pub fn met(&self) -> Option<String> {
        let (count, newest) = &self.met;
        (*count > 0).then(|| format!("THREAT {}: {newest}", counted(*count, "connection")))
    }

    /// Takes a loss.
    pub fn lose(&mut self, loss: &Loss) {
        for (category, count) in &loss.lost {
            let sum = self.lost.entry(category.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
        let detached = loss.detached.iter();
        self.detached
            .extend(detached.map(|one| printable(&one.to_string())));
    }

    /// What was lost, in words; `None`: nothing was.
    pub fn loss(&self) -> Option<String> {
        let counted = self.lost.iter().filter(|(_, count)| **count > 0);
        let parts: Vec<String> = counted
            .map(|(category, count)| format!("{count} {category}"))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// The programs that somebody took away.
    pub fn detached(&self) -> &[String] {
        &self.detached
    }

    /// How many things there are to read about what is not seen as it should be.
    pub fn limits(&self) -> usize {
        self.degraded.len() + self.detached.len()
    }

    /// Counts a new connection.
    pub fn count(&mut self, now_ns: u64) {
        let second = now_ns / NS_PER_SECOND;
        match self.new.back_mut() {
            Some((last, count)) if *last == second => *count += 1,
            _ => self.new.push_back((second, 1)),
        }
        while self
            .new
            .front()
            .is_some_and(|(first, _)| first + RATE_SECONDS < second)
        {
            self.new.pop_front();
        }
    }

    /// New connections a second, over the last ten or since the start.
    pub fn rate(&self, now_ns: u64) -> u64 {
        let second = now_ns / NS_PER_SECOND;
        let since = second.saturating_sub(RATE_SECONDS);
        // The second that is not over says too little.
        let whole = since..second;
        let counted = self.new.iter().filter(|(at, _)| whole.contains(at));
        let sum: u64 = counted.map(|(_, count)| count).sum();
        let age = self
            .started_ns
            .map_or(0, |start| second.saturating_sub(start / NS_PER_SECOND));
        sum.div_ceil(age.clamp(1, RATE_SECONDS))
    }
}
