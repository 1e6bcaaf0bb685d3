//! Lines become events: a value a line, or one of many lines, with the events in a list or in an object around
//! a list. Each event is told when it is complete, so a document that breaks off takes none of those with it
//! that stand before, and only one has to be held.

use serde_json::Value;

use crate::logs::{Origin, Unreadable};

/// How much one event may take.
const MOST_BYTES: usize = if cfg!(test) { 1 << 20 } else { 64 << 20 };
/// What the list is called that an object is around: in files of `CloudTrail` and of Azure, in answers of
/// Azure's, Google's and `SentinelOne`'s interfaces.
const LISTS: [&str; 5] = [
    "\"Records\"",
    "\"records\"",
    "\"value\"",
    "\"entries\"",
    "\"data\"",
];

/// What lines have completed.
#[derive(Debug, Default, PartialEq)]
pub struct Told {
    /// The events, and where each begins.
    pub events: Vec<(Origin, Value)>,
    /// Why the first of those that cannot be read is not among them.
    pub broken: Option<Unreadable>,
}

/// Puts lines together.
#[derive(Debug, Default)]
pub struct Values {
    /// The event that is open.
    text: String,
    /// Where it begins.
    event: Option<Origin>,
    /// Where the document begins.
    begin: Option<Origin>,
    /// How many objects and lists are open.
    depth: usize,
    /// How many of them are around each event; 0 if the document is one.
    around: usize,
    /// Whether the document is around events, also behind their list.
    is_around: bool,
    is_in_string: bool,
    is_escaped: bool,
}

impl Values {
    /// Takes a line. What is complete now.
    pub fn line(&mut self, line: &str, origin: &Origin) -> Told {
        let mut told = Told::default();
        if self.begins_anew(line) {
            self.drop_event(&mut told);
        }
        let mut rest = line;
        while let Some(at) = self.end_of_piece(rest, origin) {
            let (piece, behind) = rest.split_at(at);
            rest = self.piece(piece, behind, origin, &mut told);
        }
        self.text.push_str(rest);
        self.text.push('\n');
        if self.depth == 0 {
            self.complete(origin, &mut told);
        } else if self.text.len() > MOST_BYTES {
            self.drop_event(&mut told);
        }
        told
    }

    /// There are no more lines: what broke off.
    pub fn end(&mut self) -> Told {
        let open = std::mem::take(self);
        let begin = open.event.or(open.begin);
        Told {
            events: Vec::new(),
            broken: begin.map(|begin| broken_off(&begin)),
        }
    }

    /// Whether a document began and did not end.
    pub fn is_open(&self) -> bool {
        self.depth > 0
    }

    /// Whether an event is open that the line does not go on with: logs of a value a line begin each with
    /// a brace, and a value of many lines has one there only behind a bracket or a comma.
    fn begins_anew(&self, line: &str) -> bool {
        let goes_on = self.text.trim_end().ends_with(['[', ',', ':']);
        self.depth > self.around && line.starts_with('{') && !goes_on
    }

