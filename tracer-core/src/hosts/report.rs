//! What is said before and after the rows: whose they are, of when, what was asked for, what was lost and
//! what is not covered.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{history::Uncovered, record::Window};

/// The fields of a `start` or `stop` record.
type Fields = Map<String, Value>;

/// A rule about addresses, as a record tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What the addresses are called.
    pub scope: String,
    /// Where the rule is from.
    pub from: String,
    /// The networks.
    pub networks: Vec<String>,
}

/// One run of conntracer, by its first and its last record.
#[derive(Clone, Debug, Default)]
pub struct Run {
    start: Option<Fields>,
    stop: Option<Fields>,
    window: Window,
    /// Its last record is still to come.
    is_live: bool,
    /// Records that there was no room for.
    left_out: u64,
}

impl Run {
    /// One that is under way.
    pub(super) fn live() -> Self {
        Self {
            is_live: true,
            ..Self::default()
        }
    }

    /// Whether its last record is still to come.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.is_live && self.stop.is_none()
    }

    /// Takes its first record.
    pub(super) fn start(&mut self, fields: Fields) {
        self.start = Some(fields);
    }

    /// Takes its last record.
    pub(super) fn stop(&mut self, fields: Fields) {
        self.stop = Some(fields);
    }

    /// There was no room for what it told.
    pub(super) fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// How many of its records there was no room for.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// It has told of something at this time.
    pub(super) fn see(&mut self, time: &str) {
        let window = &mut self.window;
        if window.since.is_empty() || time < window.since.as_str() {
            time.clone_into(&mut window.since);
        }
        if time > window.until.as_str() {
            time.clone_into(&mut window.until);
        }
    }

    /// Between which times it looked: those that were asked for, or else those of its records.
    #[must_use]
    pub fn window(&self) -> Window {
        let asked = self.field("window");
        asked.unwrap_or_else(|| self.window.clone())
    }

    /// When of that time nothing was recorded, or not all.
    #[must_use]
    pub fn uncovered(&self) -> Vec<Uncovered> {
        self.field("uncovered").unwrap_or_default()
    }

    /// What a field of the first record says; `None`: it has none.
    fn field<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let field = self.start.as_ref()?.get(name)?;
        serde_json::from_value(field.clone()).ok()
    }

    /// The first record as it is written here; `None`: there was none.
    #[must_use]
    pub fn first_line(&self, seq: u64) -> Option<Fields> {
        self.line(self.start.as_ref()?, seq)
    }

    /// The last record as it is written here; `None`: there was none.
    #[must_use]
    pub fn last_line(&self, seq: u64) -> Option<Fields> {
        let mut line = self.line(self.stop.as_ref()?, seq)?;
        if self.left_out > 0 {
            line.insert("left_out".to_owned(), self.left_out.into());
        }
        Some(line)
    }

    fn line(&self, fields: &Fields, seq: u64) -> Option<Fields> {
        let mut line = fields.clone();
        line.insert("seq".to_owned(), seq.into());
        let window = serde_json::to_value(self.window()).ok()?;
        line.insert("window".to_owned(), window);
        Some(line)
    }

    /// A text of the first record.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        let start = self.start.as_ref();
        start
            .and_then(|fields| fields.get(name)?.as_str())
            .unwrap_or("?")
    }

    /// The sentences in a field of the first record.
    pub fn sentences(&self, name: &str) -> impl Iterator<Item = &str> {
        let field = self
            .start
            .as_ref()
            .and_then(|start| start.get(name)?.as_array());
        field.into_iter().flatten().filter_map(Value::as_str)
    }

    /// Which hook reported what: name and how it is attached.
    #[must_use]
    pub fn hooks(&self) -> Vec<(String, String)> {
        let hooks = self.start.as_ref().and_then(|start| start.get("hooks"));
        let text = |hook: &Value, name| {
            let text = hook.get(name).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let hooks = hooks.and_then(Value::as_array).into_iter().flatten();
        hooks
            .map(|hook| (text(hook, "name"), text(hook, "via")))
            .collect()
    }

    /// What was asked for, flag by flag.
    #[must_use]
    pub fn filter(&self) -> Vec<String> {
        let filter = self.start.as_ref().and_then(|start| start.get("filter"));
        let mut words = Vec::new();
        for part in ["connections", "records"] {
            let flags = filter.and_then(|filter| filter.get(part)?.as_object());
            for (flag, values) in flags.into_iter().flatten() {
                let values = values.as_array().into_iter().flatten();
                let values: Vec<&str> = values.filter_map(Value::as_str).collect();
                words.push(
                    format!("--{flag} {}", values.join(","))
                        .trim_end()
                        .to_owned(),
                );
            }
        }
        let combination = filter.and_then(|filter| filter.get("match")?.as_str());
        if combination == Some("any") && words.len() > 1 {
            words.push("--any".to_owned());
        }
        words
    }

    /// The ordered rules about addresses.
    #[must_use]
    pub fn rules(&self) -> Vec<Rule> {
        let rules = self
            .start
            .as_ref()
            .and_then(|start| start.get("external_rules"));
        let text = |rule: &Value, name| {
            let text = rule.get(name).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let networks = |rule: &Value| {
            let networks = rule.get("networks").and_then(Value::as_array);
            let networks = networks.into_iter().flatten().filter_map(Value::as_str);
            networks.map(str::to_owned).collect()
        };
        let rules = rules.and_then(Value::as_array).into_iter().flatten();
        rules
            .map(|rule| Rule {
                scope: text(rule, "scope"),
                from: text(rule, "from"),
                networks: networks(rule),
            })
            .collect()
    }

    /// What was lost: category → count. `None`: the run has no end that could say so.
    #[must_use]
    pub fn lost(&self) -> Option<Vec<(String, u64)>> {
        let lost = self
            .stop
            .as_ref()?
            .get("kernel")?
            .get("lost")?
            .as_object()?;
        let count = |(category, count): (&String, &Value)| {
            let count = count.as_u64().filter(|count| *count > 0)?;
            Some((category.clone(), count))
        };
        Some(lost.iter().filter_map(count).collect())
    }
}
