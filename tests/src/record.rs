//! A record as the tests look at it.

use serde_json::Value;

/// One line of `-o json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Record(pub Value);

impl Record {
    /// The value at a path such as `process.parent.name`; null where there is none.
    #[must_use]
    pub fn at(&self, path: &str) -> &Value {
        path.split('.')
            .fold(&self.0, |value, key| value.get(key).unwrap_or(&Value::Null))
    }

    /// Text at a path; empty where there is none.
    #[must_use]
    pub fn text(&self, path: &str) -> &str {
        self.at(path).as_str().unwrap_or_default()
    }

    /// A number at a path.
    #[must_use]
    pub fn number(&self, path: &str) -> Option<u64> {
        self.at(path).as_u64()
    }

    /// What it tells.
    #[must_use]
    pub fn event(&self) -> &str {
        self.text("event")
    }

    /// The connection.
    #[must_use]
    pub fn id(&self) -> &str {
        self.text("id")
    }

    /// What matters of it, in a line.
    #[must_use]
    pub fn summary(&self) -> String {
        let value = |path: &str| self.at(path).to_string();
        format!(
            "{} {} {} {} local {}:{} remote {}:{} pid {} {}",
            self.text("time"),
            self.event(),
            self.id(),
            self.text("direction"),
            self.text("local.ip"),
            value("local.port"),
            self.text("remote.ip"),
            value("remote.port"),
            value("process.pid"),
            self.text("outcome")
        )
    }

    /// Address and port of an end, `local` or `remote`.
    #[must_use]
    pub fn endpoint(&self, end: &str) -> (&str, Option<u64>) {
        let port = self.number(&format!("{end}.port"));
        (self.text(&format!("{end}.ip")), port)
    }

    /// Whether a port is at either end.
    #[must_use]
    pub fn has_port(&self, port: u16) -> bool {
        let port = Some(u64::from(port));
        self.number("local.port") == port || self.number("remote.port") == port
    }

    /// Whether it tells how a process looked at connections.
    #[must_use]
    pub fn is_discovery_of(&self, pid: u64) -> bool {
        self.event() == "discovery" && self.number("process.pid") == Some(pid)
    }

    /// What was done, in alphabetical order.
    #[must_use]
    pub fn behaviours(&self) -> Vec<&str> {
        let mut words = self.texts("behaviours");
        words.sort_unstable();
        words
    }

    /// The same without that a program is known by its name, or by what it is told.
    #[must_use]
    pub fn deeds(&self) -> Vec<&str> {
        let mut words = self.behaviours();
        words.retain(|word| *word != "utility_exec");
        words
    }

    /// The texts of an array at a path.
    #[must_use]
    pub fn texts(&self, path: &str) -> Vec<&str> {
        let all = self.at(path).as_array().into_iter().flatten();
        all.filter_map(Value::as_str).collect()
    }
}

/// What records tell, a word each.
#[must_use]
pub fn events(records: &[Record]) -> Vec<&str> {
    records.iter().map(Record::event).collect()
}