    /// Where the next bracket or comma is that an event or a list begins or ends with; keeps count of what is open.
    fn end_of_piece(&mut self, text: &str, origin: &Origin) -> Option<usize> {
        text.bytes().position(|byte| {
            if self.is_in_string {
                let was_escaped = std::mem::take(&mut self.is_escaped);
                match byte {
                    b'\\' if !was_escaped => self.is_escaped = true,
                    b'"' if !was_escaped => self.is_in_string = false,
                    _ => {}
                }
                return false;
            }
            match byte {
                b'"' => self.is_in_string = true,
                b'{' | b'[' => return self.opens(byte, origin),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    return self.depth <= self.around;
                }
                b',' => return self.around > 0 && self.depth == self.around,
                _ => {}
            }
            false
        })
    }

    /// Something is opened. Whether it may be the list of the events.
    fn opens(&mut self, byte: u8, origin: &Origin) -> bool {
        if self.depth == 0 {
            self.begin = Some(origin.clone());
        }
        let may_be_list = byte == b'[' && self.around == 0 && self.depth < 2;
        if self.depth == self.around && !may_be_list {
            self.event = Some(origin.clone());
        }
        self.depth += 1;
        may_be_list
    }

    /// Takes what stands before a bracket or a comma. What stands behind it.
    fn piece<'a>(
        &mut self,
        piece: &str,
        behind: &'a str,
        origin: &Origin,
        told: &mut Told,
    ) -> &'a str {
        self.text.push_str(piece);
        let (mark, behind) = behind.split_at(1);
        match mark {
            "[" if self.is_list() => {
                self.text.clear();
                self.event = None;
                (self.around, self.is_around) = (self.depth, true);
            }
            // Something else's list.
            "[" => self.text.push_str(mark),
            "," => self.complete(origin, told),
            // The list of the events ends: what is left of the document is none.
            _ if self.depth < self.around => {
                self.complete(origin, told);
                self.around = 0;
                self.end_document();
            }
            _ => {
                self.text.push_str(mark);
                self.complete(origin, told);
                self.end_document();
            }
        }
        behind
    }

    /// Whether the list that was opened is that of the events: it is outermost, or called so.
    fn is_list(&self) -> bool {
        let name = self.text.trim_end().strip_suffix(':').map(str::trim_end);
        let is_called_so = |name: &str| LISTS.iter().any(|list| name.ends_with(list));
        self.depth == 1 || name.is_some_and(is_called_so)
    }

    /// Reads what is there, unless it is what is left around events.
    fn complete(&mut self, origin: &Origin, told: &mut Told) {
        let begin = self.event.take().unwrap_or_else(|| origin.clone());
        let is_left = self.is_around && self.around == 0;
        if !is_left && !self.text.trim().is_empty() {
            match serde_json::from_str(&self.text) {
                Ok(value) => {
                    let events = events(value).into_iter();
                    told.events
                        .extend(events.map(|event| (begin.clone(), event)));
                }
                Err(error) => {
                    told.broken.get_or_insert_with(|| error.into());
                }
            }
        }
        self.text.clear();
    }

    /// Another may begin, if everything is closed.
    fn end_document(&mut self) {
        if self.depth == 0 {
            (self.begin, self.is_around) = (None, false);
        }
    }

    /// Goes on behind the event that is open, or the document if that is one.
    fn drop_event(&mut self, told: &mut Told) {
        if let Some(begin) = self.event.as_ref().or(self.begin.as_ref()) {
            told.broken.get_or_insert(broken_off(begin));
        }
        let around = (self.around > 0).then(|| self.begin.take());
        *self = Self {
            begin: around.flatten(),
            depth: self.around,
            around: self.around,
            is_around: self.around > 0,
            ..Self::default()
        };
    }
}

fn broken_off(begin: &Origin) -> Unreadable {
    Unreadable(format!(
        "the JSON that begins in line {} breaks off",
        begin.line
    ))
}

