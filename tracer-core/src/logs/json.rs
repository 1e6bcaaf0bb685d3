//! JSON as logs have it: a value a line, or one of many lines, with the events in a list or in an object
//! around a list.

use jiff::Timestamp;
use serde_json::Value;

use super::{Origin, Reader, Unreadable};

/// How much one value may take. The largest files that clouds deliver are a few MiB.
const MOST_BYTES: usize = 64 << 20;
/// What the list is called that an object is around: in files of `CloudTrail` and of Azure, in answers of
/// Azure's and Google's interfaces.
const LISTS: [&str; 4] = ["Records", "records", "value", "entries"];

/// Puts lines together.
#[derive(Debug, Default)]
pub struct Values {
    text: String,
    begin: Option<Origin>,
    /// How many objects and lists are open.
    depth: usize,
    is_in_string: bool,
    is_escaped: bool,
    /// What is complete, and was not handed over with the line in which a value before it broke off.
    ready: Vec<(Origin, Value)>,
}

impl Values {
    /// Takes a line. The events that are complete now, and where they begin.
    ///
    /// # Errors
    /// If the line completes no JSON, or a value before it broke off.
    pub fn line(
        &mut self,
        line: &str,
        origin: &Origin,
    ) -> Result<Vec<(Origin, Value)>, Unreadable> {
        let broken = self.begins_anew(line).then(|| self.broken_off());
        let result = self.follow_line(line, origin);
        match broken {
            None => {
                let mut all = std::mem::take(&mut self.ready);
                all.extend(result?);
                Ok(all)
            }
            Some(broken) => {
                self.ready.extend(result.unwrap_or_default());
                Err(broken)
            }
        }
    }

    /// There are no more lines: what was not handed over, and what broke off.
    pub fn end(&mut self) -> (Vec<(Origin, Value)>, Option<Unreadable>) {
        let ready = std::mem::take(&mut self.ready);
        let is_open = self.begin.is_some();
        (ready, is_open.then(|| self.broken_off()))
    }

    /// Whether a value began and did not end.
    pub fn is_open(&self) -> bool {
        self.begin.is_some()
    }

    /// Whether something is open that the line does not go on with: logs of a value a line begin each with
    /// a brace, and a value of many lines has one there only behind a bracket or a comma.
    fn begins_anew(&self, line: &str) -> bool {
        let goes_on = self.text.trim_end().ends_with(['[', ',', ':']);
        self.begin.is_some() && line.starts_with('{') && !goes_on
    }

    fn broken_off(&mut self) -> Unreadable {
        let line = self.begin.as_ref().map_or(0, |begin| begin.line);
        let ready = std::mem::take(&mut self.ready);
        *self = Self {
            ready,
            ..Self::default()
        };
        Unreadable(format!("the JSON that begins in line {line} breaks off"))
    }

    fn follow_line(
        &mut self,
        line: &str,
        origin: &Origin,
    ) -> Result<Vec<(Origin, Value)>, Unreadable> {
        if self.begin.is_none() && line.trim().is_empty() {
            return Ok(Vec::new());
        }
        let begin = self.begin.get_or_insert_with(|| origin.clone()).clone();
        self.text.push_str(line);
        self.text.push('\n');
        self.follow(line);
        if self.text.len() > MOST_BYTES {
            return Err(self.broken_off());
        }
        if self.depth > 0 {
            return Ok(Vec::new());
        }
        let ready = std::mem::take(&mut self.ready);
        let text = std::mem::take(self).text;
        self.ready = ready;
        let events = events(serde_json::from_str(&text)?).into_iter();
        Ok(events.map(|event| (begin.clone(), event)).collect())
    }

