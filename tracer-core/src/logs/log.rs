//! A log, of a kind that is named or that it looks like.

use std::sync::Arc;

use super::{Kind, Origin, Reader, Unreadable, json};

/// How many lines are looked at, at most, to see what kind of log it is.
const LOOKED_AT: usize = 1000;
/// How many bytes: clouds deliver files that are one line. A test need not make that many.
const LOOKED_AT_BYTES: usize = if cfg!(test) { 1 << 20 } else { 64 << 20 };

/// The readers of all kinds. One reads all files of its kind: what one says of a session or a process
/// another may need.
pub struct Readers<K: Kind> {
    around: K::Around,
    all: Vec<(K, Of<K>)>,
}

/// A reader of a kind.
type Of<K> = Box<dyn Reader<<K as Kind>::Item>>;

impl<K: Kind> Readers<K> {
    /// `around`: what lines do not say.
    #[must_use]
    pub fn new(around: K::Around) -> Self {
        Self {
            around,
            all: Vec::new(),
        }
    }

    pub(super) fn of(&mut self, kind: K) -> &mut dyn Reader<K::Item> {
        let known = self.all.iter().position(|(other, _)| *other == kind);
        let at = known.unwrap_or_else(|| {
            self.all.push((kind, kind.reader(&self.around)));
            self.all.len() - 1
        });
        &mut *self.all[at].1
    }
}

/// Reads a log.
pub struct Log<'a, K: Kind> {
    file: Arc<str>,
    line: u64,
    readers: &'a mut Readers<K>,
    state: State<K>,
}

enum State<K> {
    /// What was read before it was known what it is.
    Unknown {
        lines: Vec<String>,
        bytes: usize,
        values: json::Values,
    },
    Known(K),
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which.
    pub origin: Origin,
    /// Why not.
    pub why: Unreadable,
}

/// What was read.
#[derive(Debug)]
pub struct Taken<T> {
    /// What was told.
    pub told: Vec<T>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

impl<T> Default for Taken<T> {
    fn default() -> Self {
        Self {
            told: Vec::new(),
            problems: Vec::new(),
        }
    }
}

/// Nothing in a log looks like a kind that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoKind;

impl<'a, K: Kind> Log<'a, K> {
    /// Of a file.
    #[must_use]
    pub fn new(file: &str, kind: Option<K>, readers: &'a mut Readers<K>) -> Self {
        let unknown = || State::Unknown {
            lines: Vec::new(),
            bytes: 0,
            values: json::Values::default(),
        };
        Self {
            file: file.into(),
            line: 0,
            readers,
            state: kind.map_or_else(unknown, State::Known),
        }
    }

    /// Takes a line, without its end.
    ///
    /// # Errors
    /// If so much was read and still nobody knows what it is.
    pub fn line(&mut self, text: &str, taken: &mut Taken<K::Item>) -> Result<(), NoKind> {
        match &mut self.state {
            State::Known(kind) => {
                let kind = *kind;
                self.read(kind, text, taken);
                Ok(())
            }
            State::Unknown {
                lines,
                bytes,
                values,
            } => {
                lines.push(text.to_owned());
                *bytes += text.len();
                match kind_with(text, values) {
                    Some(kind) => {
                        self.begin(kind, taken);
                        Ok(())
                    }
                    None if *bytes > LOOKED_AT_BYTES => Err(NoKind),
                    // One event may have many lines.
                    None if lines.len() > LOOKED_AT && !values.is_open() => Err(NoKind),
                    None => Ok(()),
                }
            }
        }
    }

    /// It is known what it is: reads what came before.
    fn begin(&mut self, kind: K, taken: &mut Taken<K::Item>) {
        if let State::Unknown { lines, .. } = std::mem::replace(&mut self.state, State::Known(kind))
        {
            for line in lines {
                self.read(kind, &line, taken);
            }
        }
    }