/// The events of a value: itself, or what is in the list that it is around. That is there where a document
/// begins within another that broke off.
fn events(mut value: Value) -> Vec<Value> {
    let list = LISTS.iter().find_map(|name| {
        let list = value.get_mut(name.trim_matches('"'))?;
        list.is_array().then(|| list.take())
    });
    match list {
        Some(Value::Array(all)) => all,
        _ => vec![value],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn origin(line: u64) -> Origin {
        Origin {
            file: "x".into(),
            line,
        }
    }

    /// The events, each with its line, and what could not be read.
    fn read(text: &str) -> (Vec<(u64, Value)>, Vec<String>) {
        let mut values = Values::default();
        let (mut events, mut broken) = (Vec::new(), Vec::new());
        let mut take = |told: Told| {
            let found = told.events.into_iter();
            events.extend(found.map(|(origin, value)| (origin.line, value)));
            broken.extend(told.broken.map(|why| why.0));
        };
        for (at, line) in (1..).zip(text.lines()) {
            take(values.line(line, &origin(at)));
        }
        take(values.end());
        assert_eq!(values.end(), Told::default());
        (events, broken)
    }

    fn whole(text: &str) -> Vec<(u64, Value)> {
        let (events, broken) = read(text);
        assert!(broken.is_empty(), "{text}: {broken:?}");
        events
    }

    #[test]
    fn values_of_one_line_and_of_many() {
        let lines = whole("{\"a\": 1}\n\n{\"a\": \"}\\\"{\"}\n");
        assert_eq!(lines, [(1, json!({"a": 1})), (3, json!({"a": "}\"{"}))]);
        assert_eq!(whole("{\"a\":\n[1,\n2]}"), [(1, json!({"a": [1, 2]}))]);
        assert_eq!(
            whole("{} {\"a\": 1}"),
            [(1, json!({})), (1, json!({"a": 1}))]
        );
    }

    #[test]
    fn events_in_a_list() {
        for (before, behind) in [
            ("[", "]"),
            ("{\"Records\": [", "]}"),
            ("{\"a\": [{}], \"value\" : [", "], \"nextLink\": [\"x\"]}"),
            ("{\"data\":[", "],\"pagination\":{\"a\":[1,{}]}}"),
        ] {
            let one = format!("{before}{{\"a\": [1]}},{{\"b\": {{}}}}{behind}");
            let (a, b) = (json!({"a": [1]}), json!({"b": {}}));
            assert_eq!(whole(&one), [(1, a.clone()), (1, b.clone())], "{one}");
            let many =
                format!("{before}\n {{\"a\":\n [1]}},\n\n{{\"b\": {{}}\n}}\n{behind}\n{one}");
            let expected = [(2, a.clone()), (5, b.clone()), (8, a), (8, b)];
            assert_eq!(whole(&many), expected, "{many}");
            assert_eq!(whole(&format!("{before}{behind}")), [], "{before}");
        }
        assert_eq!(whole("[1, \"x\"]"), [(1, json!(1)), (1, json!("x"))]);
    }

    #[test]
    fn what_breaks_off_takes_nothing_with_it() {
        let (events, broken) = read("{\"a\": [1\n{\"a\": 2}\n{\"a\": 3}\n]]\n{\"a\":\n{}");
        assert_eq!(events, [(2, json!({"a": 2})), (3, json!({"a": 3}))]);
        assert_eq!(broken.len(), 3, "{broken:?}");
        assert!(broken[0].contains("line 1 breaks off"), "{broken:?}");
        assert!(broken[2].contains("line 5 breaks off"), "{broken:?}");

        let (events, broken) = read("{\"records\":[\n{\"a\":1},\n{\"a\":\"");
        assert_eq!(events, [(2, json!({"a": 1}))]);
        assert_eq!(broken, ["the JSON that begins in line 3 breaks off"]);

        let (events, broken) = read("{\"records\":[{\"a\":1},");
        assert_eq!(events, [(1, json!({"a": 1}))]);
        assert_eq!(broken, ["the JSON that begins in line 1 breaks off"]);
    }

    #[test]
    fn what_is_broken_in_a_list_is_one_event() {
        let text = "{\"records\":[\n{\"a\":1},\n{\"a\":x},\n{\"a\":\"\n{\"a\":2}\n]}\n{\"a\":3}";
        let (events, broken) = read(text);
        assert_eq!(
            events,
            [
                (2, json!({"a": 1})),
                (5, json!({"a": 2})),
                (7, json!({"a": 3}))
            ]
        );
        assert_eq!(broken.len(), 2, "{broken:?}");
        assert_eq!(broken[1], "the JSON that begins in line 4 breaks off");
    }

    #[test]
    fn a_document_a_line_of_which_one_breaks_off() {
        let text = "{\"records\":[{\"a\":1},{\"a\":2\n{\"records\":[{\"a\":3},{\"a\":4}]}";
        let (events, broken) = read(text);
        let numbers: Vec<_> = events
            .iter()
            .map(|(_, event)| event["a"].as_u64())
            .collect();
        assert_eq!(numbers, [Some(1), Some(3), Some(4)]);
        assert_eq!(broken.len(), 2, "{broken:?}");
    }

    #[test]
    fn an_event_without_end_takes_no_memory() {
        let mut values = Values::default();
        let mut told = values.line("{\"records\":[{\"a\":\"", &origin(1));
        let line = "x".repeat(MOST_BYTES / 4);
        for _ in 0..5 {
            assert_eq!(told.broken, None);
            told = values.line(&line, &origin(2));
            if told.broken.is_some() {
                break;
            }
        }
        assert!(told.broken.is_some());
        assert!(values.text.len() < MOST_BYTES);
    }

    proptest! {
        /// However a document is cut into lines, the events are those in it; and of one that is cut off,
        /// those before the cut.
        #[test]
        fn events_are_what_is_in_the_list(
            numbers in prop::collection::vec(any::<u32>(), 0..6),
            texts in prop::collection::vec("[\\[\\]{},:\"\\\\a]{0,6}", 6),
            around in 0..3_usize,
            is_pretty: bool,
            cut in any::<prop::sample::Index>(),
        ) {
            let all: Vec<Value> = numbers
                .iter()
                .zip(&texts)
                .map(|(number, text)| json!({"n": [number, {"value": []}], "t": text}))
                .collect();
            let document = match around {
                0 => json!(all),
                1 => json!({"a": {"value": [1]}, "records": all, "z": [{}]}),
                _ => json!({"records": all}),
            };
            let text = if is_pretty {
                serde_json::to_string_pretty(&document).unwrap()
            } else {
                document.to_string()
            };
            let events = |text: &str| -> Vec<Value> {
                read(text).0.into_iter().map(|(_, event)| event).collect()
            };
            prop_assert_eq!(&events(&text), &all);
            prop_assert!(read(&text).1.is_empty());
            let at = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect::<Vec<_>>();
            let cut = *cut.get(&at);
            let before = events(&text[..cut]);
            prop_assert_eq!(&before[..], &all[..before.len()]);
            let is_told = |event: &Value| text[..cut].contains(&event.to_string());
            if !is_pretty {
                prop_assert_eq!(before.len(), all.iter().take_while(|event| is_told(event)).count());
            }
        }
    }
}