    /// Keeps count of what is open.
    fn follow(&mut self, line: &str) {
        for byte in line.bytes() {
            if self.is_in_string {
                let was_escaped = std::mem::take(&mut self.is_escaped);
                match byte {
                    b'\\' if !was_escaped => self.is_escaped = true,
                    b'"' if !was_escaped => self.is_in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.is_in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}

/// The events of a value: itself, or what is in the list that it is or is around.
fn events(value: Value) -> Vec<Value> {
    match value {
        Value::Array(all) => all,
        Value::Object(mut object) => {
            let name = LISTS
                .into_iter()
                .find(|name| object.get(*name).is_some_and(Value::is_array));
            match name.and_then(|name| object.remove(name)) {
                Some(Value::Array(all)) => all,
                _ => vec![Value::Object(object)],
            }
        }
        other => vec![other],
    }
}

/// What `read` makes of the events of a value, and why it cannot read the first that it cannot.
pub fn each<T>(
    events: Vec<(Origin, Value)>,
    read: impl Fn(&Value, &Origin) -> Result<Option<T>, Unreadable>,
) -> (Vec<T>, Result<(), Unreadable>) {
    let number = events.len();
    let (mut told, mut result) = (Vec::new(), Ok(()));
    for (at, (origin, event)) in (1_usize..).zip(events) {
        match read(&event, &origin) {
            Ok(one) => told.extend(one),
            Err(error) if result.is_ok() && number > 1 => {
                result = Err(Unreadable(format!("event {at} of {number}: {error}")));
            }
            Err(error) => result = result.and(Err(error)),
        }
    }
    (told, result)
}

/// Reads a log of events of which each tells one thing, or nothing.
#[derive(Debug)]
pub struct Events<F> {
    values: Values,
    read: F,
}

impl<F> Events<F> {
    /// `read`: what an event tells.
    pub fn new(read: F) -> Self {
        Self {
            values: Values::default(),
            read,
        }
    }
}

impl<T, F> Reader<T> for Events<F>
where
    F: Fn(&Value, &Origin) -> Result<Option<T>, Unreadable>,
{
    fn line(&mut self, line: &str, origin: &Origin, told: &mut Vec<T>) -> Result<(), Unreadable> {
        let (mut found, result) = each(self.values.line(line, origin)?, &self.read);
        told.append(&mut found);
        result
    }

    fn end(&mut self, told: &mut Vec<T>) -> Result<(), Unreadable> {
        last(&mut self.values, told, &self.read)
    }
}

/// The text at a path, which there must be.
pub fn needed<'a>(event: &'a Value, path: &str) -> Result<&'a str, Unreadable> {
    text(event, path).ok_or_else(|| Unreadable(format!("no {path}")))
}

/// The text at a path, where it says something.
pub fn said(event: &Value, path: &str) -> Option<String> {
    let text = text(event, path).filter(|text| !text.is_empty());
    text.map(str::to_owned)
}

/// A time with its offset from UTC.
pub fn time(text: &str) -> Result<Timestamp, Unreadable> {
    text.parse()
        .map_err(|error| Unreadable(format!("not a time: {error}")))
}

/// What `read` makes of what is left when there are no more lines, and why there is something that it cannot
/// read.
pub fn last<T>(
    values: &mut Values,
    told: &mut Vec<T>,
    read: impl Fn(&Value, &Origin) -> Result<Option<T>, Unreadable>,
) -> Result<(), Unreadable> {
    let (events, broken) = values.end();
    let (found, result) = each(events, read);
    told.extend(found);
    result.and(broken.map_or(Ok(()), Err))
}

/// The text at a path of keys, dots between them.
pub fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    at(value, path)?.as_str()
}

/// The number at a path of keys, as a number or as a text: logs write both.
pub fn number(value: &Value, path: &str) -> Option<u64> {
    let found = at(value, path)?;
    found.as_u64().or_else(|| found.as_str()?.parse().ok())
}

/// What is at a path of keys, dots between them.
pub fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, key| value.get(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(u64, Value)> {
        let mut values = Values::default();
        let mut found = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let origin = Origin {
                file: "x".into(),
                line: at as u64 + 1,
            };
            let events = values.line(line, &origin).unwrap();
            found.extend(
                events
                    .into_iter()
                    .map(|(origin, value)| (origin.line, value)),
            );
        }
        assert_eq!(values.end(), (Vec::new(), None));
        found
    }

    #[test]
    fn values_of_one_line_and_of_many() {
        let lines = read("{\"a\": 1}\n\n{\"a\": \"}\\\"{\"}\n");
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1].0, 3);
        for around in [
            "[{}]",
            "{\"Records\": {}}",
            "{\"value\": {}, \"nextLink\": \"x\"}",
        ] {
            let list = if around == "[{}]" {
                "[\n{\"a\": 1},\n{\"a\": 2}\n]".to_owned()
            } else {
                around.replacen("{}", "[\n{\"a\": 1},\n{\"a\": 2}\n]", 1)
            };
            let found = read(&list);
            assert_eq!(found.len(), 2, "{list}");
            assert_eq!(number(&found[1].1, "a"), Some(2));
            assert_eq!(found[1].0, 1);
        }
    }

    #[test]
    fn what_breaks_off_takes_nothing_with_it() {
        let origin = |line| Origin {
            file: "x".into(),
            line,
        };
        let mut values = Values::default();
        assert_eq!(values.line("{\"a\": [1", &origin(1)), Ok(Vec::new()));
        assert!(values.line("{\"a\": 2}", &origin(2)).is_err());
        let events = values.line("{\"a\": 3}", &origin(3)).unwrap();
        let lines: Vec<u64> = events.iter().map(|(origin, _)| origin.line).collect();
        assert_eq!(lines, [2, 3]);
        assert!(values.line("]]", &origin(4)).is_err());
        assert_eq!(values.line("{\"a\":", &origin(5)), Ok(Vec::new()));
        assert!(values.line("{}", &origin(6)).is_ok());
        let (events, broken) = values.end();
        assert!(events.is_empty());
        assert!(broken.unwrap().0.contains("line 5"));
        assert_eq!(values.end(), (Vec::new(), None));
    }
}
