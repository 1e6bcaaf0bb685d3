//! What is told of each connection and listener, from its first record to its last.
//!
//! They are judged when they end and then forgotten, so that a run may tell of millions.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

use crate::record::Record;

/// All that may be told of one, in this order.
const WHOLE: [&[&str]; 5] = [
    &["connect", "established", "close"],
    &["accept", "close"],
    &["existing", "close"],
    &["listen", "unlisten"],
    &["existing", "unlisten"],
];

/// The stories that a tracer tells.
#[derive(Clone, Debug, Default)]
pub struct Stories(Arc<Mutex<Told>>);

/// What was told so far.
#[derive(Debug, Default)]
pub struct Told {
    open: HashMap<String, Vec<Line>>,
    /// How many were told from beginning to end, by their process.
    pub whole: BTreeMap<u64, usize>,
    /// Those that ended otherwise, a text each.
    pub odd: Vec<String>,
    /// Of these, those that tell of two connections, or of two processes.
    pub mixed: Vec<String>,
    /// How many began before the tracer.
    pub existing: usize,
}

/// What is kept of a record.
#[derive(Debug)]
struct Line {
    event: String,
    pid: Option<u64>,
    /// Both addresses, and the direction.
    ends: [Value; 3],
    text: String,
}

impl Stories {
    /// Takes a record, if it is of a connection or listener.
    pub fn take(&self, record: &Record) -> bool {
        let is_of_one = !record.id().is_empty();
        if is_of_one {
            self.told().take(record);
        }
        is_of_one
    }

    /// What was told so far.
    pub fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    fn take(&mut self, record: &Record) {
        let event = record.event();
        if event == "existing" {
            self.existing += 1;
        }
        let is_last = matches!(event, "close" | "failed" | "unlisten");
        let story = self.open.entry(record.id().to_owned()).or_default();
        story.push(Line::of(record));
        if is_last && let Some(story) = self.open.remove(record.id()) {
            self.judge(&story);
        }
    }

    /// Judges those that have no end, too: no more records will come.
    pub fn finish(&mut self) {
        for story in std::mem::take(&mut self.open).into_values() {
            self.judge(&story);
        }
    }

    fn judge(&mut self, story: &[Line]) {
        let events: Vec<&str> = story.iter().map(|line| line.event.as_str()).collect();
        let pids: Vec<u64> = story.iter().filter_map(|line| line.pid).collect();
        let is_one = story.iter().all(|line| line.ends == story[0].ends)
            && pids.iter().all(|pid| *pid == pids[0]);
        if is_one && WHOLE.contains(&&events[..]) && pids.len() == story.len() {
            *self.whole.entry(pids[0]).or_default() += 1;
            return;
        }
        let lines: Vec<&str> = story.iter().map(|line| line.text.as_str()).collect();
        let text = lines.join("\n");
        if !is_one {
            self.mixed.push(text.clone());
        }
        self.odd.push(text);
    }
}

impl Line {
    fn of(record: &Record) -> Self {
        Self {
            event: record.event().to_owned(),
            pid: record.number("process.pid"),
            ends: ["local", "remote.port", "direction"].map(|path| record.at(path).clone()),
            text: record.summary(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(records: &[(&str, u64, u16)]) -> MutexGuard<'static, Told> {
        let stories: &Stories = Box::leak(Box::default());
        for (event, pid, port) in records {
            let record = json!({
                "id": "1f-0", "event": event, "direction": "outbound", "process": {"pid": pid},
                "local": {"ip": "127.0.0.1", "port": port}, "remote": {"ip": "127.0.0.1", "port": 80},
            });
            assert!(stories.take(&Record(record)));
        }
        let mut told = stories.told();
        told.finish();
        told
    }

    #[test]
    fn a_story_is_whole_if_all_of_it_is_of_one() {
        let whole = [("connect", 7, 1), ("established", 7, 1), ("close", 7, 1)];
        let told_whole = told(&whole);
        assert_eq!(told_whole.whole, [(7, 1)].into());
        assert!(told_whole.odd.is_empty() && told_whole.mixed.is_empty());
        let is_odd = |records: &[(&str, u64, u16)], odd: usize, mixed: usize| {
            let told = told(records);
            assert!(told.whole.is_empty());
            assert_eq!((told.odd.len(), told.mixed.len()), (odd, mixed), "{told:?}");
        };
        is_odd(&whole[1..], 1, 0);
        is_odd(&whole[..2], 1, 0);
        is_odd(
            &[("connect", 7, 1), ("established", 7, 1), ("close", 8, 1)],
            1,
            1,
        );
        is_odd(
            &[("connect", 7, 1), ("established", 7, 1), ("close", 7, 2)],
            1,
            1,
        );
        is_odd(&[("close", 7, 1), ("close", 7, 1)], 2, 0);
    }
}
