//! The scripts that PowerShell ran.
//!
//! Format:
//! <https://learn.microsoft.com/en-us/powershell/module/microsoft.powershell.core/about/about_logging_windows>,
//! event 4104, with the data that samples have
//! <https://github.com/elastic/beats/tree/main/x-pack/winlogbeat/module/powershell/test/testdata>. A long
//! script is in several events, whose parts have one `ScriptBlockId`.

use std::collections::BTreeMap;

use super::{Unreadable, recent::Recent, windows::Record};
use crate::discovery::{Act, Actor, Analytic, Origin, What};

/// The event that has a script.
const SCRIPT: u32 = 4104;
/// How much the parts may take that wait for others.
const MOST_BYTES: usize = 64 << 20;
/// How much a part takes beside its text.
const PART_BYTES: usize = 64;

/// Makes acts of PowerShell's events.
#[derive(Debug, Default)]
pub struct Scripts {
    /// The scripts of which parts are missing, by host and name.
    waiting: Recent<(String, String), Parts>,
    /// How much they take.
    bytes: usize,
}

/// A script of which parts are missing.
#[derive(Debug)]
struct Parts {
    /// The act, without the text.
    act: Act,
    total: usize,
    texts: BTreeMap<u32, String>,
    /// How much they take.
    bytes: usize,
}

impl Parts {
    fn new(act: Act, total: u32) -> Self {
        Self {
            act,
            total: usize::try_from(total).unwrap_or(usize::MAX),
            texts: BTreeMap::new(),
            bytes: 0,
        }
    }

    fn insert(&mut self, number: u32, text: String) {
        self.bytes += PART_BYTES + text.len();
        if let Some(replaced) = self.texts.insert(number, text) {
            self.bytes -= PART_BYTES + replaced.len();
        }
    }

    /// The act, with the parts that are there.
    fn into_act(self) -> Act {
        let text = self.texts.into_values().collect();
        Act {
            what: What::Script(text),
            ..self.act
        }
    }
}

impl Scripts {
    /// Takes an event.
    ///
    /// # Errors
    /// If it has no time.
    pub fn take(
        &mut self,
        record: &Record,
        origin: Origin,
        acts: &mut Vec<Act>,
    ) -> Result<(), Unreadable> {
        if record.id != SCRIPT {
            return Ok(());
        }
        let text = record.owned("ScriptBlockText").unwrap_or_default();
        let act = act(record, origin)?;
        let total = record.number("MessageTotal").unwrap_or(1);
        if total > 1 {
            let id = record.owned("ScriptBlockId").unwrap_or_default();
            let number = record.number("MessageNumber").unwrap_or(1);
            let name = (record.host.clone(), id);
            let waited = self.waiting.remove(&name);
            self.bytes -= waited.as_ref().map_or(0, |parts| parts.bytes);
            let mut parts = waited.unwrap_or_else(|| Parts::new(act, total));
            parts.insert(number, text);
            self.wait(name, parts, acts);
        } else if !text.is_empty() {
            let what = What::Script(text);
            acts.push(Act { what, ..act });
        }
        Ok(())
    }

    /// Makes an act of a script that is whole, and lets another one wait; where too much waits, what has
    /// waited longest becomes an act.
    fn wait(&mut self, name: (String, String), parts: Parts, acts: &mut Vec<Act>) {
        if parts.texts.len() >= parts.total {
            acts.push(parts.into_act());
            return;
        }
        self.bytes += parts.bytes;
        if let Some(parts) = self.waiting.insert(name, parts) {
            acts.push(self.released(parts));
        }
        while self.bytes > MOST_BYTES
            && let Some(parts) = self.waiting.oldest()
        {
            acts.push(self.released(parts));
        }
    }

    fn released(&mut self, parts: Parts) -> Act {
        self.bytes -= parts.bytes;
        parts.into_act()
    }

    /// Makes acts of what waits.
    pub fn end(&mut self, acts: &mut Vec<Act>) {
        while let Some(parts) = self.waiting.oldest() {
            acts.push(self.released(parts));
        }
    }
}

/// The act of an event, without the text.
fn act(record: &Record, origin: Origin) -> Result<Act, Unreadable> {
    let time = record.time;
    Ok(Act {
        analytic: Analytic::Windows,
        time: time.ok_or_else(|| Unreadable::new("an event without a time"))?,
        host: record.host.clone(),
        what: What::Script(String::new()),
        actor: Actor {
            pid: record.pid,
            exe: record.owned("Path"),
            user: record.user.clone(),
            ..Actor::default()
        },
        origin,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(scripts: &mut Scripts, id: usize, number: u32, total: u32) -> Vec<What> {
        let numbers = (number.to_string(), total.to_string(), id.to_string());
        let data = [
            ("MessageNumber", numbers.0.as_str()),
            ("MessageTotal", &numbers.1),
            ("ScriptBlockId", &numbers.2),
            ("ScriptBlockText", &numbers.0),
        ];
        let mut record = Record::new("Microsoft-Windows-PowerShell", SCRIPT, &data);
        record.time = Some(jiff::Timestamp::UNIX_EPOCH);
        let origin = Origin {
            file: "x".into(),
            line: 1,
        };
        let mut acts = Vec::new();
        scripts.take(&record, origin, &mut acts).unwrap();
        acts.into_iter().map(|act| act.what).collect()
    }

    #[test]
    fn parts_are_put_together_in_their_order() {
        let mut scripts = Scripts::default();
        assert_eq!(take(&mut scripts, 1, 3, 3), []);
        assert_eq!(take(&mut scripts, 2, 1, 2), []);
        assert_eq!(take(&mut scripts, 1, 1, 3), []);
        assert_eq!(take(&mut scripts, 1, 1, 3), [], "the same part again");
        assert_eq!(
            take(&mut scripts, 1, 2, 3),
            [What::Script("123".to_owned())]
        );
        let mut acts = Vec::new();
        scripts.end(&mut acts);
        assert_eq!(acts.len(), 1, "what is there of the other");
        assert_eq!(scripts.bytes, 0);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut scripts = Scripts::default();
        let first = (0..5000).find(|id| !take(&mut scripts, *id, 1, 2).is_empty());
        assert_eq!(first, Some(4096));
        assert!(
            take(&mut scripts, 0, 2, u32::MAX).len() == 1,
            "the first is forgotten"
        );
    }
}
