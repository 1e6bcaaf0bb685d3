//! A log, of a kind that is named or that it looks like.

use std::sync::Arc;

use super::{Kind, Reader, Unreadable, json};
use crate::discovery::{Act, Origin};

/// How many lines are looked at, at most, to see what kind of log it is.
const LOOKED_AT: usize = 1000;
/// How many bytes: clouds deliver files that are one line. A test need not make that many.
const LOOKED_AT_BYTES: usize = if cfg!(test) { 1 << 20 } else { 64 << 20 };

/// The readers of all kinds. One reads all files of its kind: what one says of a session or a process
/// another may need.
#[derive(Default)]
pub struct Readers {
    /// The year of times that are written without one.
    year: i16,
    all: Vec<(Kind, Box<dyn Reader>)>,
}

impl Readers {
    /// `year`: of times that are written without one.
    #[must_use]
    pub fn new(year: i16) -> Self {
        Self {
            year,
            all: Vec::new(),
        }
    }

    fn of(&mut self, kind: Kind) -> &mut dyn Reader {
        let known = self.all.iter().position(|(other, _)| *other == kind);
        let at = known.unwrap_or_else(|| {
            self.all.push((kind, kind.reader(self.year)));
            self.all.len() - 1
        });
        &mut *self.all[at].1
    }
}

/// Reads a log.
pub struct Log<'a> {
    file: Arc<str>,
    line: u64,
    readers: &'a mut Readers,
    state: State,
}

enum State {
    /// What was read before it was known what it is.
    Unknown {
        lines: Vec<String>,
        bytes: usize,
        values: json::Values,
    },
    Known(Kind),
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
#[derive(Debug, Default)]
pub struct Taken {
    /// What was done.
    pub acts: Vec<Act>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// Nothing in a log looks like a kind that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoKind;

impl<'a> Log<'a> {
    /// Of a file.
    #[must_use]
    pub fn new(file: &str, kind: Option<Kind>, readers: &'a mut Readers) -> Self {
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
    pub fn line(&mut self, text: &str, taken: &mut Taken) -> Result<(), NoKind> {
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
                match kind_of(text, values) {
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
    fn begin(&mut self, kind: Kind, taken: &mut Taken) {
        if let State::Unknown { lines, .. } = std::mem::replace(&mut self.state, State::Known(kind))
        {
            for line in lines {
                self.read(kind, &line, taken);
            }
        }
    }

    fn read(&mut self, kind: Kind, text: &str, taken: &mut Taken) {
        self.line += 1;
        let origin = self.origin();
        let reader = self.readers.of(kind);
        if let Err(why) = reader.line(text, &origin, &mut taken.acts) {
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
    pub fn end(self, taken: &mut Taken) -> Result<(), NoKind> {
        let origin = self.origin();
        match self.state {
            State::Unknown { lines, .. } if lines.iter().all(|line| line.trim().is_empty()) => {
                Ok(())
            }
            State::Unknown { .. } => Err(NoKind),
            State::Known(kind) => {
                if let Err(why) = self.readers.of(kind).end(&mut taken.acts) {
                    taken.problems.push(Problem { origin, why });
                }
                Ok(())
            }
        }
    }
}

/// The kind that a line looks like, or an event that is complete with it.
fn kind_of(text: &str, values: &mut json::Values) -> Option<Kind> {
    let nowhere = Origin {
        file: "".into(),
        line: 0,
    };
    Kind::of_line(text).or_else(|| {
        let events = values.line(text, &nowhere).ok()?;
        events.iter().find_map(|(_, event)| Kind::of_event(event))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::What;

    fn read(readers: &mut Readers, file: &str, text: &str) -> Result<Taken, NoKind> {
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
        let mut readers = Readers::new(2025);
        let auth = "2025-12-02T17:53:50Z sshd[9]: Connection from 192.0.2.7 port 5\n\
                    2025-12-02T17:53:51Z sshd[9]: Session opened for 'root' on /dev/char/pty/t0\n";
        assert_eq!(read(&mut readers, "auth.log", auth).unwrap().acts, []);
        let shell = "\n2025-12-02T17:54:00Z shell[9]: [root]: netstat\n";
        let taken = read(&mut readers, "shell.log", shell).unwrap();
        assert_eq!(taken.acts[0].actor.via.as_deref(), Some("ssh"));
        assert_eq!(
            taken.acts[0].what,
            What::Command(vec!["netstat".to_owned()])
        );
        assert_eq!(taken.acts[0].origin.line, 2);
    }

    #[test]
    fn what_is_of_no_kind() {
        let mut readers = Readers::new(2025);
        assert!(read(&mut readers, "x", "\n \n").unwrap().acts.is_empty());
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