    fn read(&mut self, kind: K, text: &str, taken: &mut Taken<K::Item>) {
        self.line += 1;
        let origin = self.origin();
        let reader = self.readers.of(kind);
        if let Err(why) = reader.line(text, &origin, &mut taken.told) {
            taken.problems.push(Problem { origin, why });
        }
    }

    fn origin(&self) -> Origin {
        Origin {
            file: Arc::clone(&self.file),
            line: self.line,
        }
    }

    /// There are no more lines.
    ///
    /// # Errors
    /// If there were some, and nobody knows what they are.
    pub fn end(self, taken: &mut Taken<K::Item>) -> Result<(), NoKind> {
        let origin = self.origin();
        match self.state {
            State::Unknown { lines, .. } if lines.iter().all(|line| line.trim().is_empty()) => {
                Ok(())
            }
            State::Unknown { .. } => Err(NoKind),
            State::Known(kind) => {
                if let Err(why) = self.readers.of(kind).end(&mut taken.told) {
                    taken.problems.push(Problem { origin, why });
                }
                Ok(())
            }
        }
    }
}

/// The kind that a line looks like, or the events in it.
pub(super) fn kind_of<K: Kind>(text: &str) -> Option<K> {
    kind_with(text, &mut json::Values::default())
}

/// The kind that a line looks like, or an event that is complete with it.
fn kind_with<K: Kind>(text: &str, values: &mut json::Values) -> Option<K> {
    let nowhere = Origin {
        file: "".into(),
        line: 0,
    };
    let find = |is_it: &dyn Fn(K) -> bool| K::all().iter().copied().find(|kind| is_it(*kind));
    find(&|kind| kind.recognises(text)).or_else(|| {
        let told = values.line(text, &nowhere);
        let mut events = told.events.iter();
        events.find_map(|(_, event)| find(&|kind| kind.recognises_event(event)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::{Act, What, read};

    fn read(
        readers: &mut Readers<read::Kind>,
        file: &str,
        text: &str,
    ) -> Result<Taken<Act>, NoKind> {
        let mut taken = Taken::default();
        let mut log = Log::new(file, None, readers);
        for line in text.lines() {
            log.line(line, &mut taken)?;
        }
        log.end(&mut taken)?;
        Ok(taken)
    }

    #[test]
    fn files_of_one_kind_know_of_each_other() {
        let mut readers = Readers::<read::Kind>::new(2025);
        let auth = "2025-12-02T17:53:50Z sshd[9]: Connection from 192.0.2.7 port 5\n\
                    2025-12-02T17:53:51Z sshd[9]: Session opened for 'root' on /dev/char/pty/t0\n";
        assert_eq!(read(&mut readers, "auth.log", auth).unwrap().told, []);
        let shell = "\n2025-12-02T17:54:00Z shell[9]: [root]: netstat\n";
        let taken = read(&mut readers, "shell.log", shell).unwrap();
        assert_eq!(taken.told[0].actor.via.as_deref(), Some("ssh"));
        assert_eq!(
            taken.told[0].what,
            What::Command(vec!["netstat".to_owned()])
        );
        assert_eq!(taken.told[0].origin.line, 2);
    }

    #[test]
    fn what_is_of_no_kind() {
        let mut readers = Readers::<read::Kind>::new(2025);
        assert!(read(&mut readers, "x", "\n \n").unwrap().told.is_empty());
        assert_eq!(read(&mut readers, "x", "hello\n").err(), Some(NoKind));
        let wide = "x".repeat(LOOKED_AT_BYTES / 2);
        for (line, count) in [("hello", LOOKED_AT + 1), (&wide, 3)] {
            let mut log = Log::new("x", None, &mut readers);
            let mut lines = (0..count).map(|_| log.line(line, &mut Taken::default()));
            let error = lines.find_map(Result::err);
            assert_eq!((error, lines.next()), (Some(NoKind), None));
        }
    }
}
