//! Gathering what the process says that it made and what the pipeline tells of it, until both agree
//! or nothing more is to be expected.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender},
    time::{Duration, Instant},
};

use tracer_core::{
    clock::Clock,
    record::{Event, Record},
};

use super::{
    expect::expected,
    kind::{Deed, Kind, Said},
    peer::Peer,
    verdict::{Finding, findings, is_reported},
};
use crate::output::sink::{RecordSink, Written};

/// How long a record is waited for once what it tells has happened. They come within milliseconds;
/// an emulated machine needs a second.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long the process may take to make everything.
const MAKING: Duration = Duration::from_secs(30);

/// What the judge hears.
pub enum News {
    /// Records, possibly none.
    Records(Vec<Record>),
    /// What the process says.
    Said(Said),
    /// It says nothing more.
    PeerEnded,
    /// There will be no more records.
    TracingEnded,
}

/// The sink that hands records to the judge.
pub struct Gatherer(pub Sender<News>);

impl RecordSink for Gatherer {
    fn take(&mut self, records: &[Record], _: &Clock) -> anyhow::Result<Written> {
        // Fails when the judge has heard enough.
        let sent = self.0.send(News::Records(records.to_vec()));
        Ok(sent.map_or(Written::Closed, |()| Written::All))
    }
}

/// Who decides.
pub struct Judge {
    peer: Peer,
    news: Receiver<News>,
    records: Vec<Record>,
    deeds: Vec<(Kind, Deed)>,
    has_peer_ended: bool,
    has_tracing_ended: bool,
}

impl Judge {
    /// One for a process.
    pub fn new(peer: Peer, news: Receiver<News>) -> Self {
        Self {
            peer,
            news,
            records: Vec::new(),
            deeds: Vec::new(),
            has_peer_ended: false,
            has_tracing_ended: false,
        }
    }

    /// Has everything made, and decides. `existing`: what is older than the start. `None`: tracing
    /// ended before it was done.
    pub fn run(mut self, existing: &Deed) -> Option<Vec<Finding>> {
        self.wait(None, Self::has_started);
        // It must be found before it ends.
        self.wait(Some(PATIENCE), |judge| judge.has_found(existing));
        self.peer.go();
        self.wait(Some(MAKING), |judge| judge.has_peer_ended);
        self.wait(Some(PATIENCE), Self::is_satisfied);
        (!self.has_tracing_ended).then(|| findings(&self.deeds, &self.records))
    }

    fn has_started(&self) -> bool {
        let is_start = |record: &Record| record.head().event == Event::Start;
        self.records.iter().any(is_start)
    }

    fn has_found(&self, existing: &Deed) -> bool {
        let Deed::Connection(made) = existing else {
            return true;
        };
        let expected = expected(Kind::Existing, *made);
        expected.iter().all(|one| one.has_begun(&self.records))
    }

    fn is_satisfied(&self) -> bool {
        let is_reported = |(kind, deed): &(Kind, Deed)| is_reported(*kind, deed, &self.records);
        self.deeds.iter().all(is_reported)
    }

    /// Listens until something is so, or for so long, or until there is nothing to listen to.
    fn wait(&mut self, at_most: Option<Duration>, is_so: impl Fn(&Self) -> bool) {
        let deadline = at_most.map(|at_most| Instant::now() + at_most);
        while !self.has_tracing_ended && !is_so(self) {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let news = match left {
                Some(left) => self.news.recv_timeout(left),
                None => self.news.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match news {
                Ok(news) => self.hear(news),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => self.has_tracing_ended = true,
            }
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Records(records) => self.records.extend(records),
            News::Said(Said::Done(kind, deed)) => self.deeds.push((kind, deed)),
            News::Said(_) => {}
            News::PeerEnded => self.has_peer_ended = true,
            News::TracingEnded => self.has_tracing_ended = true,
        }
    }
}
